//! A sink alone, without the worker's thread, on a driven clock.

use super::*;
use crate::worker::context::WorkerContext;

/// A sink alone, with a clock that is driven.
struct Alone {
    sink: Arc<RemoteSink>,
    clock: Clock,
    counters: Arc<RecordCounters>,
    diagnostics: Arc<Diagnostics>,
    record_queue: Arc<RecordQueue>,
    ends: Ends,
    runtime: tokio::runtime::Runtime,
}

fn alone(peer: &Peer, max_items: u64) -> Alone {
    let counters = Arc::new(RecordCounters::default());
    let diagnostics = Arc::new(Diagnostics::default());
    let record_queue = Arc::new(RecordQueue::new(1 << 20, Arc::clone(&counters)));
    let clock = Clock::driven(Duration::from_secs(784_111_777));
    let ends = Ends::default();
    let setup = RemoteSetup {
        max_items,
        deliver: Box::new(Post {
            url: peer.url("/in").parse().unwrap(),
            ends: Arc::clone(&ends),
            panics: Arc::default(),
        }),
        ..setup(peer, Ids::new(10, SECOND), &Arc::default())
    };
    let context = WorkerContext {
        clock: clock.clone(),
        monotonic: clock.clone(),
        record_queue: Arc::clone(&record_queue),
        counters: Arc::clone(&counters),
        diagnostics: Arc::clone(&diagnostics),
    };
    let (sink, _) = RemoteSink::new(setup, &context);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    Alone {
        sink: Arc::new(sink),
        clock,
        counters,
        diagnostics,
        record_queue,
        ends,
        runtime: runtime.unwrap(),
    }
}

impl Alone {
    fn accept(&self, ids: &[u32]) {
        self.counters.emitted(RecordKind::Span, ids.len() as u64);
        self.sink.hold(RecordKind::Span, ids.len() as u64);
        self.sink.accept(batch(ids));
    }

    /// Sends what may be sent. Returns whether there was anything to send.
    fn turn(&self) -> bool {
        let due = self
            .sink
            .next_dispatch()
            .is_some_and(|at| at <= self.clock.now());
        self.sink.dispatch(self.runtime.handle());
        if due {
            self.runtime.block_on(self.record_queue.woken());
        }
        due
    }

    /// How long the sink waits now.
    fn wait(&self) -> Duration {
        let at = self.sink.next_dispatch().unwrap();
        Duration::from_nanos(at.saturating_sub(self.clock.now()))
    }

    fn totals(&self) -> RecordTotals {
        self.counters.totals(RecordKind::Span)
    }
}

#[test]
fn a_receiver_that_fails_is_asked_ever_more_rarely() {
    let peer = Peer::always(Reply::status(503));
    let alone = alone(&peer, 1000);
    alone.accept(&[1]);
    for failures in 1..12_u32 {
        assert!(alone.turn());
        let most = SECOND * (1 << (failures - 1).min(6));
        let wait = alone.wait();
        assert!(
            wait <= most.min(60 * SECOND) && wait >= Duration::from_millis(100),
            "{wait:?}"
        );
        let short = Duration::from_millis(1);
        alone.clock.advance(wait.saturating_sub(short));
        assert!(!alone.turn());
        alone.clock.advance(short);
    }
    assert_eq!(peer.seen().len(), 11);
    assert_eq!(alone.diagnostics.notices().len(), 1);
    peer.script(|_| Reply::status(200));
    assert!(alone.turn());
    assert_eq!(
        (
            alone.totals().delivered(),
            alone.diagnostics.notices().len()
        ),
        (1, 2)
    );
}

