//! One watched series: its detector, and the anomaly that is under way.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::anomaly::{AnomalyState, NormalBand, WatchedFigure, WatchedSeries};
use super::rules::{Quantity, WatchRule};
use super::sentence::ValueUnit;
use super::watch::describe;
use crate::anomaly::{AdaptiveDetector, AnomalyChange, Assessment, Detector, Observation, Onset};
use crate::metrics::label_pairs;
use crate::model::{catch_panic, lock, lock_for_status};

/// The least number of steps from one report of a series to the next. The detectors of this crate keep it by themselves.
const QUIET_STEPS: u64 = 50;
/// The time after which the default detector knows the hours of the day.
const HOURS_KNOWN: Duration = Duration::from_secs(2 * 86_400);
/// The bands that are kept of a series, and the samples from one to the next: two hours of samples every ten seconds. Bands
/// move slowly: a level has a memory of 400 samples, so that four or five bands describe its way.
const MAX_BANDS: usize = 8;
const BAND_EVERY: u32 = 90;
/// The maximum size of the state of a detector.
pub(super) const MAX_STATE: usize = 1024;

/// The key of a group over restarts: the name of its rule and its labels.
pub(super) type GroupKey = (String, Arc<str>);

/// What a watched series is, and what readers see of it. Its names are made when they are needed, since there are many
/// series and few reports.
#[derive(Debug)]
pub(super) struct SeriesIdentity {
    pub(super) rule: Arc<WatchRule>,
    /// The labels of the group, in canonical form.
    pub(super) labels_text: Arc<str>,
    pub(super) quantity: Quantity,
    /// No code of the host runs under this lock.
    latest: Mutex<LatestReading>,
}

/// What is known after the last sample, and what was normal before it.
#[derive(Debug, Default)]
struct LatestReading {
    reading: Option<Reading>,
    /// The oldest first.
    bands: Vec<PastBand>,
    /// The samples since the last of them.
    since: u32,
}

/// A band of the last hours.
#[derive(Debug, Clone, Copy)]
struct PastBand {
    /// Seconds since the Unix epoch.
    at: u32,
    expected: f32,
    lower: f32,
    upper: f32,
}

/// What is known after a sample. The values are in the unit of reports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// Milliseconds since the Unix epoch.
    pub(super) at: i64,
    pub(super) value: f64,
    pub(super) expected: f64,
    pub(super) lower: f64,
    pub(super) upper: f64,
    pub(super) score: f64,
    pub(super) learning: bool,
    pub(super) anomalous: bool,
    /// Whether the band is that of the hour.
    pub(super) knows_hours: bool,
}

/// What is reported of a series.
#[derive(Debug, Clone, Copy)]
pub(super) enum SeriesChange {
    Began(Onset),
    /// The anomaly with this number has ended.
    Ended(u64, AnomalyState),
    /// The anomaly with this number is odder than before.
    Rose(u64, f64),
}

/// A watched series.
pub(super) struct WatchedState {
    /// `None` if it panicked.
    detector: Option<Box<dyn Detector>>,
    pub(super) samples: u32,
    pub(super) open: Option<OpenAnomaly>,
    /// The step before which no anomaly is reported.
    quiet_until: u64,
}

/// The anomaly that is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenAnomaly {
    /// 0 until it is known.
    pub(super) number: u64,
    /// Its highest score.
    pub(super) score: f64,
}

/// The state of a series of an earlier process, or of one that had no values for some time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StoredState {
    pub(super) samples: u32,
    /// The number of the anomaly that is under way; 0 if none is.
    pub(super) open: u64,
    /// The time of the last sample, in milliseconds since the Unix epoch.
    pub(super) at: i64,
    pub(super) detector: Vec<u8>,
}

impl SeriesIdentity {
    pub(super) fn new(rule: &Arc<WatchRule>, labels: &Arc<str>, quantity: Quantity) -> Self {
        Self {
            rule: Arc::clone(rule),
            labels_text: Arc::clone(labels),
            quantity,
            latest: Mutex::default(),
        }
    }

    /// The key over restarts.
    pub(super) fn key(&self) -> GroupKey {
        (self.rule.name.clone(), Arc::clone(&self.labels_text))
    }

