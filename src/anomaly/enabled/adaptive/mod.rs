//! The default detector.

mod channels;
mod count;
mod gauge;
mod levels;
mod season;
mod selection;
mod state;
mod tail;

use std::fmt;

use self::channels::{
    CHANNELS, COUNT_FACTOR, Deviations, LONG_MEAN, MEAN, RESIDUAL, SHARES, VARIATION, When,
};
use self::count::band;
use self::gauge::{GAUGE, LOGARITHM};
use self::levels::Speed;
use self::selection::Selection;
use self::state::{CREDIT, State};
use self::tail::{ASSUMED_SAMPLES, Tail};
use super::config::{DetectorConfig, Measure};
use super::course::Turn;
use super::detector::{
    AnomalyChange, AnomalyKind, Assessment, Detector, Observation, Onset, before,
};
use super::pace::Follows;
use super::week_time::WeekTime;

/// Samples before anything is reported.
const WARM_UP: u32 = 64;
const DAY_SECONDS: f32 = 86_400.0;
const MONTH_SECONDS: f64 = 30.0 * 86_400.0;
/// The highest rate of alarms, by sample, for series with long steps.
const MAX_RATE: f64 = 0.005;
/// Samples after which the counts of the tails are halved: 23 days with a step of ten seconds.
const TAIL_MEMORY: f32 = 200_000.0;
/// The rate at which a series earns credit for alarms, as a share of the configured rate, and the most debts it can have.
const EARNED: f32 = 0.7;
const MAX_DEBT: f32 = 15.0;
/// How much each alarm that a series is in debt lowers the rate for which the limits are set, as a power of ten.
const DEBT: f32 = 0.1;
/// Every so many samples, the limit of each tail is set anew; more often for young series.
const TURN: u32 = 64;
const YOUNG_TURN: u32 = 16;
const YOUNG: u32 = 4096;
/// The longest time between the begin of a shift and its report, in samples.
const MAX_DELAY: u32 = 400;
/// Values beyond this count as this, so that squares of them are finite.
const MAX_VALUE: f64 = 1e18;
/// The least number of all events in a step.
const LEAST_OF: f64 = 1e-6;
/// The least latency: the logarithm of zero is infinite.
const LEAST_LATENCY: f64 = 1e-9;

/// The default detector. It learns the level of a series, what is usual at each hour of the day and of the week, and how
/// far the values stray from that.
///
/// A sample takes [about 110 ns](crate::anomaly#cost) and allocates nothing. A detector has less than 1 KiB, and so has its
/// encoded state.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use watchpost::anomaly::{AdaptiveDetector, Detector, DetectorConfig, Measure, Observation};
///
/// let step = Duration::from_secs(10);
/// let mut detector = AdaptiveDetector::new(DetectorConfig::new(Measure::Gauge, step));
/// let mut time = SystemTime::UNIX_EPOCH;
/// for n in 0..1000 {
///     let assessment = detector.observe(&Observation::new(time, f64::from(40 + n % 3)));
///     assert!(!assessment.anomalous);
///     time += step;
/// }
/// let assessment = detector.observe(&Observation::new(time, 400.0));
/// assert!(assessment.anomalous && assessment.score > 1.0);
/// assert_eq!(assessment.expected.round(), 41.0);
/// ```
#[derive(Clone)]
pub struct AdaptiveDetector {
    measure: Measure,
    /// The step in seconds.
    step: f32,
    /// The allowed rate of false alarms, by sample.
    rate: f32,
    selection: Selection,
    /// How fast the slow levels learn.
    bases: [f32; 2],
    state: State,
}

/// The largest deviation that may be reported.
#[derive(Debug, Clone, Copy)]
struct Worst {
    score: f32,
    channel: usize,
    upward: bool,
}

impl Worst {
    /// A variation that is the sign of a shift or of a single value is reported as that.
    fn named(self, deviations: &Deviations) -> Self {
        if self.channel != VARIATION || !self.upward || deviations.variation_cause == VARIATION {
            return self;
        }
        Self {
            channel: deviations.variation_cause,
            upward: deviations.differences[MEAN] > 0.0,
            ..self
        }
    }
}

impl AdaptiveDetector {
    /// Creates a detector that knows nothing about the series yet. It reports nothing during the first 64 samples.
    ///
    /// Numbers of `config` that are not finite or out of range are replaced by the nearest that are in range, or by the
    /// default.
    pub fn new(config: DetectorConfig) -> Self {
        let step = config.step.as_secs_f64().clamp(0.001, 86_400.0);
        let false_alarms = if config.false_alarms.is_finite() {
            config.false_alarms.clamp(0.01, 1000.0)
        } else {
            DetectorConfig::DEFAULT_FALSE_ALARMS
        };
        Self {
            measure: config.measure,
            step: step as f32,
            rate: (false_alarms * step / MONTH_SECONDS).min(MAX_RATE) as f32,
            selection: Selection::new(&config),
            bases: Speed::bases(step as f32),
            state: State::new(),
        }
    }

