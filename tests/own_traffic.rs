//! With every crate at TRACE, no record is about the monitor itself: not about its threads, its pages or its writes. Each
//! test takes 5 s, or 60 s if `WATCHPOST_LONG` is set.
//!
//! There are three processes: two with the subscriber of `install`, and one in which a second layer counts every event by
//! the thread that it comes from.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::Runtime;
use tower::ServiceExt;
use tower::buffer::Buffer;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use watchpost::dashboard::DashboardConfig;
use watchpost::logs::LogFormat;
use watchpost::{Access, Monitor, MonitorBuilder, MonitorGuard, RecordKind, ShutdownReport};

#[path = "support/child.rs"]
mod child;
#[path = "support/http.rs"]
mod http_client;
#[path = "support/process.rs"]
mod process;

use process::in_child_process;

const FIGURES: [&str; 2] = ["own traffic: ", "result: {"];
/// The pause between requests to the host.
const PAUSE: Duration = Duration::from_millis(20);
/// The pause between requests to the monitor's own pages, and between flushes.
const OWN_PAUSE: Duration = Duration::from_millis(50);
const OWN_PAGES: [&str; 8] = [
    "/metrics",
    "/livez",
    "/readyz",
    "/health",
    "/monitoring/",
    "/monitoring/status",
    "/monitoring/data/v1/overview?range=15m",
    "/monitoring/data/v1/live",
];
const TOKEN: &str = "a-token-of-thirty-two-characters";
const AUTHORIZATION: &str = "Bearer a-token-of-thirty-two-characters";
/// The crates that must have emitted events; otherwise the test proves nothing.
const SPEAKERS: [&str; 5] = ["h2", "hyper_util", "tower", "axum", "own_traffic"];

fn length() -> Duration {
    Duration::from_secs(if std::env::var_os("WATCHPOST_LONG").is_some() {
        60
    } else {
        5
    })
}

#[test]
fn nothing_is_recorded_about_the_monitor_when_installed() {
    in_child_process(
        "nothing_is_recorded_about_the_monitor_when_installed",
        &FIGURES,
        || {
            let (builder, written) = builder();
            let monitor = builder.install().unwrap();
            assert_eq!(monitor.report().not_installed, Vec::<String>::new());
            watch(&monitor, &written, None);
        },
    );
}

#[test]
fn nothing_is_recorded_about_the_monitor_with_tracing_opentelemetry() {
    in_child_process(
        "nothing_is_recorded_about_the_monitor_with_tracing_opentelemetry",
        &FIGURES,
        || {
            let (builder, written) = builder();
            let builder = builder.spans(watchpost::trace::SpanBackend::TracingOpentelemetry);
            let monitor = builder.install().unwrap();
            assert_eq!(monitor.report().not_installed, Vec::<String>::new());
            watch(&monitor, &written, None);
            let traces = monitor.recent_traces();
            let mut spans = traces.iter().flat_map(|trace| &trace.spans);
            assert!(spans.all(|span| !span.scope.starts_with("watchpost")));
        },
    );
}

#[test]
fn no_event_of_the_monitors_threads_is_recorded() {
    in_child_process(
        "no_event_of_the_monitors_threads_is_recorded",
        &FIGURES,
        || {
            let (builder, written) = builder();
            let monitor = builder.build().unwrap();
            let witness = Witness::default();
            let layers = tracing_subscriber::registry()
                .with(monitor.tracing_layer())
                .with(witness.clone());
            tracing::subscriber::set_global_default(layers).unwrap();
            watch(&monitor, &written, Some(&witness));
        },
    );
}

fn builder() -> (MonitorBuilder, Written) {
    let written = Written::default();
    let builder = Monitor::builder("host")
        .env(false)
        .log_level("trace")
        .log_format(LogFormat::Json)
        .access_token(TOKEN)
        .dashboard(DashboardConfig::default().serve(true))
        .drain_wait(Duration::from_millis(100))
        .console_to(written.clone());
    (builder, written)
}

