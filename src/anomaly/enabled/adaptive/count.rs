//! The deviations of counts, and of counts out of others.
//!
//! A count is compared with the expected one by its deviance under a Poisson distribution, which works for counts of any
//! size. Counts that vary more than that have larger scales, which are learned.

use std::f32::consts::SQRT_2;

use super::channels::When;
use super::channels::{CLIP, Channels, Deviations, LONG_MEAN, MEAN, RESIDUAL, VARIATION};
use super::levels::{ERROR_MEMORY, ExpectedValue, Speed, least, most, toward, within};

const SCALE_MEMORY: f32 = 8000.0;
/// Samples of the mean, and the number of independent samples that it is worth.
const MEAN_SAMPLES: f32 = 12.0;
const MEAN_WORTH: f32 = 24.0;
/// The long mean reaches over this many expected events, within these numbers of samples.
const LONG_MEAN_EVENTS: f32 = 8.0;
const LONG_MEAN_SAMPLES: (f32, f32) = (24.0, 360.0);
/// Counts that are farther than this many standard deviations and events above the expected one count as that in the
/// variation, so that a single large count is not one.
const VARIATION_CLIP: f32 = 3.0;
/// A variation is the sign of a shift if this share of it lasts, and of a single value if this share is of the latest one.
const MAINLY: f32 = 0.5;
const MOST: f32 = 0.75;
/// The mean deviance of a Poisson distribution is 0.8. A smaller one was learned from few events.
const LEAST_SCALE: f32 = 0.8;
/// The least and the largest expected count.
const LEAST_COUNT: f32 = 0.005;
const MOST_COUNT: f32 = 1e18;
/// A level without season reaches over this many events, and learns at most as fast as that of gauges, at least at this
/// share of that speed.
const LEVEL_EVENTS: f32 = 1000.0;
const SLOWEST: f32 = 0.1;

impl Channels {
    /// Compares a count, out of `of` events, with what is expected of the sample, and learns it.
    pub(super) fn count(&mut self, value: f32, of: f32, when: &When) -> Deviations {
        let When { time, n, days, .. } = *when;
        if self.mean_of == 0.0 {
            self.levels.start(value / of);
            self.mean_of = of;
        }
        let expectation = self.levels.expect(time, days);
        let expected = counted(expectation.best * of);

        let residual = deviance(value, expected);
        let scale = most(self.scales[RESIDUAL], LEAST_SCALE);
        toward(&mut self.means[0], value, 1.0 / MEAN_SAMPLES);
        toward(&mut self.expected_means[0], expected, 1.0 / MEAN_SAMPLES);
        let mean = deviance(
            MEAN_WORTH * self.means[0],
            MEAN_WORTH * self.expected_means[0],
        );
        let mean_scale = most(self.scales[MEAN], LEAST_SCALE);
        let samples = least(
            most(LONG_MEAN_EVENTS / expected, LONG_MEAN_SAMPLES.0),
            LONG_MEAN_SAMPLES.1,
        );
        toward(&mut self.means[1], value, samples.recip());
        toward(&mut self.expected_means[1], expected, samples.recip());
        let worth = 2.0 * samples;
        let long_mean = deviance(worth * self.means[1], worth * self.expected_means[1]);
        let long_scale = most(self.scales[LONG_MEAN], LEAST_SCALE);

        let (grown, cause) = self.vary(value, expected, samples);
        let varied = worth.sqrt() * grown;
        let variation_scale = most(self.scales[VARIATION], LEAST_SCALE);

        let difference = self.means[0] - self.expected_means[0];
        let long_difference = self.means[1] - self.expected_means[1];
        let deviations = Deviations {
            scores: [
                residual / scale,
                0.0,
                mean / mean_scale,
                varied / variation_scale,
                long_mean / long_scale,
            ],
            differences: [
                (value - expected) / of,
                0.0,
                difference / of,
                spread_by(grown, expected) / of,
                long_difference / of,
            ],
            expected: expectation.best,
            scale,
            level: expectation.level,
            recent: expectation.level + difference / of,
            noise: mean_scale * (expected / MEAN_WORTH).sqrt() / of,
            usual_variation: self.usual_variation,
            variation: self.size,
            variation_noise: variation_scale / worth.sqrt(),
            variation_cause: cause,
        };

        let part = n.recip();
        let (fast, slow) = (
            most(part, 1.0 / SCALE_MEMORY),
            most(part, 1.0 / ERROR_MEMORY),
        );
        let [residual_mean, _, mean_mean, variation_mean, long_mean_mean] = &mut self.scales;
        toward(residual_mean, least(residual.abs(), CLIP * scale), fast);
        toward(mean_mean, least(mean.abs(), CLIP * mean_scale), fast);
        toward(
            long_mean_mean,
            least(long_mean.abs(), CLIP * long_scale),
            fast,
        );
        toward(
            variation_mean,
            least(varied.abs(), CLIP * variation_scale),
            slow,
        );
        toward(&mut self.usual_variation, self.size, slow);

        self.learn_rate((value, of), &expectation, scale, when);
        deviations
    }

