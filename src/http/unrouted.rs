//! Responses of requests for which the layer sees no route.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// Responses without a route after which the layer reports it.
const MANY: u32 = 100;
/// What is reported then.
const NO_ROUTE: &str = "the endpoint layer sees no route: 100 answers other than 404 were counted as `_unmatched`; with axum write `Router::new().route(..).layer(monitor.layer())`, so that the layer stands inside the router and not around it; elsewhere name routes with `monitor.layer().route(|parts| ..)`";

/// Counts the responses of all layers of a monitor.
#[derive(Debug, Default)]
pub(super) struct UnroutedResponses {
    responses: AtomicU32,
    /// A request came whose body is of an axum that this crate was not built for.
    other_axum: AtomicBool,
}

impl UnroutedResponses {
    /// A request with a body of another axum came.
    #[cold]
    pub(super) fn note_other_axum(&self) {
        if !self.other_axum.load(Relaxed) {
            self.other_axum.store(true, Relaxed);
        }
    }

    /// Counts a response, until there were many; whether this one made them many.
    pub(super) fn count(&self) -> bool {
        !self.are_many() && self.responses.fetch_add(1, Relaxed) + 1 == MANY
    }

    pub(super) fn are_many(&self) -> bool {
        self.responses.load(Relaxed) >= MANY
    }

    pub(super) fn is_any(&self) -> bool {
        self.responses.load(Relaxed) > 0
    }

    /// What is to be reported when there were many.
    pub(super) fn sentence(&self) -> &'static str {
        if self.other_axum.load(Relaxed) {
            super::framework::OTHER_AXUM
        } else {
            NO_ROUTE
        }
    }
}
