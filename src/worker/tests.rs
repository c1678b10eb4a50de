//! The worker with receivers that misbehave. Assertions read what the receiver got.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

use super::*;
use crate::clock::{Clock, Nanos};
use crate::model::{
    Diagnostics, DropReason, RecordCounters, RecordKind, RecordTotals, ShutdownReport,
};

/// `body` as the line `<body>.`; some bodies misbehave.
struct Plain;

impl Format for Plain {
    fn format(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        out.push(b'<');
        out.extend_from_slice(record.body);
        match record.body {
            b"panic" => planned_panic(),
            b"unreadable" => return false,
            _ => out.extend_from_slice(b">\n"),
        }
        true
    }

    fn notice(&mut self, _at: Nanos, sentence: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("<{sentence}>\n").as_bytes());
    }
}

/// Without the panic hook's output.
fn planned_panic() -> ! {
    std::panic::resume_unwind(Box::new("a planned panic"))
}

/// What a receiver got, and how it handles the next write.
#[derive(Default)]
struct Receiver {
    got: Mutex<Vec<u8>>,
    writes: AtomicU64,
    held: Mutex<bool>,
    moved: Condvar,
}

type Behaviour = Box<dyn FnMut(u64, &[u8]) -> io::Result<usize> + Send>;

struct Sending(Arc<Receiver>, Behaviour);

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let number = self.0.writes.fetch_add(1, SeqCst);
        let held = self.0.held.lock().unwrap();
        drop(self.0.moved.wait_while(held, |held| *held).unwrap());
        let n = (self.1)(number, bytes)?.min(bytes.len());
        self.0.got.lock().unwrap().extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Receiver {
    /// Whole lines: those that are unchanged since they were formatted.
    fn lines(&self) -> Vec<String> {
        let got = self.got.lock().unwrap();
        let all = String::from_utf8(got.clone()).unwrap();
        let complete = all
            .split_inclusive('\n')
            .filter(|line| line.starts_with('<') && line.ends_with(">\n"));
        complete.map(|line| line.trim_end().to_owned()).collect()
    }

    fn hold(&self, hold: bool) {
        *self.held.lock().unwrap() = hold;
        self.moved.notify_all();
    }
}

struct Fixture {
    worker: Arc<Worker>,
    record_queue: Arc<RecordQueue>,
    counters: Arc<RecordCounters>,
    diagnostics: Arc<Diagnostics>,
    receivers: Vec<Arc<Receiver>>,
}

fn well() -> Behaviour {
    Box::new(|_, bytes| Ok(bytes.len()))
}

fn fixture(config: WorkerConfig, behaviours: Vec<Behaviour>, tasks: Vec<PeriodicTask>) -> Fixture {
    let counters = Arc::new(RecordCounters::default());
    let diagnostics = Arc::new(Diagnostics::default());
    let record_queue = Arc::new(RecordQueue::new(
        config.max_queue_bytes,
        Arc::clone(&counters),
    ));
    let receivers: Vec<_> = behaviours
        .iter()
        .map(|_| Arc::<Receiver>::default())
        .collect();
    let sinks = receivers
        .iter()
        .zip(behaviours)
        .map(|(receiver, behaviour)| SinkSetup {
            name: "test",
            format: Box::new(Plain),
            writer: Box::new(Sending(Arc::clone(receiver), behaviour)),
            flush_delay: Duration::ZERO,
        });
    let worker = Worker::start(WorkerSetup {
        observer: None,
        config,
        clock: Clock::system(),
        record_queue: Arc::clone(&record_queue),
        counters: Arc::clone(&counters),
        diagnostics: Arc::clone(&diagnostics),
        sinks: sinks.collect(),
        processors: Vec::new(),
        remotes: Vec::new(),
        tasks,
    });
    Fixture {
        worker: worker.unwrap(),
        record_queue,
        counters,
        diagnostics,
        receivers,
    }
}

fn one(behaviour: Behaviour) -> Fixture {
    fixture(WorkerConfig::default(), vec![behaviour], Vec::new())
}

