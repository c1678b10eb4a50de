//! Where in the week a time is.

/// The hours of a week.
pub(super) const WEEK: usize = 168;
const LAST: u8 = 167;
const HOUR_SECONDS: i64 = 3600;
const WEEK_SECONDS: i64 = 604_800;
/// From Monday 00:00 to the Unix epoch, which was a Thursday.
const EPOCH_SECONDS: i64 = 3 * 86_400;

/// A time of the week, between the middles of two hours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct WeekTime {
    /// The hour: 0 is Monday from 00:00 to 01:00.
    pub(super) hour: u8,
    /// The hour whose middle was passed last, the one after it, and the part of the way between them.
    pub(super) last: u8,
    pub(super) next: u8,
    pub(super) part: f32,
}

impl WeekTime {
    /// The time of the week at `seconds` since the Unix epoch.
    pub(super) fn at(seconds: f64) -> Self {
        // Like `floor`, which is a call.
        let whole = seconds as i64 - i64::from(seconds < 0.0);
        let in_week = whole.wrapping_add(EPOCH_SECONDS).rem_euclid(WEEK_SECONDS);
        let hour = u8::try_from(in_week / HOUR_SECONDS).unwrap_or_default();
        let from_middle = (in_week % HOUR_SECONDS) as f32 * (1.0 / HOUR_SECONDS as f32) - 0.5;
        let (last, part) = if from_middle >= 0.0 {
            (hour, from_middle)
        } else {
            (hour.checked_sub(1).unwrap_or(LAST), from_middle + 1.0)
        };
        Self {
            hour,
            last,
            next: following(last),
            part,
        }
    }
}

/// The hour after an hour of the week.
pub(super) const fn following(hour: u8) -> u8 {
    if hour < LAST { hour + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: f64 = 1_767_571_200.0;

    #[test]
    fn hours_count_from_monday() {
        for (seconds, hour) in [
            (MONDAY, 0),
            (MONDAY - 1.0, 167),
            (MONDAY + 3600.0, 1),
            (0.0, 72),
            (-1.0, 71),
        ] {
            assert_eq!(WeekTime::at(seconds).hour, hour, "{seconds}");
        }
    }
}
