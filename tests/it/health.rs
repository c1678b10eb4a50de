//! Health pages and the monitor's own port: in normal operation, while the host is blocked, and during shutdown.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use serde_json::Value;
use watchpost::testing::Harness;
use watchpost::{Access, Monitor};

use crate::support::{get_request, http_get, send};

const TOKEN: &str = "9f86d081884c7d659a2feaa0c55ad015";

fn until(what: &str, happened: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !happened() {
        assert!(Instant::now() < patience, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn builder() -> watchpost::MonitorBuilder {
    Monitor::builder("shop").env(false).console(false)
}

#[test]
fn the_own_port_responds_while_the_host_is_blocked() {
    let monitor = builder().build().unwrap();
    let port = monitor.serve("127.0.0.1:0").unwrap();
    let (blocked, is_blocked) = mpsc::channel();
    let (sender, address) = mpsc::channel();
    let layer = monitor.layer();
    let host = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let handler = move || async move {
                blocked.send(()).unwrap();
                thread::sleep(Duration::from_secs(3));
                "awake"
            };
            let app = Router::new()
                .route("/sleep/{id}", get(handler))
                .layer(layer);
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            let once = async {
                let (stream, _) = listener.accept().await.unwrap();
                let io = hyper_util::rt::TokioIo::new(stream);
                let service = hyper_util::service::TowerToHyperService::new(app);
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(io, service)
                    .await
            };
            once.await.unwrap();
        });
    });
    let address = address.recv().unwrap();
    let client = thread::spawn(move || http_get(address, "/sleep/7", ""));
    is_blocked.recv().unwrap();
    let start = Instant::now();
    let mut slowest = Duration::ZERO;
    let mut rounds = 0;
    while start.elapsed() < Duration::from_millis(2500) {
        for (path, expected) in [
            ("/livez", "\r\n\r\nok"),
            ("/readyz", "\r\n\r\nok"),
            ("/metrics", "process_start_time_seconds"),
        ] {
            let before = Instant::now();
            let response = http_get(port.local_addr(), path, "");
            let took = before.elapsed();
            assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
            assert!(response.contains(expected), "{response}");
            slowest = slowest.max(took);
        }
        let running = monitor.in_flight();
        assert_eq!(running.len(), 1);
        assert_eq!(&*running[0].route, "/sleep/{id}");
        let polled = running[0].polled_for.unwrap();
        assert!(
            polled >= start.elapsed().saturating_sub(Duration::from_millis(100)),
            "{polled:?}"
        );
        rounds += 1;
        thread::sleep(Duration::from_millis(50));
    }
    assert!(slowest < Duration::from_millis(100), "{slowest:?}");
    assert!(rounds > 10);
    let response = client.join().unwrap();
    assert!(response.ends_with("awake"), "{response}");
    host.join().unwrap();
    assert!(monitor.in_flight().is_empty());
}

#[test]
fn the_own_port_outlives_the_hosts_runtime_and_closes_when_dropped() {
    let monitor = builder().build().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let port = runtime.block_on(async { monitor.serve("127.0.0.1:0").unwrap() });
    drop(runtime);
    let address = port.local_addr();
    assert!(http_get(address, "/livez", "").ends_with("ok"));
    assert!(http_get(address, "/elsewhere", "").starts_with("HTTP/1.1 404 "));
    drop(port);
    until("the port is closed", || {
        TcpStream::connect(address).is_err()
    });
    let again = monitor.serve(address).unwrap();
    assert!(monitor.serve(again.local_addr()).unwrap_err().is_io());
}

#[test]
fn the_own_port_responds_after_shutdown_until_it_is_dropped() {
    let monitor = builder().build().unwrap();
    let port = monitor.serve("127.0.0.1:0").unwrap();
    let address = port.local_addr();
    let orders = monitor.metrics().counter("orders").build();
    orders.add(1);
    let report = monitor.shutdown_blocking(Duration::from_secs(5)).unwrap();
    assert!(report.is_complete(), "{report}");
    // Metrics recorded after the shutdown are still shown.
    orders.add(2);
    let pages = || {
        let page = http_get(address, "/metrics", "");
        assert!(page.contains("\norders_total 3\n"), "{page}");
        assert!(http_get(address, "/livez", "").ends_with("ok"));
        assert!(http_get(address, "/readyz", "").starts_with("HTTP/1.1 503 "));
        let health = http_get(address, "/health", "");
        assert!(health.ends_with("{\"status\":\"fail\"}"), "{health}");
    };
    pages();
    drop(monitor);
    pages();
    drop(port);
    until("the port is closed", || {
        TcpStream::connect(address).is_err()
    });
}

