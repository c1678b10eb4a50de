//! `tracing` spans as spans of their trace.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::bounded::Bounded;
use super::context::Attached;
use super::fields::Fields;
use super::open::{Place, end_span};
use super::span::{SpanKind, SpanRecord, SpanStatus, put_link, put_tracing_event};
use super::traces::Traces;
use super::{Levels, Spans, callsites, event};
use crate::clock::Nanos;
use crate::model::wire::Reader;
use crate::model::{SpanId, is_own_thread};
use crate::request::{self, Requests, Slot};

/// Makes spans of `tracing` spans, and their events' part of them.
#[derive(Debug)]
pub(crate) struct SpanLayer {
    requests: Arc<Requests>,
    /// `None`: no spans are made; events in a `tracing` span still find their request.
    traces: Option<Arc<Traces>>,
    levels: Arc<Levels>,
    /// Who makes spans; where it is not this layer, events in a span are not for it either.
    spans: Spans,
    events: bool,
    standing: Standing,
}

/// What became of the layer.
#[derive(Debug, Default)]
struct Standing {
    in_a_subscriber: AtomicBool,
    /// Whether it ever heard of a span.
    hears_spans: AtomicBool,
}

/// What a `tracing` span is to the monitors whose layers saw it; in its extensions.
struct OfMonitors {
    first: OfMonitor,
    others: Vec<OfMonitor>,
}

struct OfMonitor {
    monitor: u32,
    slot: Arc<Slot>,
    /// The span itself where it is recorded, else the one that it lies in.
    span: SpanId,
    recorded: Option<Recorded>,
}

/// A span under way.
struct Recorded {
    place: Place,
    start: Nanos,
    kind: SpanKind,
    status: SpanStatus,
    /// What the last event of the level ERROR said.
    said: String,
    fields: Fields,
    events: Bounded,
    links: Bounded,
}

/// A span that a thread has entered.
struct Entered {
    monitor: u32,
    /// The id that the subscriber knows it by.
    id: u64,
    span: SpanId,
    /// A root's context is the thread's meanwhile.
    #[expect(dead_code, reason = "held for its drop")]
    attached: Option<Attached>,
}

/// Spans that a thread has entered and not left, as far as they are remembered.
const MAX_ENTERED: usize = 1024;

thread_local! {
    /// The innermost last.
    static ENTERED: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
}

impl OfMonitors {
    fn of(&self, monitor: u32) -> Option<&OfMonitor> {
        std::iter::once(&self.first)
            .chain(&self.others)
            .find(|of| of.monitor == monitor)
    }

    fn of_mut(&mut self, monitor: u32) -> Option<&mut OfMonitor> {
        std::iter::once(&mut self.first)
            .chain(&mut self.others)
            .find(|of| of.monitor == monitor)
    }
}

impl SpanLayer {
    pub(crate) fn new(
        requests: Arc<Requests>,
        traces: Option<Arc<Traces>>,
        levels: Arc<Levels>,
        (spans, events): (Spans, bool),
    ) -> Self {
        Self {
            requests,
            traces,
            levels,
            spans,
            events,
            standing: Standing::default(),
        }
    }

    /// A subscriber with the layer in it is in use.
    pub(crate) fn on_register_dispatch(&self) {
        self.standing.in_a_subscriber.store(true, Relaxed);
    }

    /// Whether a subscriber with the layer in it was ever in use.
    pub(crate) fn is_in_a_subscriber(&self) -> bool {
        self.standing.in_a_subscriber.load(Relaxed)
    }

    /// Up to which level spans of a target would be recorded, if no span has ever come.
    pub(crate) fn misses(&self, target: &str) -> Option<LevelFilter> {
        let silent = self.traces.is_some() && !self.standing.hears_spans.load(Relaxed);
        silent.then(|| self.levels.level_of(target))
    }

    /// The most verbose level of the spans that it wants.
    pub(crate) fn max_level(&self) -> LevelFilter {
        if self.traces.is_some() {
            self.levels.max()
        } else {
            LevelFilter::OFF
        }
    }

    /// Where a new span lies: in the operation that is current, or under the parent that its code names.
    fn parent<S>(
        &self,
        attributes: &Attributes<'_>,
        span: &SpanRef<'_, S>,
    ) -> Option<(Arc<Slot>, SpanId)>
    where
        S: for<'a> LookupSpan<'a>,
    {
        let number = self.requests.number();
        if attributes.is_contextual()
            && let Some((slot, current)) = request::current_slot(number)
        {
            let parent = match &self.traces {
                Some(traces) => traces.innermost(&slot, current),
                None => current,
            };
            return Some((slot, parent));
        }
        if let Some(parent) = span.parent() {
            let extensions = parent.extensions();
            let all = extensions.get::<OfMonitors>();
            if let Some(of) = all.and_then(|all| all.of(number)) {
                return Some((Arc::clone(&of.slot), of.span));
            }
        }
        let traces = self
            .traces
            .as_ref()
            .filter(|_| attributes.is_contextual())?;
        traces.plain().current()
    }

