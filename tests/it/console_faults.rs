//! Faults of the console under at least 1,000 log lines per second: requests, `/metrics` and `flush` are not affected, and
//! the counters agree with what the receiver got.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use http_body_util::BodyExt;
use tower::ServiceExt;
use watchpost::{Access, DropReason, Monitor, MonitorGuard, RecordKind, ShutdownReport};

use crate::support::{on_a_small_disk, skip, whole_lines};

/// Requests per second.
const RATE: f64 = 1_200.0;

/// A service under load whose log lines go to `console`.
struct Loaded {
    monitor: MonitorGuard,
    app: Router,
    stop: Arc<AtomicBool>,
    load: std::thread::JoinHandle<Load>,
}

#[derive(Default)]
struct Load {
    sent: u64,
    slowest: Duration,
}

impl Loaded {
    fn start(console: impl Write + Send + 'static) -> Self {
        let builder = Monitor::builder("faults").env(false).console_to(console);
        let monitor = builder.build().unwrap();
        let app = Router::new()
            .route("/work/{id}", get(|| async { "done" }))
            .route_service("/metrics", monitor.prometheus())
            .layer(monitor.layer());
        let stop = Arc::<AtomicBool>::default();
        let (load_app, load_stop) = (app.clone(), Arc::clone(&stop));
        let load = std::thread::spawn(move || load(&load_app, &load_stop));
        Self {
            monitor,
            app,
            stop,
            load,
        }
    }

    /// Requests `/metrics` and a flush repeatedly for `time`. Returns the result of the last flush.
    fn watch(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        let mut flushed = false;
        while Instant::now() < end {
            let before = Instant::now();
            let page = call(&self.app, "/metrics");
            assert!(page.contains("http_server_request_duration_seconds"));
            assert!(
                before.elapsed() < Duration::from_secs(1),
                "{:?}",
                before.elapsed()
            );
            let before = Instant::now();
            flushed = self.monitor.flush_blocking(Duration::from_secs(1)).unwrap();
            assert!(
                before.elapsed() < Duration::from_millis(1600),
                "{:?}",
                before.elapsed()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        flushed
    }

    /// Ends the load and the monitor, and checks that the host was not affected and the counters balance.
    fn end(self, deadline: Duration) -> ShutdownReport {
        self.stop.store(true, SeqCst);
        let load = self.load.join().unwrap();
        assert!(load.slowest < Duration::from_secs(1), "{:?}", load.slowest);
        let before = Instant::now();
        let report = self.monitor.shutdown_blocking(deadline).unwrap();
        assert!(before.elapsed() < deadline + Duration::from_millis(600));
        for signal in RecordKind::ALL {
            let totals = report.totals(signal);
            let settled = totals.delivered() + totals.dropped_total();
            assert_eq!(totals.emitted(), settled, "{report}");
        }
        assert_eq!(
            report.totals(RecordKind::Request).emitted(),
            load.sent,
            "{report}"
        );
        report
    }
}

/// Sends requests until it is stopped, and checks that it kept its rate.
fn load(app: &Router, stop: &AtomicBool) -> Load {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (began, mut load) = (Instant::now(), Load::default());
    runtime.block_on(async {
        loop {
            #[expect(clippy::cast_precision_loss, reason = "some thousands")]
            let ahead = load.sent as f64 - began.elapsed().as_secs_f64() * RATE;
            if ahead < 0.0 {
                let before = Instant::now();
                let uri = format!("/work/{}", load.sent);
                let request = Request::get(uri).body(Body::empty()).unwrap();
                let response = app.clone().oneshot(request).await.unwrap();
                assert_eq!(response.status(), StatusCode::OK);
                response.into_body().collect().await.unwrap();
                load.sent += 1;
                load.slowest = load.slowest.max(before.elapsed());
            } else if stop.load(SeqCst) {
                break;
            } else {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    });
    load
}

fn call(app: &Router, uri: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let request = Request::get(uri).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    })
}

fn dropped(report: &ShutdownReport, reason: DropReason) -> u64 {
    RecordKind::ALL
        .iter()
        .map(|signal| report.totals(*signal).dropped(reason))
        .sum()
}

#[test]
fn a_full_pipe_for_30_seconds_does_not_block_requests() {
    let (mut reader, writer) = io::pipe().unwrap();
    let loaded = Loaded::start(writer);
    assert!(!loaded.watch(Duration::from_secs(30)));
    let reading = std::thread::spawn(move || {
        let mut got = Vec::new();
        reader.read_to_end(&mut got).map(|_| got)
    });
    assert!(
        loaded
            .monitor
            .flush_blocking(Duration::from_secs(20))
            .unwrap()
    );
    let report = loaded.end(Duration::from_secs(20));
    // The monitor has closed its end.
    let got = reading.join().unwrap().unwrap();
    assert!(report.is_complete(), "{report}");
    assert_eq!(whole_lines(&got), report.delivered());
    assert!(dropped(&report, DropReason::QueueOverflow) > 0, "{report}");
    assert_eq!(
        report.dropped(),
        dropped(&report, DropReason::QueueOverflow)
    );
}

#[test]
fn a_closed_pipe_drops_and_counts_lines() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let loaded = Loaded::start(writer);
    // Everything is counted before the flush ends.
    assert!(loaded.watch(Duration::from_secs(4)));
    let report = loaded.end(Duration::from_secs(5));
    assert!(report.is_complete(), "{report}");
    assert_eq!(
        (report.delivered(), dropped(&report, DropReason::Io)),
        (0, report.dropped())
    );
}

#[test]
fn a_full_device_drops_and_counts_lines() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
        return skip(
            "console_faults::a_full_device_drops_and_counts_lines",
            "there is no /dev/full",
        );
    };
    let loaded = Loaded::start(full);
    assert!(loaded.watch(Duration::from_secs(4)));
    let report = loaded.end(Duration::from_secs(5));
    assert!(report.is_complete(), "{report}");
    assert_eq!(
        (report.delivered(), dropped(&report, DropReason::Io)),
        (0, report.dropped())
    );
}