    /// Compares the sample with what is known, and learns its value.
    fn deviations(&mut self, value: f64, of: f64, time: WeekTime) -> Deviations {
        let State { n, channels, .. } = &mut self.state;
        let n = *n as f32;
        let when = When {
            time,
            n,
            days: n * self.step * (1.0 / DAY_SECONDS),
            bases: self.bases,
        };
        let value = value.clamp(-MAX_VALUE, MAX_VALUE);
        match self.measure {
            Measure::Gauge => channels.gauge(value as f32, &when, GAUGE),
            Measure::Latency => {
                let logarithm = value.max(LEAST_LATENCY).ln() as f32;
                channels.gauge(logarithm, &when, LOGARITHM)
            }
            Measure::Count => channels.count(value as f32, 1.0, &when),
            Measure::Ratio => {
                channels.count(value as f32, of.clamp(LEAST_OF, MAX_VALUE) as f32, &when)
            }
        }
    }

    /// Compares the deviations with the limits, and learns them.
    fn judge(&mut self, deviations: &Deviations) -> Worst {
        let mut worst = Worst {
            score: 0.0,
            channel: RESIDUAL,
            upward: true,
        };
        let now = self.state.n as u16;
        let known = self.state.n > WARM_UP;
        for (channel, (deviation, sides)) in deviations
            .scores
            .into_iter()
            .zip(&mut self.state.tails)
            .enumerate()
        {
            let upward = deviation > 0.0;
            let [above, below] = sides;
            let tail = if upward { above } else { below };
            let score = deviation.abs() / tail.limit;
            if known {
                tail.learn(deviation.abs(), now);
            }
            if score > worst.score && self.selection.contains(channel, upward, deviations) {
                worst = Worst {
                    score,
                    channel,
                    upward,
                };
            }
        }
        if !known {
            // The scales and means are still on their way from nothing to the right size.
            return Worst {
                score: 0.0,
                ..worst
            };
        }
        self.state.total += 1.0;
        if self.state.total > TAIL_MEMORY {
            self.state.total /= 2.0;
            self.state
                .tails
                .as_flattened_mut()
                .iter_mut()
                .for_each(Tail::forget);
        }
        let turns = if self.state.n < YOUNG {
            YOUNG_TURN
        } else {
            TURN
        };
        if !self.state.course.is_young() {
            self.settle((self.state.n % turns) as usize);
        }
        worst
    }

    /// Sets the limit of one tail: 0 to 9.
    fn settle(&mut self, index: usize) {
        let allowed = self.allowed(index / 2);
        let (samples, now) = (self.state.total, self.state.n as u16);
        if let Some(tail) = self.state.tails.as_flattened_mut().get_mut(index) {
            tail.settle(allowed, samples, now);
        }
    }

    /// The alarms that are allowed for one side of a channel, in as many samples as its tail has counted.
    fn allowed(&self, channel: usize) -> f32 {
        let share = SHARES.get(channel).copied().unwrap_or_default();
        let factor = match self.measure {
            Measure::Gauge | Measure::Latency => 1.0,
            Measure::Count | Measure::Ratio => COUNT_FACTOR,
        };
        let debt = if self.state.credit < 0.0 {
            10.0_f32.powf(DEBT * self.state.credit)
        } else {
            1.0
        };
        self.rate * share * factor * debt * (self.state.total + ASSUMED_SAMPLES)
    }

    /// Follows the begin and end of anomalies.
    fn follow(&mut self, worst: Worst, deviations: &Deviations) -> Turn {
        let State {
            course,
            varied,
            credit,
            n,
            turned,
            channels,
            ..
        } = &mut self.state;
        let upward = deviations.scores[MEAN] > 0.0;
        let was_upward = *turned % 2 == 1;
        if upward != was_upward {
            // The last bit is the side.
            *turned = *n & !1 | u32::from(upward);
        }
        *credit = (*credit + EARNED * self.rate).min(CREDIT);
        if !course.is_open() {
            *varied = worst.channel == VARIATION;
        }
        let (normal, recent, noise) = if *varied {
            (
                deviations.usual_variation,
                deviations.variation,
                deviations.variation_noise,
            )
        } else {
            (deviations.level, deviations.recent, deviations.noise)
        };
        let turn = course.step(worst.score >= 1.0, normal, recent, noise);
        if turn == Turn::Back && !*varied {
            // The anomaly has moved the level, which would make the usual values look like another one.
            channels.levels.move_by(course.before - normal);
        }
        if turn == Turn::Began {
            *credit = (*credit - 1.0).max(-MAX_DEBT);
        }
        turn
    }

