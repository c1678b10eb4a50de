//! The deviations in which a series can be odd, and the scales that they are measured in.

use super::super::week_time::WeekTime;
use super::levels::{Levels, least, most};

/// The latest value compared with the expected one.
pub(super) const RESIDUAL: usize = 0;
/// The latest value compared with the expected one and the deviation before it.
pub(super) const INNOVATION: usize = 1;
/// The mean of the last twelve or so.
pub(super) const MEAN: usize = 2;
/// How much the values vary.
pub(super) const VARIATION: usize = 3;
/// The mean of the last fifty or so, in which single large values count little.
pub(super) const LONG_MEAN: usize = 4;
pub(super) const CHANNELS: usize = 5;

/// How the allowed false alarms are spread over the channels. They add up to about two: what the limits leave out
/// (several channels find the same deviation, and their margins) is a third to a half. Deviations that last get the
/// largest part, since people care for these most.
pub(super) const SHARES: [f32; CHANNELS] = [0.2, 0.4, 0.7, 0.3, 0.3];
/// Counts have no second channel, so that the others get more.
pub(super) const COUNT_FACTOR: f32 = 1.2;

/// Residuals beyond this many mean deviations count as this many: 30 standard deviations.
pub(super) const CLIP: f32 = 37.5;

/// Which sample it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct When {
    pub(super) time: WeekTime,
    /// Its number, from 1 on.
    pub(super) n: f32,
    /// Days with samples so far.
    pub(super) days: f32,
    /// How fast the slow levels learn, with the step of the series.
    pub(super) bases: [f32; 2],
}

/// One sample's deviations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deviations {
    /// In mean deviations of the channel, with the sign of the direction.
    pub(super) scores: [f32; CHANNELS],
    /// The same as differences from the expected value.
    pub(super) differences: [f32; CHANNELS],
    pub(super) expected: f32,
    /// One mean deviation of the residual.
    pub(super) scale: f32,
    /// The level in the expected value, and that of the latest values.
    pub(super) level: f32,
    pub(super) recent: f32,
    /// How far the two usually are from each other.
    pub(super) noise: f32,
    /// How much the values vary usually, and of late.
    pub(super) usual_variation: f32,
    pub(super) variation: f32,
    pub(super) variation_noise: f32,
    /// The channel that a larger variation is a sign of: [`VARIATION`], unless a single value or a shift causes it.
    pub(super) variation_cause: usize,
}

impl Deviations {
    pub(super) const fn none(expected: f32) -> Self {
        Self {
            scores: [0.0; CHANNELS],
            differences: [0.0; CHANNELS],
            expected,
            scale: f32::MAX,
            level: expected,
            recent: expected,
            noise: 0.0,
            usual_variation: 0.0,
            variation: 0.0,
            variation_noise: 0.0,
            variation_cause: VARIATION,
        }
    }
}

/// What is learned about the values of one series, for all channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Channels {
    pub(super) levels: Levels,
    /// The mean size of each channel's deviation.
    pub(super) scales: [f32; CHANNELS],
    /// Of [`VARIATION`], its mean.
    pub(super) usual_variation: f32,
    /// The means of the latest residuals; of counts, those of the counts.
    pub(super) means: [f32; 2],
    /// Of counts, the means of what was expected.
    pub(super) expected_means: [f32; 2],
    /// Of ratios, the mean number of all events.
    pub(super) mean_of: f32,
    /// The mean size of the latest innovations; of counts, the excess of their variance.
    pub(super) size: f32,
    /// The smallest usual difference between two values.
    pub(super) quantum: f32,
    pub(super) last_value: f32,
    pub(super) last_residual: f32,
    /// The covariance of a residual with the one before, and the variance of that one. Of counts, the former is that of the
    /// latest ones, in the unit of their excess variance.
    pub(super) covariance: f32,
    pub(super) variance: f32,
    /// Residuals in a row, more or less, that were beyond the clip.
    pub(super) clipped: f32,
}

impl Channels {
    pub(super) const fn new() -> Self {
        Self {
            levels: Levels::new(),
            scales: [0.0; CHANNELS],
            usual_variation: 0.0,
            means: [0.0; 2],
            expected_means: [0.0; 2],
            mean_of: 0.0,
            size: 0.0,
            quantum: 0.0,
            last_value: 0.0,
            last_residual: 0.0,
            covariance: 0.0,
            variance: 0.0,
            clipped: 0.0,
        }
    }

    /// Forgets the latest values, which say nothing about the next one after a gap.
    pub(super) fn interrupt(&mut self, counted: bool) {
        self.levels.season.interrupt();
        self.means = self.expected_means;
        self.size = if counted {
            self.usual_variation
        } else {
            self.scales[INNOVATION]
        };
        self.last_residual = 0.0;
        if counted {
            self.covariance = 0.0;
        }
    }

    /// How far a residual may move a level. The limit doubles with each dozen residuals in a row beyond it, so that a
    /// new level is accepted however far away it is.
    pub(super) fn reach(&mut self, residual: f32, clip: f32) -> f32 {
        self.clipped = if residual.abs() > clip {
            least(self.clipped + 1.0, 720.0)
        } else {
            most(self.clipped - 2.0, 0.0)
        };
        if self.clipped > 0.0 {
            clip * (self.clipped / 12.0).exp2()
        } else {
            clip
        }
    }
}
