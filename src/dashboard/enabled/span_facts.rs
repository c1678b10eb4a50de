//! The root of a kept trace, and attributes of a span.

use crate::model::KeepReason;
use crate::trace::{AttributeValue, KeptTrace, Span};

/// The request or topmost span; without one, the first span.
pub(super) fn root_of(trace: &KeptTrace) -> Option<&Span> {
    let mut spans = trace.spans.iter();
    spans.find(|span| span.is_root).or(trace.spans.first())
}

pub(super) fn attribute<'a>(span: &'a Span, key: &str) -> Option<&'a AttributeValue> {
    let mut all = span.attributes.iter();
    all.find(|(name, _)| name == key).map(|(_, value)| value)
}

pub(super) fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    match attribute(span, key)? {
        AttributeValue::Str(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

pub(super) fn integer(span: &Span, key: &str) -> Option<i64> {
    match attribute(span, key)? {
        AttributeValue::I64(number) => Some(*number),
        _ => None,
    }
}

/// Whether a trace failed, by its request or by the reason that it was kept for.
pub(super) fn has_failed(is_error: bool, kept: KeepReason) -> bool {
    use KeepReason::{Error, Panic, Timeout};

    is_error || matches!(kept, Panic | Timeout | Error)
}
