//! RFC 3339 in UTC.

use super::digits::two;

/// Bytes of `2026-11-24T00:10:17.`.
const SECOND: usize = 20;
/// Bytes of `2026-11-24T00:10:17.123456Z`.
const WHOLE: usize = SECOND + 7;

/// Writes times; the text of the last second is kept, since neighbours share it.
#[derive(Debug)]
pub(super) struct TimestampWriter {
    /// When that second began.
    begin: u64,
    text: [u8; WHOLE],
}

impl Default for TimestampWriter {
    fn default() -> Self {
        Self {
            begin: 0,
            text: *b"1970-01-01T00:00:00.000000Z",
        }
    }
}

impl TimestampWriter {
    /// Appends `nanos` since the Unix epoch with six decimals, as `2026-11-24T00:10:17.123456Z`.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, nanos: u64) {
        const SECOND_NANOS: u64 = 1_000_000_000;
        if nanos.wrapping_sub(self.begin) >= SECOND_NANOS {
            let second = nanos / SECOND_NANOS;
            self.begin = second * SECOND_NANOS;
            if let Some(text) = self.text.first_chunk_mut() {
                *text = text_of(second);
            }
        }
        let micros = (nanos - self.begin) as u32 / 1000;
        let digits = self.text.get_mut(SECOND..).unwrap_or_default();
        let pairs = digits.as_chunks_mut().0.iter_mut();
        for (pair, number) in pairs.zip([micros / 10_000, micros / 100, micros]) {
            *pair = two(number);
        }
        out.extend_from_slice(&self.text);
    }
}

/// Writes a number to the end of its digits.
fn digits(into: Option<&mut [u8]>, mut number: u32) {
    for digit in into.unwrap_or_default().iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn text_of(second: u64) -> [u8; SECOND] {
    let (days, of_day) = (second / 86_400, (second % 86_400) as u32);
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00T00:00:00.";
    for (at, length, number) in [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, of_day / 3600),
        (14, 2, of_day / 60 % 60),
        (17, 2, of_day % 60),
    ] {
        digits(text.get_mut(at..at + length), number);
    }
    text
}

/// The date of a day since 1970-01-01, after Howard Hinnant's `civil_from_days`: eras of 400 years that
/// begin on the first of March.
fn civil(days: u64) -> (u32, u32, u32) {
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

    fn stamp(nanos: u64) -> String {
        let mut out = Vec::new();
        TimestampWriter::default().put(&mut out, nanos);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_told_in_utc() {
        assert_eq!(stamp(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(
            stamp(951_782_400_000_001_999),
            "2000-02-29T00:00:00.000001Z"
        );
        assert_eq!(
            stamp(1_709_251_199_999_999_999),
            "2024-02-29T23:59:59.999999Z"
        );
        assert_eq!(
            stamp(4_107_542_400_000_000_000),
            "2100-03-01T00:00:00.000000Z"
        );
        assert_eq!(stamp(u64::MAX), "2554-07-21T23:34:33.709551Z");
    }

    #[test]
    fn days_follow_each_other() {
        let mut before = civil(0);
        for days in 1..300_000 {
            let next = civil(days);
            assert!(
                next > before && (1..=12).contains(&next.1) && (1..=31).contains(&next.2),
                "{next:?}"
            );
            before = next;
        }
    }
}
