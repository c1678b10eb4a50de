use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::{otel_versions, subscriber_probe};
use crate::context::{self, Requests};
use crate::model::LevelDirectives;
use crate::model::{RecordKind, is_suppressed};
use crate::trace::{EncodedEvent, SpanLayer, callsite_filter, event};
use crate::worker::RecordQueue;

/// Where the fields begin in the record of an event: after the callsite, the trace ID, the span ID and the route.
const FIELDS_START: usize = 4 + 16 + 8 + 4;

/// A [`Layer`] that writes `tracing` events as log records and adds `tracing` spans to the trace of their request.
///
/// Made by [`Monitor::tracing_layer`](crate::Monitor::tracing_layer), for a subscriber of your own.
/// [`Monitor::install`](crate::Monitor::install) sets a subscriber with this layer if the process has none.
///
/// The layer records what its levels select and disables nothing for other layers, at any position: by itself, in a
/// box, a `Vec`, an `Option` or `and_then`, behind `reload`, inside and outside filters. Therefore it gives no hint of
/// a most verbose level. [`LevelFilter::current`] is then determined by the other layers and filters: `TRACE` if they
/// give no hint either.
///
/// An event that no layer records then costs one call of each layer. If every other layer has a filter of its own, or
/// there is no other layer, use [`filtered`](Self::filtered), which avoids that cost.
#[derive(Debug)]
pub struct TracingLayer {
    record_queue: Arc<RecordQueue>,
    requests: Arc<Requests>,
    levels: Arc<LevelDirectives>,
    spans: Arc<SpanLayer>,
    listener: Option<EventListener>,
}

/// Another part of the monitor that receives events.
pub(crate) struct EventListener {
    /// The most verbose level that it needs.
    pub(crate) level: LevelFilter,
    pub(crate) on_event: Box<dyn Fn(&Event<'_>) + Send + Sync>,
}

impl fmt::Debug for EventListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventListener")
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

thread_local! {
    /// The buffer in which records are made. It is taken out during use, so that a field's `Debug` that itself logs
    /// finds an empty one.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl TracingLayer {
    pub(crate) fn new(
        record_queue: Arc<RecordQueue>,
        requests: Arc<Requests>,
        levels: Arc<LevelDirectives>,
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

    /// The number of the monitor that made the layer.
    pub(crate) fn monitor(&self) -> u32 {
        self.requests.number()
    }

    /// Notes that the subscriber that this crate sets has the layer and is in use.
    pub(crate) fn note_subscriber(&self) {
        self.spans.record_no_other_layer();
        self.spans.record_in_use();
    }

    /// Adds a filter to the layer that hides everything more verbose than what the monitor records.
    ///
    /// If every layer of a subscriber has its own filter, `tracing` skips what none of them needs before the event is
    /// made: beside a `fmt` layer at `INFO`, a `TRACE` event costs one comparison. Beside a layer without a filter this
    /// changes nothing. Like any filter of a layer, it must be present when the subscriber is made: adding it later
    /// through a `reload` handle panics in a debug build.
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
            listener: self.listener_level(),
        };
        self.with_filter(filter)
    }

    /// The most verbose level that is recorded.
    pub(crate) fn max_level(&self) -> LevelFilter {
        max_level(&self.levels, &self.spans, self.listener_level())
    }

    /// The most verbose level that the listener needs.
    fn listener_level(&self) -> LevelFilter {
        let listener = self.listener.as_ref();
        listener.map_or(LevelFilter::OFF, |listener| listener.level)
    }

    /// Makes the record of an event, once for everything that uses it: the log record, the breadcrumbs of its request,
    /// its span.
    fn record_event<S>(
        &self,
        wanted: WantedBy,
        callsite: u32,
        event: &Event<'_>,
        context: &Context<'_, S>,
    ) where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.spans.record_in_use();
        // 1. Find the IDs once; log record, breadcrumb and span use the same ones.
        let ids = self.spans.ids(event, context);
        let span = ids
            .filter(|ids| wanted.span && !self.spans.is_recorded_elsewhere(event, *ids, context));
        if !wanted.log && span.is_none() {
            return;
        }
        // 2. Encode the event. `Debug` and `Display` of its fields run here, while no lock is held.
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
            if let Some(number) = record.get_mut(..4) {
                number.copy_from_slice(&callsite.to_le_bytes());
            }
        }
        // 3. Pass it to the request (for a later capture), to the queue and to the span.
        if wanted.log {
            context::with_current(Some(self.requests.number()), |slot, _| {
                slot.push_breadcrumb(at, &record);
            });
            self.record_queue
                .push_from(RecordKind::Log, callsite, at, |out| {
                    out.extend_from_slice(&record);
                });
        }
        if let Some(ids) = span
            && let Some(fields) = record.get(FIELDS_START..)
        {
            let encoded = EncodedEvent {
                at,
                callsite,
                fields,
            };
            self.spans.on_event(event, ids, &encoded, context);
        }
        // On a thread that is ending, this fails and drops the buffer.
        let _ended = SCRATCH.try_with(|scratch| scratch.set(record));
    }
}

/// The purpose for which an event is recorded.
#[derive(Debug, Clone, Copy)]
struct WantedBy {
    /// A log record and a breadcrumb of the request.
    log: bool,
    /// The event's span.
    span: bool,
}

/// Hides everything more verbose than what a monitor records.
#[derive(Debug)]
struct MaxLevelFilter {
    levels: Arc<LevelDirectives>,
    spans: Arc<SpanLayer>,
    /// The most verbose level that a listener needs.
    listener: LevelFilter,
}

impl MaxLevelFilter {
    fn max_level(&self) -> LevelFilter {
        max_level(&self.levels, &self.spans, self.listener)
    }
}

fn max_level(levels: &LevelDirectives, spans: &SpanLayer, listener: LevelFilter) -> LevelFilter {
    levels.max().max(spans.max_level()).max(listener)
}

impl<S> Filter<S> for MaxLevelFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        *metadata.level() <= self.max_level()
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        // `tracing` caches this result until the levels change, which clears the cache.
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
    // This call does not show that the subscriber is in use: it may never be.
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.spans.probe_subscriber(subscriber);
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        otel_versions::note(metadata.file());
        // Any other interest could disable the callsite for other layers.
        Interest::always()
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        subscriber_probe::asked(self.requests.number(), metadata);
        true
    }

    /// No hint: if one of two layers gives a hint, `tracing` applies it to both.
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
            (listener.on_event)(event);
        }
        let log = callsite_filter::wanted_event(event, &self.levels);
        let span = self.spans.wanted(event);
        if let Some(callsite) = log.or(span) {
            let wanted = WantedBy {
                log: log.is_some(),
                span: span.is_some(),
            };
            self.record_event(wanted, callsite, event, &context);
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