impl Fixture {
    fn log(&self, body: &str) {
        self.record_queue.push(RecordKind::Log, 0, |out| {
            out.extend_from_slice(body.as_bytes());
        });
    }

    fn logs(&self, n: usize) {
        (0..n).for_each(|n| self.log(&n.to_string()));
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        self.counters.totals(RecordKind::Log).dropped(reason)
    }

    /// Asserts that the counters balance and match what the receivers got. Returns the number of delivered logs.
    fn balance(&self) -> u64 {
        let totals = RecordKind::ALL.map(|kind| self.counters.totals(kind));
        for totals in totals {
            assert_eq!(
                totals.emitted(),
                totals.delivered() + totals.dropped_total(),
                "{totals:?}"
            );
        }
        let delivered: u64 = totals.iter().map(RecordTotals::delivered).sum();
        let received: usize = self
            .receivers
            .iter()
            .map(|receiver| receiver.lines().len())
            .sum();
        assert_eq!(delivered, received as u64);
        self.counters.totals(RecordKind::Log).delivered()
    }
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn lines_come_out_in_order_of_time_and_whole() {
    let fixture = one(well());
    fixture.receivers[0].hold(true);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let record_queue = &fixture.record_queue;
            scope.spawn(move || {
                for n in 0..500 {
                    let at = n * 4 + thread;
                    record_queue.push(RecordKind::Request, at, |out| {
                        out.extend_from_slice(format!("{at:05}").as_bytes());
                    });
                }
            });
        }
    });
    fixture.receivers[0].hold(false);
    assert!(fixture.worker.flush_blocking(LONG));
    fixture.balance();
    let lines = fixture.receivers[0].lines();
    assert_eq!(lines.len(), 2000);
    // Within a batch; a batch may end while a thread is about to push.
    let falls = lines.windows(2).filter(|pair| pair[0] > pair[1]).count() as u64;
    assert!(
        falls <= fixture.receivers[0].writes.load(SeqCst) + 4,
        "{falls}"
    );
}

#[test]
fn a_record_that_cannot_be_formatted_is_dropped_alone() {
    let fixture = one(well());
    for body in ["a", "panic", "b", "unreadable", "c"] {
        fixture.log(body);
    }
    assert!(fixture.worker.flush_blocking(LONG));
    assert_eq!(fixture.receivers[0].lines(), ["<a>", "<b>", "<c>"]);
    assert_eq!(
        (fixture.balance(), fixture.dropped(DropReason::Panic)),
        (3, 2)
    );
    assert_eq!(fixture.worker.status().recovered_panics, 1);
    assert!(fixture.worker.status().alive);
}

#[test]
fn a_format_that_keeps_panicking_costs_its_batch_and_the_next_goes_through() {
    let fixture = one(well());
    (0..1000).for_each(|_| fixture.log("panic"));
    assert!(fixture.worker.flush_blocking(LONG));
    assert_eq!(
        (fixture.balance(), fixture.dropped(DropReason::Panic)),
        (0, 1000)
    );
    fixture.log("a");
    assert!(fixture.worker.flush_blocking(Duration::from_secs(1)));
    assert_eq!(fixture.balance(), 1);
}

#[test]
fn a_write_that_panics_a_hundred_times_loses_its_blocks_alone() {
    let fixture = one(Box::new(|number, bytes| {
        if number < 100 {
            planned_panic();
        }
        Ok(bytes.len())
    }));
    // A flush does not wait for the back-off, so each round trip meets one panic.
    for n in 0..150 {
        fixture.log(&n.to_string());
        assert!(fixture.worker.flush_blocking(LONG));
    }
    fixture.worker.shutdown_blocking(LONG);
    let delivered = fixture.balance();
    // The notice about it may have met one of the panics.
    assert!((50..=51).contains(&delivered), "{delivered}");
    assert_eq!(fixture.dropped(DropReason::Panic), 150 - delivered);
}

