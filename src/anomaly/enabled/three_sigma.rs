use std::time::Duration;

use super::course::{Course, Turn};
use super::detector::{AnomalyChange, AnomalyKind, Assessment, Detector, Observation, Onset};
use super::pace::{Follows, Pace};
use super::week_time::WeekTime;

/// Samples before anything is reported.
const WARM_UP: u32 = 64;
/// The least deviation that counts as one: one percent of the mean.
const FLOOR: f64 = 0.01;
const LEAST_FLOOR: f64 = 1e-9;
const VERSION: u8 = 1;

/// Three standard deviations from the mean of the last day: the textbook rule, for comparison and for series that are
/// known to be normally distributed.
///
/// A sample is not part of the mean that it is compared with, nothing is reported during the first 64 samples, and a
/// deviation is at least one percent of the mean. An anomaly is reported once, and ends after 50 normal samples.
///
/// Of normally distributed values, 0.27 % are farther away: that is 23 a day with a step of ten seconds. Latencies have
/// 150 a day. [`AdaptiveDetector`](super::AdaptiveDetector) has 0.1 or less.
#[derive(Debug, Clone)]
pub struct ThreeSigma {
    /// Seconds.
    step: f64,
    sigmas: f64,
    /// Samples in the mean.
    memory: f64,
    n: u32,
    mean: f64,
    variance: f64,
    pace: Pace,
    course: Course,
}

impl ThreeSigma {
    /// The default number of standard deviations: 3.
    pub const DEFAULT_SIGMAS: f64 = 3.0;

    /// Creates a detector for a series with a sample every `step`.
    pub fn new(step: Duration) -> Self {
        let step = step.as_secs_f64().clamp(0.001, 86_400.0);
        Self {
            step,
            sigmas: Self::DEFAULT_SIGMAS,
            memory: (86_400.0 / step).max(f64::from(WARM_UP)),
            n: 0,
            mean: 0.0,
            variance: 0.0,
            pace: Pace::new(),
            course: Course::new(),
        }
    }

    /// Sets the number of standard deviations that are normal, at least 1. Default: 3.
    #[must_use]
    pub fn sigmas(mut self, sigmas: f64) -> Self {
        self.sigmas = if sigmas.is_finite() {
            sigmas.max(1.0)
        } else {
            Self::DEFAULT_SIGMAS
        };
        self
    }

    fn learn(&mut self, value: f64) {
        self.n = self.n.saturating_add(1);
        let rate = f64::from(self.n).min(self.memory).recip();
        let difference = value - self.mean;
        self.mean += rate * difference;
        self.variance += rate * (difference * (value - self.mean) - self.variance);
    }
}

impl Detector for ThreeSigma {
    fn observe(&mut self, observation: &Observation) -> Assessment {
        let value = observation.value / observation.of;
        let seconds = observation.seconds();
        let follows = if value.is_finite() {
            self.pace.follow(seconds, self.step)
        } else {
            Follows::Unconfirmed
        };
        let mut change = None;
        if follows == Follows::Unconfirmed {
            let learning = self.n <= WARM_UP;
            return Assessment {
                learning,
                anomalous: self.course.is_open(),
                ..Assessment::unknown()
            };
        }
        if follows == Follows::AfterLongGap {
            change = self.course.is_open().then_some(AnomalyChange::Settled);
            (self.n, self.mean, self.variance, self.course) = (0, 0.0, 0.0, Course::new());
        }
        let learning = self.n < WARM_UP;
        let value = value.clamp(-1e150, 1e150);
        let expected = self.mean;
        let deviation = self
            .variance
            .sqrt()
            .max(FLOOR * expected.abs())
            .max(LEAST_FLOOR);
        let limit = self.sigmas * deviation;
        let score = if learning {
            0.0
        } else {
            (value - expected).abs() / limit
        };
        self.learn(value);
        match self
            .course
            .step(score > 1.0, expected as f32, value as f32, deviation as f32)
        {
            Turn::None => {}
            Turn::Back => change = Some(AnomalyChange::Back),
            Turn::Settled => change = Some(AnomalyChange::Settled),
            Turn::Began => {
                change = Some(AnomalyChange::Began(Onset {
                    kind: AnomalyKind::Spike,
                    upward: value > expected,
                    since: observation.time,
                    hour_of_week: WeekTime::at(seconds).hour,
                }));
            }
        }
        Assessment {
            expected: if self.n > 1 { expected } else { f64::NAN },
            lower: if learning {
                f64::NEG_INFINITY
            } else {
                expected - limit
            },
            upper: if learning {
                f64::INFINITY
            } else {
                expected + limit
            },
            score,
            learning,
            anomalous: self.course.is_open(),
            change,
        }
    }

