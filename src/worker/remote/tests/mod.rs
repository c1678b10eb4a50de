//! Remote sinks against a receiver that follows a script. Assertions read the delivered ids from the receiver.

mod jobs;
mod sink;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use http::Uri;

use super::*;
use crate::clock::{Clock, nanos};
use crate::model::{Diagnostics, RecordCounters, RecordTotals};
use crate::worker::client::TlsRoots;
use crate::worker::peer::{Peer, Reply, Seen};
use crate::worker::record_queue::RecordQueue;
use crate::worker::sink_status::SinkError;
use crate::worker::{SinkStatus, Worker, WorkerConfig, WorkerSetup};

const SECOND: Duration = Duration::from_secs(1);
/// How long a call may take beyond its time limit. Only a call that ignores the limit takes longer, however busy the
/// machine is.
const PATIENCE: Duration = Duration::from_secs(20);

/// Batches of ids, one a line, each of four bytes in a record.
struct Ids {
    kept: Vec<u32>,
    max: usize,
    delay: Duration,
    oldest: Option<Nanos>,
    panics: Arc<AtomicU32>,
    clock: Clock,
}

impl Ids {
    fn new(max: usize, delay: Duration) -> Self {
        Self {
            kept: Vec::new(),
            max,
            delay,
            oldest: None,
            panics: Arc::default(),
            clock: Clock::system(),
        }
    }
}

impl Encode for Ids {
    fn takes(&self, kind: RecordKind) -> bool {
        kind == RecordKind::Span
    }

    fn encode(&mut self, record: &Record<'_>) -> u64 {
        let ids = record.body.chunks_exact(4);
        let ids = ids.map(|id| u32::from_le_bytes(id.try_into().unwrap()));
        if self.panics.load(SeqCst) > 0 {
            self.panics.fetch_sub(1, SeqCst);
            planned_panic();
        }
        let before = self.kept.len();
        self.kept.extend(ids);
        self.oldest.get_or_insert(self.clock.now());
        (self.kept.len() - before) as u64
    }

    fn take_batches(&mut self, _now: Nanos, all: bool, out: &mut Vec<Batch>) {
        let due = self.due().is_some_and(|due| self.clock.now() >= due);
        while self.kept.len() >= self.max || (all || due) && !self.kept.is_empty() {
            let n = self.max.min(self.kept.len());
            let ids: Vec<_> = self.kept.drain(..n).collect();
            out.push(batch(&ids));
        }
        if self.kept.is_empty() {
            self.oldest = None;
        }
        if self.panics.load(SeqCst) == 1000 {
            self.panics.store(0, SeqCst);
            planned_panic();
        }
    }

    fn due(&self) -> Option<Nanos> {
        Some(self.oldest? + nanos(self.delay))
    }

    fn clear(&mut self) {
        self.kept.clear();
        self.oldest = None;
    }
}

fn planned_panic() -> ! {
    std::panic::resume_unwind(Box::new("a planned panic"))
}

fn batch(ids: &[u32]) -> Batch {
    let body: String = ids.iter().map(|id| format!("{id}\n")).collect();
    Batch::new(RecordKind::Span, ids.len() as u64, body.into())
}

fn ids(body: &[u8]) -> Vec<u32> {
    let text = std::str::from_utf8(body).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// The outcomes of batches, with their tags.
type Ends = Arc<Mutex<Vec<(u64, BatchOutcome)>>>;

/// Posts to a URL; judges only by the status.
struct Post {
    url: Uri,
    ends: Ends,
    panics: Arc<AtomicBool>,
}

impl Deliver for Post {
    fn request(&self, batch: &Batch) -> Request<Bytes> {
        if self.panics.load(SeqCst) {
            planned_panic();
        }
        let request = Request::post(self.url.clone());
        request.body(batch.body.clone()).unwrap()
    }

    fn judge(&self, _batch: &Batch, response: &HttpResponse) -> Verdict {
        let why = response.status.to_string();
        match response.status.as_u16() {
            200 => Verdict::Delivered,
            206 => Verdict::Partial { rejected: 1, why },
            413 => Verdict::Split,
            429 | 502..=504 => Verdict::Retry {
                after: response.retry_after,
                why,
            },
            401 => Verdict::Refused {
                reason: DropReason::SendError,
                why,
                pause: Some(300 * SECOND),
            },
            _ => Verdict::Refused {
                reason: DropReason::SendError,
                why,
                pause: None,
            },
        }
    }

    fn on_settled(&self, batch: &Batch, end: BatchOutcome) {
        self.ends.lock().unwrap().push((batch.tag, end));
    }

    fn split(&self, batch: &Batch) -> Option<[Batch; 2]> {
        let ids = ids(&batch.body);
        let (first, second) = ids.split_at(ids.len() / 2);
        Some([self::batch(first), self::batch(second)])
    }
}

/// The ids in bodies to which the peer responded with 200.
type Taken = Arc<Mutex<Vec<u32>>>;

/// A script that keeps the ids of those requests to which `status` gives 200.
fn keeping(
    taken: &Taken,
    mut status: impl FnMut(&Seen) -> Reply + Send + 'static,
) -> impl FnMut(&Seen) -> Reply + Send + 'static {
    let taken = Arc::clone(taken);
    move |seen| {
        let reply = status(seen);
        if let Reply::Answer(200, ..) | Reply::ResetInBody(200) | Reply::Short(200) = reply {
            taken.lock().unwrap().extend(ids(&seen.body));
        }
        reply
    }
}

