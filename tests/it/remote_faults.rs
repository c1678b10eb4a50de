//! Faults of remote sinks that must not hurt the host: a receiver hangs, a hook panics, the disk is full. Each test prints
//! its figures.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use watchpost::errors::Backtraces;
use watchpost::logs::LogsConfig;
use watchpost::{DropReason, Monitor, MonitorBuilder, RecordKind, RecordTotals};

use crate::peer::{Peer, Reply};
use crate::support::on_a_small_disk;

/// How much later than its deadline a call may end.
const LATE: Duration = Duration::from_millis(100);

fn builder(peer: &Peer) -> MonitorBuilder {
    let address = peer.address();
    Monitor::builder("host")
        .env(false)
        .logs(LogsConfig::default().console(false).files(false))
        .sentry_dsn(format!("http://0123456789abcdef@{address}/7"))
        .otlp_endpoint(format!("http://{address}"))
        .max_traces_per_second(1_000_000)
        .backtraces(Backtraces::Off)
}

fn balance(monitor: &Monitor, signal: RecordKind) -> RecordTotals {
    let totals = monitor.totals(signal);
    let settled = totals.delivered() + totals.spooled() + totals.dropped_total();
    assert_eq!(totals.emitted(), settled, "{signal:?}: {totals:?}");
    totals
}

fn error() -> std::io::Error {
    std::io::Error::other("the disk is gone")
}

#[test]
fn shutdown_and_drop_end_in_time_while_a_receiver_hangs() {
    let peer = Peer::always(Reply::Hang);
    let wait = Duration::from_secs(2);
    let monitor = builder(&peer).build().unwrap();
    monitor.capture_error(&error());
    monitor.span("work").in_scope(|| {});
    peer.await_seen(2, Duration::from_secs(20));
    let begun = Instant::now();
    let report = monitor.shutdown_blocking(wait).unwrap();
    let shut = begun.elapsed();
    assert!(shut <= wait + LATE, "{shut:?}");
    let left = report
        .totals(RecordKind::Error)
        .dropped(DropReason::Shutdown);
    assert_eq!(left, 1, "{report}");
    assert_eq!(balance(&monitor, RecordKind::Span).dropped_total(), 1);
    drop(monitor);
    let monitor = builder(&peer).build().unwrap();
    monitor.capture_error(&error());
    peer.await_seen(3, Duration::from_secs(20));
    let begun = Instant::now();
    drop(monitor);
    let dropped = begun.elapsed();
    assert!(dropped <= LATE * 2, "{dropped:?}");
    println!("hanging receiver: shutdown(2 s) after {shut:?}, drop after {dropped:?}");
}

#[test]
fn flush_ends_in_time_with_twenty_thousand_errors_and_a_receiver_that_hangs() {
    let peer = Peer::always(Reply::Hang);
    let monitor = builder(&peer).build().unwrap();
    let begun = Instant::now();
    for _ in 0..20_000 {
        monitor.capture_error(&error());
    }
    let captured = begun.elapsed();
    let begun = Instant::now();
    assert!(!monitor.flush_blocking(Duration::from_secs(1)).unwrap());
    let flushed = begun.elapsed();
    assert!(flushed <= Duration::from_secs(1) + LATE, "{flushed:?}");
    let report = monitor.shutdown_blocking(Duration::from_secs(1)).unwrap();
    let totals = balance(&monitor, RecordKind::Error);
    assert_eq!(totals.emitted(), 20_000, "{report}");
    assert_eq!(totals.delivered(), 0);
    println!(
        "hanging receiver: 20000 captures in {captured:?}, flush(1 s) after {flushed:?}, {totals:?}"
    );
}

