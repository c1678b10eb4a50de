//! The limits of a span, applied to its decoded attributes.
//!
//! Most attributes are within the limits, because they are recorded with them. Two records are shared with other
//! readers, which have limits of their own: that of a request and that of a `tracing` event. Redaction can also make a
//! text longer.

use super::attribute_value::{AttributeValue, set};
use crate::semconv;

/// Drops the attributes over `max_count`, and returns their number. Truncates texts to `max_length` characters, and
/// marks the truncation. The marks of the monitor are never dropped and do not count.
pub(super) fn limit_attributes(
    attributes: &mut Vec<(String, AttributeValue)>,
    max_count: u32,
    max_length: u32,
) -> u32 {
    let (mut count, mut dropped, mut is_truncated) = (0, 0, false);
    attributes.retain_mut(|(key, value)| {
        if is_mark(key) {
            return true;
        }
        if count >= max_count {
            dropped += 1;
            return false;
        }
        count += 1;
        is_truncated |= truncate(value, max_length as usize);
        true
    });
    if is_truncated {
        let mark = AttributeValue::Bool(true);
        set(attributes, semconv::WATCHPOST_TRUNCATED.to_owned(), mark);
    }
    dropped
}

/// Whether an attribute describes the record of the span, and not the operation.
fn is_mark(key: &str) -> bool {
    matches!(
        key,
        semconv::WATCHPOST_TRUNCATED | semconv::WATCHPOST_KEPT | semconv::WATCHPOST_LOST_SPANS
    )
}

/// Truncates the texts of a value. Returns whether one was too long.
fn truncate(value: &mut AttributeValue, max_length: usize) -> bool {
    match value {
        // A text never has more characters than bytes.
        AttributeValue::Str(text) if text.len() > max_length => {
            let beyond = text.char_indices().nth(max_length);
            if let Some((at, _)) = beyond {
                text.truncate(at);
            }
            beyond.is_some()
        }
        AttributeValue::Array(items) => {
            let mut is_truncated = false;
            for item in items {
                is_truncated |= truncate(item, max_length);
            }
            is_truncated
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> AttributeValue {
        AttributeValue::Str(text.to_owned())
    }

    fn all<const N: usize>(all: [(&str, AttributeValue); N]) -> Vec<(String, AttributeValue)> {
        let all = all.into_iter();
        all.map(|(key, value)| (key.to_owned(), value)).collect()
    }

    #[test]
    fn what_is_within_the_limits_stays() {
        let whole = || {
            all([
                ("a", text("äöü")),
                ("b", AttributeValue::Array(vec![text("abc")])),
                (semconv::WATCHPOST_KEPT, text("head")),
            ])
        };
        let mut limited = whole();
        assert_eq!(limit_attributes(&mut limited, 2, 3), 0);
        assert_eq!(limited, whole());
    }

    #[test]
    fn marks_do_not_count_and_a_truncation_is_marked() {
        let mut limited = all([
            (semconv::WATCHPOST_KEPT, text("head")),
            ("a", text("äöüß")),
            ("b", AttributeValue::Array(vec![text("abcdef"), text("ab")])),
            ("c", AttributeValue::I64(1)),
            ("d", AttributeValue::I64(2)),
            (semconv::WATCHPOST_LOST_SPANS, AttributeValue::I64(3)),
        ]);
        assert_eq!(limit_attributes(&mut limited, 3, 3), 1);
        // The marks are not truncated either.
        let expected = all([
            (semconv::WATCHPOST_KEPT, text("head")),
            ("a", text("äöü")),
            ("b", AttributeValue::Array(vec![text("abc"), text("ab")])),
            ("c", AttributeValue::I64(1)),
            (semconv::WATCHPOST_LOST_SPANS, AttributeValue::I64(3)),
            (semconv::WATCHPOST_TRUNCATED, AttributeValue::Bool(true)),
        ]);
        assert_eq!(limited, expected);
    }
}