struct Fixture {
    worker: Arc<Worker>,
    record_queue: Arc<RecordQueue>,
    counters: Arc<RecordCounters>,
    diagnostics: Arc<Diagnostics>,
    /// What panics: takes of the consumer, the request of a batch.
    consumer_panics: Arc<AtomicU32>,
    request_panics: Arc<AtomicBool>,
    next: AtomicU32,
}

fn setup(
    peer: &Peer,
    encode: impl Encode + 'static,
    request_panics: &Arc<AtomicBool>,
) -> RemoteSetup {
    RemoteSetup {
        name: "test",
        max_bytes: 64 << 10,
        max_items: 100_000,
        timeout: SECOND,
        client: HttpClient::new(&TlsRoots::default()).unwrap(),
        encode: Box::new(encode),
        deliver: Box::new(Post {
            url: peer.url("/in").parse().unwrap(),
            ends: Ends::default(),
            panics: Arc::clone(request_panics),
        }),
    }
}

fn fixture(peer: &Peer) -> Fixture {
    let counters = Arc::new(RecordCounters::default());
    let diagnostics = Arc::new(Diagnostics::default());
    let record_queue = Arc::new(RecordQueue::new(1 << 20, Arc::clone(&counters)));
    let encode = Ids::new(10, Duration::from_millis(50));
    let consumer_panics = Arc::clone(&encode.panics);
    let request_panics = Arc::default();
    let worker = Worker::start(WorkerSetup {
        observer: None,
        processors: Vec::new(),
        config: WorkerConfig::default(),
        clock: Clock::system(),
        record_queue: Arc::clone(&record_queue),
        counters: Arc::clone(&counters),
        diagnostics: Arc::clone(&diagnostics),
        sinks: Vec::new(),
        remotes: vec![setup(peer, encode, &request_panics)],
        tasks: Vec::new(),
    });
    Fixture {
        worker: worker.unwrap(),
        record_queue,
        counters,
        diagnostics,
        consumer_panics,
        request_panics,
        next: AtomicU32::new(0),
    }
}

impl Fixture {
    /// Emits a number of records with a number of items each.
    fn emit(&self, records: u32, items: u32) {
        for _ in 0..records {
            let first = self.next.fetch_add(items, SeqCst);
            self.record_queue
                .push_many(RecordKind::Span, items, 0, |out| {
                    (first..first + items).for_each(|id| out.extend_from_slice(&id.to_le_bytes()));
                });
        }
    }

    fn totals(&self) -> RecordTotals {
        self.counters.totals(RecordKind::Span)
    }