/// Counts the events of the monitor's threads, and all others.
#[derive(Clone, Default)]
struct Witness(Arc<Witnessed>);

#[derive(Default)]
struct Witnessed {
    own: AtomicU64,
    others: AtomicU64,
}

impl<S: Subscriber> Layer<S> for Witness {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let thread = thread::current();
        let own = match thread.name() {
            // The check is code of the host, its timer is not.
            Some("watchpost-check") => event.metadata().target() != "own_traffic",
            name => name.is_some_and(|name| name.starts_with("watchpost")),
        };
        let count = if own { &self.0.own } else { &self.0.others };
        count.fetch_add(1, Relaxed);
    }
}

/// The console's writer, which logs its own writes.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Seen>>);

#[derive(Default, Clone)]
struct Seen {
    lines: u64,
    /// The number of events by the crate of their target.
    events: BTreeMap<String, u64>,
    /// The number of requests by route.
    requests: BTreeMap<String, u64>,
    checks: u64,
    /// All other lines, which are notices.
    others: Vec<String>,
    /// Lines that are about the monitor.
    wrong: Vec<String>,
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        tracing::info!(bytes = bytes.len(), "the writer writes");
        let mut seen = self.0.lock().unwrap();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            seen.line(std::str::from_utf8(line).unwrap());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        tracing::info!("the writer flushes");
        Ok(())
    }
}

impl Seen {
    fn line(&mut self, line: &str) {
        self.lines += 1;
        let value = |key: &str| {
            let (_, rest) = line.split_once(&format!("\"{key}\":\""))?;
            rest.split('"').next()
        };
        let whole = line.starts_with('{') && line.ends_with("}\n");
        let mut wrong = !whole || line.contains("the writer");
        if value("watchpost.outcome").is_some() {
            let route = value("http.route").unwrap_or("_unmatched").to_owned();
            *self.requests.entry(route).or_default() += 1;
        } else if let Some(target) = value("target").filter(|target| *target != "watchpost") {
            // An event that is logged while the monitor responds has the route of its page.
            let route = value("http.route").unwrap_or_default();
            let is_own = OWN_PAGES.contains(&route) || route.starts_with("/monitoring");
            wrong |= target.starts_with("watchpost") || is_own;
            self.checks += u64::from(line.contains("event of the check"));
            let name = target.split("::").next().unwrap_or_default().to_owned();
            *self.events.entry(name).or_default() += 1;
        } else {
            self.others.push(line.to_owned());
        }
        // The writer must not panic, since the monitor catches that.
        if wrong && self.wrong.len() < 10 {
            self.wrong.push(line.to_owned());
        }
    }
}

/// A host whose handlers, buffer, client and server emit events.
struct Host {
    runtime: Runtime,
    address: SocketAddr,
    requests_sent: u64,
}

