//! What pages show of a span: a label, a title, and the texts of its attributes.

use std::time::{Duration, SystemTime};

use crate::dashboard::enabled::span_facts::text;
use crate::semconv;
use crate::trace::{AttributeValue, Span, SpanKind};

/// A value as people read it.
pub(super) fn shown(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Str(text) => text.clone(),
        AttributeValue::I64(number) => number.to_string(),
        AttributeValue::F64(number) => number.to_string(),
        AttributeValue::Bool(truth) => truth.to_string(),
        AttributeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(shown).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

/// Microseconds from one time to another, which may be before it.
pub(super) fn offset_micros(at: SystemTime, from: SystemTime) -> i64 {
    let whole = |duration: Duration| i64::try_from(duration.as_micros());
    match at.duration_since(from) {
        Ok(after) => whole(after).unwrap_or(i64::MAX),
        Err(before) => -whole(before.duration()).unwrap_or(i64::MAX),
    }
}

/// What a span did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpanWork {
    /// The handling of a request or of a message.
    Server,
    Database,
    /// An outgoing call.
    Call,
    /// Code that its parent did not wait for.
    Task,
    Code,
}

impl SpanWork {
    pub(super) fn of(span: &Span, outlives_parent: bool) -> Self {
        if text(span, semconv::DB_SYSTEM_NAME).is_some() {
            return Self::Database;
        }
        match span.kind {
            SpanKind::Server | SpanKind::Consumer => Self::Server,
            SpanKind::Client | SpanKind::Producer => Self::Call,
            SpanKind::Internal if outlives_parent => Self::Task,
            SpanKind::Internal => Self::Code,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Database => "database",
            Self::Call => "call",
            Self::Task => "task",
            Self::Code => "code",
        }
    }
}

/// A short word in front of the name.
pub(super) fn label(span: &Span, work: SpanWork) -> &str {
    match work {
        SpanWork::Server if text(span, semconv::RPC_SYSTEM_NAME).is_some() => "gRPC",
        SpanWork::Server if text(span, semconv::HTTP_REQUEST_METHOD).is_some() => "HTTP",
        SpanWork::Server => "msg",
        SpanWork::Database if text(span, semconv::DB_SYSTEM_NAME) == Some("redis") => "KV",
        SpanWork::Database => "SQL",
        SpanWork::Call if text(span, semconv::GEN_AI_PROVIDER_NAME).is_some() => "AI",
        SpanWork::Call => text(span, semconv::HTTP_REQUEST_METHOD).unwrap_or("call"),
        SpanWork::Task => "task",
        SpanWork::Code => "fn",
    }
}

/// What a span is called on a page: the name, but for calls whose method is the label, with the address instead.
pub(super) fn title(span: &Span, label: &str) -> String {
    let rest = span.name.strip_prefix(label);
    let rest = rest.and_then(|rest| {
        rest.strip_prefix(' ')
            .or(Some(rest).filter(|it| it.is_empty()))
    });
    match (span.kind, rest, text(span, semconv::SERVER_ADDRESS)) {
        (SpanKind::Client, Some(rest), Some(address)) => {
            format!("{address} {rest}").trim_end().to_owned()
        }
        (SpanKind::Client, Some(rest), None) if !rest.is_empty() => rest.to_owned(),
        _ => span.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::enabled::traces::span_tree::tests::{span, with};

    #[test]
    fn a_span_has_a_label_and_a_title() {
        let of = |mut span: Span, kind: SpanKind| {
            span.kind = kind;
            let work = SpanWork::of(&span, false);
            let label = label(&span, work).to_owned();
            (label.clone(), title(&span, &label))
        };
        let pair = |label: &str, title: &str| (label.to_owned(), title.to_owned());
        let times = (0, 1);
        let request = with(
            span(1, 0, "POST /orders", times),
            &[("http.request.method", "POST")],
        );
        assert_eq!(of(request, SpanKind::Server), pair("HTTP", "POST /orders"));
        let call = with(
            span(2, 1, "POST /v1/charges/{id}", times),
            &[
                ("http.request.method", "POST"),
                ("server.address", "pay.example"),
            ],
        );
        assert_eq!(
            of(call, SpanKind::Client),
            pair("POST", "pay.example /v1/charges/{id}")
        );
        let bare = with(span(2, 1, "GET", times), &[("http.request.method", "GET")]);
        assert_eq!(of(bare, SpanKind::Client), pair("GET", "GET"));
        let query = with(
            span(3, 1, "SELECT orders", times),
            &[("db.system.name", "postgresql")],
        );
        assert_eq!(of(query, SpanKind::Client), pair("SQL", "SELECT orders"));
        assert_eq!(
            of(span(4, 1, "pack", times), SpanKind::Internal),
            pair("fn", "pack")
        );
        assert_eq!(
            SpanWork::of(&span(5, 1, "mail", times), true).as_str(),
            "task"
        );
    }
}
