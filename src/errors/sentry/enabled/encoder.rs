use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rustc_hash::FxHashMap;

use super::before_send::BeforeSendHook;
use super::client_report::ClientReport;
use super::envelope::{EventOrigin, envelope};
use crate::clock::Nanos;
use crate::errors::capture::CaptureState;
use crate::errors::event::ErrorEvent;
use crate::errors::stored_record::{self, StoredRecord};
use crate::model::{DropReason, EventId, RecordCounters, RecordKind};
use crate::record::ErrorRecord;
use crate::worker::{Batch, Encode, ItemOutcome, Record, SpoolWriter};

/// Bytes of events that the sink may have while there is a store: what is beyond stays there.
const WINDOW: usize = 1 << 20;

/// Makes envelopes of events.
///
/// Acknowledging an event acknowledges all before it, so events go to the sink in the order of their numbers.
/// Once one is left in the store, all after it are, and come from there.
pub(super) struct EventEncoder {
    shared: Arc<CaptureState>,
    origin: EventOrigin,
    hook: Option<BeforeSendHook>,
    counters: Arc<RecordCounters>,
    report: Arc<ClientReport>,
    /// Bytes that the sink has.
    waiting: Arc<AtomicUsize>,
    /// Behind which number the store is to be read; none while nothing is left there.
    behind: Option<u64>,
    /// Whether the store was asked and has not answered.
    asked: bool,
    /// The last that was left in the store.
    left: u64,
    outcomes: Vec<(RecordKind, ItemOutcome, u64)>,
    evicted: u64,
}

impl EventEncoder {
    pub(super) fn new(
        shared: &Arc<CaptureState>,
        (origin, hook): (EventOrigin, Option<BeforeSendHook>),
        counters: Arc<RecordCounters>,
        (waiting, report): (Arc<AtomicUsize>, Arc<ClientReport>),
    ) -> Self {
        Self {
            behind: shared
                .keeper
                .as_ref()
                .filter(|keeper| !keeper.is_empty())
                .map(SpoolWriter::acked),
            shared: Arc::clone(shared),
            origin,
            hook,
            counters,
            report,
            waiting,
            asked: false,
            left: 0,
            outcomes: Vec::new(),
            evicted: 0,
        }
    }

    fn has_room(&self) -> bool {
        self.waiting.load(Relaxed) < WINDOW
    }

    /// The batch of an event; why there is none, if the hook says so.
    fn batch(&self, mut event: ErrorEvent, number: Option<u64>) -> Result<Batch, DropReason> {
        if let Some(hook) = &self.hook {
            hook.show(&mut event)
                .inspect_err(|reason| self.report.add(*reason, 1))?;
        }
        let body = envelope(&event, &self.origin);
        let mut batch = Batch::new(RecordKind::Error, 1, body.into());
        batch.stored = number.is_some();
        batch.tag = number.unwrap_or_default();
        self.waiting.fetch_add(batch.body.len(), Relaxed);
        Ok(batch)
    }

    /// Takes what the store has read, and asks for more.
    fn take_stored(&mut self, keeper: &SpoolWriter, out: &mut Vec<Batch>) {
        let Some(behind) = self.behind else { return };
        if self.asked {
            let Some(records) = keeper.take_read() else {
                return;
            };
            self.asked = false;
            match records.last() {
                Some((last, _)) => {
                    self.behind = Some(behind.max(*last));
                    self.found(&records, out);
                }
                // The last one may have been left there after it was read.
                None if self.left <= behind => self.behind = None,
                None => {}
            }
        }
        let Some(behind) = self.behind else { return };
        if self.has_room() {
            self.asked = true;
            keeper.want_read(behind);
        }
    }