#[test]
fn a_hook_that_panics_drops_its_event_and_nothing_else() {
    let peer = Peer::always(Reply::status(200));
    let hook = |_: &mut watchpost::errors::ErrorEvent| -> bool { panic!("a planned panic") };
    let monitor = builder(&peer).before_send(hook).build().unwrap();
    for _ in 0..20 {
        assert!(!monitor.capture_error(&error()).is_nil());
    }
    assert!(monitor.flush_blocking(Duration::from_secs(20)).unwrap());
    let totals = balance(&monitor, RecordKind::Error);
    assert_eq!(totals.dropped(DropReason::Panic), 20, "{totals:?}");
    println!("panicking hook: 20 captures returned, 20 events counted as dropped");
}

#[test]
fn shutdown_ends_in_time_with_a_hundred_thousand_spans_and_a_receiver_that_hangs() {
    let peer = Peer::always(Reply::Hang);
    let monitor = builder(&peer).build().unwrap();
    let begun = Instant::now();
    for _ in 0..100_000 {
        monitor.span("work").in_scope(|| {});
    }
    let made = begun.elapsed();
    let begun = Instant::now();
    let wait = Duration::from_secs(1);
    monitor.flush_blocking(wait).unwrap();
    let report = monitor.shutdown_blocking(wait).unwrap();
    let ended = begun.elapsed();
    assert!(ended <= 2 * (wait + LATE), "{ended:?}");
    let totals = balance(&monitor, RecordKind::Span);
    assert_eq!(totals.emitted(), 100_000, "{report}");
    println!(
        "hanging receiver: 100000 spans in {made:?}, flush and shutdown of 1 s each after {ended:?}: {totals:?}"
    );
}

#[test]
fn errors_are_stored_again_after_the_disk_was_full() {
    let name = "remote_faults::errors_are_stored_again_after_the_disk_was_full";
    on_a_small_disk(name, "full disk: ", full_disk);
}

/// A disk becomes full and has space again, while the receiver refuses connections.
fn full_disk(disk: &Path) {
    let peer = Peer::always(Reply::status(200));
    peer.refuse();
    let start = || {
        let builder = builder(&peer)
            .record_spans(false)
            .data_dir(disk.join("data"));
        builder.build().unwrap()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let first = start();
    let awaited = |monitor: &Monitor| runtime.block_on(monitor.capture_error_durable(&error()));
    assert!(awaited(&first).is_stored());
    // Another file fills the disk.
    let mut filler = File::create(disk.join("filler")).unwrap();
    while filler.write_all(&[1; 4096]).is_ok() {}
    let mut all = 1;
    let refused = (0..200).filter(|_| !awaited(&first).is_stored()).count();
    all += 200;
    assert!(refused > 0);
    let about: Vec<_> = first.doctor().iter().map(|it| it.about).collect();
    assert!(about.contains(&"data directory"), "{about:?}");
    let notices = first.report().notices;
    let is_reported = |it: &String| it.contains("captured errors are in memory alone");
    assert!(notices.iter().any(is_reported), "{notices:?}");
    // Once there is space, the events in memory are written to the disk.
    drop(filler);
    std::fs::remove_file(disk.join("filler")).unwrap();
    let begun = Instant::now();
    while !awaited(&first).is_stored() {
        all += 1;
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(100));
    }
    all += 1;
    let back = begun.elapsed();
    let report = first.shutdown_blocking(Duration::from_millis(500)).unwrap();
    let totals = balance(&first, RecordKind::Error);
    assert_eq!((totals.emitted(), totals.spooled()), (all, all), "{report}");
    drop(first);
    // The next process delivers all of them.
    peer.listen();
    let second = start();
    let begun = Instant::now();
    while (peer.seen().len() as u64) < all {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{}",
            peer.seen().len()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(second.flush_blocking(Duration::from_secs(10)).unwrap());
    assert_eq!(balance(&second, RecordKind::Error).delivered(), all);
    println!(
        "full disk: 1 MiB: {refused} of 200 awaited captures reported as not stored; stored again {back:?} after there was room; {all} of {all} delivered by the next process"
    );
}