#[test]
fn errors_at_random_and_partial_writes_leave_the_books_exact() {
    let mut seed = 7_u64;
    let fixture = one(Box::new(move |_, bytes| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        match seed >> 33 {
            n if n % 3 == 0 => Ok(bytes.len()),
            n if n % 11 == 0 => Err(ErrorKind::StorageFull.into()),
            n if n % 13 == 0 => Ok(0),
            n if n % 5 == 0 => Err(ErrorKind::Interrupted.into()),
            n if n % 17 == 0 => Err(ErrorKind::WouldBlock.into()),
            n if n % 19 == 0 => planned_panic(),
            n => Ok(usize::try_from(n).unwrap() % bytes.len() + 1),
        }
    }));
    for _ in 0..200 {
        fixture.logs(20);
        assert!(fixture.worker.flush_blocking(LONG));
        assert_eq!(fixture.counters.totals(RecordKind::Log).in_flight(), 0);
    }
    assert!(fixture.worker.shutdown_blocking(LONG).is_complete());
    let delivered = fixture.balance();
    assert!(delivered > 100 && delivered < 4000, "{delivered}");
    assert_eq!(
        delivered + fixture.dropped(DropReason::Io) + fixture.dropped(DropReason::Panic),
        4000
    );
}

#[test]
fn a_refusing_sink_backs_off_and_comes_back() {
    let refuse = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&refuse);
    let fixture = one(Box::new(move |_, bytes| {
        if flag.load(SeqCst) {
            return Err(ErrorKind::BrokenPipe.into());
        }
        Ok(bytes.len())
    }));
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        fixture.logs(2);
        std::thread::sleep(Duration::from_millis(2));
    }
    // 50, 100, 200, 400, 800 ms ..
    let tries = fixture.receivers[0].writes.load(SeqCst);
    assert!((2..=8).contains(&tries), "{tries}");
    assert!(fixture.worker.status().sinks[0].waiting_since.is_some());
    refuse.store(false, SeqCst);
    assert!(fixture.worker.flush_blocking(LONG));
    assert!(fixture.worker.flush_blocking(LONG));
    assert!(fixture.balance() > 0 && fixture.dropped(DropReason::Io) > 0);
    let status = fixture.worker.status().sinks[0];
    assert!(status.last_delivery_age.is_some() && status.waiting_since.is_none());
    assert_eq!(status.queued_bytes, 0);
    assert!(fixture.diagnostics.notices()[0].contains("refused a write (broken pipe)"));
}

