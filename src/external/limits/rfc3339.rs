//! A parser of RFC 3339 timestamps.

use std::time::Duration;

use super::number;

/// The seconds of a day.
const DAY: i64 = 86_400;

/// Parses a timestamp such as `2024-01-01T00:00:00Z`, with optional decimals or an offset, into the time since the
/// Unix epoch; zero for a time before the epoch.
pub(super) fn since_epoch(text: &str) -> Option<Duration> {
    let (date, rest) = text.split_at_checked(10)?;
    let (separator, rest) = rest.split_at_checked(1)?;
    let (time, rest) = rest.split_at_checked(8)?;
    if !matches!(separator, "T" | "t" | " ") {
        return None;
    }
    let (year, month_day) = date.split_once('-')?;
    let (month, day) = pair(month_day, '-')?;
    let (hour, minute_second) = time.split_once(':')?;
    let (minute, second) = pair(minute_second, ':')?;
    let year = number::integer(year)?;
    let hour = two_digits(hour)?;
    let valid = (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        // 60 is a leap second.
        && second <= 60;
    if !valid {
        return None;
    }
    let zone = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (decimals, zone) = rest.split_at_checked(zone)?;
    let nanos = match decimals {
        "" => 0,
        decimals => number::nanos(decimals.strip_prefix('.')?)?,
    };
    let seconds = days_since_epoch(year, month, day)
        .checked_mul(DAY)?
        .checked_add_unsigned(hour * 3600 + minute * 60 + second)?
        .checked_sub(offset(zone)?)?;
    Some(u64::try_from(seconds).map_or(Duration::ZERO, |seconds| Duration::new(seconds, nanos)))
}

/// The offset of a zone from UTC, in seconds.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, zone) = zone.split_at_checked(1)?;
    let (hours, minutes) = pair(zone, ':')?;
    let seconds = (hours * 3600 + minutes * 60).cast_signed();
    if hours > 23 || minutes > 59 {
        return None;
    }
    match sign {
        "+" => Some(seconds),
        "-" => Some(-seconds),
        _ => None,
    }
}

/// Parses two numbers of two digits.
fn pair(text: &str, separator: char) -> Option<(u64, u64)> {
    let (first, second) = text.split_once(separator)?;
    Some((two_digits(first)?, two_digits(second)?))
}

fn two_digits(text: &str) -> Option<u64> {
    (text.len() == 2).then(|| number::integer(text))?
}

fn days_of_month(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from the epoch to a date whose year has four digits.
fn days_since_epoch(year: u64, month: u64, day: u64) -> i64 {
    // The year is counted from March, so that a leap day is its last day.
    let (year, month) = if month > 2 {
        (year + 4800, month - 3)
    } else {
        (year + 4799, month + 9)
    };
    let days = day + (153 * month + 2) / 5 + 365 * year + year / 4 - year / 100 + year / 400;
    days.cast_signed() - 2_472_633
}
