//! Faults that must not hurt the host: a sink that panics, a host without a runtime, a full disk. Each test prints its
//! figures.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use tower::{Layer, ServiceExt};
use tracing_subscriber::layer::SubscriberExt;
use watchpost::testing::Harness;
use watchpost::{DropReason, Monitor, RecordKind, ShutdownReport};

use crate::support::{get_request, http_get, on_a_small_disk, send, whole_lines};

const LONG: Duration = Duration::from_secs(20);

/// The state of a writer that panics.
#[derive(Default)]
struct Seen {
    got: Vec<u8>,
    /// The lines in the block of the first panic; after it, a line end is written first.
    lost: u64,
    panics: u64,
    last_panic: Option<Instant>,
    /// The time from the last panic to the next write.
    back_after: Option<Duration>,
}

/// A writer that panics in its first writes; the first field is their number.
struct Panics(u64, Arc<Mutex<Seen>>);

impl Write for Panics {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut seen = self.1.lock().unwrap();
        if seen.panics < self.0 {
            seen.panics += 1;
            if seen.panics == 1 {
                seen.lost = whole_lines(bytes);
            }
            seen.last_panic = Some(Instant::now());
            drop(seen);
            std::panic::resume_unwind(Box::new("a planned panic"));
        }
        let since = seen.last_panic.map(|at| at.elapsed());
        seen.back_after = seen.back_after.or(since);
        seen.got.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends about 1000 requests per second until the writer works again, and returns their number.
async fn until_back(app: &Router, seen: &Mutex<Seen>) -> u64 {
    let (patience, mut sent) = (Instant::now() + LONG * 6, 0);
    while seen.lock().unwrap().back_after.is_none() {
        assert!(Instant::now() < patience, "never back");
        assert_eq!(send(app, get_request("/work/1")).await.body, "done");
        sent += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    sent
}

async fn sink_that_panics(times: u64) {
    let seen = Arc::<Mutex<Seen>>::default();
    let console = Panics(times, Arc::clone(&seen));
    let builder = Monitor::builder("host").env(false).console_to(console);
    let monitor = builder.build().unwrap();
    let app = Router::new()
        .route("/work/{id}", get(|| async { "done" }))
        .layer(monitor.layer());
    // A flush does not wait for the back-off, so all panics but the last come immediately one after another.
    let mut sent = 0;
    while seen.lock().unwrap().panics + 1 < times {
        send(&app, get_request("/work/1")).await;
        sent += 1;
        assert!(monitor.flush(LONG).await);
    }
    // One block for each panic, with the one line that was flushed or the notice about it.
    let singly = monitor
        .totals(RecordKind::Request)
        .dropped(DropReason::Panic);
    assert!(singly < times, "{singly}");
    sent += until_back(&app, &seen).await;
    let report = monitor.shutdown(LONG).await;
    let seen = seen.lock().unwrap();
    assert!(report.is_complete(), "{report}");
    let totals = report.totals(RecordKind::Request);
    assert_eq!(totals.emitted(), sent);
    assert_eq!(seen.panics, times);
    assert_eq!(whole_lines(&seen.got), report.delivered());
    let lost = dropped(&report, DropReason::Panic);
    assert_eq!(report.dropped(), lost, "{report}");
    if times == 1 {
        assert_eq!(lost, seen.lost, "one block and nothing else");
    }
    let back = seen.back_after.unwrap();
    // The longest back-off is 1 s; the rest is slack for a busy machine.
    assert!(back < Duration::from_millis(1500), "{back:?}");
    println!(
        "panicking writer: {times} panics in a row: back after {back:?}, {lost} of {sent} lines lost, one block for each panic, all counted"
    );
}

fn dropped(report: &ShutdownReport, reason: DropReason) -> u64 {
    let of = |signal: &RecordKind| report.totals(*signal).dropped(reason);
    RecordKind::ALL.iter().map(of).sum()
}

#[tokio::test]
async fn a_sink_that_panics_once_loses_one_block() {
    sink_that_panics(1).await;
}

#[tokio::test]
async fn a_sink_that_panics_a_hundred_times_recovers() {
    sink_that_panics(100).await;
}

/// Runs a future to completion with only the standard library.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_host_without_a_runtime_is_monitored() {
    assert!(tokio::runtime::Handle::try_current().is_err());
    let harness = Harness::in_real_time(|builder| builder.drain_wait(Duration::from_millis(20)));
    let service = tower::service_fn(async |_: http::Request<Body>| {
        tracing::info!("in the handler");
        Ok::<_, std::convert::Infallible>(http::Response::new(Body::from("done")))
    });
    let service = harness.layer().layer(service);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (service, layer) = (service.clone(), harness.tracing_layer());
            thread::spawn(move || {
                let listening = tracing_subscriber::registry().with(layer);
                tracing::subscriber::with_default(listening, || {
                    for _ in 0..250 {
                        let response = block_on(service.clone().oneshot(get_request("/"))).unwrap();
                        let body = axum::body::to_bytes(Body::new(response.into_body()), 100);
                        assert_eq!(block_on(body).unwrap(), "done");
                    }
                });
            })
        })
        .collect();
    for it in threads {
        it.join().unwrap();
    }
    harness.metrics().counter("made").build().add(1);
    // Health checks have a reactor and timers.
    harness.health().check("reactor", || async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        tokio::net::TcpStream::connect(listener.local_addr()?).await?;
        Ok::<_, io::Error>(())
    });
    let port = harness.serve("127.0.0.1:0").unwrap();
    let patience = Instant::now() + LONG;
    while !http_get(port.local_addr(), "/readyz", "").starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < patience, "never ready");
        thread::sleep(Duration::from_millis(5));
    }
    let page = harness.page();
    assert_eq!(page.sum("made_total", &[]), 1.0);
    assert_eq!(
        page.sum("http_server_request_duration_seconds_count", &[]),
        1000.0
    );
    assert!(block_on(harness.flush(LONG)));
    assert!(harness.flush_blocking(LONG).unwrap());
    block_on(harness.drain(async {}));
    assert!(http_get(port.local_addr(), "/readyz", "").starts_with("HTTP/1.1 503"));
    let report = block_on(harness.shutdown(LONG));
    assert!(report.is_complete() && report.dropped() == 0, "{report}");
    let lines =
        report.totals(RecordKind::Request).delivered() + report.totals(RecordKind::Log).delivered();
    assert_eq!(lines, 2000);
    println!(
        "no runtime: 1000 requests, {lines} lines, checks, port, flush, drain and shutdown from plain threads"
    );
}

