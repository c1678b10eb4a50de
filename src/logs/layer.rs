use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::clock::Nanos;
use crate::model::text::put_formatted;
use crate::model::wire::put_bytes;
use crate::model::{Signal, is_own_thread, prefix};
use crate::request::{self, Ids, Requests};
use crate::trace::callsites;
use crate::trace::{Levels, SpanLayer};
use crate::worker::Intake;

/// Bytes of one field that a record takes; a line takes fewer.
const MAX_FIELD: usize = 20 * 1024;
/// Bytes of a record from which on further fields are left out.
const MAX_FIELDS: usize = 40 * 1024;

pub(super) const STR: u8 = 0;
pub(super) const I64: u8 = 1;
pub(super) const U64: u8 = 2;
pub(super) const F64: u8 = 3;
pub(super) const BOOL: u8 = 4;

/// Writes `tracing` events as lines, and makes `tracing` spans a part of their request's trace. Made by [`Monitor::tracing_layer`](crate::Monitor::tracing_layer);
/// [`Monitor::install`](crate::MonitorBuilder::install) makes it the process' subscriber.
///
/// It records what its levels want and disables nothing for other layers.
#[derive(Debug)]
pub struct TracingLayer {
    intake: Arc<Intake>,
    requests: Arc<Requests>,
    levels: Arc<Levels>,
    spans: Arc<SpanLayer>,
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
    ) -> Self {
        Self {
            intake,
            requests,
            levels,
            spans,
        }
    }

    /// The operation that an event belongs to: the one that is current, unless the event names another.
    fn ids<S>(&self, event: &Event<'_>, context: &Context<'_, S>) -> Option<Ids>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        match event.parent() {
            Some(parent) => self.spans.ids_of_parent(parent, context),
            None => request::current(self.requests.number()),
        }
    }

    /// Queues an event's record, and leaves it among its request's last events.
    fn line<S>(&self, callsite: u32, at: Nanos, event: &Event<'_>, context: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let ids = self.ids(event, context);
        let mut record = SCRATCH.try_with(Cell::take).unwrap_or_default();
        record.clear();
        record.extend_from_slice(&callsite.to_le_bytes());
        let (trace, span, route) = ids.map_or((0, 0, 0), |ids| {
            (ids.trace.to_u128(), ids.span.to_u64(), ids.route.0)
        });
        record.extend_from_slice(&trace.to_le_bytes());
        record.extend_from_slice(&span.to_le_bytes());
        record.extend_from_slice(&route.to_le_bytes());
        event.record(&mut Encoder(&mut record));
        request::with_current(Some(self.requests.number()), |slot, _| {
            slot.leave_crumb(at, &record);
        });
        self.intake
            .push(Signal::Log, at, |out| out.extend_from_slice(&record));
        // A thread that is ending drops it.
        let _ended = SCRATCH.try_with(|scratch| scratch.set(record));
    }
}

impl<S> Layer<S> for TracingLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // Anything less would disable the callsite for other layers.
        Interest::always()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.levels.max().max(self.spans.max_level()))
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
        let at = self.requests.clock().now();
        if let Some(callsite) = callsites::wanted(event.metadata(), &self.levels) {
            self.line(callsite, at, event, &context);
        }
        self.spans.on_event(event, at, &context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.spans.on_enter(id, &context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.spans.on_exit(id, &context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.spans.on_close(&id, &context);
    }
}

/// Appends fields: the field's index, its kind, its value.
struct Encoder<'a>(&'a mut Vec<u8>);

impl Encoder<'_> {
    /// Whether there is room for the field; then its head is written.
    fn begin(&mut self, field: &Field, kind: u8) -> bool {
        let room = self.0.len() < MAX_FIELDS;
        if room {
            self.0
                .extend_from_slice(&[u8::try_from(field.index()).unwrap_or(u8::MAX), kind]);
        }
        room
    }

    fn number(&mut self, field: &Field, kind: u8, bytes: [u8; 8]) {
        if self.begin(field, kind) {
            self.0.extend_from_slice(&bytes);
        }
    }
}

impl Visit for Encoder<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if self.begin(field, STR) {
            put_bytes(self.0, prefix(value, MAX_FIELD).as_bytes());
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, I64, value.to_le_bytes());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, U64, value.to_le_bytes());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.number(field, F64, value.to_le_bytes());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if self.begin(field, BOOL) {
            self.0.push(u8::from(value));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format_args!("{value:?}"));
    }
}

impl Encoder<'_> {
    fn text(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if self.begin(field, STR) {
            put_formatted(self.0, value, MAX_FIELD);
        }
    }
}
