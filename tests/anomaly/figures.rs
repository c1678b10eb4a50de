//! How many false alarms a detector raises, and what it finds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::anomaly::{
    AdaptiveDetector, AnomalyChange, AnomalyKind, Assessment, Detector, DetectorConfig, Observation,
};
use crate::changes::Change;
use crate::shapes::{Generator, Injected, Shape};

const DAY: u32 = 86_400;
/// The step of series with changes, in seconds.
const STEP: u32 = 10;
/// Samples after a change in which it may still be found: half an hour.
const AFTER: u32 = 180;

fn detector(shape: &Shape, knob: f64, step: u32) -> AdaptiveDetector {
    let config = DetectorConfig::new(shape.measure, Duration::from_secs(u64::from(step)));
    AdaptiveDetector::new(config.false_alarms(knob))
}

/// The alarms of one series of a clean shape, for each knob. The detectors see the same samples.
pub(crate) fn quiet(shape: &Shape, knobs: &[f64], seed: u64, days: u32, step: u32) -> Vec<u32> {
    let mut generator = Generator::new(shape, seed, step);
    let mut detectors: Vec<_> = knobs
        .iter()
        .map(|knob| (detector(shape, *knob, step), 0))
        .collect();
    for _ in 0..days * (DAY / step) {
        let time = at(generator.time());
        let observation = Observation::new(time, generator.next(&Injected::default()));
        for (detector, alarms) in &mut detectors {
            if let Some(AnomalyChange::Began(_)) = detector.observe(&observation).change {
                *alarms += 1;
            }
        }
    }
    detectors.into_iter().map(|(_, alarms)| alarms).collect()
}

/// A series with its detector, at the end of a history without changes.
#[derive(Clone)]
pub(crate) struct Watched<'a> {
    shape: &'a Shape,
    generator: Generator,
    detector: AdaptiveDetector,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Found {
    /// Samples from its begin to the report.
    pub(crate) delay: Option<u32>,
    pub(crate) kind: Option<AnomalyKind>,
    /// How the anomaly ended, if that was waited for.
    pub(crate) end: Option<AnomalyChange>,
}

impl<'a> Watched<'a> {
    /// A series with a step of ten seconds. Histories of different seeds end at different times of the day.
    pub(crate) fn new(shape: &'a Shape, knob: f64, seed: u64, days: u32) -> Self {
        let mut watched = Self {
            shape,
            generator: Generator::new(shape, 5000 + seed, STEP),
            detector: detector(shape, knob, STEP),
        };
        for _ in 0..u64::from(days * DAY / STEP) + seed * 811 % 4320 {
            watched.step(&Injected::default());
        }
        watched
    }

    fn step(&mut self, injected: &Injected) -> Assessment {
        let time = at(self.generator.time());
        self.detector
            .observe(&Observation::new(time, self.generator.next(injected)))
    }

    /// Injects a change into a copy of the series.
    pub(crate) fn inject(&self, change: &Change, until_end: bool) -> Found {
        let mut watched = self.clone();
        // False alarms that are under way come to their end first.
        let mut waited = 0;
        while watched.step(&Injected::default()).anomalous && waited < 1000 {
            waited += 1;
        }
        let from_noon =
            |watched: &Self| (watched.generator.time() - 11.0 * 3600.0).rem_euclid(f64::from(DAY));
        while change.at_noon() && from_noon(&watched) > 100.0 {
            watched.step(&Injected::default());
        }
        let mut found = Found::default();
        let last = change.length + if until_end { 5000 } else { AFTER };
        for n in 0..last {
            match watched.step(&change.injected(n, self.shape)).change {
                Some(AnomalyChange::Began(onset))
                    if found.delay.is_none() && n < change.length + AFTER =>
                {
                    (found.delay, found.kind) = (Some(n), Some(onset.kind));
                }
                Some(end @ (AnomalyChange::Back | AnomalyChange::Settled))
                    if found.delay.is_some() =>
                {
                    found.end = Some(end);
                    break;
                }
                _ => {}
            }
            if found.delay.is_some() && !until_end {
                break;
            }
        }
        found
    }
}

/// The median of the delays of what was found.
pub(crate) fn median_delay(found: &[Found]) -> Option<u32> {
    let mut delays: Vec<_> = found.iter().filter_map(|found| found.delay).collect();
    delays.sort_unstable();
    delays.get(delays.len() / 2).copied()
}

pub(crate) fn hits(found: &[Found]) -> usize {
    found.iter().filter(|found| found.delay.is_some()).count()
}

pub(crate) fn at(seconds: f64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs_f64(seconds)
}
