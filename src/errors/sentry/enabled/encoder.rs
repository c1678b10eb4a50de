//! Encodes events as envelopes, in the order in which the store may remove them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rustc_hash::FxHashMap;

use super::before_send::BeforeSendHook;
use super::client_report::ClientReport;
use super::envelope::{EventOrigin, envelope};
use crate::clock::Nanos;
use crate::errors::event::ErrorEvent;
use crate::errors::shared::CaptureState;
use crate::errors::stored_record::{self, StoredRecord};
use crate::model::{DropReason, EventId, RecordCounters, RecordKind};
use crate::record::ErrorRecord;
use crate::worker::{Batch, Encode, ItemOutcome, Record, SpoolWriter};

/// The maximum number of bytes of stored events that the sink queues; further events stay in the store until there is
/// room.
const WINDOW: usize = 1 << 20;

/// The parts of an [`EventEncoder`].
pub(super) struct EncoderSetup {
    pub(super) shared: Arc<CaptureState>,
    pub(super) origin: EventOrigin,
    pub(super) before_send: Option<BeforeSendHook>,
    pub(super) counters: Arc<RecordCounters>,
    /// Bytes of envelopes that the sink holds. The transport subtracts the settled ones.
    pub(super) queued_bytes: Arc<AtomicUsize>,
    pub(super) report: Arc<ClientReport>,
}

/// Encodes events from memory and from the store as envelopes.
///
/// Acknowledging a stored event acknowledges all events before it, so events go to the sink in the order of their
/// numbers. Once one event is left in the store, all later ones are left there too, and are read from the store.
pub(super) struct EventEncoder {
    setup: EncoderSetup,
    /// The number behind which the store is to be read; `None` while no unsent event is only there.
    read_after: Option<u64>,
    /// Whether a read from the store is in progress.
    is_reading: bool,
    /// The number of the last event that was left in the store.
    last_left: u64,
    outcomes: Vec<(RecordKind, ItemOutcome, u64)>,
    /// The number of events that the store has removed to make room, up to the last count.
    evicted: u64,
}

impl EventEncoder {
    pub(super) fn new(setup: EncoderSetup) -> Self {
        let store = setup.shared.store.as_ref();
        // Events that earlier processes left in the store come first.
        let read_after = store
            .filter(|store| !store.is_empty())
            .map(SpoolWriter::acked);
        Self {
            setup,
            read_after,
            is_reading: false,
            last_left: 0,
            outcomes: Vec::new(),
            evicted: 0,
        }
    }

    fn has_room(&self) -> bool {
        self.setup.queued_bytes.load(Relaxed) < WINDOW
    }

    /// The batch of an event.
    ///
    /// # Errors
    ///
    /// The reason to drop it, if the host's hook keeps it from being sent.
    fn batch(&self, mut event: ErrorEvent, number: Option<u64>) -> Result<Batch, DropReason> {
        if let Some(hook) = &self.setup.before_send {
            hook.call(&mut event)
                .inspect_err(|reason| self.setup.report.add(*reason, 1))?;
        }
        let body = envelope(&event, &self.setup.origin);
        let mut batch = Batch::new(RecordKind::Error, 1, body.into());
        batch.stored = number.is_some();
        batch.tag = number.unwrap_or_default();
        self.setup.queued_bytes.fetch_add(batch.body.len(), Relaxed);
        Ok(batch)
    }

    /// Takes the result of a read from the store, and requests more while there is room.
    fn take_stored(&mut self, store: &SpoolWriter, out: &mut Vec<Batch>) {
        let Some(after) = self.read_after else { return };
        if self.is_reading {
            let Some(records) = store.take_read() else {
                return;
            };
            self.is_reading = false;
            match records.last() {
                Some((last, _)) => {
                    self.read_after = Some(after.max(*last));
                    self.add_stored(&records, out);
                }
                // Nothing is left behind `after`: from now on events come from memory again. But an event may have
                // been left in the store after it was read; then the next read finds it.
                None if self.last_left <= after => self.read_after = None,
                None => {}
            }
        }
        let Some(after) = self.read_after else { return };
        if self.has_room() && !self.setup.shared.groups.awaits_load() {
            self.is_reading = true;
            store.request_read(after);
        }
    }

