//! What the worker does with captured errors.

use std::sync::Arc;

use super::capture::{CaptureState, ErrorTracker};
use super::event::{ErrorEvent, EventKind, Frame};
use super::resident_memory::ResidentMemory;
use super::stored_record::StoredRecord;
use super::{available_memory, decode, stored_record};
use crate::context::ReadCrumb;
use crate::metrics::{Counter, Metrics};
use crate::model::{Diagnostics, EventId, RecordKind};
use crate::worker::{BlockingPool, Record, RecordProcessor, SpoolWriter};

/// Reads captured errors on the worker's thread: tells them apart and counts them.
#[derive(Debug)]
pub(crate) struct ErrorProcessor {
    shared: Arc<CaptureState>,
    read_crumb: ReadCrumb,
    diagnostics: Arc<Diagnostics>,
    resident: ResidentMemory,
    counter: Counter,
    /// Behind which number stored events of earlier processes are still to be read.
    finding: Option<u64>,
}

impl ErrorTracker {
    /// What the worker is to do with what is captured. `read_crumb` reads the `tracing` events of a request.
    pub(crate) fn tap(
        &self,
        metrics: &Metrics,
        diagnostics: &Arc<Diagnostics>,
        read_crumb: ReadCrumb,
    ) -> ErrorProcessor {
        let keeper = self.shared.keeper.as_ref();
        ErrorProcessor {
            // Who sends them reads them too.
            finding: keeper
                .filter(|_| self.shared.outbox.is_none())
                .map(SpoolWriter::acked),
            shared: Arc::clone(&self.shared),
            read_crumb,
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
    fn signal(&self) -> RecordKind {
        RecordKind::Error
    }

    fn round(&mut self, jobs: &BlockingPool<'_>) {
        self.find();
        if let Some(keeper) = &self.shared.keeper {
            keeper.dispatch(jobs);
        }
    }

    fn due(&self) -> Option<u64> {
        self.shared.keeper.as_ref()?.due()
    }

    fn ends(&mut self) -> bool {
        let keeper = self.shared.keeper.as_ref();
        keeper.is_none_or(|keeper| keeper.save_acks() && keeper.is_settled(keeper.last()))
    }

    fn mark(&self) -> u64 {
        self.shared.keeper.as_ref().map_or(0, SpoolWriter::last)
    }

    fn is_settled(&self, mark: u64) -> bool {
        let keeper = self.shared.keeper.as_ref();
        keeper.is_none_or(|keeper| keeper.is_settled(mark))
    }

    fn take(&mut self, record: &Record<'_>, jobs: &BlockingPool<'_>) {
        let Some((mut event, backtrace)) =
            decode::event(&self.shared, record.at, record.body, self.read_crumb)
        else {
            return;
        };
        event.resident_bytes = self.resident.bytes();
        let labels = [
            ("error_type", type_label(&event).to_owned()),
            ("level", event.level.as_str().to_owned()),
        ];
        self.counter.with(labels).add(1);
        let event = Arc::new(event);
        self.shared.groups.add(&event);
        let number = self.store(&event, jobs);
        if let Some(outbox) = &self.shared.outbox {
            outbox.add(number, &event, backtrace);
        }
        if backtrace {
            self.name_calls(event, jobs);
        }
    }
}

impl ErrorProcessor {
    /// Stores the event where there is a store, and tells who waits for that; its number there.
    fn store(&self, event: &ErrorEvent, jobs: &BlockingPool<'_>) -> Option<u64> {
        let awaited = self.shared.awaited.of(event.id);
        let Some(keeper) = &self.shared.keeper else {
            if let Some(answer) = awaited {
                answer.give(false);
            }
            return None;
        };
        let number = keeper.push(stored_record::put_event(event), awaited);
        keeper.dispatch(jobs);
        Some(number)
    }

    /// Takes what earlier processes stored into the groups, some at a time.
    fn find(&mut self) {
        let (Some(after), Some(keeper)) = (self.finding, &self.shared.keeper) else {
            return;
        };
        match keeper.take_read() {
            None => keeper.want_read(after),
            Some(records) => {
                let found = records
                    .iter()
                    .take_while(|(number, _)| *number < self.shared.first);
                for (_, record) in found {
                    match stored_record::read(record) {
                        Some(StoredRecord::Event(event)) => {
                            self.shared.groups.add(&Arc::from(event));
                        }
                        Some(StoredRecord::Frames(event, frames)) => {
                            self.shared.groups.add_frames(event, &frames);
                        }
                        None => {}
                    }
                }
                let last = records.last().map(|(number, _)| *number);
                self.finding = last.filter(|last| *last < self.shared.first);
                if let Some(after) = self.finding {
                    keeper.want_read(after);
                }
            }
        }
    }

    /// Names the calls of the event's backtrace. The first time reads the program's symbols, so it is a job.
    fn name_calls(&self, event: Arc<ErrorEvent>, jobs: &BlockingPool<'_>) {
        let shared = Arc::clone(&self.shared);
        let Some(backtrace) = shared.waiting.of(event.id) else {
            return shared.name(event.id, Vec::new());
        };
        let diagnostics = Arc::clone(&self.diagnostics);
        jobs.run(move || {
            let needed = available_memory::needed();
            let frames = if available_memory::left().is_none_or(|left| left >= needed) {
                shared.waiting.name(&backtrace, &event.location)
            } else {
                diagnostics.report(format!(
                    "backtraces have no frames while less than {} MiB of memory are left: naming them reads the program's symbols; raise the limit of memory, or set errors.backtraces = \"off\"",
                    needed >> 20
                ));
                Vec::new()
            };
            shared.groups.add_named(&event, &frames);
            if let Some(keeper) = &shared.keeper {
                keeper.push(stored_record::put_frames(event.id, &frames), None);
            }
            shared.name(event.id, frames);
            shared.record_queue.ring();
        });
    }
}

impl CaptureState {
    /// Gives an event on its way the calls that led to it.
    fn name(&self, event: EventId, frames: Vec<Frame>) {
        if let Some(outbox) = &self.outbox {
            outbox.add_frames(event, frames);
        }
    }
}

/// The type as a label: a path that the compiler wrote, never what a `Debug` printed.
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