    fn found(&mut self, records: &[(u64, Vec<u8>)], out: &mut Vec<Batch>) {
        let mut events = Vec::new();
        let mut frames: FxHashMap<EventId, Vec<_>> = FxHashMap::default();
        for (number, record) in records {
            match stored_record::read(record) {
                Some(StoredRecord::Event(event)) => events.push((*number, *event)),
                Some(StoredRecord::Frames(event, calls)) => {
                    frames.insert(event, calls);
                }
                None => {}
            }
        }
        for (number, mut event) in events {
            if let Some(calls) = frames.remove(&event.id) {
                event.frames = calls;
            }
            if number < self.shared.first {
                self.shared.groups.add(&Arc::new(event.clone()));
            }
            self.counters.emitted(RecordKind::Error, 1);
            match self.batch(event, Some(number)) {
                Ok(mut batch) => {
                    batch.found = true;
                    out.push(batch);
                }
                Err(reason) => self.counters.dropped(RecordKind::Error, reason, 1),
            }
        }
    }

    /// Takes events that the tap has read.
    fn take_new(&mut self, all: bool, out: &mut Vec<Batch>) {
        let shared = Arc::clone(&self.shared);
        let Some(outbox) = &shared.outbox else { return };
        let keeper = shared.keeper.as_ref();
        let fails = keeper
            .and_then(SpoolWriter::status)
            .is_none_or(|it| it.failing);
        loop {
            let stored = |number: Option<u64>| {
                number.is_some_and(|number| keeper.is_some_and(|it| it.is_stored(number)))
            };
            // Whoever flushes waits for the server, not for the disk before it.
            let at_once = fails || all && self.behind.is_none();
            let ready = outbox.take(all, |next| at_once || stored(next.number));
            let Some(next) = ready else { return };
            let is_stored = stored(next.number);
            if let Some(number) = next.number
                && is_stored
                && (self.behind.is_some() || !self.has_room())
            {
                self.behind.get_or_insert(number - 1);
                self.left = number;
                self.outcomes
                    .push((RecordKind::Error, ItemOutcome::Spooled, 1));
                continue;
            }
            // What is not in the store overtakes what is, and so must acknowledge nothing.
            let number = next.number.filter(|_| self.behind.is_none());
            match self.batch(Arc::unwrap_or_clone(next.event), number) {
                Ok(batch) => out.push(batch),
                Err(reason) => {
                    self.outcomes
                        .push((RecordKind::Error, ItemOutcome::Dropped(reason), 1));
                }
            }
        }
    }
}

impl Encode for EventEncoder {
    fn takes(&self, signal: RecordKind) -> bool {
        signal == RecordKind::Error
    }

    fn take(&mut self, record: &Record<'_>) -> u64 {
        let event = ErrorRecord::read(record.body).map(|record| record.event);
        let outbox = self.shared.outbox.as_ref();
        let told = event.is_some_and(|event| outbox.is_some_and(|outbox| outbox.tell(event)));
        u64::from(told)
    }

    fn batches(&mut self, _: Nanos, all: bool, out: &mut Vec<Batch>) {
        let shared = Arc::clone(&self.shared);
        if let Some(keeper) = &shared.keeper {
            let evicted = keeper.status().unwrap_or_default().evicted;
            if evicted > self.evicted {
                // They were spooled, and so are emitted anew to be dropped.
                let lost = evicted - self.evicted;
                self.evicted = evicted;
                self.counters.emitted(RecordKind::Error, lost);
                self.counters
                    .dropped(RecordKind::Error, DropReason::CacheOverflow, lost);
                self.report.add(DropReason::CacheOverflow, lost);
            }
            self.take_stored(keeper, out);
        }
        self.take_new(all, out);
    }

    fn take_outcomes(&mut self) -> Vec<(RecordKind, ItemOutcome, u64)> {
        std::mem::take(&mut self.outcomes)
    }

    fn due(&self) -> Option<Nanos> {
        self.shared.outbox.as_ref()?.due()
    }

    fn forget(&mut self) {
        if let Some(outbox) = &self.shared.outbox {
            outbox.clear();
        }
    }
}