#[test]
fn a_receiver_is_left_alone_as_long_as_it_asks() {
    for (value, seconds) in [
        ("30", 30),
        ("0", 0),
        ("315360000", 3600),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
    ] {
        let value = value.to_owned();
        let peer = Peer::start(move |_| Reply::with(429, "retry-after", &value));
        let alone = alone(&peer, 1000);
        alone.accept(&[1]);
        assert!(alone.turn());
        let wait = alone.wait();
        match seconds {
            0 => assert!(
                wait >= Duration::from_millis(100) && wait <= SECOND,
                "{wait:?}"
            ),
            _ => assert_eq!(wait, SECOND * seconds),
        }
        // No flush shortens the wait that the receiver requested.
        alone.sink.request_flush(true);
        let kept = if seconds == 0 { Duration::ZERO } else { wait };
        assert_eq!(alone.wait(), kept);
        alone.clock.advance(wait);
        assert!(alone.turn());
        assert_eq!(peer.seen().len(), 2);
    }
}

#[test]
fn what_does_not_fit_is_dropped_by_its_reason() {
    let peer = Peer::always(Reply::status(503));
    let alone = alone(&peer, 3);
    // The first is always taken.
    alone.accept(&[1, 2, 3, 4]);
    alone.accept(&[5]);
    assert_eq!(alone.totals().dropped(DropReason::QueueOverflow), 1);
    assert!(alone.turn());
    alone.accept(&[6]);
    assert_eq!(alone.totals().dropped(DropReason::QueueOverflow), 2);
    peer.script(|_| Reply::with(429, "retry-after", "60"));
    alone.clock.advance(60 * SECOND);
    assert!(alone.turn());
    alone.accept(&[7, 8]);
    assert_eq!(alone.totals().dropped(DropReason::RatelimitBackoff), 2);
    // The bytes that wait are bounded too.
    alone.counters.emitted(RecordKind::Span, 1);
    alone
        .sink
        .accept(Batch::new(RecordKind::Span, 0, vec![0; 64 << 10].into()));
    assert_eq!(alone.sink.status().unwrap().queued_bytes, 8);
    assert!(!alone.sink.close());
    assert_eq!(alone.totals().dropped(DropReason::Shutdown), 4);
}

#[test]
fn a_receiver_that_does_not_know_us_is_asked_every_five_minutes() {
    let peer = Peer::always(Reply::status(401));
    let alone = alone(&peer, 1000);
    for minute in 0..30 {
        alone.accept(&[minute]);
        alone.turn();
        alone.clock.advance(60 * SECOND);
    }
    assert_eq!(peer.seen().len(), 6);
    assert_eq!(alone.totals().dropped(DropReason::SendError), 6);
    assert_eq!(alone.diagnostics.notices().len(), 1);
    // A flush sends a request immediately.
    alone.sink.request_flush(true);
    assert!(alone.turn());
    assert_eq!(peer.seen().len(), 7);
}

#[test]
fn what_a_store_keeps_is_not_dropped_at_the_end() {
    let peer = Peer::always(Reply::status(503));
    let alone = alone(&peer, 1000);
    alone.counters.emitted(RecordKind::Span, 2);
    alone.sink.accept(Batch {
        stored: true,
        recovered: true,
        ..batch(&[1, 2])
    });
    assert!(!alone.sink.close());
    let totals = alone.totals();
    assert_eq!((totals.spooled(), totals.in_flight()), (2, 0));
    assert!(alone.ends.lock().unwrap().is_empty());
}

#[test]
fn the_end_of_each_batch_is_told() {
    let peer = Peer::replies([200, 503, 206, 400].map(Reply::status));
    let alone = alone(&peer, 1000);
    alone.counters.emitted(RecordKind::Span, 6);
    for tag in 1..=3 {
        alone.sink.accept(Batch {
            tag,
            stored: true,
            recovered: true,
            ..batch(&[1, 2])
        });
    }
    assert!(alone.turn());
    alone.clock.advance(SECOND);
    assert!(alone.turn());
    let refused = BatchOutcome::Dropped(DropReason::SendError);
    assert_eq!(
        *alone.ends.lock().unwrap(),
        [
            (1, BatchOutcome::Delivered),
            (2, BatchOutcome::Delivered),
            (3, refused)
        ]
    );
    assert_eq!(
        (alone.totals().delivered(), alone.totals().in_flight()),
        (3, 0)
    );
}