    fn encode(&self, state: &mut Vec<u8>) {
        state.push(VERSION);
        state.push(self.course.left as u8);
        state.extend(self.n.to_le_bytes());
        for number in [self.mean, self.variance, self.pace.last] {
            state.extend(number.to_le_bytes());
        }
        for number in [self.course.before, self.course.farthest] {
            state.extend(number.to_le_bytes());
        }
    }

    fn restore(&mut self, state: &[u8]) -> bool {
        let Some(([VERSION, left], rest)) = state.split_first_chunk() else {
            return false;
        };
        let Some((n, rest)) = rest.split_first_chunk() else {
            return false;
        };
        let Some((numbers, rest)) = rest.split_first_chunk::<24>() else {
            return false;
        };
        let Some((course, [])) = rest.split_first_chunk::<8>() else {
            return false;
        };
        let (numbers, _) = numbers.as_chunks::<8>();
        let (course, _) = course.as_chunks::<4>();
        let (&[mean, variance, last], &[before, farthest]) = (numbers, course) else {
            return false;
        };
        let [mean, variance, last] = [mean, variance, last].map(f64::from_le_bytes);
        let [before, farthest] = [before, farthest].map(f32::from_le_bytes);
        let numbers = [mean, last, f64::from(before), f64::from(farthest)];
        if !numbers.iter().all(|number| number.is_finite()) || !(0.0..=f64::MAX).contains(&variance)
        {
            return false;
        }
        self.n = u32::from_le_bytes(*n);
        (self.mean, self.variance) = (mean, variance);
        self.pace = Pace::at(last);
        self.course = Course {
            left: u16::from(*left).min(super::course::CALM),
            age: 0,
            before,
            farthest,
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    const STEP: Duration = Duration::from_secs(10);

    fn observe(detector: &mut ThreeSigma, time: &mut SystemTime, value: f64) -> Assessment {
        *time += STEP;
        detector.observe(&Observation::new(*time, value))
    }

    #[test]
    fn a_value_is_not_part_of_its_own_mean() {
        let (mut detector, mut time) = (ThreeSigma::new(STEP), UNIX_EPOCH);
        for n in 0..64 {
            assert!(observe(&mut detector, &mut time, f64::from(n % 5)).learning);
        }
        let assessment = observe(&mut detector, &mut time, 1000.0);
        assert!(assessment.anomalous && assessment.score > 100.0);
        assert!((assessment.expected - 2.0).abs() < 0.1);
        let ends = (0..60)
            .filter_map(|n| observe(&mut detector, &mut time, f64::from(n % 5)).change)
            .collect::<Vec<_>>();
        assert_eq!(ends, [AnomalyChange::Back]);
    }

    #[test]
    fn a_constant_series_has_a_floor() {
        let (mut detector, mut time) = (ThreeSigma::new(STEP), UNIX_EPOCH);
        for _ in 0..100 {
            observe(&mut detector, &mut time, 50.0);
        }
        assert!(!observe(&mut detector, &mut time, 51.0).anomalous);
        assert!(!observe(&mut detector, &mut time, f64::NAN).anomalous);
        assert!(observe(&mut detector, &mut time, 60.0).anomalous);
    }

    #[test]
    fn the_state_is_restored() {
        let (mut detector, mut time) = (ThreeSigma::new(STEP).sigmas(4.0), UNIX_EPOCH);
        for n in 0..200 {
            observe(&mut detector, &mut time, f64::from(n % 5));
        }
        let mut state = Vec::new();
        detector.encode(&mut state);
        let mut restored = ThreeSigma::new(STEP).sigmas(4.0);
        assert!(restored.restore(&state));
        let mut later = time;
        let (left, right) = (
            observe(&mut detector, &mut time, 3.0),
            observe(&mut restored, &mut later, 3.0),
        );
        assert_eq!(left, right);
        assert!(!restored.restore(&state[1..]));
        state[0] = 9;
        assert!(!restored.restore(&state));
    }
}
