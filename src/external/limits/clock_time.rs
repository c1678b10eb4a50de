//! RFC 3339.

use std::time::Duration;

use super::number;

const DAY: i64 = 86_400;

/// The time since the Unix epoch of `2024-01-01T00:00:00Z`, with decimals or an offset too; zero before
/// the epoch.
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
    let hour = two(hour)?;
    let valid = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        // A leap second.
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
    let seconds = days(year, month, day)
        .checked_mul(DAY)?
        .checked_add_unsigned(hour * 3600 + minute * 60 + second)?
        .checked_sub(offset(zone)?)?;
    Some(u64::try_from(seconds).map_or(Duration::ZERO, |seconds| Duration::new(seconds, nanos)))
}

/// Seconds by which a zone is ahead.
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

/// Two numbers of two digits.
fn pair(text: &str, between: char) -> Option<(u64, u64)> {
    let (first, second) = text.split_once(between)?;
    Some((two(first)?, two(second)?))
}

fn two(text: &str) -> Option<u64> {
    (text.len() == 2).then(|| number::integer(text))?
}

fn days_of(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the epoch to a date of a year with four digits.
fn days(year: u64, month: u64, day: u64) -> i64 {
    // Years begin in March: the leap day is their last.
    let (year, month) = if month > 2 {
        (year + 4800, month - 3)
    } else {
        (year + 4799, month + 9)
    };
    let days = day + (153 * month + 2) / 5 + 365 * year + year / 4 - year / 100 + year / 400;
    days.cast_signed() - 2_472_633
}
