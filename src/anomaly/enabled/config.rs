use std::time::Duration;

/// What the values of a series are. It decides how they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Measure {
    /// A level, such as memory in use or the length of a queue. Differences count.
    #[default]
    Gauge,
    /// A duration, such as the p95 of a step. Factors count: 20 ms instead of 10 ms are as odd as 2 s instead of 1 s.
    Latency,
    /// The number of events in a step, such as the increase of a counter. It is judged as a count, so that events may be
    /// rare.
    Count,
    /// The number of events out of all in a step, such as errors out of requests. It is judged as a count, so that a step
    /// with few requests says little.
    Ratio,
}

/// The deviations that are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Direction {
    /// Higher values than expected.
    Up,
    /// Lower values than expected.
    Down,
    /// Both, and values that vary more or less than usual.
    #[default]
    Both,
}

/// How one series is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct DetectorConfig {
    /// What the values are.
    pub measure: Measure,
    /// The time from one sample to the next.
    pub step: Duration,
    /// The expected number of false alarms of this series in 30 days.
    pub false_alarms: f64,
    /// The deviations that are reported.
    pub direction: Direction,
    /// The least difference from the expected value that is reported.
    pub minimum_difference: f64,
    /// The least difference from the expected value that is reported, as a share of that value.
    pub minimum_share: f64,
}

impl DetectorConfig {
    /// The default number of false alarms that are expected of one series in 30 days: 3.
    pub const DEFAULT_FALSE_ALARMS: f64 = 3.0;

    /// Returns the defaults for a series with a sample every `step`.
    pub const fn new(measure: Measure, step: Duration) -> Self {
        Self {
            measure,
            step,
            false_alarms: Self::DEFAULT_FALSE_ALARMS,
            direction: Direction::Both,
            minimum_difference: 0.0,
            minimum_share: 0.0,
        }
    }

    /// Sets the number of false alarms that are expected of this series in 30 days, from 0.01 to 1000. The more, the
    /// smaller the anomalies that are found. Default: 3.
    #[must_use]
    pub const fn false_alarms(mut self, in_30_days: f64) -> Self {
        self.false_alarms = in_30_days;
        self
    }

    /// Sets which deviations are reported. Default: [`Direction::Both`].
    #[must_use]
    pub const fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Sets the least difference from the expected value that is reported, in the unit of the values. For
    /// [`Measure::Ratio`] it is a difference of shares. Default: 0.
    #[must_use]
    pub const fn minimum_difference(mut self, difference: f64) -> Self {
        self.minimum_difference = difference;
        self
    }

    /// Sets the least difference from the expected value that is reported, as a share of that value: 0.5 reports values
    /// that are half as large again. Default: 0.
    #[must_use]
    pub const fn minimum_share(mut self, share: f64) -> Self {
        self.minimum_share = share;
        self
    }
}
