//! Times and lengths of time.

use std::time::{Duration, UNIX_EPOCH};

use super::{clock_time, number};

/// Longer waits are rubbish.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
/// More seconds than these are counted from the Unix epoch.
const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 86_400);
/// More seconds than these (in the year 5138) are milliseconds.
const MOST_SECONDS: u64 = 99_999_999_999;

/// The time to a reset that is told in any of the known ways. `now` is the time since the Unix epoch.
pub(super) fn reset(text: &str, now: Duration) -> Option<Duration> {
    let wait = if !text.starts_with(|c: char| c.is_ascii_digit()) {
        http_date(text, now)?
    } else if let Some(number) = number::seconds(text) {
        if number <= TEN_YEARS {
            number
        } else if number.as_secs() <= MOST_SECONDS {
            number.saturating_sub(now)
        } else {
            (number / 1000).saturating_sub(now)
        }
    } else if let Some(time) = clock_time::since_epoch(text) {
        time.saturating_sub(now)
    } else {
        go_duration(text)?
    };
    (wait <= LONGEST).then_some(wait)
}

/// What `Retry-After` asks for: seconds or an HTTP date.
pub(super) fn retry(text: &str, now: Duration) -> Option<Duration> {
    let wait = match number::seconds(text) {
        Some(wait) => wait,
        None => http_date(text, now)?,
    };
    (wait <= LONGEST).then_some(wait)
}

/// A policy's length in seconds.
pub(super) fn length(text: &str) -> Option<Duration> {
    number::seconds(text).filter(|length| *length <= LONGEST)
}

fn http_date(text: &str, now: Duration) -> Option<Duration> {
    let date = httpdate::parse_http_date(text).ok()?;
    let date = date.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(date.saturating_sub(now))
}

/// `1m30s`, `12ms`, `6h0m0.5s`; days too, which Go has not.
fn go_duration(text: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let number = split(&mut rest, |c| c.is_ascii_digit() || c == '.');
        let unit = split(&mut rest, |c| !c.is_ascii_digit());
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
        // Seconds of that unit: no number that fits overflows 128 bits.
        let nanos = number::seconds(number)?
            .as_nanos()
            .checked_mul(nanos.into())?
            .checked_div(1_000_000_000)?;
        let nanos = Duration::from_nanos(u64::try_from(nanos).ok()?);
        sum = sum.checked_add(nanos)?;
    }
    Some(sum)
}

/// Takes the longest beginning whose characters all hold.
fn split<'a>(rest: &mut &'a str, holds: impl Fn(char) -> bool) -> &'a str {
    let end = rest.find(|c| !holds(c)).unwrap_or(rest.len());
    let (head, tail) = rest.split_at_checked(end).unwrap_or_default();
    *rest = tail;
    head
}