    /// The state of the sink once the responses in flight have arrived.
    fn at_rest(&self) -> SinkStatus {
        let begun = Instant::now();
        loop {
            let status = self.worker.status().sinks.remove(0);
            if status.queued_bytes == 0 || begun.elapsed() > PATIENCE {
                return status;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns the result of a flush, and asserts that it kept its time limit.
    fn flush(&self, timeout: Duration) -> bool {
        let begun = Instant::now();
        let flushed = self.worker.flush_blocking(timeout);
        let took = begun.elapsed();
        assert!(took < timeout + PATIENCE, "{took:?}");
        flushed
    }

    /// Shuts down, and asserts that it kept its time limit and that the counters are exact.
    fn shutdown(&self, timeout: Duration) -> RecordTotals {
        let begun = Instant::now();
        let report = self.worker.shutdown_blocking(timeout);
        let took = begun.elapsed();
        assert!(took < timeout + PATIENCE, "{took:?}");
        let totals = *report.totals(RecordKind::Span);
        assert_eq!(totals.in_flight(), 0, "{report}");
        assert_eq!(
            totals.emitted(),
            u64::from(self.next.load(SeqCst)),
            "{report}"
        );
        totals
    }
}

fn distinct(taken: &Taken) -> u64 {
    taken.lock().unwrap().iter().collect::<BTreeSet<_>>().len() as u64
}

#[test]
fn a_receiver_that_is_well_gets_everything_once() {
    let taken = Taken::default();
    let peer = Peer::start(keeping(&taken, |_| Reply::status(200)));
    let fixture = fixture(&peer);
    fixture.emit(100, 7);
    assert!(fixture.flush(PATIENCE));
    assert_eq!(
        (fixture.totals().emitted(), fixture.totals().delivered()),
        (700, 700)
    );
    assert_eq!(distinct(&taken), 700);
    assert_eq!(taken.lock().unwrap().len(), 700);
    assert_eq!((peer.seen().len(), peer.connections()), (70, 1));
    // Without a flush, by the schedule.
    fixture.emit(1, 3);
    peer.await_seen(71, PATIENCE);
    let status = fixture.at_rest();
    assert_eq!((status.name, status.queued_bytes), ("test", 0));
    assert_eq!(peer.seen().len(), 71);
    let totals = fixture.shutdown(SECOND);
    assert_eq!(totals.delivered(), 703);
    fixture.emit(1, 4);
    assert_eq!(fixture.totals().dropped(DropReason::Shutdown), 4);
    assert!(
        fixture.diagnostics.notices().is_empty(),
        "{:?}",
        fixture.diagnostics.notices()
    );
}

#[test]
fn nothing_is_counted_where_nobody_takes_it() {
    let counters = Arc::new(RecordCounters::default());
    let record_queue = Arc::new(RecordQueue::new(1 << 20, Arc::clone(&counters)));
    let peer = Peer::always(Reply::status(200));
    let _worker = Worker::start(WorkerSetup {
        observer: None,
        processors: Vec::new(),
        config: WorkerConfig::default(),
        clock: Clock::system(),
        record_queue: Arc::clone(&record_queue),
        counters: Arc::clone(&counters),
        diagnostics: Arc::default(),
        sinks: Vec::new(),
        remotes: vec![setup(&peer, Ids::new(1, SECOND), &Arc::default())],
        tasks: Vec::new(),
    });
    assert!(record_queue.is_muted(RecordKind::Log) && !record_queue.is_muted(RecordKind::Span));
    record_queue.push(RecordKind::Log, 0, |_| {});
    assert_eq!(counters.totals(RecordKind::Log).emitted(), 0);
}

#[test]
fn an_outage_loses_nothing_and_is_told_once() {
    let taken = Taken::default();
    let peer = Peer::start(keeping(&taken, |_| Reply::status(200)));
    let fixture = fixture(&peer);
    peer.refuse();
    fixture.emit(20, 5);
    assert!(!fixture.flush(Duration::from_millis(200)));
    fixture.emit(20, 5);
    assert!(!fixture.flush(Duration::from_millis(200)));
    let status = fixture.worker.status().sinks;
    assert!(status[0].waiting_since.unwrap() >= Duration::from_millis(200));
    peer.listen();
    // A flush waits for no back-off.
    assert!(fixture.flush(PATIENCE));
    assert_eq!((fixture.totals().delivered(), distinct(&taken)), (200, 200));
    let said = fixture.diagnostics.notices();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("`test` is not delivered (the connection was refused)"),
        "{said:?}"
    );
    assert_eq!(said[1], "`test` is delivered again");
    fixture.shutdown(SECOND);
}

#[test]
fn whatever_the_receiver_does_flush_and_shutdown_keep_their_time() {
    let deaf = |peer: &Peer| peer.deaf(true);
    let refuse = |peer: &Peer| peer.refuse();
    let nothing = |_: &Peer| {};
    let faults: Vec<(Reply, Box<dyn Fn(&Peer)>)> = vec![
        (Reply::status(200), Box::new(deaf)),
        (Reply::status(200), Box::new(refuse)),
        (Reply::Hang, Box::new(nothing)),
        (Reply::Drip(Duration::from_millis(20)), Box::new(nothing)),
        (Reply::Reset, Box::new(nothing)),
        (Reply::Garbage, Box::new(nothing)),
        (Reply::status(503), Box::new(nothing)),
        (Reply::with(429, "retry-after", "3600"), Box::new(nothing)),
        (Reply::ResetInBody(503), Box::new(nothing)),
        (Reply::Huge(503, 1 << 30), Box::new(nothing)),
        (Reply::Late(5 * SECOND, 200), Box::new(nothing)),
    ];
    for (reply, fault) in faults {
        let peer = Peer::always(reply.clone());
        fault(&peer);
        let fixture = fixture(&peer);
        fixture.emit(30, 3);
        assert!(!fixture.flush(Duration::from_millis(150)), "{reply:?}");
        let totals = fixture.shutdown(Duration::from_millis(150));
        assert_eq!(
            (totals.delivered(), totals.dropped(DropReason::Shutdown)),
            (0, 90),
            "{reply:?}"
        );
    }
}

#[test]
fn a_200_counts_whatever_becomes_of_its_body() {
    for reply in [Reply::ResetInBody(200), Reply::Short(200)] {
        let taken = Taken::default();
        let peer = Peer::start(keeping(&taken, move |_| reply.clone()));
        let fixture = fixture(&peer);
        fixture.emit(3, 10);
        assert!(fixture.flush(PATIENCE));
        assert_eq!(
            (
                fixture.shutdown(SECOND).delivered(),
                taken.lock().unwrap().len()
            ),
            (30, 30)
        );
    }
}

#[test]
fn a_refusal_drops_its_batch_alone() {
    let taken = Taken::default();
    let mut number = 0;
    let peer = Peer::start(keeping(&taken, move |_| {
        number += 1;
        Reply::status([400, 206, 200][number % 3])
    }));
    let fixture = fixture(&peer);
    fixture.emit(90, 1);
    assert!(fixture.flush(PATIENCE));
    assert_eq!((peer.seen().len(), taken.lock().unwrap().len()), (9, 30));
    let totals = fixture.shutdown(SECOND);
    // Three batches were taken except for one item each.
    assert_eq!(
        (totals.delivered(), totals.dropped(DropReason::SendError)),
        (30 + 27, 30 + 3)
    );
}

#[test]
fn a_batch_that_is_too_large_is_halved_down_to_one_item() {
    let taken = Taken::default();
    let peer = Peer::start(keeping(&taken, |seen| {
        let ids = ids(&seen.body);
        Reply::status(if ids.len() > 2 || ids.contains(&3) {
            413
        } else {
            200
        })
    }));
    let fixture = fixture(&peer);
    fixture.emit(1, 8);
    assert!(fixture.flush(PATIENCE));
    // 8, 4 4, 2 2 2 2, and the half with the item that is never taken in two.
    let mut sizes: Vec<_> = peer.seen().iter().map(|it| ids(&it.body).len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 1, 2, 2, 2, 2, 4, 4, 8]);
    let totals = fixture.shutdown(SECOND);
    assert_eq!(
        (totals.delivered(), totals.dropped(DropReason::TooLarge)),
        (7, 1)
    );
    assert_eq!(taken.lock().unwrap().len(), 7);
}

#[test]
fn panics_cost_what_they_touch() {
    let taken = Taken::default();
    let peer = Peer::start(keeping(&taken, |_| Reply::status(200)));
    let fixture = fixture(&peer);
    fixture.consumer_panics.store(2, SeqCst);
    fixture.emit(5, 3);
    assert!(fixture.flush(PATIENCE));
    let totals = fixture.totals();
    assert_eq!(
        (totals.delivered(), totals.dropped(DropReason::Panic)),
        (9, 6)
    );
    fixture.request_panics.store(true, SeqCst);
    fixture.emit(1, 4);
    assert!(fixture.flush(PATIENCE));
    fixture.request_panics.store(false, SeqCst);
    fixture.emit(1, 5);
    assert!(fixture.flush(PATIENCE));
    let totals = fixture.shutdown(SECOND);
    assert_eq!(
        (totals.delivered(), totals.dropped(DropReason::Panic)),
        (14, 10)
    );
    assert_eq!(taken.lock().unwrap().len(), 14);
}

#[test]
fn a_sink_that_loses_what_it_is_given_says_why_until_it_delivers() {
    let refuses = Arc::new(AtomicBool::new(false));
    let refusing = Arc::clone(&refuses);
    let peer = Peer::start(Box::new(move |_: &Seen| {
        let status = if refusing.load(SeqCst) { 400 } else { 200 };
        Reply::status(status)
    }));
    let fixture = fixture(&peer);
    let after_one_record = || {
        fixture.emit(1, 1);
        assert!(fixture.flush(PATIENCE));
        fixture.worker.status().sinks[0].error
    };
    assert_eq!(after_one_record(), None);
    fixture.consumer_panics.store(1, SeqCst);
    assert_eq!(after_one_record(), Some(SinkError::Panicked));
    assert_eq!(after_one_record(), None);
    fixture.request_panics.store(true, SeqCst);
    assert_eq!(after_one_record(), Some(SinkError::Panicked));
    fixture.request_panics.store(false, SeqCst);
    assert_eq!(after_one_record(), None);
    refuses.store(true, SeqCst);
    assert_eq!(after_one_record(), Some(SinkError::Rejected));
    refuses.store(false, SeqCst);
    assert_eq!(after_one_record(), None);
    // Reported once each time that it begins.
    let said = fixture.diagnostics.notices();
    let panics = said.iter().filter(|it| it.contains("prepared records"));
    assert_eq!(panics.count(), 1, "{said:#?}");
}

#[test]
fn a_hundred_panics_in_a_row_end_nothing() {
    let peer = Peer::always(Reply::status(200));
    let fixture = fixture(&peer);
    fixture.request_panics.store(true, SeqCst);
    fixture.emit(100, 10);
    assert!(fixture.flush(PATIENCE));
    fixture.request_panics.store(false, SeqCst);
    fixture.emit(1, 1);
    assert!(fixture.flush(PATIENCE));
    let totals = fixture.shutdown(SECOND);
    assert_eq!(
        (totals.delivered(), totals.dropped(DropReason::Panic)),
        (1, 1000)
    );
}

#[test]
fn a_receiver_that_hangs_holds_up_no_other_sink() {
    let taken = Taken::default();
    let hung = Peer::always(Reply::Hang);
    let well = Peer::start(keeping(&taken, |_| Reply::status(200)));
    let counters = Arc::new(RecordCounters::default());
    let record_queue = Arc::new(RecordQueue::new(1 << 20, Arc::clone(&counters)));
    let ids = || Ids::new(10, Duration::from_millis(50));
    let hanging = RemoteSetup {
        timeout: 10 * PATIENCE,
        ..setup(&hung, ids(), &Arc::default())
    };
    let worker = Worker::start(WorkerSetup {
        observer: None,
        processors: Vec::new(),
        config: WorkerConfig::default(),
        clock: Clock::system(),
        record_queue: Arc::clone(&record_queue),
        counters: Arc::clone(&counters),
        diagnostics: Arc::default(),
        sinks: Vec::new(),
        remotes: vec![hanging, setup(&well, ids(), &Arc::default())],
        tasks: Vec::new(),
    })
    .unwrap();
    for round in 0..10_u32 {
        record_queue.push_many(RecordKind::Span, 1, 0, |out| {
            out.extend_from_slice(&round.to_le_bytes());
        });
        // Behind the request that hangs, it would wait ten times as long.
        well.await_seen(round as usize + 1, PATIENCE);
    }
    // At most one request to it is in flight, however many batches wait.
    assert_eq!((hung.seen().len(), hung.connections()), (1, 1));
    let begun = Instant::now();
    assert!(!worker.flush_blocking(Duration::from_millis(100)));
    let report = worker.shutdown_blocking(Duration::from_millis(100));
    assert!(begun.elapsed() < PATIENCE);
    let totals = report.totals(RecordKind::Span);
    // Emitted once for each sink.
    assert_eq!((totals.emitted(), totals.in_flight()), (20, 0));
    assert_eq!(
        (totals.delivered(), totals.dropped(DropReason::Shutdown)),
        (10, 10)
    );
    assert_eq!(taken.lock().unwrap().len(), 10);
}

#[test]
fn faults_that_come_and_go_leave_exact_books() {
    let taken = Taken::default();
    let mut number = 0_usize;
    let peer = Peer::start(keeping(&taken, move |_| {
        number += 1;
        match number % 9 {
            1 => Reply::status(503),
            2 => Reply::Reset,
            3 => Reply::with(429, "retry-after", "0"),
            4 => Reply::Garbage,
            5 => Reply::status(400),
            6 => Reply::ResetInBody(502),
            7 => Reply::status(413),
            _ => Reply::status(200),
        }
    }));
    let fixture = fixture(&peer);
    for _ in 0..40 {
        fixture.emit(2, 5);
        // Each flush immediately tries once more.
        fixture.flush(Duration::from_millis(30));
    }
    let totals = fixture.shutdown(SECOND);
    let refused = totals.dropped(DropReason::SendError);
    assert_eq!(totals.delivered(), distinct(&taken), "{totals:?}");
    assert_eq!(totals.delivered() as usize, taken.lock().unwrap().len());
    assert!(refused > 0 && totals.delivered() > 0, "{totals:?}");
    assert_eq!(totals.emitted(), 400);
}
