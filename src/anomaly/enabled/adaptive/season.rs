//! What is usual at each time: offsets by hour of the day and by hour of the week.

use super::super::week_time::{WEEK, WeekTime, following};

pub(super) const DAY: usize = 24;
/// The most days and weeks that count in an offset: older ones are forgotten.
const MAX_DAYS: f32 = 20.0;
const MAX_WEEKS: f32 = 6.0;
/// Offsets up to this number of units are stored as they are.
const MAX_UNITS: f32 = 16_000.0;

/// The offsets of one series, as multiples of a unit that fits the largest: a week takes 336 bytes.
///
/// The samples around the middle of an hour are summed up until the hour is left, so that a step changes little.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Season {
    pub(super) unit: f32,
    pub(super) days: [i16; DAY],
    /// In addition to that of the hour of the day.
    pub(super) weeks: [i16; WEEK],
    /// The hours that were seen.
    pub(super) hours: u32,
    /// The hour whose middle was passed last; [`WEEK`] if none was.
    current: u8,
    /// For this hour and the next: the sums of what the offsets of the day and of the week did not explain, and of the
    /// weights.
    sums: [Sums; 2],
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Sums {
    day: f32,
    week: f32,
    weight: f32,
}

const EMPTY: Sums = Sums {
    day: 0.0,
    week: 0.0,
    weight: 0.0,
};

impl Season {
    pub(super) const fn new() -> Self {
        Self {
            unit: 0.0,
            days: [0; DAY],
            weeks: [0; WEEK],
            hours: 0,
            current: WEEK as u8,
            sums: [EMPTY; 2],
        }
    }

    /// The offset by hour of the day.
    pub(super) fn of_day(&self, time: WeekTime) -> f32 {
        let offset = |hour: u8| {
            f32::from(
                self.days
                    .get(usize::from(hour) % DAY)
                    .copied()
                    .unwrap_or_default(),
            )
        };
        let last = offset(time.last);
        self.unit * (last + time.part * (offset(time.next) - last))
    }

    /// The offset by hour of the week, in addition to that by hour of the day.
    pub(super) fn of_week(&self, time: WeekTime) -> f32 {
        let offset = |hour: u8| {
            f32::from(
                self.weeks
                    .get(usize::from(hour))
                    .copied()
                    .unwrap_or_default(),
            )
        };
        let last = offset(time.last);
        self.unit * (last + time.part * (offset(time.next) - last))
    }

    /// Adds what the offsets of the day, and those of the week, did not explain.
    pub(super) fn learn(&mut self, time: WeekTime, day: f32, week: f32) {
        if time.last != self.current {
            self.leave(time.last);
        }
        let [here, next] = &mut self.sums;
        here.add(1.0 - time.part, day, week);
        next.add(time.part, day, week);
    }

    /// Leaves out the current hour, because it is not complete.
    pub(super) fn interrupt(&mut self) {
        self.current = WEEK as u8;
        self.sums = [EMPTY; 2];
    }

    fn leave(&mut self, to: u8) {
        let hour = self.current;
        let [here, next] = self.sums;
        let known = usize::from(hour) < WEEK;
        if known && here.weight > 0.0 {
            self.hours = self.hours.saturating_add(1);
            // The first day has no level to compare with, so it counts as little as possible: the second replaces it.
            let days = ((self.hours as f32 / DAY as f32).ceil() - 1.0).clamp(1.0, MAX_DAYS);
            let weeks = (self.hours as f32 / WEEK as f32)
                .ceil()
                .clamp(1.0, MAX_WEEKS);
            let day = usize::from(hour) % DAY;
            let old = self.days.get(day).copied().unwrap_or_default();
            let units = self.units(f32::from(old) * self.unit + here.day / here.weight / days);
            if let Some(offset) = self.days.get_mut(day) {
                *offset = units;
            }
            let old = self
                .weeks
                .get(usize::from(hour))
                .copied()
                .unwrap_or_default();
            // As if the offset had been zero once before: the first week counts half.
            let units =
                self.units(f32::from(old) * self.unit + here.week / here.weight / (weeks + 1.0));
            if let Some(offset) = self.weeks.get_mut(usize::from(hour)) {
                *offset = units;
            }
        }
        self.current = to;
        self.sums = if known && following(hour) == to {
            [next, EMPTY]
        } else {
            [EMPTY; 2]
        };
    }

    /// An offset in units. The unit grows if it is too small.
    fn units(&mut self, offset: f32) -> i16 {
        let needed = offset.abs() / MAX_UNITS;
        if needed > self.unit {
            let unit = 2.0 * needed;
            let factor = self.unit / unit;
            for old in self.days.iter_mut().chain(&mut self.weeks) {
                *old = (f32::from(*old) * factor).round() as i16;
            }
            self.unit = unit;
        }
        if self.unit > 0.0 {
            (offset / self.unit).round() as i16
        } else {
            0
        }
    }
}

impl Sums {
    fn add(&mut self, weight: f32, day: f32, week: f32) {
        self.day += weight * day;
        self.week += weight * week;
        self.weight += weight;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: f64 = 1_767_571_200.0;

    #[test]
    fn offsets_of_a_day_and_a_week_are_learned() {
        let mut season = Season::new();
        let usual = |hour: usize| if hour % 24 == 12 { 40.0 } else { 0.0 };
        let weekend = |hour: usize| if hour == 5 * 24 + 12 { -30.0 } else { 0.0 };
        for step in 0..(5 * 168 * 6) {
            let time = WeekTime::at(MONDAY + f64::from(step) * 600.0);
            let hour = usize::from(time.hour);
            let value = usual(hour) + weekend(hour);
            let (day, week) = (season.of_day(time), season.of_week(time));
            season.learn(time, value - day, value - day - week);
        }
        let offset = |hour: u32| {
            let time = WeekTime::at(MONDAY + f64::from(hour) * 3600.0 + 1800.0);
            (season.of_day(time), season.of_week(time))
        };
        let (day, week) = offset(24 + 12);
        assert!((20.0..40.0).contains(&day), "{day}");
        assert!(
            offset(5 * 24 + 12).1 < week - 10.0,
            "{:?}",
            offset(5 * 24 + 12)
        );
        assert!(offset(24 + 3).0.abs() < 2.0);
    }

    #[test]
    fn an_hour_with_a_gap_is_left_out() {
        let mut season = Season::new();
        let time = WeekTime::at(MONDAY + 1800.0);
        season.learn(time, 1000.0, 1000.0);
        season.interrupt();
        season.learn(WeekTime::at(MONDAY + 7200.0), 0.0, 0.0);
        season.learn(WeekTime::at(MONDAY + 9200.0), 0.0, 0.0);
        assert_eq!(season.of_day(time), 0.0);
    }

    #[test]
    fn large_offsets_widen_the_unit() {
        let mut season = Season::new();
        for (hour, offset) in [(0, 1.0), (1, 1e9), (2, -3e9)] {
            season.days[hour] = season.units(offset);
        }
        assert!((f32::from(season.days[1]) * season.unit - 1e9).abs() < 1e6);
        assert!((f32::from(season.days[2]) * season.unit + 3e9).abs() < 1e6);
    }
}
