use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::week_time::WeekTime;

/// Judges the samples of one series, one after the other.
///
/// A detector takes no locks and does no I/O. It is called for each series and step, so it should take well under a
/// microsecond.
pub trait Detector: Send {
    /// Judges a sample, and learns from it afterwards: a sample is not compared with itself.
    fn observe(&mut self, observation: &Observation) -> Assessment;

    /// Appends what was learned to `state`, at most 1 KiB. Default: nothing.
    fn encode(&self, state: &mut Vec<u8>) {
        let _ = state;
    }

    /// Replaces what was learned by an encoded state, and returns whether it could be read. If it could not, nothing
    /// changes. Default: it cannot.
    fn restore(&mut self, state: &[u8]) -> bool {
        let _ = state;
        false
    }
}

/// One sample of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Observation {
    /// When it was taken, by the wall clock.
    pub time: SystemTime,
    /// The value. Of [`Measure::Ratio`](super::Measure::Ratio) it is the number of the events that are counted.
    pub value: f64,
    /// The number of all events, of [`Measure::Ratio`](super::Measure::Ratio). It is 1 for other measures.
    pub of: f64,
}

impl Observation {
    /// Creates a sample of a gauge, a latency or a count.
    pub const fn new(time: SystemTime, value: f64) -> Self {
        Self {
            time,
            value,
            of: 1.0,
        }
    }

    /// Creates a sample of a ratio: `events` out of `all`.
    pub const fn ratio(time: SystemTime, events: f64, all: f64) -> Self {
        Self {
            time,
            value: events,
            of: all,
        }
    }

    /// Seconds since the Unix epoch.
    pub(super) fn seconds(&self) -> f64 {
        match self.time.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_secs_f64(),
            Err(before) => -before.duration().as_secs_f64(),
        }
    }
}

/// What a detector says about one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Assessment {
    /// The value that was expected: NaN if nothing was. Of [`Measure::Ratio`](super::Measure::Ratio) it is a share, like
    /// the two ends of the band.
    pub expected: f64,
    /// The low end of the band of normal values.
    pub lower: f64,
    /// The high end of the band of normal values.
    pub upper: f64,
    /// How odd the latest values are, as a multiple of the largest normal deviation: 1 and more is anomalous.
    pub score: f64,
    /// Whether too few samples are known for a judgement. Nothing is reported then.
    pub learning: bool,
    /// Whether an anomaly is under way: it was reported, and its end was not.
    pub anomalous: bool,
    /// The begin or end of an anomaly that is to be reported.
    pub change: Option<AnomalyChange>,
}

impl Assessment {
    /// Returns the assessment of a sample about which nothing can be said. It has no expected value, an unlimited band
    /// and the score 0, and `learning` is set.
    pub const fn unknown() -> Self {
        Self {
            expected: f64::NAN,
            lower: f64::NEG_INFINITY,
            upper: f64::INFINITY,
            score: 0.0,
            learning: true,
            anomalous: false,
            change: None,
        }
    }
}

/// The begin or end of an anomaly. Each anomaly is reported twice: when it begins, and when it ends.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum AnomalyChange {
    /// An anomaly has begun.
    Began(Onset),
    /// It has ended: the values are as they were before.
    Back,
    /// It has ended: the values have settled on a new level, which is the normal one from now on.
    Settled,
}

/// The begin of an anomaly.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Onset {
    /// What is odd.
    pub kind: AnomalyKind,
    /// Whether the values are higher or vary more than expected. Otherwise they are lower or vary less.
    pub upward: bool,
    /// When the deviation began. A small shift is noticed some samples later.
    pub since: SystemTime,
    /// The hour of the week that the expected value is for, in UTC: 0 is Monday from 00:00 to 01:00, 167 the last.
    pub hour_of_week: u8,
}

impl Onset {
    /// Creates the begin of an anomaly for a detector of your own. The hour of the week is that of `since`.
    pub fn new(kind: AnomalyKind, upward: bool, since: SystemTime) -> Self {
        let seconds = Observation::new(since, 0.0).seconds();
        Self {
            kind,
            upward,
            since,
            hour_of_week: WeekTime::at(seconds).hour,
        }
    }
}

impl AnomalyKind {
    /// Returns the name: `spike`, `shift`, `variance` or `silence`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spike => "spike",
            Self::Shift => "shift",
            Self::Variance => "variance",
            Self::Silence => "silence",
        }
    }
}

/// What is odd about an anomaly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnomalyKind {
    /// A value is far from the expected one.
    Spike,
    /// Several values are away from the expected ones in the same direction.
    Shift,
    /// The values vary more or less than usual.
    Variance,
    /// The values are zero, and usually they are not.
    Silence,
}

/// `seconds` before `time`.
pub(super) fn before(time: SystemTime, seconds: f64) -> SystemTime {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|age| time.checked_sub(age))
        .unwrap_or(time)
}
