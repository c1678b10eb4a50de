//! Detection of unusual values: detectors, the anomalies that they find, and hooks that are called for each anomaly.
//!
//! With the feature `history`, the monitor judges each [snapshot](crate::history) of its metrics. It learns what is normal
//! for each series, also at each hour of the day and of the week, and calls the hooks given to
//! [`Monitor::on_anomaly`](crate::Monitor) if a series is not as usual. Nothing has to be configured, and no threshold is
//! set.
//!
//! ```
//! # #[cfg(feature = "history")]
//! # fn main() -> watchpost::Result<()> {
//! let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
//! let subscription = monitor.on_anomaly(|anomaly| println!("{}", anomaly.sentence));
//!
//! // A metric of the service, in addition to the series that are watched by default.
//! monitor.watch("orders_total{shop=\"north\"}")?.minimum_share(0.5);
//! # drop(subscription);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "history"))]
//! # fn main() {}
//! ```
//!
//! It prints sentences such as:
//!
//! ```text
//! p95 of GET /api/content is 1.9 s, usually 0.2 to 0.4 s at this hour
//! p95 of GET /api/content is back to 0.3 s after 12 min
//! ```
//!
//! Nothing is reported during the first 64 snapshots, which are eleven minutes by default.
//!
//! An anomaly is unusual, which need not be wrong: a campaign, a deployment and an outage look alike. It is worth a line in a
//! log or a mark in a chart, but no call at night.
//!
//! # Watching series
//!
//! These series are watched by default, unless `anomaly.default_series` is `false`:
//!
//! | series | of | reported |
//! |---|---|---|
//! | request rate | all requests, and each route and method | a change of a fifth |
//! | error rate | all requests, and each route and method | a rise of one percent of the requests |
//! | p95 of the response time | all requests | a rise of a fifth and 5 ms |
//! | p95 of the time to headers | each route and method | a rise of a fifth and 5 ms |
//! | p95 of queries | each summary of statements | a rise of a fifth and 2 ms |
//! | failure rate of queries | each summary of statements | a rise of one percent of the queries |
//! | p95 of calls | each service that is called | a rise of a fifth and 5 ms |
//! | failure rate of calls | each service that is called | a rise of one percent of the calls |
//! | connections in use, as a share of the maximum | each pool | a rise of a tenth of the pool |
//! | requests that wait for a connection | each pool | a rise of two |
//! | tasks in the runtime's global queue | each [watched runtime](crate::metrics::Metrics::watch_runtime) | a rise of ten |
//! | resident memory | the process | a rise of a tenth |
//! | CPU use | the process | a rise of five percent of the CPUs |
//! | log errors | events and captured errors with level `ERROR`; not if `log.recent_bytes` is 0 | a rise of a fifth |
//!
//! The last column is the least effect: a smaller deviation from the expected value is not reported, however rare it is. Of
//! routes, summaries, services and pools, the 50 busiest are watched.
//!
//! `Monitor::watch` and the method `watch` of counters, gauges and histograms add series of the host. The value they return
//! sets the direction, the least effect, the sensitivity and the detector.
//!
//! At most `anomaly.max_series` series are watched, 2,000 by default. The gauge `watchpost_anomaly_series` has the number of
//! series that are watched, and of those for which there is no room. A watched series takes 1.5 KiB of memory: 1 KiB for the
//! detector, and the rest for its place among the others, its last sample and the bands of the last two hours.
//!
//! # Hooks
//!
//! A hook is called with an `Anomaly` when one begins, and again when it ends. It has the series and its labels, the value,
//! the expected value and the band of normal values, how odd it is, what is odd, since when, the IDs of traces with such
//! values, and a sentence.
//!
//! Hooks are called on a thread of the monitor, never on that of a request. A report is queued until the hooks before it
//! have returned; at most 1,024 wait. A panic is caught, and a hook that panics five times in a row is not called again.
//! `watchpost_anomaly_reports_total`, `_delivered_total`, `_disabled_total`, `_dropped_total` and
//! `watchpost_anomaly_hook_panics_total` count them.
//!
//! `watchpost_anomalies_total` counts the anomalies that began, and `watchpost_anomalies_open` has those that are under way,
//! so that an alert on them is possible.
//!
//! # What else was odd
//!
//! Anomalies that begin at most five minutes after one another form an episode; `Monitor::episodes` has them with their
//! members, the oddest first. `Monitor::odd_at` and `Monitor::odd_between` rank what was odd at some time: the last 500
//! anomalies, and before those what has a flag in the [history](crate::history), whose points say whether they contain an
//! anomaly. `Monitor::watched_series` has the last value of each series, the band of what was normal, and the
//! bands of the last two hours for a chart.
//!
//! # Restarts
//!
//! With a [data directory](crate::MonitorBuilder::data_dir), what was learned and the last 500 anomalies are stored in the
//! file `anomalies`, every five minutes and at the shutdown: about 1 KiB for each series, which counts in `history.max_bytes`.
//!
//! The next process goes on with them, also with an anomaly that was under way; if its series does not return within 360
//! snapshots, it ends as `Gone`. A series without samples for more than a week is learned again, and
//! `WatchedSeries::learning` says so. A file that a newer version has written in another format is left as it is.
//!
//! # Detectors
//!
//! A `Detector` judges the samples of one series, one after the other. `AdaptiveDetector` is the default one; `ThreeSigma` is
//! the textbook rule. Both are state machines without I/O, threads or clocks of their own, and both take any step between
//! samples. A host can bring its own, and give it to `Watch::detector`.
//!
//! ```
//! # #[cfg(feature = "history")] {
//! use std::time::{Duration, SystemTime};
//! use watchpost::anomaly::{
//!     AdaptiveDetector, AnomalyChange, Detector, DetectorConfig, Measure, Observation,
//! };
//!
//! let step = Duration::from_secs(10);
//! let config = DetectorConfig::new(Measure::Count, step).false_alarms(3.0);
//! let mut detector = AdaptiveDetector::new(config);
//! let mut time = SystemTime::UNIX_EPOCH;
//! let mut found = Vec::new();
//! for n in 0..21_000 {
//!     // A handful of requests in each step; from sample 20,000 on, none.
//!     let requests = if n < 20_000 { f64::from(3 + n % 4) } else { 0.0 };
//!     time += step;
//!     let assessment = detector.observe(&Observation::new(time, requests));
//!     if let Some(AnomalyChange::Began(onset)) = assessment.change {
//!         found.push((n, format!("{:?}", onset.kind)));
//!     }
//! }
//! assert_eq!(found.len(), 1);
//! assert!(found[0].0 < 20_030 && found[0].1 == "Silence");
//! # }
//! ```
//!
//! # What is expected
//!
//! `AdaptiveDetector` has three expectations of the next value: the level of the series, which it follows within about an
//! hour (400 samples); the level and what is usual at this hour of the day; and the level and what is usual at this hour of
//! the week. It uses the one that has predicted best: the second after two days at the earliest, the third after two weeks.
//! Hours are those of UTC.
//!
//! How values are compared depends on the `Measure`: gauges by differences, latencies by factors, counts and ratios by
//! how likely the count is. The unit of a deviation is the mean deviation of the series, which is learned. For a gauge it is
//! at least one percent of the level and twice the smallest step between values, for a latency at least one percent.
//!
//! # What is anomalous
//!
//! The detector watches five deviations:
//!
//! - the latest value;
//! - the latest value given the one before, but not of counts;
//! - the mean of the last twelve values or so;
//! - the mean of the last fifty or so, of counts that of the last 24 to 360: the rarer the events, the more;
//! - how much the values vary, of counts beyond what chance explains.
//!
//! For each of them, in both directions, it counts how large the excursions get, and sets the limit where as many of them
//! happen as false alarms are allowed. So the limits fit heavy tails, bursts and rare events without an assumption about
//! their distribution.
//!
//! The band of normal values is that of the latest value by itself. A jump, or values that stay away from the expected one,
//! can be odd within it.
//!
//! `anomaly.false_alarms` is the one knob: how many false alarms are accepted of a series in 30 days. On series without
//! anomalies there are about half as many. A series that had five alarms more than it should have gets higher limits, so that
//! a series that never becomes predictable does not raise alarms for ever.
//!
//! | kind | what was found |
//! |---|---|
//! | `Spike` | a value, or its change, is out of the ordinary |
//! | `Shift` | the means of the latest values are: a shift, a ramp, a missing season |
//! | `Variance` | the values vary more or less than usual |
//! | `Silence` | the values are lower than usual, and zero |
//!
//! # When an anomaly ends
//!
//! An anomaly ends after 50 normal samples in a row. Then it is either `Back` or has
//! `Settled`: the level follows the values, so a new level becomes the normal one after some hours
//! at most. Until the end, no other anomaly of the series is reported.
//!
//! It also ends if it cannot be followed any more: as `Gone` if the series has no values for 360 snapshots, makes room for a
//! busier one, or is not watched any more, and as `Rejudged` if the host changes how the series is judged.
//!
//! # Gaps, restarts and wrong clocks
//!
//! Values that are not finite, negative counts and ratios of no events are left out. After a gap of more than 50 steps, or if
//! the clock was set back, the detector goes on with what it knows of the series, but not with its latest values. After a
//! week without samples it learns anew. A single sample with a wrong time is left out.
//!
//! `Detector::encode` and `Detector::restore` carry what was learned over a restart, in 854 bytes. The format has a
//! version, and later versions read this one.
//!
//! # What it does not find
//!
//! A spike within the range of a series' own bursts; a slow ramp of a series that wanders anyway; the first weekend, which
//! it does not know yet; anything during the first 64 samples. During the first day, limits are wide.
//!
//! # Cost
//!
//! Requests pay nothing: series are judged when a snapshot is taken. A detector has 1 KiB of memory and allocates nothing. A
//! sample takes 1,020 instructions for a gauge and 1,330 for a count. That is 103 to 117 ns if the detector is in the cache,
//! and 150 to 190 ns while other processes use the machine (two shared cores; three standard deviations take 22 ns). Two
//! thousand series take less than 1 ms of a snapshot.

mod config;
#[cfg(feature = "history")]
mod enabled;

pub use self::config::AnomalyConfig;
#[cfg(feature = "history")]
pub use self::enabled::{
    AdaptiveDetector, Anomaly, AnomalyChange, AnomalyEpisode, AnomalyKind, AnomalyState,
    Assessment, Detector, DetectorConfig, Direction, Measure, NormalBand, Observation, OddSeries,
    Onset, ThreeSigma, Watch, WatchedFigure, WatchedSeries,
};

#[cfg(feature = "dashboard")]
pub(crate) use self::enabled::SeriesBands;
#[cfg(feature = "history")]
pub(crate) use self::enabled::{AnomalyStore, AnomalyWatcher};
