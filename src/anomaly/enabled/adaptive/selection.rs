//! Which deviations are reported.

use super::super::config::{DetectorConfig, Direction, Measure};
use super::channels::{Deviations, VARIATION};

#[derive(Debug, Clone, Copy)]
pub(super) struct Selection {
    latency: bool,
    direction: Direction,
    difference: f32,
    share: f32,
    /// Whether all deviations are reported.
    all: bool,
}

impl Selection {
    pub(super) fn new(config: &DetectorConfig) -> Self {
        // `max` replaces NaN.
        let difference = config.minimum_difference.max(0.0) as f32;
        let share = config.minimum_share.max(0.0) as f32;
        Self {
            latency: config.measure == Measure::Latency,
            direction: config.direction,
            difference,
            share,
            all: config.direction == Direction::Both && difference == 0.0 && share == 0.0,
        }
    }

    /// Whether a deviation of a channel is reported.
    pub(super) fn contains(&self, channel: usize, upward: bool, deviations: &Deviations) -> bool {
        self.all || (self.in_direction(channel, upward) && self.is_large(channel, deviations))
    }

    fn in_direction(&self, channel: usize, upward: bool) -> bool {
        match self.direction {
            Direction::Both => true,
            Direction::Up => upward && channel != VARIATION,
            Direction::Down => !upward && channel != VARIATION,
        }
    }

    fn is_large(&self, channel: usize, deviations: &Deviations) -> bool {
        let mut difference = deviations
            .differences
            .get(channel)
            .copied()
            .unwrap_or_default();
        let mut expected = deviations.expected;
        if self.latency {
            expected = expected.exp();
            difference = expected * difference.exp_m1();
        }
        difference.abs() >= self.difference.max(self.share * expected.abs())
    }
}
