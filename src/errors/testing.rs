//! Events for the tests of grouping.

use std::time::{Duration, UNIX_EPOCH};

use super::event::{Cause, ErrorEvent, EventKind};
use crate::model::{Attributes, EventId, Level, SpanId, TraceId};

/// An event of this place, type and message, with ID 1.
pub(super) fn event(location: &str, type_name: &str, message: &str) -> ErrorEvent {
    ErrorEvent {
        id: EventId::from_u128(1),
        at: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        level: Level::Error,
        kind: EventKind::Error,
        causes: vec![Cause {
            type_name: type_name.to_owned(),
            message: message.to_owned(),
        }],
        location: location.to_owned(),
        thread: String::new(),
        trace_id: TraceId::NIL,
        span_id: SpanId::NIL,
        method: String::new(),
        route: String::new(),
        path: String::new(),
        query: String::new(),
        user_agent: String::new(),
        client_address: String::new(),
        user: String::new(),
        attributes: Attributes::default(),
        tags: Vec::new(),
        extra: Attributes::default(),
        breadcrumbs: Vec::new(),
        frames: Vec::new(),
        fingerprint: Vec::new(),
        group: 0,
        resident_bytes: None,
        truncated: false,
    }
}