#[test]
fn a_full_disk_of_one_mebibyte() {
    let name = "console_faults::a_full_disk_of_one_mebibyte";
    on_a_small_disk(name, "disk: ", full_disk);
}

fn full_disk(disk: &Path) {
    let (lines, filler) = (disk.join("lines"), disk.join("filler"));
    std::fs::write(&filler, vec![0; 600 << 10]).unwrap();
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&lines)
        .unwrap();
    let loaded = Loaded::start(file);
    loaded.watch(Duration::from_secs(4));
    let while_full = std::fs::metadata(&lines).unwrap().len();
    assert!(while_full <= 424 << 10, "{while_full}");
    std::fs::remove_file(filler).unwrap();
    loaded.watch(Duration::from_secs(4));
    let report = loaded.end(Duration::from_secs(5));
    let mut got = Vec::new();
    File::open(&lines).unwrap().read_to_end(&mut got).unwrap();
    assert!(got.len() as u64 > while_full, "it came back by itself");
    assert!(report.is_complete(), "{report}");
    assert_eq!(whole_lines(&got), report.delivered());
    assert!(dropped(&report, DropReason::Io) > 0, "{report}");
}

/// A writer whose behavior is a function; it stores what it accepts.
struct Scripted<F> {
    got: Arc<Mutex<Vec<u8>>>,
    writes: u64,
    behave: F,
}

impl<F: FnMut(u64, &[u8]) -> io::Result<usize>> Write for Scripted<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        let taken = (self.behave)(self.writes, bytes)?;
        self.got.lock().unwrap().extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn scripted<F>(behave: F) -> (Scripted<F>, Arc<Mutex<Vec<u8>>>)
where
    F: FnMut(u64, &[u8]) -> io::Result<usize>,
{
    let got = Arc::<Mutex<Vec<u8>>>::default();
    let writer = Scripted {
        got: Arc::clone(&got),
        writes: 0,
        behave,
    };
    (writer, got)
}

/// Panics without output of the panic hook.
fn planned_panic() -> ! {
    std::panic::resume_unwind(Box::new("a planned panic"))
}

#[test]
fn a_writer_that_panics_a_hundred_times_is_used_again() {
    let (writer, got) = scripted(|number, bytes: &[u8]| {
        if number <= 100 {
            planned_panic();
        }
        Ok(bytes.len())
    });
    let loaded = Loaded::start(writer);
    while whole_lines(&got.lock().unwrap()) == 0 {
        loaded.watch(Duration::from_millis(500));
    }
    assert!(loaded.watch(Duration::from_secs(1)));
    let report = loaded.end(Duration::from_secs(5));
    assert!(report.is_complete(), "{report}");
    assert_eq!(whole_lines(&got.lock().unwrap()), report.delivered());
    assert!(dropped(&report, DropReason::Panic) >= 100, "{report}");
    assert_eq!(report.dropped(), dropped(&report, DropReason::Panic));
}

