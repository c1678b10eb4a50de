//! Parsers of numbers without a sign.

use std::time::Duration;

/// Parses a count. Decimals, which Reddit sends, are dropped.
pub(super) fn count(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    if is_digits(decimals) {
        integer(whole)
    } else {
        None
    }
}

/// Parses seconds with optional decimals.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    Some(Duration::new(integer(whole)?, nanos(decimals)?))
}

/// Parses a number that consists of digits only.
pub(super) fn integer(text: &str) -> Option<u64> {
    if is_digits(text) {
        text.parse().ok()
    } else {
        None
    }
}

/// Parses the decimals of a second. Digits beyond the nanosecond are dropped.
pub(super) fn nanos(decimals: &str) -> Option<u32> {
    if !is_digits(decimals) {
        return None;
    }
    let digits = decimals.bytes().chain(std::iter::repeat(b'0')).take(9);
    Some(digits.fold(0, |nanos: u32, digit| {
        nanos
            .saturating_mul(10)
            .saturating_add(u32::from(digit & 15))
    }))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
