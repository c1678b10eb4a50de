//! The propagator that `install` sets, which is known again.

use std::fmt;

use opentelemetry::Context;
use opentelemetry::global;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{
    Extractor, Injector, TextMapCompositePropagator, TextMapPropagator,
};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

use super::globals::GlobalState;
use crate::config::Propagators;
use crate::model::caught;
use crate::trace::outgoing;

/// Sets the propagators that the settings name, if there is none, or one of ours that writes other headers. With the
/// headers of the one that stays.
pub(super) fn install(wanted: Propagators) -> (GlobalState, String) {
    let ours = Ours::new(wanted);
    let fields =
        |set: &dyn TextMapPropagator| -> Vec<String> { set.fields().map(str::to_owned).collect() };
    let (mut there, debug) =
        caught(|| global::get_text_map_propagator(|set| (fields(set), format!("{set:?}"))))
            .unwrap_or_default();
    let is_ours = debug.starts_with(NAME);
    if is_ours && debug == format!("{ours:?}") {
        return (GlobalState::AlreadyInstalled, String::new());
    }
    if there.is_empty() || is_ours {
        global::set_text_map_propagator(ours);
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

/// No other propagator's `Debug` begins so.
const NAME: &str = "watchpost propagator";

struct Ours {
    all: TextMapCompositePropagator,
    wanted: Propagators,
}

impl Ours {
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

impl fmt::Debug for Ours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME} {:?}", self.wanted)
    }
}

impl TextMapPropagator for Ours {
    /// What is sent names the operation that log records name, also inside spans that have no context of their own.
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
