//! What the worker does with captured errors.

use std::sync::Arc;

use super::backtraces::frames;
use super::capture::{Errors, Shared};
use super::event::{ErrorEvent, EventKind};
use super::memory::Resident;
use super::read;
use crate::metrics::{Counter, Metrics};
use crate::model::Signal;
use crate::request::ReadCrumb;
use crate::worker::{Jobs, Record, Tap};

/// Reads captured errors on the worker's thread: tells them apart and counts them.
#[derive(Debug)]
pub(crate) struct ErrorTap {
    shared: Arc<Shared>,
    read_crumb: ReadCrumb,
    resident: Resident,
    counter: Counter,
}

impl Errors {
    /// What the worker is to do with what is captured. `read_crumb` reads the `tracing` events of a request.
    pub(crate) fn tap(&self, metrics: &Metrics, read_crumb: ReadCrumb) -> ErrorTap {
        ErrorTap {
            shared: Arc::clone(&self.shared),
            read_crumb,
            resident: Resident::new(self.shared.requests.clock().clone()),
            counter: metrics
                .counter("watchpost.errors")
                .description("Errors captured, panics and messages among them")
                .build(),
        }
    }
}

impl Tap for ErrorTap {
    fn signal(&self) -> Signal {
        Signal::Error
    }

    fn take(&mut self, record: &Record<'_>, jobs: &Jobs<'_>) {
        let Some((mut event, backtrace)) =
            read::event(&self.shared, record.at, record.body, self.read_crumb)
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
        if backtrace {
            self.name_calls(event, jobs);
        }
    }
}

impl ErrorTap {
    /// Names the calls of the event's backtrace. The first time reads the program's symbols, so it is a job.
    fn name_calls(&self, event: Arc<ErrorEvent>, jobs: &Jobs<'_>) {
        let shared = Arc::clone(&self.shared);
        let Some(backtrace) = shared.waiting.of(event.id) else {
            return;
        };
        jobs.run(move || {
            let frames = frames(&backtrace);
            shared.groups.add_frames(event.group, event.id, &frames);
        });
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
