//! The deviations of counts, and of counts out of others.
//!
//! A count is compared with the expected one by its deviance under a Poisson distribution, which works for counts of any
//! size. Counts that vary more than that have larger scales, which are learned.

use super::channels::When;
use super::channels::{CLIP, Channels, Deviations, LONG_MEAN, MEAN, RESIDUAL};
use super::levels::{ERROR_MEMORY, Speed, least, most, toward, within};

const SCALE_MEMORY: f32 = 8000.0;
/// Samples of the mean, and the number of independent samples that it is worth.
const MEAN_SAMPLES: f32 = 12.0;
const MEAN_WORTH: f32 = 24.0;
/// The long mean reaches over this many expected events, within these numbers of samples.
const LONG_MEAN_EVENTS: f32 = 8.0;
const LONG_MEAN_SAMPLES: (f32, f32) = (24.0, 360.0);
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
        let When {
            time,
            n,
            days,
            bases,
        } = *when;
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

        let difference = self.means[0] - self.expected_means[0];
        let long_difference = self.means[1] - self.expected_means[1];
        let deviations = Deviations {
            scores: [
                residual / scale,
                0.0,
                mean / mean_scale,
                0.0,
                long_mean / long_scale,
            ],
            differences: [
                (value - expected) / of,
                0.0,
                difference / of,
                0.0,
                long_difference / of,
            ],
            expected: expectation.best,
            scale,
            level: expectation.level,
            recent: expectation.level + difference / of,
            noise: mean_scale * (expected / MEAN_WORTH).sqrt() / of,
            usual_variation: 0.0,
            variation: 0.0,
            variation_noise: 0.0,
        };

        let part = n.recip();
        let (fast, slow) = (
            most(part, 1.0 / SCALE_MEMORY),
            most(part, 1.0 / ERROR_MEMORY),
        );
        let [residual_mean, _, mean_mean, _, long_mean_mean] = &mut self.scales;
        toward(residual_mean, least(residual.abs(), CLIP * scale), fast);
        toward(mean_mean, least(mean.abs(), CLIP * mean_scale), fast);
        toward(
            long_mean_mean,
            least(long_mean.abs(), CLIP * long_scale),
            fast,
        );

        let clip = CLIP * scale * most(expected, 1.0).sqrt();
        let reach = self.reach(value - expected, clip);
        let share = (expected + within(value - expected, reach)) / of;
        let level = least(
            most(expected / LEVEL_EVENTS, SLOWEST * Speed::LEVEL),
            Speed::LEVEL,
        );
        toward(&mut self.mean_of, of, most(part, level));
        if days > 1.0 {
            for (error, expected) in self.levels.errors.iter_mut().zip(expectation.values) {
                let deviance = deviance(value, counted(expected * of));
                toward(error, least(deviance * deviance, CLIP * CLIP), slow);
            }
        }
        let speed = Speed {
            least: part,
            weight: of / self.mean_of,
            level,
            bases,
        };
        self.levels.learn(time, &expectation, [share; 3], &speed);
        deviations
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
    fn the_band_has_the_deviances() {
        let (low, high) = band(100.0, 3.0, 4.0);
        assert!((deviance(low, 100.0) + 3.0).abs() < 0.2);
        assert!((deviance(high, 100.0) - 4.0).abs() < 0.2);
        assert_eq!(band(1.0, 5.0, 5.0).0, 0.0);
    }
}