#[test]
fn a_writer_that_hangs_does_not_block_requests() {
    let (release, released): (Sender<()>, Receiver<()>) = channel();
    let (writer, got) = scripted(move |number, bytes: &[u8]| {
        if number > 10 {
            released.recv().unwrap_or(());
        }
        Ok(bytes.len())
    });
    let loaded = Loaded::start(writer);
    while whole_lines(&got.lock().unwrap()) == 0 {
        loaded.watch(Duration::from_millis(500));
    }
    assert!(!loaded.watch(Duration::from_secs(4)));
    let report = loaded.end(Duration::from_secs(1));
    assert!(!report.is_complete(), "{report}");
    assert_eq!(whole_lines(&got.lock().unwrap()), report.delivered());
    assert!(dropped(&report, DropReason::Shutdown) > 0, "{report}");
    drop(release);
}

#[test]
fn a_writer_that_fails_at_random_loses_no_whole_lines_uncounted() {
    let mut seed = 11_u64;
    let (writer, got) = scripted(move |_, bytes: &[u8]| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        match seed >> 33 {
            n if n % 7 == 0 => Err(ErrorKind::StorageFull.into()),
            n if n % 11 == 0 => Err(ErrorKind::Interrupted.into()),
            n if n % 13 == 0 => Err(ErrorKind::WouldBlock.into()),
            n if n % 17 == 0 => Ok(0),
            n if n % 5 == 0 => Ok(usize::try_from(n).unwrap() % bytes.len() + 1),
            _ => Ok(bytes.len()),
        }
    });
    let loaded = Loaded::start(writer);
    assert!(loaded.watch(Duration::from_secs(5)));
    let report = loaded.end(Duration::from_secs(5));
    assert!(report.is_complete(), "{report}");
    assert_eq!(whole_lines(&got.lock().unwrap()), report.delivered());
    assert!(
        report.delivered() > 0 && dropped(&report, DropReason::Io) > 0,
        "{report}"
    );
}

/// How a writer fails, while `fails` is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Panics,
    TakesNothing,
    Refuses,
    FlushPanics,
    FlushFails,
}

struct Faulty {
    fault: Fault,
    fails: Arc<AtomicBool>,
}

impl Write for Faulty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.fault {
            _ if !self.fails.load(SeqCst) => Ok(bytes.len()),
            Fault::Panics => std::panic::resume_unwind(Box::new("planned")),
            Fault::TakesNothing => Ok(0),
            Fault::Refuses => Err(ErrorKind::StorageFull.into()),
            Fault::FlushPanics | Fault::FlushFails => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.fault {
            _ if !self.fails.load(SeqCst) => Ok(()),
            Fault::FlushPanics => std::panic::resume_unwind(Box::new("planned")),
            Fault::FlushFails => Err(ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

#[test]
fn health_warns_when_the_console_loses_records() {
    for (fault, sentence) in [
        (Fault::Panics, "panics"),
        (Fault::TakesNothing, "writes are refused"),
        (Fault::Refuses, "writes are refused"),
        (Fault::FlushPanics, "panics"),
        (Fault::FlushFails, "flush fails"),
    ] {
        let fails = Arc::new(AtomicBool::new(true));
        let console = Faulty {
            fault,
            fails: Arc::clone(&fails),
        };
        let builder = Monitor::builder("faults").env(false).console_to(console);
        let monitor = builder.build().unwrap();
        let health = monitor.health().details(Access::open_to_anyone());
        let app = Router::new()
            .route_service("/health", health)
            .route("/work", get(|| async { "done" }))
            .layer(monitor.layer());
        // Reads health until it reports this about the console, with a log record before each attempt.
        let comes = |status: &str, sentence: &str| {
            let end = Instant::now() + Duration::from_secs(5);
            loop {
                call(&app, "/work");
                let page: serde_json::Value = serde_json::from_str(&call(&app, "/health")).unwrap();
                let console = &page["checks"]["console"][0];
                let output = console["output"].as_str().unwrap_or_default();
                if console["status"] == status && output.contains(sentence) {
                    break;
                }
                assert!(Instant::now() < end, "{fault:?} {status}: {page:#}");
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        comes("warn", sentence);
        fails.store(false, SeqCst);
        comes("pass", "");
    }
}