    pub(crate) fn on_new_span<S>(
        &self,
        attributes: &Attributes<'_>,
        id: &Id,
        context: &Context<'_, S>,
    ) where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if is_own_thread() {
            return;
        }
        if !self.standing.hears_spans.load(Relaxed) {
            self.standing.hears_spans.store(true, Relaxed);
        }
        let Some(span) = context.span(id) else { return };
        let parent = self.parent(attributes, &span);
        let wanted = self
            .traces
            .as_ref()
            .filter(|_| self.spans == Spans::Watchpost)
            .filter(|_| callsites::wanted(attributes.metadata(), &self.levels).is_some());
        let of = match (wanted, parent) {
            (Some(traces), parent) => self.begin(traces, attributes, parent),
            (None, Some((slot, span))) => OfMonitor {
                monitor: self.requests.number(),
                slot,
                span,
                recorded: None,
            },
            (None, None) => return,
        };
        let mut extensions = span.extensions_mut();
        if let Some(OfMonitors { others, .. }) = extensions.get_mut() {
            others.push(of);
        } else {
            extensions.insert(OfMonitors {
                first: of,
                others: Vec::new(),
            });
        }
    }

    fn begin(
        &self,
        traces: &Arc<Traces>,
        attributes: &Attributes<'_>,
        parent: Option<(Arc<Slot>, SpanId)>,
    ) -> OfMonitor {
        let (span, start) = (SpanId::random(), self.requests.clock().now());
        let place = match parent {
            Some((slot, parent)) => Place {
                slot,
                parent,
                root: None,
            },
            None => Place::root(traces, span, start),
        };
        let mut fields = Fields::new();
        attributes.record(&mut fields);
        OfMonitor {
            monitor: self.requests.number(),
            slot: Arc::clone(&place.slot),
            span,
            recorded: Some(Recorded {
                place,
                start,
                kind: SpanKind::Internal,
                status: SpanStatus::Unset,
                said: String::new(),
                fields,
                events: Bounded::events(),
                links: Bounded::links(),
            }),
        }
    }

    /// Runs `work` with what the span is to this monitor. `work` calls nothing foreign.
    fn with<S, R>(
        &self,
        id: &Id,
        context: &Context<'_, S>,
        work: impl FnOnce(&mut OfMonitor) -> R,
    ) -> Option<R>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let span = context.span(id)?;
        let mut extensions = span.extensions_mut();
        let of = extensions
            .get_mut::<OfMonitors>()?
            .of_mut(self.requests.number())?;
        Some(work(of))
    }

    pub(crate) fn on_record<S>(&self, id: &Id, values: &Record<'_>, context: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        // The values are formatted outside the extensions' lock: `Debug` is foreign.
        let mut fields = Fields::new();
        values.record(&mut fields);
        self.with(id, context, |of| {
            if let Some(recorded) = &mut of.recorded {
                recorded.fields.append(fields);
            }
        });
    }

    pub(crate) fn on_follows_from<S>(&self, id: &Id, follows: &Id, context: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some((trace, span)) = self.with(follows, context, |of| (of.slot.ids().trace, of.span))
        else {
            return;
        };
        self.with(id, context, |of| {
            if let Some(recorded) = &mut of.recorded {
                recorded.links.put(|out| put_link(out, trace, span, &[]));
            }
        });
    }

    /// The ids of the operation that is current.
    pub(crate) fn ids_here(&self) -> Option<request::Ids> {
        match &self.traces {
            Some(traces) => traces.with_current(|slot, span| request::Ids { span, ..slot.ids() }),
            None => request::current(self.requests.number()),
        }
    }

    /// The ids of the span that an event names as its own, where that is not the current one.
    pub(crate) fn ids_of_parent<S>(&self, id: &Id, context: &Context<'_, S>) -> Option<request::Ids>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.with(id, context, |of| request::Ids {
            span: of.span,
            ..of.slot.ids()
        })
    }

    /// The callsite of an event that is to be part of a span: there is one, and the levels want it. Also that of an
    /// event of the level ERROR alone, which sets its span's status.
    pub(crate) fn wanted<S>(&self, event: &Event<'_>, context: &Context<'_, S>) -> Option<u32>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if self.traces.is_none() || !(self.events || self.fails(event)) {
            return None;
        }
        let callsite = callsites::wanted_event(event, &self.levels)?;
        if self.spans == Spans::TracingOpentelemetry && self.in_theirs(event, context) {
            return None;
        }
        let in_operation = request::current(self.requests.number()).is_some();
        (in_operation || event.parent().is_some() && context.event_span(event).is_some())
            .then_some(callsite)
    }

    /// Whether an event sets the status of a span that this layer makes.
    #[inline]
    fn fails(&self, event: &Event<'_>) -> bool {
        *event.metadata().level() == Level::ERROR && self.spans == Spans::Watchpost
    }

    /// The innermost span that is recorded, of those that an event lies in, has failed.
    #[cold]
    fn fail_span<S>(&self, event: &Event<'_>, fields: &[u8], context: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        for span in context.event_scope(event).into_iter().flatten() {
            let mut extensions = span.extensions_mut();
            let of = extensions
                .get_mut::<OfMonitors>()
                .and_then(|all| all.of_mut(self.requests.number()));
            if let Some(recorded) = of.and_then(|of| of.recorded.as_mut()) {
                recorded.status = SpanStatus::Error;
                recorded.said = event::said_of_error(event.metadata(), fields);
                return;
            }
        }
    }

    /// Whether an event lies in a span of tracing-opentelemetry's layer, which makes it a part of that.
    #[cold]
    fn in_theirs<S>(&self, event: &Event<'_>, context: &Context<'_, S>) -> bool
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let mut spans = context.event_scope(event).into_iter().flatten();
        spans.any(|span| callsites::wanted(span.metadata(), &self.levels).is_some())
    }

    /// Makes an event a part of its span, or of the root. It comes with its time, callsite and fields. One of the level
    /// ERROR makes its span's status an error, as tracing-opentelemetry does.
    pub(crate) fn on_event<S>(
        &self,
        event: &Event<'_>,
        (at, callsite, fields): (Nanos, u32, &[u8]),
        context: &Context<'_, S>,
    ) where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if self.fails(event) {
            self.fail_span(event, fields, context);
        }
        if !self.events {
            return;
        }
        let put = |out: &mut Vec<u8>| put_tracing_event(out, at, callsite, fields);
        if let Some(span) = context.event_span(event) {
            let mut extensions = span.extensions_mut();
            let of = extensions
                .get_mut::<OfMonitors>()
                .and_then(|all| all.of_mut(self.requests.number()));
            if let Some(recorded) = of.and_then(|of| of.recorded.as_mut()) {
                return recorded.events.put(put);
            }
        }
        request::with_current(Some(self.requests.number()), |slot, _| {
            slot.tree().add_event(put);
        });
    }

    pub(crate) fn on_enter<S>(&self, id: &Id, context: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let entered = self.with(id, context, |of| {
            let root = of.recorded.as_ref().and_then(|it| it.place.root.clone());
            (Arc::clone(&of.slot), of.span, root)
        });
        let Some((slot, span, root)) = entered else {
            return;
        };
        let entered = Entered {
            monitor: self.requests.number(),
            id: id.into_u64(),
            span,
            attached: root.map(|root| root.attach()),
        };
        // A thread that is ending enters nothing.
        let enter = |all: &RefCell<Vec<Entered>>| {
            let mut all = all.borrow_mut();
            // A guard that is never dropped leaves its entry behind.
            let oldest = (all.len() >= MAX_ENTERED).then(|| all.remove(0));
            all.push(entered);
            oldest
        };
        if ENTERED.try_with(enter).is_ok() {
            drop(request::enter(slot, span));
        }
    }

    pub(crate) fn on_exit(&self, id: &Id) {
        let (monitor, id) = (self.requests.number(), id.into_u64());
        let is_it = |entered: &Entered| entered.monitor == monitor && entered.id == id;
        let left = ENTERED.try_with(|all| {
            let mut all = all.borrow_mut();
            if all.last().is_some_and(is_it) {
                return all.pop();
            }
            let at = all.iter().rposition(is_it)?;
            Some(all.remove(at))
        });
        if let Ok(Some(left)) = left {
            request::leave_alone(left.span);
        }
    }

    pub(crate) fn on_close<S>(&self, id: &Id, context: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(traces) = &self.traces else { return };
        let Some(span) = context.span(id) else { return };
        let taken = {
            let mut extensions = span.extensions_mut();
            let of = extensions
                .get_mut::<OfMonitors>()
                .and_then(|all| all.of_mut(self.requests.number()));
            of.and_then(|of| Some((of.span, of.recorded.take()?)))
        };
        if let Some((id, recorded)) = taken {
            recorded.end(traces, id, span.metadata());
        }
    }
}

impl Recorded {
    fn end(self, traces: &Traces, span: SpanId, metadata: &Metadata<'_>) {
        let fields = &self.fields;
        let panicked = std::thread::panicking();
        let status = match fields.status.unwrap_or(self.status) {
            SpanStatus::Unset if panicked => SpanStatus::Error,
            status => status,
        };
        let status_text = Reader::new(&fields.status_text).str();
        let said = match &*self.said {
            _ if status != SpanStatus::Error => "",
            "" if panicked => "panicked",
            said => said,
        };
        let record = SpanRecord {
            span,
            parent: self.place.parent,
            start: self.start,
            end: traces.requests().clock().now(),
            kind: fields.kind.unwrap_or(self.kind),
            status,
            name: Reader::new(&fields.name).str().unwrap_or(metadata.name()),
            status_text: status_text.unwrap_or(said),
            scope: metadata.target(),
            attributes: fields.attributes.bytes(),
            events: self.events.bytes(),
            links: self.links.bytes(),
            left_out: fields.attributes.left_out() + self.events.left_out() + self.links.left_out(),
        };
        end_span(traces, &self.place, &record, panicked);
    }
}
