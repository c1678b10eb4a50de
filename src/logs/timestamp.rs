//! Timestamps in the form of RFC 3339, in UTC.

use super::digits::two_digits;

/// The bytes of `2026-11-24T00:10:17.`.
const SECOND: usize = 20;
/// The bytes of `2026-11-24T00:10:17.123456Z`.
const TIMESTAMP: usize = SECOND + 7;

/// Writes timestamps. It keeps the text of the last second, which neighbouring records share.
#[derive(Debug)]
pub(crate) struct TimestampWriter {
    /// When that second began, in nanoseconds since the Unix epoch.
    second_start: u64,
    text: [u8; TIMESTAMP],
}

impl Default for TimestampWriter {
    fn default() -> Self {
        Self {
            second_start: 0,
            text: *b"1970-01-01T00:00:00.000000Z",
        }
    }
}

impl TimestampWriter {
    /// Appends the time of `nanos` nanoseconds since the Unix epoch with six decimals, as
    /// `2026-11-24T00:10:17.123456Z`.
    pub(crate) fn put(&mut self, out: &mut Vec<u8>, nanos: u64) {
        const SECOND_NANOS: u64 = 1_000_000_000;
        if nanos.wrapping_sub(self.second_start) >= SECOND_NANOS {
            let second = nanos / SECOND_NANOS;
            self.second_start = second * SECOND_NANOS;
            if let Some(text) = self.text.first_chunk_mut() {
                *text = format_second(second);
            }
        }
        let micros = (nanos - self.second_start) as u32 / 1000;
        let digits = self.text.get_mut(SECOND..).unwrap_or_default();
        let pairs = digits.as_chunks_mut().0.iter_mut();
        for (pair, number) in pairs.zip([micros / 10_000, micros / 100, micros]) {
            *pair = two_digits(number);
        }
        out.extend_from_slice(&self.text);
    }
}

/// Writes a number as digits with leading zeros.
fn put_digits(into: Option<&mut [u8]>, mut number: u32) {
    for digit in into.unwrap_or_default().iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The first part of a timestamp: the second, counted since the Unix epoch.
fn format_second(second: u64) -> [u8; SECOND] {
    let (days, of_day) = (second / 86_400, (second % 86_400) as u32);
    let (year, month, day) = date_of_day(days);
    let mut text = *b"0000-00-00T00:00:00.";
    for (at, length, number) in [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, of_day / 3600),
        (14, 2, of_day / 60 % 60),
        (17, 2, of_day % 60),
    ] {
        put_digits(text.get_mut(at..at + length), number);
    }
    text
}

/// The date (year, month, day) of a day, counted since 1970-01-01.
///
/// This is Howard Hinnant's `civil_from_days`: eras of 400 years that begin on 1 March.
fn date_of_day(days: u64) -> (u32, u32, u32) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year as u32, month as u32, day as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(nanos: u64) -> String {
        let mut out = Vec::new();
        TimestampWriter::default().put(&mut out, nanos);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(
            timestamp(951_782_400_000_001_999),
            "2000-02-29T00:00:00.000001Z"
        );
        assert_eq!(
            timestamp(1_709_251_199_999_999_999),
            "2024-02-29T23:59:59.999999Z"
        );
        assert_eq!(
            timestamp(4_107_542_400_000_000_000),
            "2100-03-01T00:00:00.000000Z"
        );
        assert_eq!(timestamp(u64::MAX), "2554-07-21T23:34:33.709551Z");
    }

    #[test]
    fn each_day_is_the_day_after_the_one_before() {
        let mut before = date_of_day(0);
        for days in 1..300_000 {
            let next = date_of_day(days);
            assert!(
                next > before && (1..=12).contains(&next.1) && (1..=31).contains(&next.2),
                "{next:?}"
            );
            before = next;
        }
    }
}
