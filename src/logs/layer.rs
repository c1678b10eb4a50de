use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::model::{Signal, is_own_thread};
use crate::request::{self, Ids, Requests};
use crate::trace::{Levels, SpanLayer, callsites, event, probe, versions};
use crate::worker::Intake;

/// Where the fields begin in the record of an event: behind the callsite and the ids.
const HEAD: usize = 4 + 16 + 8 + 4;

/// Writes `tracing` events as lines, and makes `tracing` spans a part of their request's trace. Made by
/// [`Monitor::tracing_layer`](crate::Monitor::tracing_layer);
/// [`Monitor::install`](crate::Monitor::install) makes it the process's subscriber where there is none.
///
/// It records what its levels want and disables nothing for other layers.
#[derive(Debug)]
pub struct TracingLayer {
    intake: Arc<Intake>,
    requests: Arc<Requests>,
    levels: Arc<Levels>,
    spans: Arc<SpanLayer>,
    listener: Option<Listener>,
}

/// Who else hears of events.
pub(crate) struct Listener {
    /// The level up to which they must come.
    pub(crate) level: LevelFilter,
    pub(crate) hear: Box<dyn Fn(&Event<'_>) + Send + Sync>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

thread_local! {
    /// Taken while a record is made: a field's `Debug` that logs itself finds an empty one.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl TracingLayer {
    pub(crate) fn new(
        intake: Arc<Intake>,
        requests: Arc<Requests>,
        levels: Arc<Levels>,
        spans: Arc<SpanLayer>,
        listener: Option<Listener>,
    ) -> Self {
        Self {
            intake,
            requests,
            levels,
            spans,
            listener,
        }
    }

    /// The number of the monitor that made it.
    pub(crate) fn monitor(&self) -> u32 {
        self.requests.number()
    }

    /// A subscriber with the layer in it is in use.
    pub(crate) fn note_subscriber(&self) {
        self.spans.on_register_dispatch();
    }

    /// The operation that an event belongs to: the one that is current, unless the event names another.
    fn ids<S>(&self, event: &Event<'_>, context: &Context<'_, S>) -> Option<Ids>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        match event.parent() {
            Some(parent) => self.spans.ids_of_parent(parent, context),
            None => self.spans.ids_here(),
        }
    }

    /// Makes an event's record, once for all that want it: its line, the last events of its request, its span.
    fn tell<S>(
        &self,
        (line, span): (bool, bool),
        callsite: u32,
        event: &Event<'_>,
        context: &Context<'_, S>,
    ) where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let at = self.requests.clock().now();
        let ids = self.ids(event, context);
        let mut record = SCRATCH.try_with(Cell::take).unwrap_or_default();
        record.clear();
        record.extend_from_slice(&callsite.to_le_bytes());
        let (trace, id, route) = ids.map_or((0, 0, 0), |ids| {
            (ids.trace.to_u128(), ids.span.to_u64(), ids.route.0)
        });
        record.extend_from_slice(&trace.to_le_bytes());
        record.extend_from_slice(&id.to_le_bytes());
        record.extend_from_slice(&route.to_le_bytes());
        let mut callsite = callsite;
        if !event::put_fields(&mut record, event) {
            callsite |= event::SHORTENED;
            if let Some(place) = record.get_mut(..4) {
                place.copy_from_slice(&callsite.to_le_bytes());
            }
        }
        if line {
            request::with_current(Some(self.requests.number()), |slot, _| {
                slot.leave_crumb(at, &record);
            });
            self.intake.push_of(Signal::Log, callsite, at, |out| {
                out.extend_from_slice(&record);
            });
        }
        if span && let Some(fields) = record.get(HEAD..) {
            self.spans.on_event(event, (at, callsite, fields), context);
        }
        // A thread that is ending drops it.
        let _ended = SCRATCH.try_with(|scratch| scratch.set(record));
    }
}

impl<S> Layer<S> for TracingLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, _: &Dispatch) {
        self.spans.on_register_dispatch();
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        versions::note(metadata.file());
        // Anything less would disable the callsite for other layers.
        Interest::always()
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        probe::asked(self.requests.number(), metadata);
        true
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let heard = self.listener.as_ref().map(|listener| listener.level);
        let wanted = self.levels.max().max(self.spans.max_level());
        Some(wanted.max(heard.unwrap_or(LevelFilter::OFF)))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.spans.on_new_span(attributes, id, &context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.spans.on_record(id, values, &context);
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, S>) {
        self.spans.on_follows_from(id, follows, &context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if is_own_thread() {
            return;
        }
        if let Some(listener) = &self.listener {
            (listener.hear)(event);
        }
        let line = callsites::wanted_event(event, &self.levels);
        let span = self.spans.wanted(event, &context);
        if let Some(callsite) = line.or(span) {
            self.tell((line.is_some(), span.is_some()), callsite, event, &context);
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.spans.on_enter(id, &context);
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        self.spans.on_exit(id);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.spans.on_close(&id, &context);
    }
}
