//! Series of known shapes, with and without something odd in them. The same seed gives the same series.

use std::f64::consts::TAU;

use crate::anomaly::Measure;

/// The first sample of each series: a Monday, 00:00 UTC, in seconds since the Unix epoch.
const START: f64 = 1_767_571_200.0;
const DAY: f64 = 86_400.0;
const HOUR: f64 = 3600.0;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Gaussian,
    Lognormal,
    Poisson(f64),
    Autoregressive,
    Diurnal,
    RegularBursts,
    RandomBursts,
    Clumps,
    Sawtooth,
    Rounded,
    Weekly,
    WeeklyCount,
}

/// A kind of series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    form: Form,
    pub(crate) measure: Measure,
    /// The standard deviation of what is not explained: the unit of injected changes.
    pub(crate) deviation: f64,
}

const fn shape(name: &'static str, form: Form, measure: Measure, deviation: f64) -> Shape {
    Shape {
        name,
        form,
        measure,
        deviation,
    }
}

/// All shapes. None of them has anything odd in it.
pub(crate) const SHAPES: [Shape; 14] = [
    shape("gaussian", Form::Gaussian, Measure::Gauge, 5.0),
    shape("lognormal", Form::Lognormal, Measure::Gauge, 0.7875),
    shape("latency", Form::Lognormal, Measure::Latency, 0.7875),
    shape("poisson-2", Form::Poisson(2.0), Measure::Count, 1.414),
    shape("ar1-0.97", Form::Autoregressive, Measure::Gauge, 5.0),
    shape("diurnal", Form::Diurnal, Measure::Gauge, 5.0),
    shape("regular-bursts", Form::RegularBursts, Measure::Gauge, 5.0),
    shape("random-bursts", Form::RandomBursts, Measure::Gauge, 5.0),
    shape("rare-errors", Form::Poisson(0.02), Measure::Count, 0.1414),
    shape("rare-clumps", Form::Clumps, Measure::Count, 0.3),
    shape("sawtooth", Form::Sawtooth, Measure::Gauge, 1.0),
    shape("rounded", Form::Rounded, Measure::Gauge, 0.5),
    shape("weekly", Form::Weekly, Measure::Gauge, 5.0),
    shape("weekly-count", Form::WeeklyCount, Measure::Count, 3.0),
];

impl Shape {
    pub(crate) fn has_season(&self) -> bool {
        matches!(self.form, Form::Diurnal | Form::Weekly | Form::WeeklyCount)
    }

    pub(crate) fn is_sparse(&self) -> bool {
        matches!(self.name, "rare-errors" | "rare-clumps")
    }
}

/// What is added to a series for a while.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Injected {
    pub(crate) added: f64,
    pub(crate) replaced: Option<f64>,
    /// Factors of the noise and of the rate of events; none is 1.
    pub(crate) noise: Option<f64>,
    pub(crate) rate: Option<f64>,
    /// Events a step.
    pub(crate) added_rate: f64,
    pub(crate) without_season: bool,
}

/// Random numbers: splitmix64.
#[derive(Debug, Clone)]
struct Random {
    state: u64,
    spare: Option<f64>,
}

impl Random {
    fn new(seed: u64) -> Self {
        let mut random = Self {
            state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03,
            spare: None,
        };
        for _ in 0..4 {
            random.bits();
        }
        random
    }

    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Between 0 and 1, both excluded.
    fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.unit().ln()).sqrt();
        let (sine, cosine) = (TAU * self.unit()).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 60.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let end = (-mean).exp();
        let (mut product, mut count) = (self.unit(), 0.0);
        while product > end {
            product *= self.unit();
            count += 1.0;
        }
        count
    }
}

/// Generates the samples of one series.
#[derive(Debug, Clone)]
pub(crate) struct Generator {
    form: Form,
    random: Random,
    step: f64,
    /// The next sample, and its time.
    n: u32,
    level: f64,
    burst: f64,
    height: f64,
    period: f64,
}