impl Host {
    fn start(monitor: &Monitor) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("host")
            .enable_all()
            .build()
            .unwrap();
        let _entered = runtime.enter();
        let response = tower::service_fn(|id: u32| {
            tracing::trace!(id, "in the service");
            std::future::ready(Ok::<_, Infallible>(id.to_string()))
        });
        let buffered = Buffer::new(response, 16);
        let work = move |Path(id): Path<u32>| async move {
            tracing::debug!(id, "in the handler");
            buffered.clone().oneshot(id).await.unwrap()
        };
        let health = monitor.health();
        let app = Router::new()
            .route("/work/{id}", get(work))
            .route_service("/metrics", monitor.prometheus())
            .route_service("/livez", health.livez())
            .route_service("/readyz", health.readyz())
            .route_service("/health", health.details(Access::token(TOKEN)))
            .merge(monitor.dashboard(Access::from_settings()))
            .layer(monitor.layer());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap();
        let address = listener.local_addr().unwrap();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self {
            runtime,
            address,
            requests_sent: 0,
        }
    }

    /// Sends requests over HTTP/1 and HTTP/2 to the host's routes and to `pages` on the same port.
    fn visit(&mut self, pages: &'static [&str], time: Duration) {
        let address = self.address;
        self.requests_sent += self.runtime.block_on(async move {
            let one = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
            let two = Client::builder(TokioExecutor::new())
                .http2_only(true)
                .build_http::<Empty<Bytes>>();
            let (end, mut requests_sent) = (Instant::now() + time, 0);
            while Instant::now() < end {
                for (client, version) in [(&one, Version::HTTP_11), (&two, Version::HTTP_2)] {
                    for path in ["/work/7", "/work/none"].iter().chain(pages) {
                        let request = Request::get(format!("http://{address}{path}"))
                            .header("accept-encoding", "gzip")
                            .header("authorization", AUTHORIZATION)
                            .version(version)
                            .body(Empty::new())
                            .unwrap();
                        let response = client.request(request).await.unwrap();
                        response.into_body().collect().await.unwrap();
                        requests_sent += u64::from(path.starts_with("/work/"));
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
            requests_sent
        });
    }
}

/// Gets a page of the own port, compressed where it can be.
fn get_page(address: SocketAddr, path: &str) -> String {
    let headers = format!("accept-encoding: gzip\r\nauthorization: {AUTHORIZATION}\r\n");
    http_client::http_get(address, path, &headers)
}

/// Holds a live connection of the dashboard for a time, and returns how many bytes it received.
fn hold_live(address: SocketAddr, time: Duration) -> usize {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(OWN_PAUSE)).unwrap();
    write!(
        stream,
        "GET /monitoring/live HTTP/1.1\r\nhost: {address}\r\nauthorization: {AUTHORIZATION}\r\nconnection: Upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .unwrap();
    let end = Instant::now() + time;
    let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
    while Instant::now() < end {
        // Nothing comes while nothing changes.
        let read = stream.read(&mut buffer).unwrap_or(0);
        received.extend_from_slice(&buffer[..read]);
    }
    assert!(received.starts_with(b"HTTP/1.1 101"));
    received.len()
}

/// Uses every function of the monitor that is no request of the host.
fn use_the_monitor(monitor: &Monitor, port: SocketAddr, time: Duration) -> u64 {
    let patience = Instant::now() + Duration::from_secs(30);
    while !get_page(port, "/readyz").starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < patience, "never ready");
    }
    let live = thread::spawn(move || hold_live(port, time));
    let (end, mut responses) = (Instant::now() + time, 0);
    while Instant::now() < end {
        for path in OWN_PAGES {
            let response = get_page(port, path);
            let head = response.to_lowercase();
            assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
            assert_eq!(
                head.contains("\r\ncontent-encoding: gzip\r\n"),
                ["/metrics", "/monitoring/"].contains(&path)
            );
            responses += 1;
        }
        assert!(monitor.flush_blocking(Duration::from_secs(10)).unwrap());
        assert!(monitor.in_flight().len() < 10);
        assert!(monitor.metrics().render().contains("watchpost_"));
        thread::sleep(OWN_PAUSE);
    }
    assert!(live.join().unwrap() > 1000, "a state was received");
    responses
}

fn emitted(monitor: &Monitor) -> [u64; 3] {
    [RecordKind::Request, RecordKind::Log, RecordKind::Notice]
        .map(|signal| monitor.totals(signal).emitted())
}

/// Waits until no more records come, for as long as the host's connections take to close.
fn settled(monitor: &Monitor) -> [u64; 3] {
    let patience = Instant::now() + Duration::from_secs(20);
    let mut before = emitted(monitor);
    loop {
        thread::sleep(Duration::from_millis(300));
        let now = emitted(monitor);
        if now == before {
            return now;
        }
        assert!(
            Instant::now() < patience,
            "never still: {before:?}, {now:?}"
        );
        before = now;
    }
}

