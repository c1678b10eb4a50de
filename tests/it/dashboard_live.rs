//! What the dashboard shows, over real connections: its figures against the clients' own counts, and live connections.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use axum::Router;
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tracing_subscriber::layer::SubscriberExt;
use watchpost::dashboard::{DashboardCard, DashboardConfig};
use watchpost::db::{ConnectionPool, PoolState};
use watchpost::{Access, Monitor};

use crate::dashboard_host::{Host, TOKEN, shop};

/// The sections of every document.
const SECTIONS: [&str; 15] = [
    "verdict",
    "alerts",
    "cards",
    "points",
    "day",
    "changes",
    "services",
    "running",
    "traces",
    "errors",
    "logs",
    "anomalies",
    "markers",
    "cost",
    "setup",
];

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn host() -> Host {
    host_with(DashboardConfig::default())
}

fn host_with(config: DashboardConfig) -> Host {
    Host::serve(
        |builder| {
            builder
                .access_token(TOKEN)
                .service_version("1.2.3")
                .dashboard(config)
        },
        shop,
    )
}

fn document(host: &Host, path: &str) -> Value {
    let token = format!("Bearer {TOKEN}");
    let answer = host.get(path, &[("authorization", &token)]);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

/// The client leaves while its request waits for the figures, as when a tab is closed.
#[test]
fn a_request_to_the_dashboard_is_no_request_of_the_service() {
    let host = host();
    let leave_early = || {
        let mut stream = std::net::TcpStream::connect(host.address).unwrap();
        let request = format!(
            "GET /monitoring/data/v1/overview?range=1h HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\n\r\n",
            host.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        // Long enough to reach the dashboard, and shorter than the first computation takes.
        std::thread::sleep(Duration::from_millis(20));
    };
    (0..20).for_each(|_| leave_early());
    let overview = overview_until(&host, |_| true);
    assert_eq!(overview["sections"]["running"]["count"], 0);
    host.send("GET", "/orders/7", &[], "");
    let page = host.harness.page();
    let requests = |route: &str| {
        let name = "http_server_request_duration_seconds_count";
        page.sum(name, &[("http_route", route)])
    };
    assert_eq!(requests("/orders/{id}"), 1.0);
    assert_eq!(requests("/monitoring/{*path}"), 0.0);
    assert!(host.harness.in_flight().is_empty());
}

/// Reads the overview until it shows what is expected, for at most ten seconds.
fn overview_until(host: &Host, is_there: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let overview = document(host, "data/v1/overview?range=15m");
        if is_there(&overview) {
            return overview;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "{overview:#}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_overview_shows_what_the_client_counted() {
    let host = host();
    let empty = document(&host, "data/v1/overview?range=1h");
    for section in SECTIONS {
        assert!(!empty["sections"][section].is_null(), "{section}");
    }
    assert_eq!(empty["sections"]["verdict"]["state"], "waiting");
    assert_eq!(empty["sections"]["setup"]["has_requests"], false);
    assert_eq!(
        empty["sections"]["cards"]["response_time"]["missing"],
        "no_requests"
    );
    let (mut sent, mut failed) = (0, 0);
    for n in 0..40 {
        let broken = n % 8 == 0;
        let path = if broken {
            "/broken".to_owned()
        } else {
            format!("/orders/{n}")
        };
        let answer = host.send("GET", &path, &[], "");
        sent += 1;
        failed += u32::from(answer.status.is_server_error());
    }
    let share = f64::from(failed) / f64::from(sent);
    let shown = overview_until(&host, |overview| {
        let sections = &overview["sections"];
        let is_counted = sections["cards"]["error_rate"]["value"] == share;
        is_counted && sections["errors"][0]["count"] == failed && sections["traces"][0].is_object()
    });
    let sections = &shown["sections"];
    let cards = &sections["cards"];
    assert!(cards["requests"]["value"].as_f64().unwrap() > 0.0);
    assert!(cards["response_time"]["p50"].as_f64() <= cards["response_time"]["value"].as_f64());
    assert_eq!(cards["error_rate"]["critical"], 0.05);
    assert_eq!(cards["connections"]["missing"], "no_pool");
    assert_eq!(cards["users"]["missing"], "no_hook");
    assert_eq!(sections["verdict"]["state"], "healthy");
    let error = &sections["errors"][0];
    assert_eq!(
        (&error["count"], &error["route"]),
        (&Value::from(failed), &Value::from("/broken"))
    );
    assert_eq!(
        (&error["message"], &error["mark"]),
        (&Value::from("the shelf is empty"), &Value::from("new"))
    );
    let trace = &sections["traces"][0];
    assert_eq!(
        (&trace["route"], &trace["status"]),
        (&Value::from("/broken"), &Value::from(500))
    );
    assert_eq!(
        (&trace["method"], &trace["failed"]),
        (&Value::from("GET"), &Value::from(true))
    );
    assert_eq!(sections["services"][0]["kind"], "self");
    assert_eq!(sections["setup"]["mount"], "/monitoring");
    // Requests of the dashboard itself are not counted.
    let page = host.harness.page();
    let counted = page.sum("http_server_request_duration_seconds_count", &[]);
    assert_eq!(counted, f64::from(sent));
    let series = &shown["series"];
    assert_eq!(
        (&series["step_ms"], &series["failed"]),
        (&Value::from(10_000), &Value::Null)
    );
    for card in DashboardCard::ALL {
        assert_eq!(
            series["values"][card.as_str()].as_array().unwrap().len(),
            90
        );
    }
    let token = format!("Bearer {TOKEN}");
    let status = host.get("status", &[("authorization", &token)]).body;
    assert!(
        status.contains("state          healthy") && status.contains("the shelf is empty"),
        "{status}"
    );
}

/// What the service logs is on the page. Lines of requests leave no room for others, so they are left out.
#[test]
fn the_last_log_lines_are_shown() {
    let host = host();
    let layers = tracing_subscriber::registry().with(host.harness.tracing_layer());
    tracing::subscriber::with_default(layers, || {
        for n in 0..12 {
            tracing::warn!(target: "shop::stock", "{n} left");
        }
    });
    for n in 0..20 {
        host.send("GET", &format!("/none/{n}"), &[], "");
    }
    let shown = overview_until(&host, |overview| {
        overview["sections"]["logs"][0]["message"] == "11 left"
    });
    let lines = shown["sections"]["logs"].as_array().unwrap();
    let texts: Vec<_> = lines
        .iter()
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    let expected: Vec<_> = (4..12).rev().map(|n| format!("{n} left")).collect();
    assert_eq!(texts, expected);
    assert_eq!(
        (&lines[0]["level"], &lines[0]["target"]),
        (&Value::from("warn"), &Value::from("shop::stock"))
    );
    // A line that comes later is added to those.
    let layers = tracing_subscriber::registry().with(host.harness.tracing_layer());
    tracing::subscriber::with_default(layers, || tracing::info!("sold out"));
    let shown = overview_until(&host, |overview| {
        overview["sections"]["logs"][0]["message"] == "sold out"
    });
    let lines = shown["sections"]["logs"].as_array().unwrap();
    assert_eq!(
        (lines.len(), &lines[1]["message"]),
        (8, &Value::from("11 left"))
    );
}

/// What the service marked before a restart is on the page after it.
#[test]
fn markers_are_shown_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let first = Monitor::builder("shop")
        .env(false)
        .service_version("1.2.2")
        .data_dir(directory.path())
        .console_to(std::io::sink())
        .build()
        .unwrap();
    first.mark("sale begins");
    let report = first.shutdown_blocking(Duration::from_secs(20)).unwrap();
    assert!(report.is_complete());
    drop(first);
    let host = Host::serve(
        |builder| {
            let builder = builder.access_token(TOKEN).service_version("1.2.3");
            builder.data_dir(directory.path())
        },
        |harness| Router::new().merge(harness.dashboard(Access::from_settings())),
    );
    let shown = overview_until(&host, |overview| {
        overview["sections"]["markers"].as_array().unwrap().len() == 3
    });
    let rows = |section: &str, name: &str| -> Vec<(String, String)> {
        let rows = shown["sections"][section].as_array().unwrap().iter();
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        rows.map(|row| (text(row, "kind"), text(row, name)))
            .collect()
    };
    let pairs = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        let pairs = all.iter();
        pairs
            .map(|(one, two)| ((*one).to_owned(), (*two).to_owned()))
            .collect()
    };
    assert_eq!(
        rows("markers", "text"),
        pairs(&[
            ("start", "1.2.2"),
            ("mark", "sale begins"),
            ("deploy", "1.2.3")
        ])
    );
    assert_eq!(
        rows("changes", "subject"),
        pairs(&[
            ("deploy", "1.2.3"),
            ("stop", "1.2.2"),
            ("mark", "sale begins"),
            ("start", "1.2.2"),
        ])
    );
    assert_eq!(shown["sections"]["changes"][0]["before"], "1.2.2");
}

#[test]
fn a_range_is_read_from_the_query_or_refused() {
    let host = host();
    let token = format!("Bearer {TOKEN}");
    let now = document(&host, "data/v1/session")["now"].as_u64().unwrap();
    let between = format!("from={}&to={now}", now - 7_200_000);
    for (query, status) in [
        ("range=30d", 200),
        (between.as_str(), 200),
        ("", 400),
        ("range=2h", 400),
        ("range=", 400),
        ("from=1&to=1", 400),
        ("from=2&to=1", 400),
        ("from=0&to=99999999999999999999", 400),
        ("from=0&to=1783000000000", 400),
        ("from=x&to=y", 400),
    ] {
        let path = format!("data/v1/overview?{query}");
        let answer = host.get(&path, &[("authorization", &token)]);
        assert_eq!(answer.status.as_u16(), status, "{query}: {}", answer.body);
    }
    let past = document(&host, &format!("data/v1/overview?{between}"));
    assert_eq!(past["range"]["live"], false);
    assert_eq!(past["sections"]["cards"]["requests"]["value"], Value::Null);
}

async fn connect(host: &Host, query: &str) -> Result<Socket, Error> {
    let url = format!("ws://{}/monitoring/live{query}", host.address);
    let mut request = url.into_client_request().unwrap();
    let token = format!("Bearer {TOKEN}").parse().unwrap();
    request.headers_mut().insert("authorization", token);
    connect_async(request).await.map(|(socket, _)| socket)
}

/// The next text of a connection.
async fn next(socket: &mut Socket) -> Value {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(10), socket.next()).await;
        match message.unwrap().unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn close_code(socket: &mut Socket) -> (Option<String>, CloseCode) {
    let mut reason = None;
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["type"] == "bye" {
                    reason = message["reason"].as_str().map(str::to_owned);
                }
            }
            Message::Close(frame) => return (reason, frame.unwrap().code),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_connection_receives_everything_once_and_then_what_changes() {
    let host = host();
    let mut socket = connect(&host, "").await.unwrap();
    let hello = next(&mut socket).await;
    assert_eq!(
        (&hello["type"], &hello["heartbeat_ms"]),
        (&Value::from("hello"), &Value::from(5000))
    );
    for section in SECTIONS {
        assert!(!hello["sections"][section].is_null(), "{section}");
    }
    assert!(hello.to_string().len() < 32 * 1024);
    let mut seq = hello["seq"].as_u64().unwrap();
    let begin = Instant::now();
    for n in 0..20 {
        host.send("GET", &format!("/orders/{n}"), &[], "");
    }
    let (sent, sent_at) = (
        Instant::now(),
        document(&host, "data/v1/session")["now"].as_u64().unwrap(),
    );
    // Each change continues the one before. A state that is computed a second after the requests has them, so that they
    // are on the screen within two.
    loop {
        let message = next(&mut socket).await;
        if message["type"] == "heartbeat" {
            assert_eq!(message["seq"], seq);
            continue;
        }
        assert_eq!(
            (&message["type"], &message["from"]),
            (&Value::from("delta"), &Value::from(seq))
        );
        seq = message["seq"].as_u64().unwrap();
        if message["sections"]["cards"]["requests"]["value"].as_f64() > Some(0.0) {
            break;
        }
        assert!(message["at"].as_u64() < Some(sent_at + 1000), "{message}");
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
    println!("on the screen after {:?}", sent.elapsed());
    let epoch = hello["epoch"].as_str().unwrap();
    // A client without WebSocket, and one that comes back.
    let poll = document(
        &host,
        &format!("data/v1/live?epoch={epoch}&after={}", seq - 1),
    );
    assert!(
        matches!(poll["messages"][0]["type"].as_str(), Some("delta")),
        "{poll}"
    );
    assert_eq!(
        document(&host, "data/v1/live")["messages"][0]["type"],
        "hello"
    );
    let mut again = connect(&host, &format!("?epoch={epoch}&after={}", seq - 1))
        .await
        .unwrap();
    let message = next(&mut again).await;
    assert_eq!(
        (&message["type"], &message["from"]),
        (&Value::from("delta"), &Value::from(seq - 1))
    );
    let mut other = connect(&host, "?epoch=0000000000000000&after=1")
        .await
        .unwrap();
    assert_eq!(next(&mut other).await["type"], "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_end_with_the_reason() {
    let host = host();
    // Whoever sends data is no page of ours.
    let mut talks = connect(&host, "").await.unwrap();
    next(&mut talks).await;
    talks.send(Message::text("{}")).await.unwrap();
    assert_eq!(close_code(&mut talks).await, (None, CloseCode::Protocol));
    // A ping is answered.
    let mut socket = connect(&host, "").await.unwrap();
    next(&mut socket).await;
    socket.send(Message::Ping("there?".into())).await.unwrap();
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Pong(content) => break assert_eq!(content, "there?"),
            Message::Text(_) => {}
            other => panic!("{other:?}"),
        }
    }
    // A shutdown of the monitor.
    let begin = Instant::now();
    let report = host.harness.shutdown(Duration::from_secs(2)).await;
    assert!(report.is_complete());
    let end = close_code(&mut socket).await;
    assert_eq!(end, (Some("shutdown".to_owned()), CloseCode::Away));
    assert!(begin.elapsed() < Duration::from_secs(2));
    let refused = host.get(
        "data/v1/live",
        &[("authorization", &format!("Bearer {TOKEN}"))],
    );
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    // The page itself is still there.
    assert_eq!(host.get("", &[]).status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_closes_the_connections_of_its_session() {
    let host = host();
    let origin = format!("http://{}", host.address);
    let json = [
        ("content-type", "application/json"),
        ("origin", origin.as_str()),
    ];
    let body = format!("{{\"token\":\"{TOKEN}\"}}");
    let login = host.send("POST", "/monitoring/login", &json, &body);
    let set = login.headers["set-cookie"].to_str().unwrap().to_owned();
    let cookie = set.split(';').next().unwrap();
    let url = format!("ws://{}/monitoring/live", host.address);
    let mut request = url.into_client_request().unwrap();
    request
        .headers_mut()
        .insert("cookie", cookie.parse().unwrap());
    request
        .headers_mut()
        .insert("origin", origin.parse().unwrap());
    let (mut socket, _) = connect_async(request).await.unwrap();
    let mut program = connect(&host, "").await.unwrap();
    next(&mut socket).await;
    next(&mut program).await;
    let mut headers = json.to_vec();
    headers.push(("cookie", cookie));
    let out = host.send("POST", "/monitoring/logout", &headers, "{}");
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    let end = close_code(&mut socket).await;
    assert_eq!(end, (Some("session_ended".to_owned()), CloseCode::Policy));
    // Another connection goes on.
    let message = next(&mut program).await;
    assert_ne!(message["type"], "bye");
}

#[tokio::test(flavor = "multi_thread")]
async fn live_connections_are_limited() {
    let config = DashboardConfig::default().max_clients_per_address(3);
    let host = host_with(config);
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut socket = connect(&host, "").await.unwrap();
        next(&mut socket).await;
        open.push(socket);
    }
    match connect(&host, "").await {
        Err(Error::Http(response)) => {
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
        other => panic!("{:?}", other.map(drop)),
    }
    // A connection that is closed makes room.
    let mut one = open.pop().unwrap();
    one.close(None).await.unwrap();
    drop(one);
    let begin = Instant::now();
    while connect(&host, "").await.is_err() {
        assert!(begin.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_own_port_serves_it_where_the_settings_say_so() {
    let mut host = host_with(DashboardConfig::default().serve(true));
    let server = host.harness.serve("127.0.0.1:0").unwrap();
    // The requests below go to the own port.
    host.address = server.local_addr();
    assert_eq!(
        host.send("GET", "/monitoring", &[], "").status,
        StatusCode::PERMANENT_REDIRECT
    );
    assert_eq!(host.get("", &[]).status, StatusCode::OK);
    assert_eq!(
        host.get("data/v1/overview", &[]).status,
        StatusCode::UNAUTHORIZED
    );
    let origin = format!("http://{}", host.address);
    let json = [
        ("content-type", "application/json"),
        ("origin", origin.as_str()),
    ];
    let body = format!("{{\"token\":\"{TOKEN}\"}}");
    assert_eq!(
        host.send("POST", "/monitoring/login", &json, &body).status,
        StatusCode::OK
    );
    let mut socket = connect(&host, "").await.unwrap();
    assert_eq!(next(&mut socket).await["type"], "hello");
    assert_eq!(host.send("GET", "/metrics", &[], "").status, StatusCode::OK);
    let mut without = host_with(DashboardConfig::default());
    let server = without.harness.serve("127.0.0.1:0").unwrap();
    without.address = server.local_addr();
    assert_eq!(without.get("", &[]).status, StatusCode::NOT_FOUND);
}

/// Counts how often it is asked, which is for each state, once for each of the metrics of a pool.
#[derive(Clone)]
struct CountingPool(Arc<AtomicU64>);

impl ConnectionPool for CountingPool {
    fn state(&self) -> Option<PoolState> {
        self.0.fetch_add(1, Relaxed);
        Some(PoolState::new(1, 1))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_computation_a_second_serves_all_clients() {
    let host = host_with(DashboardConfig::default().max_clients_per_address(64));
    let calls = Arc::<AtomicU64>::default();
    let _watch = host
        .harness
        .watch_pool("orders", &CountingPool(Arc::clone(&calls)));
    let mut sockets = Vec::new();
    let begin = Instant::now();
    for _ in 0..32 {
        sockets.push(connect(&host, "").await.unwrap());
    }
    // All receive the same states, and those without a connection ask for them.
    let mut states = Vec::new();
    for round in 0..4 {
        host.send("GET", "/orders/1", &[], "");
        for socket in &mut sockets {
            let message = next(socket).await;
            states.push((round, message["type"].to_string()));
        }
        for _ in 0..8 {
            document(&host, "data/v1/live");
            document(&host, "data/v1/overview?range=15m");
        }
    }
    let overview = document(&host, "data/v1/overview?range=15m");
    let services = overview["sections"]["services"].as_array().unwrap();
    let pool = services.iter().find(|row| row["kind"] == "pool").unwrap();
    assert_eq!(pool["name"], "orders");
    // A pool does not report how its acquisitions end, which is not the same as no errors.
    assert!(pool["error_rate"].is_null(), "{pool}");
    let seconds = begin.elapsed().as_secs();
    let calls = calls.load(Relaxed);
    assert_eq!(states.len(), 4 * 32);
    // A state each second; the history asks as well, every ten seconds. There are three metrics of a pool.
    let most = 3 * (seconds + 2 + seconds.div_ceil(10) + 1);
    assert!(calls <= most, "{calls} calls in {seconds} s");
    assert!(calls > 0);
}

/// Hangs for as long as the test.
#[derive(Clone)]
struct HangingPool(Arc<AtomicU64>);

impl ConnectionPool for HangingPool {
    fn state(&self) -> Option<PoolState> {
        self.0.fetch_add(1, Relaxed);
        std::thread::sleep(Duration::from_secs(60));
        Some(PoolState::new(1, 1))
    }
}

#[test]
fn code_of_the_host_that_hangs_stops_no_page_and_nothing_runs_unless_somebody_looks() {
    let host = host();
    let calls = Arc::<AtomicU64>::default();
    let _watch = host
        .harness
        .watch_pool("hanging", &HangingPool(Arc::clone(&calls)));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(calls.load(Relaxed), 0, "nobody looks");
    let begin = Instant::now();
    let first = document(&host, "data/v1/overview?range=15m")["seq"].as_u64();
    host.send("GET", "/orders/1", &[], "");
    overview_until(&host, |overview| {
        overview["sections"]["setup"]["has_requests"] == true && overview["seq"].as_u64() > first
    });
    assert!(
        begin.elapsed() < Duration::from_secs(8),
        "{:?}",
        begin.elapsed()
    );
    assert!(calls.load(Relaxed) >= 1, "it was asked");
}

/// Texts from outside stay texts.
#[test]
fn hostile_texts_are_escaped_and_cut() {
    let host = host();
    let hostile = "</script><img src=x onerror=alert(1)>\"'\u{202e}\u{1b}[2J\n".repeat(40);
    host.harness.capture_error(&std::io::Error::other(hostile));
    let shown = overview_until(&host, |overview| {
        overview["sections"]["errors"][0].is_object()
    });
    let message = shown["sections"]["errors"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("</script>") && message.len() < 300);
    let token = format!("Bearer {TOKEN}");
    let status = host.get("status", &[("authorization", &token)]).body;
    assert!(!status.contains('\u{1b}') && !status.contains('\u{202e}'));
    let content_type =
        host.get("status", &[("authorization", &token)]).headers["content-type"].clone();
    assert_eq!(content_type, "text/plain; charset=utf-8");
}
