//! Whether a subscriber has a layer of tracing-opentelemetry that is not ours.
//!
//! Two of them in one subscriber panic in each span: both keep their data in the span's extensions under one private
//! type, which is inserted and may not be there. So it has to be known before the first span. The type cannot be named,
//! and a span of ours would be seen by every layer. Two spans of the registry alone, of which no layer is told, get such
//! data from here; then the subscriber is told that one follows from the other, for which each layer of
//! tracing-opentelemetry adds a link to the data of the first. The links are counted where the data is taken out again.

use std::cell::Cell;
use std::sync::mpsc;
use std::time::Duration;

use opentelemetry::Context as OtelContext;
use opentelemetry::trace::noop::NoopTracer;
use opentelemetry::trace::{SpanBuilder, Tracer};
use tracing::callsite::Identifier;
use tracing::field::FieldSet;
use tracing::metadata::Kind;
use tracing::span::{Attributes, Id};
use tracing::subscriber::{Interest, NoSubscriber};
use tracing::{Callsite, Dispatch, Level, Metadata, Subscriber, dispatcher};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::model::caught;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the thread is asking at the moment.
#[derive(Debug, Clone, Copy)]
struct Question {
    step: Step,
    /// Links that were added to the first span.
    links: usize,
    /// A layer of ours was the first to start the second span.
    ours: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Puts data into the span that is named first.
    Insert,
    /// Layers add their links.
    Count,
    /// Takes the data out of it.
    Remove,
}

thread_local! {
    static ASKING: Cell<Option<Question>> = const { Cell::new(None) };
}

struct Nowhere;

static NOWHERE: Nowhere = Nowhere;
static METADATA: Metadata<'static> = Metadata::new(
    "watchpost probe",
    "watchpost",
    Level::ERROR,
    None,
    None,
    None,
    FieldSet::new(&[], Identifier(&NOWHERE)),
    Kind::SPAN,
);

impl Callsite for Nowhere {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        &METADATA
    }
}

/// Whether the subscriber, which has a layer of ours that calls [`answer`], has a layer of tracing-opentelemetry that is
/// not ours. `false` where its root is no registry of tracing-subscriber's.
pub(super) fn is_in(subscriber: &Dispatch) -> bool {
    let Some(registry) = subscriber.downcast_ref::<Registry>() else {
        return false;
    };
    let fields = METADATA.fields();
    let values: [(&tracing::field::Field, Option<&dyn tracing::Value>); 0] = [];
    let values = fields.value_set(&values);
    let new = || registry.new_span(&Attributes::new_root(&METADATA, &values));
    // The last one never has data, so that nobody adds a link but in the one step.
    let [first, second, none] = [new(), new(), new()];
    let tell = |step, span: &Id, follows: &Id| {
        let ask = |asking: &Cell<Option<Question>>| {
            let before = asking.get();
            let (links, ours) = before.map_or((0, false), |it| (it.links, it.ours));
            asking.set(Some(Question { step, links, ours }));
        };
        if ASKING.try_with(ask).is_ok() {
            subscriber.record_follows_from(span, follows);
        }
    };
    let asked = caught(|| {
        tell(Step::Insert, &first, &none);
        tell(Step::Insert, &second, &none);
        tell(Step::Count, &first, &second);
        tell(Step::Remove, &second, &none);
        let ours = ASKING.try_with(Cell::get).ok().flatten();
        tell(Step::Remove, &first, &none);
        let all = ASKING.try_with(Cell::get).ok().flatten();
        (ours.is_some_and(|it| it.ours), all.map_or(0, |it| it.links))
    });
    let _ended = ASKING.try_with(|asking| asking.set(None));
    let (ours, links) = asked.unwrap_or_default();
    links > usize::from(ours)
}

/// The same of the thread's subscriber. It is asked on a thread of its own, since this one may be inside of a filter. `None`
/// where the subscriber is not to be had, as in a callback of a scoped one, or does not answer within a second.
pub(super) fn is_in_current() -> Option<bool> {
    let subscriber = dispatcher::get_default(Dispatch::clone);
    if subscriber.is::<NoSubscriber>() {
        return None;
    }
    let (answer, answered) = mpsc::channel();
    let ask = move || {
        // Nobody may wait any more.
        let _late = answer.send(is_in(&subscriber));
    };
    let thread = std::thread::Builder::new().name("watchpost-probe".to_owned());
    thread.spawn(ask).ok()?;
    answered.recv_timeout(PATIENCE).ok()
}

/// Does this layer's part if the thread is asking; whether it is.
pub(super) fn answer<S>(span: &Id, context: &Context<'_, S>) -> bool
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let Some(question) = ASKING.try_with(Cell::get).ok().flatten() else {
        return false;
    };
    let layer = tracing_opentelemetry::layer()
        .with_tracer(Counter)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false);
    match question.step {
        Step::Insert => {
            // No SDK makes a span of what is started in there.
            let _suppressed = OtelContext::enter_telemetry_suppressed_scope();
            let fields = METADATA.fields();
            let values: [(&tracing::field::Field, Option<&dyn tracing::Value>); 0] = [];
            let values = fields.value_set(&values);
            let attributes = Attributes::new(&METADATA, &values);
            layer.on_new_span(&attributes, span, context.clone());
        }
        Step::Count => {}
        Step::Remove => layer.on_close(span.clone(), context.clone()),
    }
    true
}

/// A tracer of ours starts a span; whether that is only asked.
pub(super) fn note_ours() {
    change(|question| question.ours |= question.step == Step::Count);
}

fn change(change: impl FnOnce(&mut Question)) {
    let _ended = ASKING.try_with(|asking| {
        if let Some(mut question) = asking.get() {
            change(&mut question);
            asking.set(Some(question));
        }
    });
}

/// A tracer that counts the links of what it starts.
struct Counter;

impl Tracer for Counter {
    type Span = <NoopTracer as Tracer>::Span;

    fn build_with_context(&self, builder: SpanBuilder, parent: &OtelContext) -> Self::Span {
        let links = builder.links.as_ref().map_or(0, Vec::len);
        change(|question| question.links += links);
        NoopTracer::new().build_with_context(builder, parent)
    }
}
