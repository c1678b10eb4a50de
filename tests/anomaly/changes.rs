//! What is injected into a series, to be found.

use crate::anomaly::Measure;
use crate::shapes::{Injected, Shape};

/// Samples of an hour at the step of ten seconds.
const HOUR: u32 = 360;

#[derive(Debug, Clone, Copy)]
enum What {
    /// Deviations that are added to single values.
    Spike(f64),
    /// Deviations that are added to the level; of counts, to the rate.
    Shift(f64),
    /// The same, growing from nothing.
    Ramp(f64),
    Zero,
    Noise(f64),
    NoSeason,
    /// Of counts: events in one step; events a step; a factor of the rate.
    Events(f64),
    AddedRate(f64),
    Rate(f64),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) name: &'static str,
    what: What,
    /// Samples that it lasts.
    pub(crate) length: u32,
}

const fn change(name: &'static str, what: What, length: u32) -> Change {
    Change { name, what, length }
}

pub(crate) const CHANGES: [Change; 23] = [
    change("spike-1-x6", What::Spike(6.0), 1),
    change("spike-1-x10", What::Spike(10.0), 1),
    change("spike-1-x20", What::Spike(20.0), 1),
    change("spike-3-x6", What::Spike(6.0), 3),
    change("spike-3-x10", What::Spike(10.0), 3),
    change("shift-x1", What::Shift(1.0), HOUR),
    change("shift-x2", What::Shift(2.0), HOUR),
    change("shift-x4", What::Shift(4.0), HOUR),
    change("shift-x8", What::Shift(8.0), HOUR),
    change("ramp-x2", What::Ramp(2.0), HOUR),
    change("ramp-x4", What::Ramp(4.0), HOUR),
    change("ramp-x8", What::Ramp(8.0), HOUR),
    change("zero", What::Zero, HOUR / 2),
    change("noise-x2", What::Noise(2.0), HOUR),
    change("noise-x3", What::Noise(3.0), HOUR),
    change("noise-x5", What::Noise(5.0), HOUR),
    change("no-season", What::NoSeason, 6 * HOUR),
    change("events-10", What::Events(10.0), 1),
    change("rate+0.2", What::AddedRate(0.2), HOUR),
    change("rate+1", What::AddedRate(1.0), HOUR),
    change("rate-x10", What::Rate(10.0), HOUR),
    change("rate-x3", What::Rate(3.0), HOUR),
    change("rate-x1.5", What::Rate(1.5), HOUR),
];

impl Change {
    /// Whether the change makes sense for a shape.
    pub(crate) fn applies(&self, shape: &Shape) -> bool {
        let counts = shape.measure == Measure::Count;
        match self.what {
            What::Zero => !shape.is_sparse(),
            What::NoSeason => shape.has_season(),
            What::Events(_) | What::AddedRate(_) | What::Rate(_) => counts,
            What::Noise(_) => !counts || shape.name == "poisson-2" || shape.name == "rare-errors",
            What::Spike(_) | What::Shift(_) | What::Ramp(_) => true,
        }
    }

    /// Whether it is injected at noon, where the season is largest.
    pub(crate) fn at_noon(&self) -> bool {
        matches!(self.what, What::NoSeason)
    }

    /// What is injected into sample `n` of it.
    pub(crate) fn injected(&self, n: u32, shape: &Shape) -> Injected {
        let none = Injected::default();
        if n >= self.length {
            return none;
        }
        let level = |deviations: f64| match shape.measure {
            Measure::Count => Injected {
                added_rate: deviations * shape.deviation,
                ..none
            },
            _ => Injected {
                added: deviations * shape.deviation,
                ..none
            },
        };
        match self.what {
            What::Spike(size) if shape.measure == Measure::Count => Injected {
                added: (size * shape.deviation).round(),
                ..none
            },
            What::Spike(size) => Injected {
                added: size * shape.deviation,
                ..none
            },
            What::Shift(size) => level(size),
            What::Ramp(size) => level(size * f64::from(n) / f64::from(self.length)),
            What::Zero => Injected {
                replaced: Some(0.0),
                ..none
            },
            What::Noise(factor) => Injected {
                noise: Some(factor),
                ..none
            },
            What::NoSeason => Injected {
                without_season: true,
                ..none
            },
            What::Events(events) => Injected {
                added: events,
                ..none
            },
            What::AddedRate(events) => Injected {
                added_rate: events,
                ..none
            },
            What::Rate(factor) => Injected {
                rate: Some(factor),
                ..none
            },
        }
    }
}
