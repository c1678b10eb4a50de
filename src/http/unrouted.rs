//! Responses to requests for which the layer sees no route.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// Responses without a route after which a notice says so.
const THRESHOLD: u32 = 100;
/// The notice.
const NO_ROUTE: &str = "the endpoint layer sees no route: 100 responses other than 404 were counted as `_unmatched`; with axum write `Router::new().route(..).layer(monitor.layer())`, so that the layer stands inside the router and not around it; elsewhere name routes with `monitor.layer().route(|parts| ..)`";

/// The count of such responses, of all layers of a monitor.
#[derive(Debug, Default)]
pub(super) struct UnroutedResponses {
    responses: AtomicU32,
    /// Whether a request had a body of an axum that this crate was not built for.
    other_axum: AtomicBool,
}

impl UnroutedResponses {
    /// Notes that a request has a body of another axum.
    #[cold]
    pub(super) fn note_other_axum(&self) {
        if !self.other_axum.load(Relaxed) {
            self.other_axum.store(true, Relaxed);
        }
    }

    /// Counts a response, up to the threshold. Whether it is the one that reaches the threshold.
    pub(super) fn count(&self) -> bool {
        !self.is_over_threshold() && self.responses.fetch_add(1, Relaxed) + 1 == THRESHOLD
    }

    pub(super) fn is_over_threshold(&self) -> bool {
        self.responses.load(Relaxed) >= THRESHOLD
    }

    pub(super) fn has_any(&self) -> bool {
        self.responses.load(Relaxed) > 0
    }

    /// What to do about it.
    pub(super) fn advice(&self) -> &'static str {
        if self.other_axum.load(Relaxed) {
            super::framework::OTHER_AXUM
        } else {
            NO_ROUTE
        }
    }
}
