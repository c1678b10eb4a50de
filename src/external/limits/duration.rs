//! Parsers of points in time and durations.

use std::time::{Duration, UNIX_EPOCH};

use super::{number, rfc3339};

/// The longest wait that is accepted: 366 days.
const MAX_WAIT: Duration = Duration::from_secs(366 * 86_400);
/// A larger number of seconds is a time since the Unix epoch.
const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 86_400);
/// A larger number (beyond the year 5138, in seconds) is in milliseconds.
const MAX_SECONDS: u64 = 99_999_999_999;

/// Parses the time until a reset, in any of the forms that services use. `now` is the time since the Unix epoch.
pub(super) fn until_reset(text: &str, now: Duration) -> Option<Duration> {
    let wait = if !text.starts_with(|c: char| c.is_ascii_digit()) {
        http_date(text, now)?
    } else if let Some(number) = number::seconds(text) {
        if number <= TEN_YEARS {
            number
        } else if number.as_secs() <= MAX_SECONDS {
            number.saturating_sub(now)
        } else {
            (number / 1000).saturating_sub(now)
        }
    } else if let Some(time) = rfc3339::since_epoch(text) {
        time.saturating_sub(now)
    } else {
        go_duration(text)?
    };
    (wait <= MAX_WAIT).then_some(wait)
}

/// Parses `Retry-After`: seconds or an HTTP date.
pub(super) fn retry_after(text: &str, now: Duration) -> Option<Duration> {
    let wait = match number::seconds(text) {
        Some(wait) => wait,
        None => http_date(text, now)?,
    };
    (wait <= MAX_WAIT).then_some(wait)
}

/// Parses the length of a window, in seconds.
pub(super) fn window_length(text: &str) -> Option<Duration> {
    number::seconds(text).filter(|length| *length <= MAX_WAIT)
}

fn http_date(text: &str, now: Duration) -> Option<Duration> {
    let date = httpdate::parse_http_date(text).ok()?;
    let date = date.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(date.saturating_sub(now))
}

/// Parses a duration as Go writes it: `1m30s`, `12ms`, `6h0m0.5s`. Days, which Go does not have, are accepted too.
fn go_duration(text: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let number = take_prefix(&mut rest, |c| c.is_ascii_digit() || c == '.');
        let unit = take_prefix(&mut rest, |c| !c.is_ascii_digit());
        let nanos: u64 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return None,
        };
        // The number was parsed as seconds: scale it to its unit. The product fits into 128 bits.
        let nanos = number::seconds(number)?
            .as_nanos()
            .checked_mul(nanos.into())?
            .checked_div(1_000_000_000)?;
        let nanos = Duration::from_nanos(u64::try_from(nanos).ok()?);
        sum = sum.checked_add(nanos)?;
    }
    Some(sum)
}

/// Splits off the longest prefix whose characters all match.
fn take_prefix<'a>(rest: &mut &'a str, matches: impl Fn(char) -> bool) -> &'a str {
    let end = rest.find(|c| !matches(c)).unwrap_or(rest.len());
    let (head, tail) = rest.split_at_checked(end).unwrap_or_default();
    *rest = tail;
    head
}
