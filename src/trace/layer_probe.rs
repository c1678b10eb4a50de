//! Detects whether a subscriber has a layer of tracing-opentelemetry that is not ours.
//!
//! Two such layers in one subscriber panic in each span: both insert their data into the span's extensions under the
//! same private type, which must not exist yet. So the check must run before the first span. The type cannot be named,
//! and every layer would receive a span of ours.
//!
//! The probe therefore creates two spans in the registry only, which sends no callback to the layers, and adds such
//! data to them. It then calls `record_follows_from` on the subscriber, for which each layer of tracing-opentelemetry
//! adds a link to the data of the first span. The links are counted when the data is removed again.

use std::cell::Cell;

use opentelemetry::Context as OtelContext;
use opentelemetry::trace::noop::NoopTracer;
use opentelemetry::trace::{SpanBuilder, Tracer};
use tracing::callsite::Identifier;
use tracing::field::FieldSet;
use tracing::metadata::Kind;
use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Callsite, Dispatch, Level, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::model::catch_panic;

/// The state of the probe that the thread is running.
#[derive(Debug, Clone, Copy)]
struct LayerProbe {
    step: ProbeStep,
    /// The monitor whose layer runs the steps: the first one that is called. The data can be inserted into a span only
    /// once.
    by: Option<u32>,
    /// The number of links that were added to the first span.
    links: usize,
    /// Whether a layer of ours was the first to start the second span.
    ours: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProbeStep {
    /// Insert the data into the first span of the call.
    Insert,
    /// Let the layers add their links.
    Count,
    /// Remove the data from the first span of the call.
    Remove,
}

thread_local! {
    static PROBE: Cell<Option<LayerProbe>> = const { Cell::new(None) };
}

struct LayerProbeCallsite;

static CALLSITE: LayerProbeCallsite = LayerProbeCallsite;
static METADATA: Metadata<'static> = Metadata::new(
    "watchpost probe",
    "watchpost",
    Level::ERROR,
    None,
    None,
    None,
    FieldSet::new(&[], Identifier(&CALLSITE)),
    Kind::SPAN,
);

impl Callsite for LayerProbeCallsite {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        &METADATA
    }
}

/// Whether the subscriber, which has a layer of ours that calls [`run_step`], has a layer of tracing-opentelemetry that
/// is not ours. Returns `false` if its root is not a registry of tracing-subscriber, and `None` if a layer panicked.
pub(super) fn has_foreign_layer(subscriber: &Dispatch) -> Option<bool> {
    let Some(registry) = subscriber.downcast_ref::<Registry>() else {
        return Some(false);
    };
    let fields = METADATA.fields();
    let values: [(&tracing::field::Field, Option<&dyn tracing::Value>); 0] = [];
    let values = fields.value_set(&values);
    let new = || registry.new_span(&Attributes::new_root(&METADATA, &values));
    // The last span never has data, so that layers add links in the `Count` step only.
    let [first, second, none] = [new(), new(), new()];
    let call = |step, span: &Id, follows: &Id| {
        let ask = |state: &Cell<Option<LayerProbe>>| {
            let before = state.get();
            let (by, links, ours) =
                before.map_or((None, 0, false), |it| (it.by, it.links, it.ours));
            state.set(Some(LayerProbe {
                step,
                by,
                links,
                ours,
            }));
        };
        if PROBE.try_with(ask).is_ok() {
            subscriber.record_follows_from(span, follows);
        }
    };
    let result = catch_panic(|| {
        call(ProbeStep::Insert, &first, &none);
        call(ProbeStep::Insert, &second, &none);
        call(ProbeStep::Count, &first, &second);
        call(ProbeStep::Remove, &second, &none);
        let ours = PROBE.try_with(Cell::get).ok().flatten();
        call(ProbeStep::Remove, &first, &none);
        let all = PROBE.try_with(Cell::get).ok().flatten();
        (ours.is_some_and(|it| it.ours), all.map_or(0, |it| it.links))
    });
    let _ended = PROBE.try_with(|state| state.set(None));
    let (ours, links) = result?;
    Some(links > usize::from(ours))
}

/// Runs the current step for this monitor's layer. Returns whether the thread is running a probe.
pub(super) fn run_step<S>(monitor: u32, span: &Id, context: &Context<'_, S>) -> bool
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let Some(mut probe) = PROBE.try_with(Cell::get).ok().flatten() else {
        return false;
    };
    if *probe.by.get_or_insert(monitor) != monitor {
        return true;
    }
    change(|probe| probe.by = Some(monitor));
    let layer = tracing_opentelemetry::layer()
        .with_tracer(LinkCounter)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false);
    match probe.step {
        ProbeStep::Insert => {
            // Prevents SDKs from recording spans that start in this scope.
            let _suppressed = OtelContext::enter_telemetry_suppressed_scope();
            let fields = METADATA.fields();
            let values: [(&tracing::field::Field, Option<&dyn tracing::Value>); 0] = [];
            let values = fields.value_set(&values);
            let attributes = Attributes::new(&METADATA, &values);
            layer.on_new_span(&attributes, span, context.clone());
        }
        ProbeStep::Count => {}
        ProbeStep::Remove => layer.on_close(span.clone(), context.clone()),
    }
    true
}

/// Records that a tracer of ours started a span during the `Count` step.
pub(super) fn record_own_link() {
    change(|probe| probe.ours |= probe.step == ProbeStep::Count);
}

fn change(change: impl FnOnce(&mut LayerProbe)) {
    let _ended = PROBE.try_with(|state| {
        if let Some(mut probe) = state.get() {
            change(&mut probe);
            state.set(Some(probe));
        }
    });
}

/// A tracer that counts the links of the spans that it starts.
struct LinkCounter;

impl Tracer for LinkCounter {
    type Span = <NoopTracer as Tracer>::Span;

    fn build_with_context(&self, builder: SpanBuilder, parent: &OtelContext) -> Self::Span {
        let links = builder.links.as_ref().map_or(0, Vec::len);
        change(|probe| probe.links += links);
        NoopTracer::new().build_with_context(builder, parent)
    }
}
