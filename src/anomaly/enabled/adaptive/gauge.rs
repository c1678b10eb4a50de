//! The deviations of gauges, and of the logarithm of latencies.

use super::channels::When;
use super::channels::{
    CLIP, Channels, Deviations, INNOVATION, LONG_MEAN, MEAN, RESIDUAL, VARIATION,
};
use super::levels::{ERROR_MEMORY, ExpectedValue, Speed, least, most, toward, within};

/// Samples in the memory of the scales.
const SCALE_MEMORY: f32 = 8000.0;
/// Samples of the two means.
const MEAN_SAMPLES: f32 = 12.0;
const LONG_MEAN_SAMPLES: f32 = 50.0;
/// Mean deviations that a residual counts at most in the means.
const MEAN_CLIP: f32 = 20.0;
const LONG_MEAN_CLIP: f32 = 3.0;
/// The least scales of the means, as shares of that of the residual: the roots of the numbers of samples.
const MEAN_FLOOR: f32 = 0.288_7;
const LONG_MEAN_FLOOR: f32 = 0.141_4;
/// Mean deviations that an innovation counts at most in the variation. As in the long mean, bursts count little, so that more
/// noise between them is seen.
const VARIATION_CLIP: f32 = 3.0;
/// Samples of the variation, as of that of frequent counts. With this clip, twice the noise raises the mean size of normally
/// distributed innovations by 1.7, which is five standard errors of the mean of 24 samples. With 12 it would be less than
/// four, and so within the limits of the default knob. A few large values are left to the channels of values and means.
const VARIATION_SAMPLES: f32 = 24.0;
const VARIATION_FLOOR: f32 = 0.05;
/// Samples before residuals are clipped.
const FREE: f32 = 8.0;

/// The least scale, so that a series that seldom changes is not odd whenever it does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Floor {
    /// As a share of the level.
    pub(super) share: f32,
    pub(super) absolute: f32,
}

/// Gauges: one percent of the level.
pub(super) const GAUGE: Floor = Floor {
    share: 0.01,
    absolute: 1e-9,
};
/// Logarithms: one percent of the value.
pub(super) const LOGARITHM: Floor = Floor {
    share: 0.0,
    absolute: 0.01,
};

impl Channels {
    /// Compares a value with what is expected of the sample, and learns it.
    pub(super) fn gauge(&mut self, value: f32, when: &When, floor: Floor) -> Deviations {
        let When { time, n, days, .. } = *when;
        if n < 2.0 {
            self.levels.start(value);
            self.last_value = value;
            return Deviations::none(value);
        }
        self.learn_quantum(value);
        let expected = self.levels.expect(time, days);
        let residual = value - expected.best;
        let floor = most(
            most(floor.absolute, floor.share * expected.level.abs()),
            2.0 * self.quantum,
        );
        let scale = most(self.scales[RESIDUAL], floor);
        let innovation_scale = most(self.scales[INNOVATION], floor);
        let part = n.recip();
        let (fast, slow) = (
            most(part, 1.0 / SCALE_MEMORY),
            most(part, 1.0 / ERROR_MEMORY),
        );

        let correlation = if self.variance > 0.0 {
            most(least(self.covariance / self.variance, 1.0), 0.0)
        } else {
            0.0
        };
        let innovation = residual - correlation * self.last_residual;

        toward(
            &mut self.means[0],
            within(residual, MEAN_CLIP * scale),
            1.0 / MEAN_SAMPLES,
        );
        let mean_scale = most(self.scales[MEAN], floor * MEAN_FLOOR);
        toward(
            &mut self.means[1],
            within(residual, LONG_MEAN_CLIP * scale),
            1.0 / LONG_MEAN_SAMPLES,
        );
        let long_scale = most(self.scales[LONG_MEAN], floor * LONG_MEAN_FLOOR);

        let size = least(innovation.abs(), VARIATION_CLIP * innovation_scale);
        toward(&mut self.size, size, 1.0 / VARIATION_SAMPLES);
        let variation = ((self.size / innovation_scale + 0.1) / 1.1).ln();
        let variation_scale = most(self.scales[VARIATION], VARIATION_FLOOR);
        let varied = variation - self.usual_variation;

        let deviations = Deviations {
            scores: [
                residual / scale,
                innovation / innovation_scale,
                self.means[0] / mean_scale,
                varied / variation_scale,
                self.means[1] / long_scale,
            ],
            differences: [
                residual,
                innovation,
                self.means[0],
                self.size - innovation_scale,
                self.means[1],
            ],
            expected: expected.best,
            scale,
            level: expected.level,
            recent: expected.level + self.means[0],
            noise: mean_scale,
            usual_variation: self.usual_variation,
            variation,
            variation_noise: variation_scale,
            variation_cause: VARIATION,
        };

        let found = [residual, innovation, self.means[0], varied, self.means[1]];
        let scales = [
            scale,
            innovation_scale,
            mean_scale,
            variation_scale,
            long_scale,
        ];
        let rates = [fast, fast, fast, slow, slow];
        for (((mean, found), scale), rate) in
            self.scales.iter_mut().zip(found).zip(scales).zip(rates)
        {
            toward(mean, least(found.abs(), CLIP * scale), rate);
        }
        toward(&mut self.usual_variation, variation, slow);
        let (now, before) = (within(residual, CLIP * scale), self.last_residual);
        toward(&mut self.covariance, now * before, fast);
        toward(&mut self.variance, before * before, fast);
        self.last_residual = now;
        self.last_value = value;
        let clip = if n < FREE { f32::MAX } else { CLIP * scale };
        self.learn_levels(value, &expected, clip, when);
        deviations
    }

    fn learn_levels(&mut self, value: f32, expected: &ExpectedValue, clip: f32, when: &When) {
        let reach = self.reach(value - expected.best, clip);
        let part = when.n.recip();
        if when.days > 1.0 {
            let rate = most(part, 1.0 / ERROR_MEMORY);
            for (error, expected) in self.levels.errors.iter_mut().zip(expected.values) {
                toward(error, least((value - expected).abs(), reach), rate);
            }
        }
        let values = expected
            .values
            .map(|expected| expected + within(value - expected, reach));
        let speed = Speed {
            least: part,
            weight: 1.0,
            level: Speed::LEVEL,
            bases: when.bases,
        };
        self.levels.learn(when.time, expected, values, &speed);
    }

    /// The quantum is the smallest difference of late between two values that differ.
    fn learn_quantum(&mut self, value: f32) {
        let difference = (value - self.last_value).abs();
        if difference > 0.0 {
            if difference < self.quantum || self.quantum == 0.0 {
                self.quantum = difference;
            } else {
                self.quantum += 0.001 * least(difference - self.quantum, self.quantum);
            }
        }
    }
}