    fn onset(
        &self,
        worst: Worst,
        deviations: &Deviations,
        observation: &Observation,
        time: WeekTime,
    ) -> Onset {
        let zero = observation.value == 0.0
            && deviations.expected > 0.0
            && self.measure != Measure::Latency;
        let kind = match worst.channel {
            VARIATION => AnomalyKind::Variance,
            _ if zero && !worst.upward => AnomalyKind::Silence,
            MEAN | LONG_MEAN => AnomalyKind::Shift,
            _ => AnomalyKind::Spike,
        };
        let delay = match worst.channel {
            MEAN | LONG_MEAN => self
                .state
                .n
                .saturating_sub(self.state.turned)
                .min(MAX_DELAY),
            _ => 0,
        };
        Onset {
            kind,
            upward: worst.upward,
            since: before(observation.time, f64::from(delay) * f64::from(self.step)),
            hour_of_week: time.hour,
        }
    }

    /// What was expected, and the ends of the band.
    fn band(&self, deviations: &Deviations, of: f64) -> (f64, f64, f64) {
        let [upper, lower] = &self.state.tails[RESIDUAL];
        let (lower, upper) = (
            lower.limit * deviations.scale,
            upper.limit * deviations.scale,
        );
        let expected = deviations.expected;
        let ends = |expected: f32, lower: f32, upper: f32| {
            (f64::from(expected), f64::from(lower), f64::from(upper))
        };
        match self.measure {
            Measure::Gauge => ends(expected, expected - lower, expected + upper),
            Measure::Latency => latency_band(expected, lower, upper),
            Measure::Count => {
                let (low, high) = band(expected, lower, upper);
                ends(expected, low, high)
            }
            Measure::Ratio => {
                let of = of.clamp(LEAST_OF, MAX_VALUE) as f32;
                let (low, high) = band(expected * of, lower, upper);
                ends(expected, low / of, high / of)
            }
        }
    }

    fn code(&self) -> u8 {
        match self.measure {
            Measure::Gauge => 0,
            Measure::Latency => 1,
            Measure::Count => 2,
            Measure::Ratio => 3,
        }
    }
}

/// A function of its own, so that the exponentials are not computed in advance for other measures.
#[inline(never)]
fn latency_band(expected: f32, lower: f32, upper: f32) -> (f64, f64, f64) {
    let exp = |logarithm: f32| f64::from(logarithm.exp());
    (exp(expected), exp(expected - lower), exp(expected + upper))
}

impl Detector for AdaptiveDetector {
    fn observe(&mut self, observation: &Observation) -> Assessment {
        let counted = matches!(self.measure, Measure::Count | Measure::Ratio);
        let Observation { value, of, .. } = *observation;
        let usable =
            value.is_finite() && of.is_finite() && !(counted && (value < 0.0 || of <= 0.0));
        let seconds = observation.seconds();
        let mut ended = None;
        let follows = if usable {
            self.state.pace.follow(seconds, f64::from(self.step))
        } else {
            Follows::Unconfirmed
        };
        match follows {
            Follows::Closely => {}
            Follows::AfterGap => self.state.channels.interrupt(counted),
            Follows::AfterLongGap => {
                ended = self
                    .state
                    .course
                    .is_open()
                    .then_some(AnomalyChange::Settled);
                self.state = State {
                    pace: self.state.pace,
                    ..State::new()
                };
            }
            Follows::Unconfirmed => {
                return Assessment {
                    learning: self.state.n <= WARM_UP,
                    anomalous: self.state.course.is_open(),
                    ..Assessment::unknown()
                };
            }
        }
        self.state.n = self.state.n.saturating_add(1);
        let time = WeekTime::at(seconds);
        let deviations = self.deviations(value, of, time);
        let (expected, lower, upper) = self.band(&deviations, of);
        let worst = self.judge(&deviations).named(&deviations);
        let change = match self.follow(worst, &deviations) {
            Turn::None => ended,
            Turn::Began => Some(AnomalyChange::Began(self.onset(
                worst,
                &deviations,
                observation,
                time,
            ))),
            Turn::Back => Some(AnomalyChange::Back),
            Turn::Settled => Some(AnomalyChange::Settled),
        };
        Assessment {
            expected,
            lower,
            upper,
            score: f64::from(worst.score),
            learning: self.state.n <= WARM_UP,
            anomalous: self.state.course.is_open(),
            change,
        }
    }

    fn encode(&self, state: &mut Vec<u8>) {
        self.state.encode(self.code(), state);
    }

    fn restore(&mut self, state: &[u8]) -> bool {
        let Some(state) = State::decode(self.code(), state) else {
            return false;
        };
        self.state = state;
        (0..2 * CHANNELS).for_each(|tail| self.settle(tail));
        true
    }
}

impl fmt::Debug for AdaptiveDetector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptiveDetector")
            .field("measure", &self.measure)
            .field("samples", &self.state.n)
            .field("anomalous", &self.state.course.is_open())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