    /// Learns what is expected of a count out of `of` events.
    fn learn_rate(
        &mut self,
        (value, of): (f32, f32),
        expectation: &ExpectedValue,
        scale: f32,
        when: &When,
    ) {
        let expected = counted(expectation.best * of);
        let part = when.n.recip();
        let slow = most(part, 1.0 / ERROR_MEMORY);
        let clip = CLIP * scale * most(expected, 1.0).sqrt();
        let reach = self.reach(value - expected, clip);
        let share = (expected + within(value - expected, reach)) / of;
        let level = least(
            most(expected / LEVEL_EVENTS, SLOWEST * Speed::LEVEL),
            Speed::LEVEL,
        );
        toward(&mut self.mean_of, of, most(part, level));
        if when.days > 1.0 {
            for (error, expected) in self.levels.errors.iter_mut().zip(expectation.values) {
                let deviance = deviance(value, counted(expected * of));
                toward(error, least(deviance * deviance, CLIP * CLIP), slow);
            }
        }
        let speed = Speed {
            least: part,
            weight: of / self.mean_of,
            level,
            bases: when.bases,
        };
        self.levels
            .learn(when.time, expectation, [share; 3], &speed);
    }

    /// Adds a count to the variation of the last `samples`. Returns by how much that is more than usual, and the channel that
    /// it is a sign of.
    fn vary(&mut self, value: f32, expected: f32, samples: f32) -> (f32, usize) {
        let away = capped(value, expected) - expected;
        let excess = excess_variance(value, expected);
        toward(&mut self.size, excess, samples.recip());
        // Counts that stay away from the expected one have deviations with the sign of the one before.
        let lasting = away * self.last_residual / (SQRT_2 * expected);
        toward(&mut self.covariance, lasting, samples.recip());
        self.last_residual = away;
        let grown = self.size - self.usual_variation;
        let cause = if self.covariance > MAINLY * grown {
            MEAN
        } else if excess / samples > MOST * grown {
            RESIDUAL
        } else {
            VARIATION
        };
        (grown, cause)
    }
}

/// An expected count that can be compared with.
fn counted(expected: f32) -> f32 {
    least(most(expected, LEAST_COUNT), MOST_COUNT)
}

/// How unlikely a count is where `expected` is the mean: the root of its deviance, with the sign of the difference. For
/// large counts, it is the difference in standard deviations.
fn deviance(count: f32, expected: f32) -> f32 {
    let difference = count - expected;
    let half = if count > 0.0 {
        count * (count / expected).ln() - difference
    } else {
        expected
    };
    (2.0 * most(half, 0.0)).sqrt().copysign(difference)
}

/// By how much the square of a deviation is above that of a Poisson distribution, in standard deviations of the latter. Its
/// mean is zero for counts of any size, also for rare events, where it says whether they come together.
fn excess_variance(count: f32, expected: f32) -> f32 {
    let count = capped(count, expected);
    let difference = count - expected;
    (difference * difference - count) / (SQRT_2 * expected)
}

/// A count as it counts in the variation.
fn capped(count: f32, expected: f32) -> f32 {
    least(count, expected + VARIATION_CLIP * (expected.sqrt() + 1.0))
}

/// How much larger a standard deviation is with this excess variance.
fn spread_by(excess: f32, expected: f32) -> f32 {
    let root = expected.sqrt();
    root * (most(1.0 + SQRT_2 * excess, 0.0).sqrt() - 1.0)
}

/// The counts with the deviances `lower` and `upper`, nearly.
pub(super) fn band(expected: f32, lower: f32, upper: f32) -> (f32, f32) {
    let root = counted(expected).sqrt();
    let (low, high) = (most(root - lower / 2.0, 0.0), root + upper / 2.0);
    (low * low, high * high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviances_are_standard_deviations_of_large_counts() {
        assert!((deviance(10_300.0, 10_000.0) - 3.0).abs() < 0.05);
        assert!((deviance(9_700.0, 10_000.0) + 3.0).abs() < 0.05);
        assert_eq!(deviance(2.0, 2.0), 0.0);
        assert!((deviance(0.0, 2.0) + 2.0).abs() < 1e-6);
    }

    #[test]
    fn the_excess_variance_of_a_poisson_distribution_is_zero() {
        for expected in [0.02_f32, 0.5, 2.0, 9.0] {
            // Sums over the whole distribution.
            let (mut share, mut mean, mut square) = ((-expected).exp(), 0.0, 0.0);
            for count in 0..60_u8 {
                let excess = excess_variance(f32::from(count), expected);
                mean += share * excess;
                square += share * excess * excess;
                share *= expected / f32::from(count + 1);
            }
            assert!(mean.abs() < 0.07, "{expected}: {mean}");
            assert!((0.7..1.1).contains(&square), "{expected}: {square}");
        }
        // A variance of three times the mean, and none.
        assert!((spread_by(SQRT_2, 4.0) - 2.0 * (3.0_f32.sqrt() - 1.0)).abs() < 1e-5);
        assert_eq!(spread_by(-5.0, 4.0), -2.0);
    }

    #[test]
    fn the_band_has_the_deviances() {
        let (low, high) = band(100.0, 3.0, 4.0);
        assert!((deviance(low, 100.0) + 3.0).abs() < 0.2);
        assert!((deviance(high, 100.0) - 4.0).abs() < 0.2);
        assert_eq!(band(1.0, 5.0, 5.0).0, 0.0);
    }
}
