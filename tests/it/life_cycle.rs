//! Flush, shutdown and the end of the process complete in time with every kind of runtime and without one, while a sink
//! hangs.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;
use watchpost::{DropReason, Monitor, MonitorGuard, RecordKind, ShutdownReport};

use crate::support::{output_of_one_test, test_command};

const D: Duration = Duration::from_secs(1);

/// A writer that hangs in every write until the sender is dropped.
struct Hanging(Receiver<()>);

impl Write for Hanging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.recv().unwrap_or(());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A monitor with a console that hangs and ten queued log lines.
fn hanging() -> (MonitorGuard, Sender<()>) {
    let (release, released) = channel();
    let monitor = with_lines(Hanging(released));
    (monitor, release)
}

fn with_lines(console: impl Write + Send + 'static) -> MonitorGuard {
    let builder = Monitor::builder("cycle").env(false).console_to(console);
    let monitor = builder.build().unwrap();
    let app = Router::new()
        .route("/", get(|| async { "done" }))
        .layer(monitor.layer());
    current().block_on(async {
        for _ in 0..10 {
            let request = Request::get("/").body(Body::empty()).unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            axum::body::to_bytes(response.into_body(), 100)
                .await
                .unwrap();
        }
    });
    monitor
}

fn multi() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

fn current() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime without timers.
fn timeless() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// The documented limit is the timeout + 100 ms; the rest is slack for a busy machine.
fn in_time<T>(call: impl FnOnce() -> T) -> T {
    let before = Instant::now();
    let value = call();
    let took = before.elapsed();
    assert!(
        took >= Duration::from_millis(900),
        "it had a reason to wait: {took:?}"
    );
    assert!(took < Duration::from_millis(1600), "{took:?}");
    value
}

/// A flush that fails, a shutdown that drops ten log lines, then a second shutdown with the same report.
fn check(flush: impl FnOnce(&Monitor) -> bool, shutdown: impl Fn(&Monitor) -> ShutdownReport) {
    let (monitor, release) = hanging();
    assert!(!in_time(|| flush(&monitor)));
    let report = in_time(|| shutdown(&monitor));
    assert!(!report.is_complete(), "{report}");
    let totals = report.totals(RecordKind::Request);
    assert_eq!(
        (totals.emitted(), totals.dropped(DropReason::Shutdown)),
        (10, 10)
    );
    let before = Instant::now();
    assert_eq!(shutdown(&monitor), report);
    assert!(before.elapsed() < Duration::from_millis(500));
    drop(release);
}

#[test]
fn flush_and_shutdown_end_in_time_on_a_multi_thread_runtime() {
    let runtime = multi();
    check(
        |monitor| {
            let task = monitor.flush(D);
            runtime.block_on(async { tokio::spawn(task).await.unwrap() })
        },
        |monitor| {
            let task = monitor.shutdown(D);
            runtime.block_on(async { tokio::spawn(task).await.unwrap() })
        },
    );
}

#[test]
fn flush_and_shutdown_end_in_time_on_a_current_thread_runtime() {
    let runtime = current();
    check(
        |monitor| runtime.block_on(monitor.flush(D)),
        |monitor| runtime.block_on(monitor.shutdown(D)),
    );
}

#[test]
fn flush_and_shutdown_end_in_time_on_a_runtime_without_timers() {
    let runtime = timeless();
    check(
        |monitor| runtime.block_on(monitor.flush(D)),
        |monitor| runtime.block_on(monitor.shutdown(D)),
    );
}

#[test]
fn flush_and_shutdown_end_in_time_without_a_runtime() {
    check(
        |monitor| monitor.flush_blocking(D).unwrap(),
        |monitor| monitor.shutdown_blocking(D).unwrap(),
    );
}

#[test]
fn flush_and_shutdown_end_in_time_on_a_blocking_thread_and_in_a_local_set() {
    let runtime = multi();
    check(
        |monitor| {
            let (monitor, handle) = (monitor.clone(), runtime.handle().clone());
            let blocking = move || handle.block_on(monitor.flush(D));
            runtime.block_on(runtime.spawn_blocking(blocking)).unwrap()
        },
        |monitor| tokio::task::LocalSet::new().block_on(&runtime, monitor.shutdown(D)),
    );
}

#[test]
fn flush_and_shutdown_end_in_time_after_their_runtime_is_gone() {
    let (release, released) = channel();
    let runtime = multi();
    let monitor = runtime.block_on(async {
        let builder = Monitor::builder("cycle")
            .env(false)
            .console_to(Hanging(released));
        builder.build().unwrap()
    });
    let app = Router::new()
        .route("/", get(|| async {}))
        .layer(monitor.layer());
    runtime.block_on(async {
        let request = Request::get("/").body(Body::empty()).unwrap();
        drop(app.oneshot(request).await.unwrap());
    });
    runtime.shutdown_background();
    assert!(!in_time(|| monitor.flush_blocking(D).unwrap()));
    assert!(!in_time(|| timeless().block_on(monitor.flush(D))));
    let report = in_time(|| current().block_on(monitor.shutdown(D)));
    assert_eq!(
        report
            .totals(RecordKind::Request)
            .dropped(DropReason::Shutdown),
        1
    );
    drop(release);
}

#[test]
fn a_blocking_call_inside_a_runtime_is_an_error() {
    let monitor = with_lines(io::sink());
    current().block_on(async {
        assert!(monitor.flush_blocking(D).unwrap_err().is_inside_runtime());
        assert!(
            monitor
                .shutdown_blocking(D)
                .unwrap_err()
                .is_inside_runtime()
        );
    });
    assert!(monitor.shutdown_blocking(D).unwrap().is_complete());
}

#[test]
fn a_working_sink_is_flushed_and_shut_down_at_once() {
    let monitor = with_lines(io::sink());
    let before = Instant::now();
    assert!(monitor.flush_blocking(Duration::from_secs(60)).unwrap());
    assert_eq!(monitor.totals(RecordKind::Request).delivered(), 10);
    let report = current().block_on(monitor.shutdown(Duration::from_secs(60)));
    assert!(report.is_complete(), "{report}");
    assert!(before.elapsed() < Duration::from_secs(5));
}

#[test]
fn dropping_the_guard_takes_at_most_100_ms() {
    let (monitor, release) = hanging();
    let before = Instant::now();
    drop(monitor);
    assert!(
        before.elapsed() < Duration::from_millis(600),
        "{:?}",
        before.elapsed()
    );
    drop(release);
}

/// A process that returns from `main` while its console hangs, with the guard dropped and leaked.
#[test]
#[expect(
    clippy::mem_forget,
    reason = "the process leaves with both still there"
)]
fn a_hanging_console_does_not_keep_the_process_alive() {
    const CHILD: &str = "WATCHPOST_TEST_LEAVES";
    if let Ok(way) = std::env::var(CHILD) {
        let (monitor, release) = hanging();
        if way == "leak" {
            std::mem::forget(monitor);
        }
        std::mem::forget(release);
        return;
    }
    for way in ["drop", "leak"] {
        let before = Instant::now();
        let name = "life_cycle::a_hanging_console_does_not_keep_the_process_alive";
        let child = test_command(name).env(CHILD, way).output().unwrap();
        output_of_one_test(&child);
        assert!(
            before.elapsed() < Duration::from_secs(5),
            "{:?}",
            before.elapsed()
        );
    }
}
