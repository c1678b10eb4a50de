//! The course of an anomaly: when it begins, how long it lasts, and how it ends.

/// The number of normal samples in a row after which an anomaly has ended.
pub(super) const CALM: u16 = 50;

/// The age up to which an anomaly does not change what is normal: the time in which a level follows.
const YOUNG: u16 = 400;

/// The latest values have another level if they are away from the former one by this many times their usual distance.
const NOISE: f32 = 3.0;

/// What happened with a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    None,
    Began,
    Back,
    Settled,
}

/// Whether an anomaly is under way. Until it has ended, no other one is reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Course {
    /// Normal samples until the end of the anomaly; 0 if none is under way.
    pub(super) left: u16,
    /// Samples since its begin.
    pub(super) age: u16,
    /// What was normal before it.
    pub(super) before: f32,
    /// The recent value that was farthest from that, in the direction of the anomaly.
    pub(super) farthest: f32,
}

impl Course {
    pub(super) const fn new() -> Self {
        Self {
            left: 0,
            age: 0,
            before: 0.0,
            farthest: 0.0,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.left > 0
    }

    /// Whether an anomaly is under way and young. Limits stay as they are then, so that it does not become normal because
    /// it lasts.
    pub(super) const fn is_young(&self) -> bool {
        self.is_open() && self.age < YOUNG
    }

    /// Goes on by one sample. `normal` is what was expected of it, `recent` what the latest values are like, and `noise` how
    /// far they usually are from what is normal.
    pub(super) fn step(&mut self, odd: bool, normal: f32, recent: f32, noise: f32) -> Turn {
        if !self.is_open() {
            if !odd {
                return Turn::None;
            }
            *self = Self {
                left: CALM,
                age: 0,
                before: normal,
                farthest: recent,
            };
            return Turn::Began;
        }
        self.age = self.age.saturating_add(1);
        let side = (self.farthest - self.before).signum();
        if side * recent > side * self.farthest {
            self.farthest = recent;
        }
        self.left = if odd { CALM } else { self.left - 1 };
        if self.left > 0 {
            return Turn::None;
        }
        let (moved, missing) = ((recent - self.before).abs(), (recent - self.farthest).abs());
        if moved > missing && moved > NOISE * noise {
            Turn::Settled
        } else {
            Turn::Back
        }
    }
}