    /// The exposed name of the metric.
    pub(super) fn metric(&self) -> &str {
        self.rule.metric()
    }

    pub(super) fn labels(&self) -> Vec<(String, String)> {
        let labels = label_pairs(&self.labels_text);
        labels
            .map(|(label, value)| (label.to_owned(), value))
            .collect()
    }

    /// The series in words.
    pub(super) fn name(&self) -> String {
        let labels: Vec<_> = label_pairs(&self.labels_text).collect();
        if self.rule.by.is_some() {
            let label = |wanted: &str| {
                let found = labels.iter().find(|(label, _)| *label == wanted);
                found.map_or_else(String::new, |(_, value)| value.clone())
            };
            return (self.rule.describe)(&label);
        }
        let name = describe(self.metric(), &labels);
        match self.quantity {
            Quantity::Quantile(_) => format!("{} of {name}", self.figure()),
            _ => name,
        }
    }

    /// The unit of the reported values.
    pub(super) fn unit(&self) -> ValueUnit {
        ValueUnit::of(self.metric(), self.figure())
    }

    /// What is known after the last sample.
    pub(super) fn reading(&self) -> Option<Reading> {
        lock(&self.latest).reading
    }

    fn set_reading(&self, reading: Reading) {
        lock(&self.latest).set(reading);
    }

    /// Forgets what was known, since the series is not watched any more.
    pub(super) fn clear(&self) {
        *lock(&self.latest) = LatestReading::default();
    }

    pub(super) fn figure(&self) -> WatchedFigure {
        self.quantity.figure()
    }

    /// The factor from a value in the unit of the detector to one in the unit of reports.
    fn factor(&self, step: Duration) -> f64 {
        match self.quantity {
            Quantity::Count => 1.0 / step.as_secs_f64(),
            _ => 1.0,
        }
    }

    /// The series as readers get it. `None` before its first sample.
    pub(super) fn watched(&self) -> Option<WatchedSeries> {
        let (reading, bands) = {
            let latest = lock_for_status(&self.latest)?;
            (latest.reading?, latest.bands.clone())
        };
        Some(WatchedSeries {
            metric: self.metric().to_owned(),
            figure: self.figure(),
            labels: self.labels(),
            name: self.name(),
            at: time_of(reading.at),
            value: reading.value,
            expected: reading.expected,
            lower: reading.lower,
            upper: reading.upper,
            score: reading.score,
            learning: reading.learning,
            anomalous: reading.anomalous,
            bands: bands.into_iter().map(PastBand::public).collect(),
        })
    }
}

impl LatestReading {
    fn set(&mut self, reading: Reading) {
        self.since += 1;
        if self.since >= BAND_EVERY && !reading.learning {
            self.since = 0;
            if self.bands.len() >= MAX_BANDS {
                self.bands.remove(0);
            }
            if self.bands.capacity() == 0 {
                self.bands.reserve_exact(MAX_BANDS);
            }
            self.bands.push(PastBand {
                at: u32::try_from(reading.at / 1000).unwrap_or_default(),
                expected: reading.expected as f32,
                lower: reading.lower as f32,
                upper: reading.upper as f32,
            });
        }
        self.reading = Some(reading);
    }
}

impl PastBand {
    fn public(self) -> NormalBand {
        NormalBand {
            at: time_of(i64::from(self.at) * 1000),
            expected: f64::from(self.expected),
            lower: f64::from(self.lower),
            upper: f64::from(self.upper),
        }
    }
}

impl WatchedState {
    /// Begins to watch. A detector of the host that panics in its constructor watches nothing.
    pub(super) fn new(identity: &SeriesIdentity, step: Duration, false_alarms: f64) -> Self {
        let rule = &identity.rule;
        let detector = if let Some(new) = &rule.judgement.detector {
            catch_panic(|| new(step))
        } else {
            let config = rule.detector(identity.quantity, step, false_alarms);
            Some(Box::new(AdaptiveDetector::new(config)) as Box<dyn Detector>)
        };
        Self {
            detector,
            samples: 0,
            open: None,
            quiet_until: 0,
        }
    }

    pub(super) fn has_detector(&self) -> bool {
        self.detector.is_some()
    }