impl Generator {
    pub(crate) fn new(shape: &Shape, seed: u64, step: u32) -> Self {
        let name = shape.name.bytes().fold(0, |sum: u64, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        Self {
            form: shape.form,
            random: Random::new(seed.wrapping_mul(1_000_003) ^ name),
            step: f64::from(step),
            n: 0,
            level: 0.0,
            burst: 0.0,
            height: 0.0,
            period: 2.0 * HOUR,
        }
    }

    /// The time of the next sample, in seconds since the Unix epoch.
    pub(crate) fn time(&self) -> f64 {
        START + f64::from(self.n) * self.step
    }

    /// The next sample.
    pub(crate) fn next(&mut self, injected: &Injected) -> f64 {
        let time = self.time();
        self.n += 1;
        let day = if injected.without_season {
            0.0
        } else {
            (TAU * (time / DAY - 0.25)).sin()
        };
        let weekend = (time - START).rem_euclid(7.0 * DAY) >= 5.0 * DAY;
        let noise = injected.noise.unwrap_or(1.0);
        let events = |mean: f64| mean * injected.rate.unwrap_or(1.0) + injected.added_rate;
        let random = &mut self.random;
        let value = match self.form {
            Form::Gaussian => 100.0 + 5.0 * noise * random.normal(),
            Form::Lognormal => (0.6 * noise * random.normal()).exp(),
            // More noise than a Poisson distribution has: its rate varies.
            Form::Poisson(mean) if noise > 1.0 => {
                let factor = (0.5 * noise * random.normal()).exp();
                random.poisson(mean * factor)
            }
            Form::Poisson(mean) => random.poisson(events(mean)),
            Form::Autoregressive => {
                let innovation = 5.0 * (1.0 - 0.97_f64 * 0.97).sqrt();
                self.level = 0.97 * self.level + innovation * noise * random.normal();
                100.0 + self.level
            }
            Form::Diurnal => 100.0 + 50.0 * day + 5.0 * noise * random.normal(),
            Form::RegularBursts => {
                let burst = time.rem_euclid(HOUR) < 3.0 * self.step;
                let height = if burst {
                    150.0 + 20.0 * random.normal()
                } else {
                    0.0
                };
                100.0 + height + 5.0 * noise * random.normal()
            }
            Form::RandomBursts => {
                if self.burst <= 0.0 && random.unit() < self.step / HOUR {
                    self.burst = 3.0 + (4.0 * random.unit()).floor();
                    self.height = 100.0 + 100.0 * random.unit();
                }
                let height = if self.burst > 0.0 {
                    self.height + 20.0 * random.normal()
                } else {
                    0.0
                };
                self.burst -= 1.0;
                100.0 + height + 5.0 * noise * random.normal()
            }
            Form::Clumps => {
                let mut left = random.poisson(events(0.005));
                let mut sum = 0.0;
                while left > 0.0 {
                    left -= 1.0;
                    sum += 1.0 + (-3.0 * random.unit().ln()).floor();
                }
                sum
            }
            Form::Sawtooth => {
                self.level += self.step / self.period;
                if self.level >= 1.0 {
                    self.level = 0.0;
                    self.period = 2.0 * HOUR * (0.9 + 0.2 * random.unit());
                }
                100.0 + 100.0 * self.level + noise * random.normal()
            }
            Form::Rounded => (20.0 + 0.5 * noise * random.normal()).round(),
            Form::Weekly => {
                let height = if weekend { 20.0 } else { 50.0 };
                100.0 + height * (1.0 + day) + 5.0 * noise * random.normal()
            }
            Form::WeeklyCount => {
                let height = if weekend { 4.0 } else { 10.0 };
                random.poisson(events(4.0 + height * (1.0 + day)))
            }
        };
        injected.replaced.unwrap_or(value + injected.added)
    }
}