#[tokio::test]
async fn pages_on_the_hosts_router_are_not_counted_and_show_checks() {
    let harness = Harness::new();
    let good = Arc::new(AtomicBool::new(true));
    let is_good = Arc::clone(&good);
    let health = harness.health();
    health.check("database", move || {
        let good = is_good.load(SeqCst);
        async move { if good { Ok(()) } else { Err("gone") } }
    });
    let app = Router::new()
        .route_service("/livez", health.livez())
        .route_service("/readyz", health.readyz())
        .route_service("/health", health.details(Access::token(TOKEN)))
        .layer(harness.layer());
    let mut ready = send(&app, get_request("/readyz")).await;
    while ready.status != 200 {
        assert_eq!((ready.status.as_u16(), &*ready.body), (503, "starting"));
        tokio::time::sleep(Duration::from_millis(1)).await;
        ready = send(&app, get_request("/readyz")).await;
    }
    assert_eq!(ready.body, "ok");
    assert_eq!(send(&app, get_request("/livez")).await.body, "ok");
    let mut request = get_request("/health");
    let shown = format!("Bearer {TOKEN}").parse().unwrap();
    request.headers_mut().insert("authorization", shown);
    let details = send(&app, request).await;
    assert_eq!(details.headers["content-type"], "application/health+json");
    let json: Value = serde_json::from_str(&details.body).unwrap();
    assert_eq!(json["checks"]["database"][0]["status"], "pass", "{json}");
    assert_eq!(
        json["checks"]["database"][0]["time"],
        "2026-01-01T00:00:00.000Z"
    );
    let lines = harness.lines();
    assert!(
        !lines.iter().any(|line| line.contains("/readyz")),
        "{lines:?}"
    );
    let page = harness.page();
    assert!(
        page.sum("http_server_request_duration_seconds_count", &[])
            .abs()
            < 0.5
    );
}

#[tokio::test]
async fn readyz_reports_draining_before_the_signal_resolves() {
    let harness = Harness::with(|builder| builder.drain_wait(Duration::from_millis(200)));
    let readyz = Router::new().route_service("/readyz", harness.health().readyz());
    assert_eq!(send(&readyz, get_request("/readyz")).await.body, "ok");
    let (signal, signalled) = tokio::sync::oneshot::channel::<()>();
    let drained = tokio::spawn(harness.drain(signalled));
    signal.send(()).unwrap();
    let mut response = send(&readyz, get_request("/readyz")).await;
    while response.body == "ok" {
        assert!(!drained.is_finished());
        tokio::time::sleep(Duration::from_millis(1)).await;
        response = send(&readyz, get_request("/readyz")).await;
    }
    assert_eq!(
        (response.status.as_u16(), &*response.body),
        (503, "draining")
    );
    drained.await.unwrap();
}

#[test]
fn a_check_that_blocks_does_not_delay_shutdown() {
    let monitor = builder().build().unwrap();
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = Arc::new(std::sync::Mutex::new(blocked));
    let (sender, begun) = mpsc::channel();
    monitor.health().check("stuck", move || {
        sender.send(()).unwrap();
        let blocked = Arc::clone(&blocked);
        async move {
            let _ended = blocked.lock().unwrap().recv();
            Ok::<(), String>(())
        }
    });
    begun.recv().unwrap();
    let start = Instant::now();
    monitor.shutdown_blocking(Duration::from_secs(1)).unwrap();
    drop(monitor);
    assert!(
        start.elapsed() < Duration::from_millis(1300),
        "{:?}",
        start.elapsed()
    );
    drop(release);
}

#[tokio::test]
async fn the_hosts_page_and_the_own_port_share_the_token_of_the_settings() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("watchpost.toml");
    std::fs::write(&path, format!("access.token = \"{TOKEN}\"\n")).unwrap();
    let other = "2c26b46b68ffc68ff99b453c1d304134";
    for (harness, token, refused) in [
        (Harness::with(|builder| builder.file(&path)), TOKEN, other),
        (
            Harness::with(|builder| builder.access_token(TOKEN)),
            TOKEN,
            other,
        ),
        (
            Harness::with(|builder| builder.file(&path).access_token(other)),
            other,
            TOKEN,
        ),
    ] {
        let page = harness.health().details(Access::from_settings());
        let app = Router::new().route_service("/health", page);
        let port = harness.serve("127.0.0.1:0").unwrap();
        for (shown, admitted) in [(token, true), (refused, false)] {
            let mut request = get_request("/health");
            let value = format!("Bearer {shown}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
            let response = send(&app, request).await;
            assert_eq!(
                response.body.contains("checks"),
                admitted,
                "{}",
                response.body
            );
            let headers = format!("authorization: Bearer {shown}\r\n");
            let body = http_get(port.local_addr(), "/health", &headers);
            assert_eq!(body.contains("checks"), admitted, "{body}");
        }
        assert!(harness.notices().iter().all(|it| !it.contains("token")));
        let printed = harness.settings().to_string();
        assert!(!printed.contains(token), "{printed}");
    }
}
