use std::fmt;
use std::sync::{Arc, Weak};

use sentry::ClientOptions;
use sentry::protocol::Event;

use super::envelope::{some, trace};
use crate::errors::capture::{Errors, Shared};
use crate::request::Method;

/// Gives the events of a Sentry that the host set up itself the ids of the request that they come from.
///
/// Made by [`Monitor::sentry_integration`](crate::Monitor::sentry_integration).
#[must_use = "it does its work once Sentry's options have it"]
pub struct SentryIntegration {
    // The host's Sentry may outlive the monitor.
    errors: Weak<Shared>,
}

impl Errors {
    /// What a Sentry of the host's is given.
    pub(crate) fn sentry_integration(&self) -> SentryIntegration {
        SentryIntegration {
            errors: Arc::downgrade(&self.shared),
        }
    }
}

impl sentry::Integration for SentryIntegration {
    fn name(&self) -> &'static str {
        "watchpost"
    }

    fn process_event(
        &self,
        mut event: Event<'static>,
        _: &ClientOptions,
    ) -> Option<Event<'static>> {
        let Some(errors) = self.errors.upgrade() else {
            return Some(event);
        };
        let seen = errors.at(|slot, span| {
            // Who follows the id finds the trace.
            slot.touch_captured();
            let method = slot.method().map_or("", Method::as_str);
            (slot.ids(), span, method)
        });
        let Some((ids, span, method)) = seen else {
            return Some(event);
        };
        if let Some(trace) = trace(ids.trace, span) {
            event.contexts.insert("trace".to_owned(), trace.into());
        }
        if event.transaction.is_none() {
            let route = errors.requests.routes().name(ids.route);
            event.transaction = some(format!("{method} {route}").trim());
        }
        Some(event)
    }
}

impl fmt::Debug for SentryIntegration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentryIntegration").finish_non_exhaustive()
    }
}