#[test]
fn a_hanging_sink_stalls_itself_alone() {
    let config = WorkerConfig::default().max_sink_bytes(1 << 20);
    let fixture = fixture(config, vec![well(), well()], Vec::new());
    let (hanging, other) = (&fixture.receivers[0], &fixture.receivers[1]);
    hanging.hold(true);
    let long = "x".repeat(1000);
    for sent in 1..=40 {
        (0..100).for_each(|_| fixture.log(&long));
        // The other sink gets each of them.
        let end = Instant::now() + LONG;
        while other.lines().len() < sent * 100 {
            assert!(Instant::now() < end);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let before = Instant::now();
    assert!(!fixture.worker.flush_blocking(Duration::from_millis(100)));
    assert!(before.elapsed() < Duration::from_millis(600));
    assert!(fixture.dropped(DropReason::QueueOverflow) > 2000);
    assert!(fixture.worker.status().sinks[0].queued_bytes <= 1 << 20);
    hanging.hold(false);
    assert!(fixture.worker.flush_blocking(LONG));
    fixture.balance();
    // A record counts once for each sink that takes its kind.
    assert_eq!(fixture.counters.totals(RecordKind::Log).emitted(), 8000);
}

#[test]
fn periodic_tasks_run_and_a_panicking_one_harms_nobody() {
    let (sender, ticks) = mpsc::channel();
    let every = Duration::from_millis(10);
    let bad = PeriodicTask::new(every, || planned_panic());
    let good = PeriodicTask::new(every, move || sender.send(()).unwrap_or(()));
    let fixture = fixture(WorkerConfig::default(), vec![well()], vec![bad, good]);
    (0..5).for_each(|_| ticks.recv_timeout(LONG).unwrap());
    assert!(fixture.worker.status().recovered_panics >= 4);
    fixture.log("a");
    assert!(fixture.worker.flush_blocking(LONG));
    assert_eq!(fixture.balance(), 1);
}

#[test]
fn a_task_of_the_pool_that_hangs_stops_itself_alone_and_runs_again_when_it_returns() {
    let (enter, entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let every = Duration::from_millis(10);
    let hanging = PeriodicTask::on_pool(every, move || {
        enter.send(()).unwrap_or(());
        released.lock().unwrap().recv().unwrap_or(());
    });
    let (sender, ticks) = mpsc::channel();
    let good = PeriodicTask::new(every, move || sender.send(()).unwrap_or(()));
    let fixture = fixture(WorkerConfig::default(), vec![well()], vec![hanging, good]);
    entered.recv_timeout(LONG).unwrap();
    (0..5).for_each(|_| ticks.recv_timeout(LONG).unwrap());
    fixture.log("a");
    assert!(fixture.worker.flush_blocking(LONG));
    assert!(entered.try_recv().is_err(), "one run at a time");
    drop(release);
    entered.recv_timeout(LONG).unwrap();
    assert_eq!(fixture.balance(), 1);
}

#[test]
fn a_shutdown_says_what_is_not_stored_at_its_deadline() {
    let (release, released) = mpsc::channel::<()>();
    let tasks = vec![
        PeriodicTask::at_end("what is stored", || true),
        PeriodicTask::at_end("what a disk refuses", || false),
        PeriodicTask::at_end("what a disk hangs with", move || {
            released.recv().unwrap_or(());
            true
        }),
        PeriodicTask::at_end("what panics", || panic!("as a test wants it")),
    ];
    let ended = fixture(WorkerConfig::default(), vec![well()], tasks);
    let report = ended.worker.shutdown_blocking(Duration::from_millis(300));
    drop(release);
    assert!(report.is_complete(), "all records are delivered");
    assert_eq!(
        report.unstored(),
        [
            "what a disk refuses",
            "what a disk hangs with",
            "what panics"
        ]
    );

    let task = PeriodicTask::at_end("what is stored", || true);
    let ended = fixture(WorkerConfig::default(), vec![well()], vec![task]);
    assert_eq!(ended.worker.shutdown_blocking(LONG).unstored(), [""; 0]);
}

#[test]
fn notices_are_lines() {
    let fixture = one(well());
    fixture.diagnostics.report("mind the gap");
    let end = Instant::now() + LONG;
    while fixture.receivers[0].lines() != ["<mind the gap>"] {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(fixture.worker.flush_blocking(LONG));
    fixture.balance();
    assert_eq!(fixture.counters.totals(RecordKind::Notice).delivered(), 1);
}

#[test]
fn an_idle_worker_dozes_and_wakes_for_a_record() {
    let fixture = one(well());
    std::thread::sleep(Duration::from_millis(1300));
    let before = Instant::now();
    fixture.log("a");
    while fixture.receivers[0].lines().is_empty() {
        assert!(before.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(before.elapsed() < Duration::from_millis(500));
    assert!(fixture.worker.status().round_age < Duration::from_secs(3));
}

#[test]
fn without_a_sink_nothing_is_counted_and_all_calls_answer() {
    let fixture = fixture(WorkerConfig::default(), Vec::new(), Vec::new());
    fixture.logs(10);
    fixture.diagnostics.report("unheard");
    assert!(fixture.worker.flush_blocking(LONG));
    let report = fixture.worker.shutdown_blocking(LONG);
    assert!(report.is_complete());
    assert_eq!(report.totals(RecordKind::Log).emitted(), 0);
    assert_eq!(fixture.diagnostics.take_unwritten(), ["unheard"]);
}

#[test]
fn a_shutdown_delivers_and_a_second_gives_the_same_report() {
    let fixture = one(well());
    fixture.logs(1000);
    let report = fixture.worker.shutdown_blocking(LONG);
    assert!(report.is_complete());
    assert_eq!((fixture.balance(), report.delivered()), (1000, 1000));
    fixture.logs(5);
    assert_eq!(fixture.dropped(DropReason::Shutdown), 5);
    let before = Instant::now();
    assert_eq!(fixture.worker.shutdown_blocking(LONG), report);
    assert!(fixture.worker.flush_blocking(LONG));
    assert!(before.elapsed() < Duration::from_secs(1));
    gone(&fixture.worker);
}

fn gone(worker: &Worker) {
    let end = Instant::now() + LONG;
    while worker.status().alive {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_hangs_at_the_deadline_counts_once_even_if_it_ends_later() {
    let fixture = one(well());
    fixture.receivers[0].hold(true);
    fixture.logs(1000);
    let report = in_time(|| fixture.worker.shutdown_blocking(D));
    assert!(!report.is_complete());
    assert_eq!(
        report.totals(RecordKind::Log).dropped(DropReason::Shutdown),
        1000
    );
    gone(&fixture.worker);
    fixture.receivers[0].hold(false);
    let end = Instant::now() + LONG;
    while fixture.receivers[0].got.lock().unwrap().is_empty() {
        assert!(Instant::now() < end);
    }
    assert_eq!(fixture.worker.shutdown_blocking(LONG), report);
    let totals = fixture.counters.totals(RecordKind::Log);
    assert_eq!(
        (totals.emitted(), totals.dropped_total(), totals.delivered()),
        (1000, 1000, 0)
    );
}

/// The deadline of the calls that meet a hanging sink.
const D: Duration = Duration::from_millis(300);

/// Asserts that the call returns within d + 100 ms, plus some slack for a busy machine.
fn in_time<T>(call: impl FnOnce() -> T) -> T {
    let before = Instant::now();
    let value = call();
    let took = before.elapsed();
    assert!(took < D + Duration::from_millis(600), "{took:?}");
    value
}

/// The same deadline under each kind of runtime and under none.
fn everywhere(call: impl Fn(&tokio::runtime::Runtime)) {
    use tokio::runtime::Builder;
    call(
        &Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap(),
    );
    call(
        &Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap(),
    );
    call(&Builder::new_current_thread().enable_all().build().unwrap());
    // Without timers.
    call(&Builder::new_current_thread().build().unwrap());
}

#[test]
fn a_flush_keeps_its_deadline_in_every_runtime_with_a_hanging_sink() {
    let fixture = one(well());
    fixture.receivers[0].hold(true);
    fixture.logs(1000);
    everywhere(|runtime| {
        assert!(!in_time(|| runtime.block_on(fixture.worker.flush(D))));
        let task = fixture.worker.flush(D);
        assert!(!in_time(
            || runtime.block_on(async { tokio::spawn(task).await.unwrap() })
        ));
    });
    // Without a runtime, and with one that has been dropped.
    assert!(!in_time(|| park_on(fixture.worker.flush(D))));
    assert!(!in_time(|| fixture.worker.flush_blocking(D)));
    fixture.receivers[0].hold(false);
    everywhere(|runtime| assert!(runtime.block_on(fixture.worker.flush(LONG))));
    assert_eq!(fixture.balance(), 1000);
}

#[test]
fn a_shutdown_keeps_its_deadline_in_every_runtime_with_a_hanging_sink() {
    let check = |shutdown: &dyn Fn(&Worker) -> ShutdownReport| {
        let fixture = one(well());
        fixture.receivers[0].hold(true);
        fixture.logs(10);
        let report = in_time(|| shutdown(&fixture.worker));
        assert_eq!((report.is_complete(), report.dropped()), (false, 10));
        fixture.receivers[0].hold(false);
    };
    everywhere(|runtime| check(&|worker| runtime.block_on(worker.shutdown(D))));
    check(&|worker| park_on(worker.shutdown(D)));
    check(&|worker| worker.shutdown_blocking(D));
}

/// Polls a future by parking the thread, without a runtime.
fn park_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        match future
            .as_mut()
            .poll(&mut std::task::Context::from_waker(&waker))
        {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn a_stuck_worker_keeps_nobody_waiting() {
    let (enter, entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let stuck = PeriodicTask::new(Duration::from_millis(10), move || {
        enter.send(()).unwrap_or(());
        released.recv().unwrap_or(());
    });
    let fixture = fixture(WorkerConfig::default(), vec![well()], vec![stuck]);
    entered.recv_timeout(LONG).unwrap();
    fixture.logs(10);
    assert!(!in_time(|| park_on(fixture.worker.flush(D))));
    assert!(!in_time(|| fixture.worker.flush_blocking(D)));
    let report = in_time(|| park_on(fixture.worker.shutdown(D)));
    assert_eq!((report.is_complete(), report.dropped()), (false, 10));
    assert!(fixture.worker.status().alive);
    drop(release);
    gone(&fixture.worker);
    assert_eq!(fixture.balance(), 0);
}

#[test]
fn of_two_shutdowns_the_earlier_deadline_holds() {
    let fixture = one(well());
    fixture.receivers[0].hold(true);
    fixture.logs(10);
    let far = fixture.worker.shutdown(Duration::from_secs(3600));
    let near = in_time(|| fixture.worker.shutdown_blocking(D));
    assert_eq!(park_on(far), near);
    fixture.receivers[0].hold(false);
}

#[test]
fn the_last_handle_ends_the_thread_without_waiting() {
    let Fixture {
        worker,
        record_queue,
        counters,
        receivers,
        ..
    } = one(well());
    record_queue.push(RecordKind::Log, 0, |out| out.push(b'a'));
    let before = Instant::now();
    drop(worker);
    assert!(before.elapsed() < Duration::from_millis(100));
    let end = Instant::now() + LONG;
    // The thread delivers, ends, and lets go of what it shared.
    while Arc::strong_count(&counters) > 2 {
        assert!(Instant::now() < end, "{}", Arc::strong_count(&counters));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(receivers[0].lines(), ["<a>"]);
    drop(record_queue);
}

#[test]
fn totals_are_exact_under_load_with_a_small_queue() {
    let config = WorkerConfig::default()
        .max_queue_bytes(0)
        .max_sink_bytes(64 << 10);
    let fixture = fixture(
        config,
        vec![Box::new(|_, bytes| {
            std::thread::sleep(Duration::from_micros(200));
            Ok(bytes.len())
        })],
        Vec::new(),
    );
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| fixture.logs(20_000));
        }
    });
    assert!(fixture.worker.flush_blocking(LONG));
    assert!(fixture.balance() > 0);
    assert_eq!(fixture.counters.totals(RecordKind::Log).emitted(), 80_000);
}

#[test]
fn a_storm_of_one_event_leaves_room_for_others_while_a_sink_hangs() {
    let config = WorkerConfig::default().max_sink_bytes(1 << 20);
    let fixture = fixture(config, vec![well()], Vec::new());
    fixture.receivers[0].hold(true);
    let mut sent = 0;
    let mut push = |source, body: &str| {
        let write = |out: &mut Vec<u8>| out.extend_from_slice(body.as_bytes());
        fixture
            .record_queue
            .push_from(RecordKind::Log, source, 0, write);
        sent += 1;
        sent
    };
    let drained = |sent| {
        let end = Instant::now() + LONG;
        while fixture.counters.totals(RecordKind::Log).emitted() < sent {
            assert!(Instant::now() < end);
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let storm = "x".repeat(1000);
    for n in 0..30 {
        for _ in 0..100 {
            push(1, &storm);
        }
        drained(push(2 + n, &format!("other {n}")));
    }
    fixture.receivers[0].hold(false);
    assert!(fixture.worker.flush_blocking(LONG));
    let lines = fixture.receivers[0].lines();
    let others = lines.iter().filter(|line| line.starts_with("<other "));
    assert_eq!(others.count(), 30);
    assert!(fixture.dropped(DropReason::QueueOverflow) > 1500);
    assert!(fixture.balance() > 700);
}
