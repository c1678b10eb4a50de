//! The course of an anomaly: when it begins, how long it lasts, and how it ends.

/// The number of normal samples in a row after which an anomaly has ended.
pub(super) const CALM: u16 = 50;

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
    /// What was normal before it.
    pub(super) before: f32,
    /// The recent value that was farthest from that.
    pub(super) farthest: f32,
}

impl Course {
    pub(super) const fn new() -> Self {
        Self {
            left: 0,
            before: 0.0,
            farthest: 0.0,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.left > 0
    }

    /// Goes on by one sample. `normal` is what was expected of it, and `recent` what the latest values are like.
    pub(super) fn step(&mut self, odd: bool, normal: f32, recent: f32) -> Turn {
        if !self.is_open() {
            if !odd {
                return Turn::None;
            }
            *self = Self {
                left: CALM,
                before: normal,
                farthest: recent,
            };
            return Turn::Began;
        }
        if (recent - self.before).abs() > (self.farthest - self.before).abs() {
            self.farthest = recent;
        }
        self.left = if odd { CALM } else { self.left - 1 };
        match self.left {
            0 if (recent - self.before).abs() > (recent - self.farthest).abs() => Turn::Settled,
            0 => Turn::Back,
            _ => Turn::None,
        }
    }
}