fn watch(monitor: &MonitorGuard, written: &Written, witness: Option<&Witness>) {
    let health = monitor.health();
    let database = health.check("database", || async { Ok::<_, String>(()) });
    drop(database.interval(Duration::from_millis(50)));
    let spoke = AtomicBool::new(false);
    drop(health.check("cache", move || {
        if !spoke.swap(true, Relaxed) {
            tracing::info!("event of the check");
        }
        std::future::ready(Ok::<_, String>(()))
    }));
    let server = monitor.serve("127.0.0.1:0").unwrap();
    let port = server.local_addr();
    let mut host = Host::start(monitor);

    // The first half is with traffic of the host,
    let own = {
        let monitor = Monitor::clone(monitor);
        thread::spawn(move || use_the_monitor(&monitor, port, length() / 2))
    };
    // If each event is counted, all must be the host's.
    let pages: &[_] = if witness.is_some() { &[] } else { &OWN_PAGES };
    let address = host.address;
    let live = (!pages.is_empty()).then(|| thread::spawn(move || hold_live(address, length() / 2)));
    host.visit(pages, length() / 2);
    assert!(
        live.is_none_or(|live| live.join().unwrap() > 1000),
        "a state was received"
    );
    let mut responses = own.join().unwrap();
    let before = settled(monitor);
    // the second half only with that of the monitor,
    responses += use_the_monitor(monitor, port, length() / 2);
    assert_eq!(emitted(monitor), before, "requests, events, notices");
    // and the last second without any.
    thread::sleep(Duration::from_secs(1));
    assert_eq!(emitted(monitor), before);

    if let Some(witness) = witness {
        let Witnessed { own, others } = &*witness.0;
        let (own, others) = (own.load(Relaxed), others.load(Relaxed));
        assert_eq!(before[1], others, "every event of the host's is a record");
        assert!(own > 0, "no event came from the monitor's threads");
        println!("own traffic: {own} events on our own threads, none recorded");
    }

    let drain = monitor.drain(std::future::ready(()));
    host.runtime.block_on(drain);
    assert!(get_page(port, "/readyz").starts_with("HTTP/1.1 503"));
    assert_eq!(emitted(monitor), before);
    let report = monitor.shutdown_blocking(Duration::from_secs(10)).unwrap();
    drop(host.runtime);
    let seen = written.0.lock().unwrap().clone();
    check(&report, &seen, host.requests_sent);
    println!(
        "own traffic: {:?} at trace, {responses} responses of the monitor, 0 of {} records about the monitor; {:?}",
        length(),
        seen.lines,
        seen.events
    );
    println!(
        "result: {{\"seconds\":{},\"own_answers\":{responses},\"about_ourselves\":0,\"lines\":{},\"events\":{:?}}}",
        length().as_secs(),
        seen.lines,
        seen.events
    );
}

fn check(report: &ShutdownReport, seen: &Seen, requests_sent: u64) {
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert!(report.is_complete(), "{report}");
    for signal in RecordKind::ALL {
        let totals = report.totals(signal);
        assert_eq!(
            totals.emitted(),
            totals.delivered() + totals.dropped_total(),
            "{report}"
        );
    }
    assert_eq!(seen.lines, report.delivered(), "{report}");
    assert_eq!(report.totals(RecordKind::Request).emitted(), requests_sent);
    assert_eq!(report.dropped(), 0, "{report}");
    assert_eq!(
        seen.requests,
        BTreeMap::from([("/work/{id}".to_owned(), requests_sent)])
    );
    for speaker in SPEAKERS {
        assert!(
            seen.events.contains_key(speaker),
            "{speaker}: {:?}",
            seen.events
        );
    }
    assert_eq!(seen.checks, 1);
    // The notices about the generated token of `/health` on the own port, and about findings of the doctor.
    let missed = [
        "\"message\":\"propagator: ",
        "\"message\":\"data directory: ",
    ];
    let others = seen.others.iter();
    let others: Vec<_> = others
        .filter(|line| !missed.iter().any(|it| line.contains(it)))
        .collect();
    assert!(others.len() <= 1, "{others:?}");
}
