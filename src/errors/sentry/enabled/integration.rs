use std::fmt;
use std::sync::{Arc, Weak};

use sentry::protocol::{Context, Event, TraceContext};
use sentry::{ClientOptions, TransactionOrSpan};

use super::envelope::{some, trace};
use crate::errors::capture::{CaptureState, ErrorTracker};
use crate::record::Method;

/// The tag with our trace id, and the context with our ids, of an event that belongs to a span of Sentry's.
const TRACE_TAG: &str = "watchpost.trace_id";
const CONTEXT: &str = "watchpost";

/// Gives the events of a Sentry that the host set up itself the ids of the request that they come from.
///
/// Made by [`Monitor::sentry_integration`](crate::Monitor::sentry_integration).
#[must_use = "it does its work once Sentry's options have it"]
pub struct SentryIntegration {
    // The host's Sentry may outlive the monitor.
    errors: Weak<CaptureState>,
}

impl ErrorTracker {
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
            if belongs_to_their_span(&event) {
                let trace_id = trace.trace_id.to_string();
                event.tags.entry(TRACE_TAG.to_owned()).or_insert(trace_id);
                let own = [
                    ("trace_id", trace.trace_id.to_string()),
                    ("span_id", trace.span_id.to_string()),
                ];
                let own = own.map(|(key, id)| (key.to_owned(), id.into()));
                let own = Context::Other(own.into_iter().collect());
                event.contexts.entry(CONTEXT.to_owned()).or_insert(own);
            } else {
                event.contexts.insert("trace".to_owned(), trace.into());
            }
        }
        if event.transaction.is_none() {
            let route = errors.requests.routes().name(ids.route);
            event.transaction = some(format!("{method} {route}").trim());
        }
        Some(event)
    }
}

/// Whether the event's trace context is one that a span of Sentry's, or the host, has set. Without either, Sentry puts
/// ids of its own there that lead nowhere.
fn belongs_to_their_span(event: &Event<'_>) -> bool {
    let Some(Context::Trace(theirs)) = event.contexts.get("trace") else {
        return event.contexts.contains_key("trace");
    };
    let says_more = **theirs
        != TraceContext {
            trace_id: theirs.trace_id,
            span_id: theirs.span_id,
            ..TraceContext::default()
        };
    // A span without an operation, a parent or a status says nothing but its ids.
    says_more
        || sentry::configure_scope(|scope| scope.get_span()).is_some_and(|span| {
            theirs.span_id
                == match span {
                    TransactionOrSpan::Transaction(it) => it.get_trace_context().span_id,
                    TransactionOrSpan::Span(it) => it.get_span_id(),
                }
        })
}

impl fmt::Debug for SentryIntegration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentryIntegration").finish_non_exhaustive()
    }
}
