use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::context::{self, Requests};
use crate::model::{RecordKind, is_suppressed};
use crate::trace::{Levels, SpanLayer, callsites, event, probe, versions};
use crate::worker::RecordQueue;

/// Where the fields begin in the record of an event: behind the callsite and the ids.
const HEAD: usize = 4 + 16 + 8 + 4;

/// Writes `tracing` events as lines, and makes `tracing` spans a part of their request's trace. Made by
/// [`Monitor::tracing_layer`](crate::Monitor::tracing_layer);
/// [`Monitor::install`](crate::Monitor::install) makes it the process's subscriber where there is none.
///
/// It records what its levels want and disables nothing for other layers, wherever it stands: alone, in a box, a `Vec`, an
/// `Option` or `and_then`, behind `reload`, inside and outside filters. Therefore it names no most verbose level, and
/// [`LevelFilter::current`] is what the other layers and filters make it, `TRACE` where they name none either.
///
/// An event that nobody records then costs a call of each layer. Where every other layer has a filter of its own, or
/// there is none, [`filtered`](Self::filtered) leaves the level at what is recorded.
#[derive(Debug)]
pub struct TracingLayer {
    record_queue: Arc<RecordQueue>,
    requests: Arc<Requests>,
    levels: Arc<Levels>,
    spans: Arc<SpanLayer>,
    listener: Option<EventListener>,
}

/// Who else hears of events.
pub(crate) struct EventListener {
    /// The level up to which they must come.
    pub(crate) level: LevelFilter,
    pub(crate) hear: Box<dyn Fn(&Event<'_>) + Send + Sync>,
}

impl fmt::Debug for EventListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventListener")
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
        record_queue: Arc<RecordQueue>,
        requests: Arc<Requests>,
        levels: Arc<Levels>,
        spans: Arc<SpanLayer>,
        listener: Option<EventListener>,
    ) -> Self {
        Self {
            record_queue,
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

    /// The subscriber that this crate sets has the layer in it and is in use.
    pub(crate) fn note_subscriber(&self) {
        self.spans.note_alone();
        self.spans.note_heard();
    }

    /// The layer with a filter of its own, which hides what is more verbose than all that the monitor records.
    ///
    /// If every layer of a subscriber has its own filter, `tracing` skips what none of them wants before the event is
    /// made: with a `fmt` layer at `INFO`, a `TRACE` event costs a comparison. Beside a layer without one this changes
    /// nothing. As with any filter of a layer, it must be there when the subscriber is made: a `reload` handle that puts
    /// it in later panics in a debug build.
    ///
    /// ```
    /// use tracing_subscriber::filter::LevelFilter;
    /// use tracing_subscriber::prelude::*;
    ///
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let subscriber = tracing_subscriber::registry()
    ///     .with(monitor.tracing_layer().filtered())
    ///     // .with(tracing_subscriber::fmt::layer().with_filter(LevelFilter::INFO))
    ///     .with(tracing_subscriber::layer::Identity::new().with_filter(LevelFilter::INFO));
    /// # drop(subscriber);
    /// # Ok(())
    /// # }
    /// ```
    pub fn filtered<S>(self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let filter = MaxLevelFilter {
            levels: Arc::clone(&self.levels),
            spans: Arc::clone(&self.spans),
            heard: self.heard_level(),
        };
        self.with_filter(filter)
    }

    /// The most verbose level of what is recorded.
    pub(crate) fn max_level(&self) -> LevelFilter {
        max_level(&self.levels, &self.spans, self.heard_level())
    }

    /// The level up to which the listener must hear.
    fn heard_level(&self) -> LevelFilter {
        let listener = self.listener.as_ref();
        listener.map_or(LevelFilter::OFF, |listener| listener.level)
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
        self.spans.note_heard();
        let ids = self.spans.ids(event, context);
        let span = ids.filter(|ids| span && !self.spans.leaves(event, *ids, context));
        if !line && span.is_none() {
            return;
        }
        let at = self.requests.clock().now();
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
            context::with_current(Some(self.requests.number()), |slot, _| {
                slot.leave_crumb(at, &record);
            });
            self.record_queue
                .push_of(RecordKind::Log, callsite, at, |out| {
                    out.extend_from_slice(&record);
                });
        }
        if let Some(ids) = span
            && let Some(fields) = record.get(HEAD..)
        {
            let said = (at, callsite, fields);
            self.spans.on_event(event, ids, said, context);
        }
        // A thread that is ending drops it.
        let _ended = SCRATCH.try_with(|scratch| scratch.set(record));
    }
}

/// Hides what is more verbose than all that a monitor records.
#[derive(Debug)]
struct MaxLevelFilter {
    levels: Arc<Levels>,
    spans: Arc<SpanLayer>,
    /// The level up to which a listener must hear.
    heard: LevelFilter,
}

impl MaxLevelFilter {
    fn max_level(&self) -> LevelFilter {
        max_level(&self.levels, &self.spans, self.heard)
    }
}

fn max_level(levels: &Levels, spans: &SpanLayer, heard: LevelFilter) -> LevelFilter {
    levels.max().max(spans.max_level()).max(heard)
}

impl<S> Filter<S> for MaxLevelFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        *metadata.level() <= self.max_level()
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        // What is remembered of callsites is forgotten when the levels change.
        if *metadata.level() <= self.max_level() {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.max_level())
    }
}

impl<S> Layer<S> for TracingLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // The subscriber may never come into use, so being told of it proves nothing of that.
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.spans.look_for_theirs(subscriber);
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

    /// Of a layer that names a level and one that names none, `tracing` takes the former for both.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        None
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
        if is_suppressed() {
            return;
        }
        if let Some(listener) = &self.listener {
            (listener.hear)(event);
        }
        let line = callsites::wanted_event(event, &self.levels);
        let span = self.spans.wanted(event);
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
