//! What value is expected: a level, with or without what is usual at this hour.

use super::super::week_time::WeekTime;
use super::season::Season;

/// Samples in the memory of a level without season, and of one with. With a season, it may be slower.
const PLAIN_MEMORY: f32 = 400.0;
const SEASON_MEMORY: f32 = 576.0;
/// Samples in the memory of the errors by which the expectations are compared.
pub(super) const ERROR_MEMORY: f32 = 16_000.0;
/// An expectation with a season is used if its error is less than this share of the one without.
const BETTER: f32 = 0.8;
const DAY_SECONDS: f32 = 86_400.0;
/// Days that the level has a season compared with: long enough not to follow it.
const DAY_BASE_DAYS: f32 = 2.0;
const WEEK_BASE_DAYS: f32 = 7.0;
/// Days until a season may be used.
const DAY_READY: f32 = 2.0;
const WEEK_READY: f32 = 14.0;

/// The three expectations: the level alone, with the hour of the day, with the hour of the week.
pub(super) const EXPECTATIONS: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Levels {
    pub(super) season: Season,
    /// The level for each expectation. It follows the series within an hour or so.
    pub(super) current: [f32; EXPECTATIONS],
    /// The slow levels that the offsets by day and by week are relative to.
    pub(super) bases: [f32; 2],
    /// The mean error of each expectation.
    pub(super) errors: [f32; EXPECTATIONS],
}

/// The expectations of one sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExpectedValue {
    pub(super) values: [f32; EXPECTATIONS],
    offsets: [f32; EXPECTATIONS],
    /// The best of them, and the level in it.
    pub(super) best: f32,
    pub(super) level: f32,
}

impl Levels {
    pub(super) const fn new() -> Self {
        Self {
            season: Season::new(),
            current: [0.0; EXPECTATIONS],
            bases: [0.0; 2],
            errors: [0.0; EXPECTATIONS],
        }
    }

    /// Starts with the first value.
    pub(super) fn start(&mut self, value: f32) {
        self.current = [value; EXPECTATIONS];
        self.bases = [value; 2];
    }

    /// Moves the levels.
    pub(super) fn move_by(&mut self, difference: f32) {
        self.current
            .iter_mut()
            .for_each(|level| *level += difference);
    }

    /// What is expected `days` after the start.
    pub(super) fn expect(&self, time: WeekTime, days: f32) -> ExpectedValue {
        let day = self.season.of_day(time);
        let offsets = [0.0, day, day + self.season.of_week(time)];
        let [plain, daily, weekly] = self.current;
        let values = [plain, daily + offsets[1], weekly + offsets[2]];
        let [plain_error, daily_error, weekly_error] = self.errors;
        let (mut best, mut level, mut error) = (values[0], plain, plain_error);
        if days > DAY_READY && daily_error < BETTER * error {
            (best, level, error) = (values[1], daily, daily_error);
        }
        if days > WEEK_READY && weekly_error < BETTER * error {
            (best, level) = (values[2], weekly);
        }
        ExpectedValue {
            values,
            offsets,
            best,
            level,
        }
    }

    /// Learns a value, as it is compared with each expectation.
    pub(super) fn learn(
        &mut self,
        time: WeekTime,
        expected: &ExpectedValue,
        values: [f32; EXPECTATIONS],
        speed: &Speed,
    ) {
        let with_season = speed.of(least(speed.level, 1.0 / SEASON_MEMORY));
        let rates = [speed.of(speed.level), with_season, with_season];
        for (((level, value), expected), rate) in self
            .current
            .iter_mut()
            .zip(values)
            .zip(expected.values)
            .zip(rates)
        {
            *level += rate * (value - expected);
        }
        let [_, daily, weekly] = values;
        let [_, day_offset, week_offset] = expected.offsets;
        let [day_base, week_base] = &mut self.bases;
        let day = daily - *day_base - day_offset;
        let week = weekly - *week_base - week_offset;
        *day_base += speed.of(speed.bases[0]) * day;
        *week_base += speed.of(speed.bases[1]) * week;
        self.season.learn(time, day, week);
    }
}

/// How fast levels learn: the share of a new value in them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speed {
    /// At least the share of each value so far in their mean.
    pub(super) least: f32,
    /// What the value counts compared with others.
    pub(super) weight: f32,
    /// Of the level without season.
    pub(super) level: f32,
    /// Of the slow levels.
    pub(super) bases: [f32; 2],
}

impl Speed {
    /// The speed of the level of gauges without season.
    pub(super) const LEVEL: f32 = 1.0 / PLAIN_MEMORY;

    /// The speeds of the slow levels with a step of so many seconds.
    pub(super) fn bases(step: f32) -> [f32; 2] {
        [DAY_BASE_DAYS, WEEK_BASE_DAYS]
            .map(|days| (days * DAY_SECONDS / step).max(SEASON_MEMORY).recip())
    }

    fn of(&self, usual: f32) -> f32 {
        least(self.weight * most(usual, self.least), 1.0)
    }
}

/// Moves a value toward a target.
pub(super) fn toward(value: &mut f32, target: f32, rate: f32) {
    *value += rate * (target - *value);
}

/// The smaller number. Unlike `min`, it is one instruction, since it does not look for NaN.
pub(super) fn least(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The larger number.
pub(super) fn most(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The number that is nearest to `value` between minus and plus `limit`.
pub(super) fn within(value: f32, limit: f32) -> f32 {
    least(most(value, -limit), limit)
}