const DISK_LINES: u64 = 20_000;

#[test]
fn a_full_disk_of_one_mebibyte_drops_and_counts_log_lines() {
    let name = "never_hurt::a_full_disk_of_one_mebibyte_drops_and_counts_log_lines";
    on_a_small_disk(name, "full disk: ", |disk| {
        let lines = disk.join("lines");
        let file = OpenOptions::new().append(true).create(true).open(&lines);
        full_disk("a tmpfs of 1 MiB", file.unwrap(), || {
            std::fs::read(&lines).unwrap()
        });
    });
}

#[test]
fn a_writer_that_is_full_after_one_mebibyte_drops_and_counts_log_lines() {
    let limited = Limited::default();
    let got = Arc::clone(&limited.0);
    full_disk("a writer of 1 MiB", limited, || got.lock().unwrap().clone());
}

/// A writer that is full after one mebibyte; it accepts a part of the last write.
#[derive(Default)]
struct Limited(Arc<Mutex<Vec<u8>>>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut got = self.0.lock().unwrap();
        let taken = bytes.len().min((1 << 20) - got.len());
        if taken == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        got.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn full_disk(what: &str, console: impl Write + Send + 'static, got: impl Fn() -> Vec<u8>) {
    let builder = Monitor::builder("host").env(false).console_to(console);
    let monitor = builder.build().unwrap();
    let app = Router::new()
        .route("/work/{id}", get(|| async { "done" }))
        .layer(monitor.layer());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for n in 0..DISK_LINES {
        runtime.block_on(send(&app, get_request(&format!("/work/{n}"))));
        // So that no queue is full as well.
        if n % 1000 == 999 {
            assert!(monitor.flush_blocking(LONG).unwrap());
        }
    }
    let report = monitor.shutdown_blocking(LONG).unwrap();
    assert!(report.is_complete(), "{report}");
    let written = whole_lines(&got());
    let totals = report.totals(RecordKind::Request);
    assert_eq!(totals.emitted(), DISK_LINES);
    let emitted: u64 = RecordKind::ALL
        .iter()
        .map(|it| report.totals(*it).emitted())
        .sum();
    let io = dropped(&report, DropReason::Io);
    assert_eq!(written, report.delivered(), "{report}");
    assert_eq!(written + io, emitted, "{report}");
    assert!(written > 1000 && io > 10_000, "{report}");
    println!(
        "full disk: {what}: {written} lines written + {io} dropped for io = {emitted} emitted"
    );
}