    /// Makes batches of stored events.
    fn add_stored(&self, records: &[(u64, Vec<u8>)], out: &mut Vec<Batch>) {
        let setup = &self.setup;
        let mut events = Vec::new();
        let mut frames: FxHashMap<EventId, Vec<_>> = FxHashMap::default();
        for (number, record) in records {
            match stored_record::decode(record) {
                Some(StoredRecord::Event(event)) => events.push((*number, *event)),
                Some(StoredRecord::Frames(event, of_event)) => {
                    frames.insert(event, of_event);
                }
                None => {}
            }
        }
        for (number, mut event) in events {
            if let Some(of_event) = frames.remove(&event.id) {
                event.frames = of_event;
            }
            // Those of this process are in the groups already.
            if number < setup.shared.first_number {
                let event = StoredRecord::Event(Box::new(event.clone()));
                setup.shared.groups.add_earlier(number, event);
            }
            // It was counted as spooled, or by an earlier process. So it counts as emitted again.
            setup.counters.emitted(RecordKind::Error, 1);
            match self.batch(event, Some(number)) {
                Ok(mut batch) => {
                    batch.recovered = true;
                    out.push(batch);
                }
                Err(reason) => setup.counters.dropped(RecordKind::Error, reason, 1),
            }
        }
    }

    /// Makes batches of the events that the processor has put into the outbox, or leaves them in the store.
    fn take_new(&mut self, all: bool, out: &mut Vec<Batch>) {
        let shared = Arc::clone(&self.setup.shared);
        let Some(outbox) = &shared.outbox else { return };
        let store = shared.store.as_ref();
        let store_fails = store
            .and_then(SpoolWriter::status)
            .is_none_or(|it| it.failing);
        loop {
            // 1. The next event is ready once it is stored. It is ready immediately if the store fails, and in a flush,
            // which waits for the server and must not wait for the disk first.
            let is_on_disk = |number: Option<u64>| {
                number.is_some_and(|number| store.is_some_and(|it| it.is_stored(number)))
            };
            let at_once = store_fails || all && self.read_after.is_none();
            let ready = outbox.pop_ready(all, |next| at_once || is_on_disk(next.number));
            let Some(next) = ready else { return };
            // 2. A stored event stays in the store if an earlier one did, or if the sink has no room. It counts as
            // spooled and returns through `add_stored`.
            if let Some(number) = next.number
                && is_on_disk(next.number)
                && (self.read_after.is_some() || !self.has_room())
            {
                self.read_after.get_or_insert(number - 1);
                self.last_left = number;
                self.outcomes
                    .push((RecordKind::Error, ItemOutcome::Spooled, 1));
                continue;
            }
            // 3. Anything else goes to the sink. While earlier events are in the store, it overtakes them, so it must
            // not acknowledge anything.
            let number = next.number.filter(|_| self.read_after.is_none());
            match self.batch(Arc::unwrap_or_clone(next.event), number) {
                Ok(batch) => out.push(batch),
                Err(reason) => {
                    self.outcomes
                        .push((RecordKind::Error, ItemOutcome::Dropped(reason), 1));
                }
            }
        }
    }

    /// Counts events that the store has removed to make room.
    fn count_evicted(&mut self, store: &SpoolWriter) {
        let evicted = store.status().unwrap_or_default().evicted;
        if evicted > self.evicted {
            let lost = evicted - self.evicted;
            self.evicted = evicted;
            // They were counted as spooled. So they count as emitted again before they are dropped.
            let counters = &self.setup.counters;
            counters.emitted(RecordKind::Error, lost);
            counters.dropped(RecordKind::Error, DropReason::CacheOverflow, lost);
            self.setup.report.add(DropReason::CacheOverflow, lost);
        }
    }
}

impl Encode for EventEncoder {
    fn takes(&self, kind: RecordKind) -> bool {
        kind == RecordKind::Error
    }

    fn encode(&mut self, record: &Record<'_>) -> u64 {
        let event = ErrorRecord::read(record.body).map(|record| record.event);
        let outbox = self.setup.shared.outbox.as_ref();
        let claimed = event.is_some_and(|event| outbox.is_some_and(|outbox| outbox.claim(event)));
        u64::from(claimed)
    }

    fn take_batches(&mut self, _: Nanos, all: bool, out: &mut Vec<Batch>) {
        let shared = Arc::clone(&self.setup.shared);
        if let Some(store) = &shared.store {
            self.count_evicted(store);
            // Stored events are older than those in the outbox.
            self.take_stored(store, out);
        }
        self.take_new(all, out);
    }

    fn take_outcomes(&mut self) -> Vec<(RecordKind, ItemOutcome, u64)> {
        std::mem::take(&mut self.outcomes)
    }

    fn due(&self) -> Option<Nanos> {
        self.setup.shared.outbox.as_ref()?.due()
    }

    fn clear(&mut self) {
        if let Some(outbox) = &self.setup.shared.outbox {
            outbox.clear();
        }
    }
}