    /// Goes on from a stored state, if it knows more. Returns whether it does.
    pub(super) fn restore(&mut self, stored: &StoredState) -> bool {
        let is_newer = stored.samples > self.samples && self.open.is_none();
        let Some(detector) = self.detector.as_mut().filter(|_| is_newer) else {
            return false;
        };
        if catch_panic(|| detector.restore(&stored.detector)) != Some(true) {
            return false;
        }
        self.samples = stored.samples;
        self.open = (stored.open > 0).then_some(OpenAnomaly {
            number: stored.open,
            score: f64::INFINITY,
        });
        true
    }

    /// What is stored. `None` if there is nothing to go on from.
    pub(super) fn stored(&self, identity: &SeriesIdentity) -> Option<StoredState> {
        let (detector, reading) = (self.detector.as_ref()?, identity.reading()?);
        let mut state = Vec::new();
        catch_panic(|| detector.encode(&mut state))?;
        (!state.is_empty() && state.len() <= MAX_STATE).then_some(StoredState {
            samples: self.samples,
            open: self.open.map_or(0, |open| open.number),
            at: reading.at,
            detector: state,
        })
    }

    /// Judges a sample. `None` if the detector has panicked.
    pub(super) fn observe(
        &mut self,
        identity: &SeriesIdentity,
        step: Duration,
        now: Now,
        (value, of): (f64, f64),
    ) -> Option<(Reading, Option<SeriesChange>)> {
        let at = now.at;
        let time = time_of(at);
        let observation = match identity.quantity {
            Quantity::Ratio => Observation::ratio(time, value, of),
            _ => Observation::new(time, value),
        };
        let detector = self.detector.as_mut()?;
        let Some(assessment) = catch_panic(|| detector.observe(&observation)) else {
            // Its state may be inconsistent, and its drop may panic too.
            let detector = self.detector.take();
            catch_panic(|| drop(detector));
            return None;
        };
        self.samples = self.samples.saturating_add(1);
        let factor = identity.factor(step);
        let is_default = identity.rule.judgement.detector.is_none();
        let watched_for = step.saturating_mul(self.samples);
        let reading = Reading {
            at,
            value: value / of * factor,
            expected: assessment.expected * factor,
            lower: assessment.lower * factor,
            upper: assessment.upper * factor,
            score: assessment.score,
            learning: assessment.learning,
            anomalous: assessment.anomalous,
            knows_hours: is_default && watched_for >= HOURS_KNOWN,
        };
        identity.set_reading(reading);
        Some((reading, self.follow(&assessment, now.step)))
    }

    /// What is to be reported.
    fn follow(&mut self, assessment: &Assessment, step: u64) -> Option<SeriesChange> {
        let Some(open) = &mut self.open else {
            let Some(AnomalyChange::Began(onset)) = assessment.change else {
                return None;
            };
            if step < self.quiet_until {
                return None;
            }
            self.quiet_until = step.saturating_add(QUIET_STEPS);
            self.open = Some(OpenAnomaly {
                number: 0,
                score: assessment.score,
            });
            return Some(SeriesChange::Began(onset));
        };
        let number = open.number;
        let state = match assessment.change {
            Some(AnomalyChange::Back) => AnomalyState::Back,
            Some(AnomalyChange::Settled) => AnomalyState::Settled,
            // A detector whose state was lost does not know that it has reported an anomaly.
            None if !assessment.anomalous => AnomalyState::Back,
            _ => {
                if assessment.score <= open.score {
                    return None;
                }
                open.score = assessment.score;
                return Some(SeriesChange::Rose(number, assessment.score));
            }
        };
        self.open = None;
        Some(SeriesChange::Ended(number, state))
    }
}

/// When a sample is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// Milliseconds since the Unix epoch.
    pub(super) at: i64,
    /// The number of the step in this process, from 1.
    pub(super) step: u64,
}

impl fmt::Debug for WatchedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedState")
            .field("samples", &self.samples)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

/// A time in milliseconds since the Unix epoch.
pub(super) fn time_of(millis: i64) -> SystemTime {
    let since_epoch = Duration::from_millis(millis.unsigned_abs());
    let time = if millis >= 0 {
        UNIX_EPOCH.checked_add(since_epoch)
    } else {
        UNIX_EPOCH.checked_sub(since_epoch)
    };
    time.unwrap_or(UNIX_EPOCH)
}
