//! The propagator that `install` sets, and how it is recognized again.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use opentelemetry::Context;
use opentelemetry::global;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{
    Extractor, Injector, TextMapCompositePropagator, TextMapPropagator,
};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

use super::globals::GlobalState;
use crate::model::{MonitorLifetime, catch_panic};
use crate::trace::{Propagators, outgoing};

/// The monitor whose settings the installed propagator follows.
static OWNER: Mutex<Option<MonitorLifetime>> = Mutex::new(None);

/// Sets the propagators that the settings name, if none is set or if the current one belongs to a monitor that has
/// ended. Returns the state, with the headers of the propagator that stays.
pub(super) fn install(wanted: Propagators, life: &MonitorLifetime) -> (GlobalState, String) {
    let ours = OwnPropagator::new(wanted);
    let fields =
        |set: &dyn TextMapPropagator| -> Vec<String> { set.fields().map(str::to_owned).collect() };
    // The propagator that is set may be the host's code. OpenTelemetry has none to ask whose it is, so its `Debug`
    // output is compared.
    let there =
        catch_panic(|| global::get_text_map_propagator(|set| (fields(set), format!("{set:?}"))));
    let Some((mut there, debug)) = there else {
        return (GlobalState::Missing, "not known: it panicked".to_owned());
    };
    let mut owner = OWNER.lock().unwrap_or_else(PoisonError::into_inner);
    let is_ours = debug.starts_with(NAME);
    let is_free = |owner: &MonitorLifetime| owner.has_ended() || owner.is(life);
    // One with the same settings does the same work for every monitor, so it need not be set again.
    if is_ours && debug == format!("{ours:?}") {
        if owner.as_ref().is_none_or(is_free) {
            *owner = Some(life.clone());
        }
        return (GlobalState::AlreadyInstalled, String::new());
    }
    // One without fields writes nothing: OpenTelemetry's default.
    if there.is_empty() || is_ours && owner.as_ref().is_none_or(is_free) {
        global::set_text_map_propagator(ours);
        *owner = Some(life.clone());
        return (GlobalState::Installed, String::new());
    }
    let carries_traces = there.iter().any(|field| field == "traceparent");
    let state = if carries_traces || !wanted.trace_context {
        GlobalState::InPlace
    } else {
        GlobalState::Missing
    };
    there.sort_unstable();
    let quoted: Vec<_> = there.iter().map(|field| format!("`{field}`")).collect();
    (state, quoted.join(", "))
}

/// The prefix of the `Debug` output, which identifies this propagator.
const NAME: &str = "watchpost propagator";

struct OwnPropagator {
    all: TextMapCompositePropagator,
    wanted: Propagators,
}

impl OwnPropagator {
    fn new(wanted: Propagators) -> Self {
        let mut all: Vec<Box<dyn TextMapPropagator + Send + Sync>> = Vec::new();
        if wanted.trace_context {
            all.push(Box::new(TraceContextPropagator::new()));
        }
        if wanted.baggage {
            all.push(Box::new(BaggagePropagator::new()));
        }
        Self {
            all: TextMapCompositePropagator::new(all),
            wanted,
        }
    }
}

impl fmt::Debug for OwnPropagator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME} {:?}", self.wanted)
    }
}

impl TextMapPropagator for OwnPropagator {
    /// Injects the same operation that log records name, also inside spans that have no OpenTelemetry context of their
    /// own.
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let inside = outgoing(context);
        self.all
            .inject_context(inside.as_ref().unwrap_or(context), injector);
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        self.all.extract_with_context(context, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        self.all.fields()
    }
}
