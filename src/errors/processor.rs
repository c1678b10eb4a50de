//! Processes captured errors on the worker.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::event::{ErrorEvent, EventKind, Frame};
use super::resident_memory::ResidentMemory;
use super::shared::CaptureState;
use super::stored_record::StoredRecord;
use super::tracker::ErrorTracker;
use super::{decode, stored_record, symbol_memory};
use crate::context::DecodeBreadcrumb;
use crate::metrics::{Counter, Metrics};
use crate::model::{Diagnostics, EventId, RecordKind};
use crate::system::available_memory;
use crate::worker::{BlockingPool, Completion, Record, RecordProcessor, SpoolWriter};

/// Decodes captured errors on the worker's thread, groups, counts and stores them.
#[derive(Debug)]
pub(crate) struct ErrorProcessor {
    shared: Arc<CaptureState>,
    decode_breadcrumb: DecodeBreadcrumb,
    diagnostics: Arc<Diagnostics>,
    resident: ResidentMemory,
    counter: Counter,
    /// The number behind which stored events of earlier processes are still to be loaded; `None` once all are.
    load_after: Option<u64>,
}

impl ErrorTracker {
    /// The worker's side of this tracker. `decode_breadcrumb` decodes the `tracing` events of a request.
    pub(crate) fn processor(
        &self,
        metrics: &Metrics,
        diagnostics: &Arc<Diagnostics>,
        decode_breadcrumb: DecodeBreadcrumb,
    ) -> ErrorProcessor {
        let store = self.shared.store.as_ref();
        ErrorProcessor {
            // With a Sentry sink, the sink reads them and adds them to the groups.
            load_after: store
                .filter(|_| self.shared.outbox.is_none())
                .map(SpoolWriter::acked),
            shared: Arc::clone(&self.shared),
            decode_breadcrumb,
            diagnostics: Arc::clone(diagnostics),
            resident: ResidentMemory::new(self.shared.requests.clock().clone()),
            counter: metrics
                .counter("watchpost.errors")
                .description("Errors captured, panics and messages among them")
                .build(),
        }
    }
}

impl RecordProcessor for ErrorProcessor {
    fn kind(&self) -> RecordKind {
        RecordKind::Error
    }

    fn run_due(&mut self, jobs: &BlockingPool<'_>) {
        self.load_earlier_events();
        if let Some(store) = &self.shared.store {
            store.dispatch(jobs);
        }
        self.shared.groups.dispatch(jobs);
    }

    fn due(&self) -> Option<u64> {
        self.shared.store.as_ref()?.due()
    }

    fn finish(&mut self) -> bool {
        let store = self.shared.store.as_ref();
        store.is_none_or(|store| store.save_acks() && store.is_settled(store.last()))
    }

    fn position(&self) -> u64 {
        self.shared.store.as_ref().map_or(0, SpoolWriter::last)
    }

    fn is_settled(&self, mark: u64) -> bool {
        let store = self.shared.store.as_ref();
        store.is_none_or(|store| store.is_settled(mark))
    }

    fn process(&mut self, record: &Record<'_>, jobs: &BlockingPool<'_>) {
        // 1. Decode and scrub. A record that cannot be decoded is skipped; the queue has counted it.
        let Some(decoded) =
            decode::event(&self.shared, record.at, record.body, self.decode_breadcrumb)
        else {
            return;
        };
        let mut event = decoded.event;
        event.resident_bytes = self.resident.bytes();
        // 2. Count and group, whether or not the event can be stored or sent.
        let labels = [
            ("error_type", type_label(&event).to_owned()),
            ("level", event.level.as_str().to_owned()),
        ];
        self.counter.with(labels).add(1);
        // 3. Store before handing over: the sink sends a stored event only once it is on disk, by its number. It is stored
        // while the groups are locked, so that their counts contain exactly the events up to a number.
        let groups = &self.shared.groups;
        let has_backtrace = decoded.has_backtrace;
        let completion = self.awaited(event.id);
        let mut pushed = None;
        let (event, number) = groups.add(event, record.at, has_backtrace, |event| {
            let store = self.shared.store.as_ref()?;
            pushed = Some(store.push(stored_record::encode_event(event), completion));
            pushed.as_ref().map(|it| it.number)
        });
        // Receipts that the store refuses wake code of the host, which may ask for the groups: they are not locked now.
        drop(pushed);
        if let Some(store) = &self.shared.store {
            store.dispatch(jobs);
        }
        if let Some(outbox) = &self.shared.outbox {
            outbox.add(number, &event, decoded.has_backtrace);
        }
        // 4. Resolve the backtrace last: it takes long, and the consumers above already have the event without frames.
        if decoded.has_backtrace {
            self.resolve_backtrace(event, jobs);
        }
    }
}

