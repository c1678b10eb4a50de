use std::fmt;
use std::sync::{Arc, Weak};

use sentry::protocol::{Context, Event, TraceContext};
use sentry::{ClientOptions, TransactionOrSpan};

use super::envelope::{non_empty, trace_context};
use crate::errors::shared::CaptureState;
use crate::errors::tracker::ErrorTracker;
use crate::record::Method;

/// The tag with the trace ID, and the context with both IDs, of an event that belongs to a span of Sentry's.
const TRACE_TAG: &str = "watchpost.trace_id";
const CONTEXT: &str = "watchpost";

/// Adds the IDs of the current request to the events of a Sentry client that the service set up itself.
///
/// Made by [`Monitor::sentry_integration`](crate::Monitor::sentry_integration); add it to Sentry's `ClientOptions`.
#[must_use = "add it to Sentry's options"]
pub struct SentryIntegration {
    // Weak: the service's Sentry client may outlive the monitor.
    errors: Weak<CaptureState>,
}

impl ErrorTracker {
    /// The integration for a Sentry client of the service.
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
        let current = errors.with_current(|slot, span| {
            // The trace is kept, so that the ID leads to it.
            slot.mark_captured();
            let method = slot.method().map_or("", Method::as_str);
            (slot.ids(), span, method)
        });
        let Some((ids, span, method)) = current else {
            return Some(event);
        };
        if let Some(trace) = trace_context(ids.trace, span) {
            if belongs_to_sentry_span(&event) {
                let trace_id = trace.trace_id.to_string();
                event.tags.entry(TRACE_TAG.to_owned()).or_insert(trace_id);
                let ids = [
                    ("trace_id", trace.trace_id.to_string()),
                    ("span_id", trace.span_id.to_string()),
                ];
                let ids = ids.map(|(key, id)| (key.to_owned(), id.into()));
                let own = Context::Other(ids.into_iter().collect());
                event.contexts.entry(CONTEXT.to_owned()).or_insert(own);
            } else {
                event.contexts.insert("trace".to_owned(), trace.into());
            }
        }
        if event.transaction.is_none() {
            let route = errors.requests.routes().name(ids.route);
            event.transaction = non_empty(format!("{method} {route}").trim());
        }
        Some(event)
    }
}

/// Whether the event's trace context was set by a span of Sentry's or by the host. Otherwise it holds IDs that Sentry
/// generated, which match no trace.
fn belongs_to_sentry_span(event: &Event<'_>) -> bool {
    let Some(Context::Trace(context)) = event.contexts.get("trace") else {
        return event.contexts.contains_key("trace");
    };
    let has_more = **context
        != TraceContext {
            trace_id: context.trace_id,
            span_id: context.span_id,
            ..TraceContext::default()
        };
    // A span without an operation, a parent or a status has only its IDs.
    has_more
        || sentry::configure_scope(|scope| scope.get_span()).is_some_and(|span| {
            context.span_id
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
