//! Detectors of unusual values: what is normal for a series, and which values are not.
//!
//! A [`Detector`] judges the samples of one series, one after the other. [`AdaptiveDetector`] is the default one;
//! [`ThreeSigma`] is the textbook rule. Both are state machines without I/O, threads or clocks of their own, and both take
//! any step between samples. A host can bring its own.
//!
//! ```
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
//! ```
//!
//! # What is expected
//!
//! [`AdaptiveDetector`] follows the level of a series within about an hour (400 samples), learns what is usual at each
//! hour of the day and of the week, and uses whichever of these three predicts best. The season is used after two days, the
//! week after two weeks. Hours are those of UTC.
//!
//! How values are compared depends on the [`Measure`]: gauges by differences, latencies by factors, counts and ratios by
//! how likely the count is. Deviations are measured in the mean deviation of the series, which is learned, and is at least
//! one percent of the level and twice the smallest step between values.
//!
//! # What is anomalous
//!
//! Five deviations are watched: the latest value; the latest value given the one before; the mean of the last twelve; the
//! mean of the last fifty; and how much the values vary. For each of them, in both directions, the detector counts how large
//! its excursions get, and sets the limit where as many of them happen as false alarms are allowed. So the limits fit
//! heavy tails, bursts and rare events without an assumption about their distribution.
//!
//! [`DetectorConfig::false_alarms`] is the one knob: how many false alarms are expected of a series in 30 days. On clean data
//! there are fewer, about 40 % of it. A series that had five alarms more than it should have gets higher limits, so that a
//! series that never becomes predictable does not raise alarms for ever.
//!
//! | kind | what was found |
//! |---|---|
//! | [`Spike`](AnomalyKind::Spike) | a value, or its change, is out of the ordinary |
//! | [`Shift`](AnomalyKind::Shift) | the means of the latest values are: a shift, a ramp, a missing season |
//! | [`Variance`](AnomalyKind::Variance) | the values vary more or less than usual |
//! | [`Silence`](AnomalyKind::Silence) | the values are lower than usual, and zero |
//!
//! # When an anomaly ends
//!
//! An anomaly ends after 50 normal samples in a row. Then it is either [`Back`](AnomalyChange::Back) or has
//! [`Settled`](AnomalyChange::Settled): the level follows the values, so a new level becomes the normal one after some hours
//! at most. Until the end, no other anomaly of the series is reported.
//!
//! # Gaps, restarts and wrong clocks
//!
//! Values that are not finite, negative counts and ratios of no events are left out. After a gap of more than 50 steps, or if
//! the clock was set back, the detector goes on with what it knows of the series, but not with its latest values. After a
//! week without samples it learns anew. A single sample with a wrong time is left out.
//!
//! [`Detector::encode`] and [`Detector::restore`] carry what was learned over a restart, in 854 bytes. The format has a
//! version, and later versions read this one.
//!
//! # What it does not find
//!
//! A spike within the range of a series' own bursts; a slow ramp of a series that wanders anyway; the first weekend, which
//! it does not know yet; anything during the first 64 samples. During the first day, limits are wide.
//!
//! # Cost
//!
//! About 160 ns for each sample and 1 KiB for each series; nothing is allocated.

mod enabled;

pub use self::enabled::{
    AdaptiveDetector, AnomalyChange, AnomalyKind, Assessment, Detector, DetectorConfig, Direction,
    Measure, Observation, Onset, ThreeSigma,
};