impl ErrorProcessor {
    /// The completion of a capture that waits for the event. Without a store, it is completed here.
    fn awaited(&self, event: EventId) -> Option<Arc<Completion<bool>>> {
        let completion = self.shared.durable_waiters.remove(event)?;
        if self.shared.store.is_none() {
            completion.complete(false);
            return None;
        }
        Some(completion)
    }

    /// Adds events that earlier processes stored to the groups, one batch in each round.
    fn load_earlier_events(&mut self) {
        let (Some(after), Some(store)) = (self.load_after, &self.shared.store) else {
            return;
        };
        // The groups say which of the events they have counted.
        if !self.shared.groups.is_loaded() {
            return;
        }
        // 1. Reading is a job of the store: request it, and check for its result in later rounds.
        let Some(records) = store.take_read() else {
            store.request_read(after);
            return;
        };
        // 2. Records of this process are in the groups already.
        let first = self.shared.first_number;
        let earlier = records.iter().take_while(|(number, _)| *number < first);
        let mut frames: FxHashMap<EventId, Vec<Frame>> = FxHashMap::default();
        let mut events = Vec::new();
        for (number, record) in earlier {
            match stored_record::decode(record) {
                Some(StoredRecord::Event(event)) => events.push((*number, event)),
                Some(StoredRecord::Frames(event, of_event)) => {
                    frames.insert(event, of_event);
                }
                None => {}
            }
        }
        for (number, mut event) in events {
            event.frames = frames.remove(&event.id).unwrap_or_default();
            let groups = &self.shared.groups;
            groups.add_earlier(number, StoredRecord::Event(event));
        }
        // Those of an event of an earlier batch.
        for (event, of_event) in frames {
            let groups = &self.shared.groups;
            groups.add_earlier(0, StoredRecord::Frames(event, of_event));
        }
        // 3. Continue after the last record, until there is none or it belongs to this process.
        let last = records.last().map(|(number, _)| *number);
        self.load_after = last.filter(|last| *last < first);
        if let Some(after) = self.load_after {
            store.request_read(after);
        }
    }

    /// Resolves the frames of the event's backtrace in a job: the first time reads the program's symbols.
    fn resolve_backtrace(&self, event: Arc<ErrorEvent>, jobs: &BlockingPool<'_>) {
        let shared = Arc::clone(&self.shared);
        // It may have made room for another one.
        let Some(backtrace) = shared.backtraces.remove(event.id) else {
            shared.groups.set_frames(&event, &[]);
            return shared.publish_frames(event.id, Vec::new());
        };
        let diagnostics = Arc::clone(&self.diagnostics);
        jobs.spawn(move || {
            let required = symbol_memory::required();
            let frames = if available_memory().is_none_or(|bytes| bytes >= required) {
                shared.backtraces.resolve(&backtrace, &event.location)
            } else {
                diagnostics.report(format!(
                    "backtraces have no frames while less than {} MiB of memory are available: resolving them reads the program's symbols; raise the memory limit, or set errors.backtraces = \"off\"",
                    required >> 20
                ));
                Vec::new()
            };
            shared.groups.set_frames(&event, &frames);
            if let Some(store) = &shared.store {
                drop(store.push(stored_record::encode_frames(event.id, &frames), None));
            }
            shared.publish_frames(event.id, frames);
            // The sink may wait for these frames, and the store has a record to write.
            shared.record_queue.wake();
        });
    }
}

impl CaptureState {
    /// Adds the frames to an event that waits for a sink.
    fn publish_frames(&self, event: EventId, frames: Vec<Frame>) {
        if let Some(outbox) = &self.outbox {
            outbox.set_frames(event, frames);
        }
    }
}

/// The label `error_type`: a path that the compiler wrote. The output of a `Debug` is not used as a label, since the
/// host's data may be in it.
fn type_label(event: &ErrorEvent) -> &str {
    match event.kind {
        EventKind::Panic => "panic",
        EventKind::Message => "message",
        EventKind::Error => {
            let name = event.error().map_or("", |error| &error.type_name);
            if name.contains("::") { name } else { "_OTHER" }
        }
    }
}
