//! Times in the form of RFC 3339, in UTC.

const SECONDS_PER_DAY: u64 = 86_400;
const MICROS: u64 = 1_000_000;

/// The microseconds since the Unix epoch of a line's `2026-11-24T00:10:17.123456Z`; `None` for any other form.
pub(in crate::logs) fn micros_of_timestamp(text: &[u8]) -> Option<u64> {
    let text: &[u8; 27] = text.try_into().ok()?;
    let at = |at: usize| text.get(at).copied();
    let marks = [
        (4, b'-'),
        (7, b'-'),
        (10, b'T'),
        (13, b':'),
        (16, b':'),
        (19, b'.'),
        (26, b'Z'),
    ];
    if marks.iter().any(|(place, mark)| at(*place) != Some(*mark)) {
        return None;
    }
    let number = |from: usize, to: usize| digits(text.get(from..to)?);
    let day = day_number(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let seconds = second_of_day(number(11, 13)?, number(14, 16)?, number(17, 19)?)?;
    Some((day * SECONDS_PER_DAY + seconds) * MICROS + number(20, 26)?)
}

/// The first and the last microsecond of a time or of a day, as a query has it: `2026-11-24`, `2026-11-24T00:10`,
/// `2026-11-24T00:10:17Z` and with up to six decimals.
pub(super) fn span_of_time(text: &str) -> Option<(u64, u64)> {
    let (date, time) = match text.split_once(['T', 't']) {
        Some((date, time)) => (date, Some(time.strip_suffix(['Z', 'z']).unwrap_or(time))),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let mut next = |length| part(parts.next()?, length);
    let day = day_number(next(4)?, next(2)?, next(2)?)?;
    if parts.next().is_some() {
        return None;
    }
    let start = day * SECONDS_PER_DAY * MICROS;
    let Some(time) = time else {
        return Some((start, start + SECONDS_PER_DAY * MICROS - 1));
    };
    let (time, decimals) = match time.split_once('.') {
        Some((time, decimals)) => (time, Some(decimals)),
        None => (time, None),
    };
    let mut parts = time.split(':');
    let (hour, minute) = (part(parts.next()?, 2)?, part(parts.next()?, 2)?);
    let second = parts.next().map(|it| part(it, 2).ok_or(()));
    if parts.next().is_some() || second.is_none() && decimals.is_some() {
        return None;
    }
    let has_second = second.is_some();
    let second = second.transpose().ok()?.unwrap_or(0);
    let start = start + second_of_day(hour, minute, second)? * MICROS;
    match decimals {
        None if has_second => Some((start, start + MICROS - 1)),
        None => Some((start, start + 60 * MICROS - 1)),
        Some(decimals) if (1..=6).contains(&decimals.len()) => {
            let unit = 10_u64.pow(6 - decimals.len() as u32);
            let start = start + digits(decimals.as_bytes())? * unit;
            Some((start, start + unit - 1))
        }
        Some(_) => None,
    }
}

fn part(text: &str, length: usize) -> Option<u64> {
    digits(text.as_bytes()).filter(|_| text.len() == length)
}

/// A number of at most a few digits.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

fn second_of_day(hour: u64, minute: u64, second: u64) -> Option<u64> {
    // A leap second is the one after it.
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

/// The days from 1970-01-01 to a date: Howard Hinnant's `days_from_civil`, for dates that are not before it.
fn day_number(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_first_and_a_last_microsecond() {
        const DAY: u64 = 20_787 * 86_400_000_000;
        for (text, expected) in [
            ("2026-11-30", Some((DAY, DAY + 86_399_999_999))),
            ("1970-01-01", Some((0, 86_399_999_999))),
            (
                "2026-11-30T00:01",
                Some((DAY + 60_000_000, DAY + 119_999_999)),
            ),
            (
                "2026-11-30T00:00:01Z",
                Some((DAY + 1_000_000, DAY + 1_999_999)),
            ),
            (
                "2026-11-30T00:00:00.5",
                Some((DAY + 500_000, DAY + 599_999)),
            ),
            ("2026-11-30T00:00:00.000001Z", Some((DAY + 1, DAY + 1))),
            ("2026-13-30", None),
            ("2026-11-30T25:00", None),
            ("2026-11-30T", None),
            ("2026-11", None),
            ("26-11-30", None),
            ("2026-11-30T00:00:00.1234567", None),
            ("2026-11-30T00:00.5", None),
            ("yesterday", None),
        ] {
            assert_eq!(span_of_time(text), expected, "{text}");
        }
        assert_eq!(
            micros_of_timestamp(b"2026-11-30T00:00:01.000002Z"),
            Some(DAY + 1_000_002)
        );
        for bad in [
            "2026-11-30T00:00:01Z",
            "2026-11-30 00:00:01.000002Z",
            "2026-11-3xT00:00:01.000002Z",
        ] {
            assert_eq!(micros_of_timestamp(bad.as_bytes()), None, "{bad}");
        }
    }
}
