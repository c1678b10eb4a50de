//! An anomaly, as hooks receive it.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::anomaly::AnomalyKind;
use crate::model::TraceId;

/// An anomaly of one series: it is reported when it begins and when it ends. See [`Monitor::on_anomaly`](crate::Monitor::on_anomaly).
///
/// An anomaly is odd, which need not be wrong.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Anomaly {
    /// The number of the anomaly. Both reports have the same.
    pub number: u64,
    /// The number of the [`AnomalyEpisode`] that it belongs to.
    pub episode: u64,
    /// Whether it has begun or ended, and how it ended.
    pub state: AnomalyState,
    /// The exposed name of the metric.
    pub metric: String,
    /// What was calculated from the metric. The values are in its unit.
    pub figure: WatchedFigure,
    /// The labels of the series and their values, sorted by label.
    pub labels: Vec<(String, String)>,
    /// What the series is in words, such as `p95 of GET /api/content`.
    pub name: String,
    /// The value at the time of the report.
    pub value: f64,
    /// The value that was expected when it began.
    pub expected: f64,
    /// The low end of the band of normal values when it began.
    pub lower: f64,
    /// The high end of the band of normal values when it began.
    pub upper: f64,
    /// How odd it has been at most so far, as a multiple of the largest normal deviation: 1 and more is anomalous.
    pub score: f64,
    /// Whether the values are higher or vary more than expected. Otherwise they are lower or vary less.
    pub upward: bool,
    /// What is odd.
    pub kind: AnomalyKind,
    /// When the deviation began.
    pub since: SystemTime,
    /// When it ended; `None` until then.
    pub until: Option<SystemTime>,
    /// The hour of the week that the expected value is for, in UTC: 0 is Monday from 00:00 to 01:00, 167 the last.
    pub hour_of_week: u8,
    /// Traces of requests and calls in it, those with the largest values first: at most five. Empty for a series that is
    /// not of a histogram.
    pub traces: Vec<TraceId>,
    /// The report in plain words, such as `p95 of GET /api/content is 1.9 s, usually 0.2 to 0.4 s at this hour`.
    pub sentence: String,
}

/// Whether an anomaly has begun or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnomalyState {
    /// It has begun.
    Began,
    /// It has ended: the series is as it was before.
    Back,
    /// It has ended: the series has settled on a new level, which is the normal one from now on.
    Settled,
    /// It has ended because the series has no values any more, or is not watched any more.
    Gone,
    /// It has ended because the host has changed how the series is judged.
    Rejudged,
}

/// What is calculated from a metric at each snapshot.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum WatchedFigure {
    /// The value of a gauge, in its unit.
    Value,
    /// The increase of a counter, or the number of values of a histogram, per second.
    Rate,
    /// A quantile of the values that a histogram recorded since the snapshot before, by its rank: 0.95 is the 95th
    /// percentile.
    Quantile(f64),
    /// A share, from 0 to 1: of failures in all requests, or of connections in use.
    Share,
}

/// Anomalies that began at about the same time: each at most five minutes, or six snapshots, after another. See
/// [`Monitor::episodes`](crate::Monitor::episodes).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AnomalyEpisode {
    /// The number of the episode.
    pub number: u64,
    /// When the first of its deviations began.
    pub since: SystemTime,
    /// When the last of its anomalies ended; `None` until then.
    pub until: Option<SystemTime>,
    /// Its anomalies, the oddest first.
    pub members: Vec<Anomaly>,
}

/// What was odd at some time. See [`Monitor::odd_between`](crate::Monitor::odd_between).
///
/// For the last 500 anomalies, everything is known. Of older ones, the [history](crate::history) has a flag beside each
/// odd value, which says which series it was, when, and about how odd.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OddSeries {
    /// The exposed name of the metric.
    pub metric: String,
    /// The labels of the series and their values, sorted by label.
    pub labels: Vec<(String, String)>,
    /// What the series is in words, such as `p95 of GET /api/content`. Without an anomaly, the metric and its labels.
    pub name: String,
    /// When it began to be odd, or the first odd value in the time that was asked for.
    pub since: SystemTime,
    /// When it was odd last; `None` while the anomaly is under way.
    pub until: Option<SystemTime>,
    /// How odd it was at most, as a multiple of the largest normal deviation. Without an anomaly, it is rounded down to 1, 2,
    /// 4, 8 or 16.
    pub score: f64,
    /// The anomaly, if it is one of the last 500.
    pub anomaly: Option<Anomaly>,
}

/// A series that is watched, and what is normal for it. See [`Monitor::watched_series`](crate::Monitor::watched_series).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WatchedSeries {
    /// The exposed name of the metric.
    pub metric: String,
    /// What is calculated from the metric. The values are in its unit.
    pub figure: WatchedFigure,
    /// The labels of the series and their values, sorted by label.
    pub labels: Vec<(String, String)>,
    /// What the series is in words, such as `p95 of GET /api/content`.
    pub name: String,
    /// The time of the last sample.
    pub at: SystemTime,
    /// The last value.
    pub value: f64,
    /// The value that was expected: NaN if nothing was.
    pub expected: f64,
    /// The low end of the band of normal values.
    pub lower: f64,
    /// The high end of the band of normal values.
    pub upper: f64,
    /// How odd the latest values are, as a multiple of the largest normal deviation: 1 and more is anomalous.
    pub score: f64,
    /// Whether too few samples are known for a judgement.
    pub learning: bool,
    /// Whether an anomaly is under way.
    pub anomalous: bool,
    /// The bands of normal values at every 90th of the last 720 snapshots, the oldest first: with the default interval, those
    /// of the last two hours, since the start of the process.
    pub bands: Vec<NormalBand>,
}

/// What was normal for a series at some time. See [`WatchedSeries::bands`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct NormalBand {
    /// The time of the sample, in whole seconds.
    pub at: SystemTime,
    /// The value that was expected: NaN if nothing was.
    pub expected: f64,
    /// The low end of the band of normal values.
    pub lower: f64,
    /// The high end of the band of normal values.
    pub upper: f64,
}

/// `value`, `rate`, `share`, or a quantile such as `p95`.
impl fmt::Display for WatchedFigure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value => f.write_str("value"),
            Self::Rate => f.write_str("rate"),
            // Without the digits of a product such as 99.9 that is not exact.
            Self::Quantile(rank) => write!(f, "p{}", (rank * 1e5).round() / 1e3),
            Self::Share => f.write_str("share"),
        }
    }
}

impl AnomalyState {
    /// Returns the name: `began`, `back`, `settled`, `gone` or `rejudged`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Began => "began",
            Self::Back => "back",
            Self::Settled => "settled",
            Self::Gone => "gone",
            Self::Rejudged => "rejudged",
        }
    }
}

impl Anomaly {
    /// Returns how long it has lasted: until its end, or until `now`.
    pub fn duration(&self, now: SystemTime) -> Duration {
        let end = self.until.unwrap_or(now);
        end.duration_since(self.since).unwrap_or_default()
    }

    /// Whether it was under way at any time from `start` to `end`.
    pub(super) fn overlaps(&self, start: SystemTime, end: SystemTime) -> bool {
        self.since <= end && self.until.is_none_or(|until| until >= start)
    }
}
