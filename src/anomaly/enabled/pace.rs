//! Gaps between samples, and steps of the wall clock.

/// Samples that may be missing in a row without a gap: the longest memory of the smoothed deviations.
const GAP_STEPS: f64 = 50.0;
/// After a longer gap, a series is learned again.
const LONG_GAP_SECONDS: f64 = 7.0 * 86_400.0;

/// How a sample follows the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// It is the next one.
    Closely,
    /// Samples are missing, or the clock was set back: the latest values say nothing about it.
    AfterGap,
    /// So much time has passed that what was learned is out of date.
    AfterLongGap,
    /// It is far from the sample before, and no second sample has confirmed that yet. It is left out.
    Unconfirmed,
}

/// The time of the latest sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// Seconds since the Unix epoch; infinite if there was no sample.
    pub(super) last: f64,
    /// The time of a sample that was far away from it; infinite if there was none.
    far: f64,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self {
            last: f64::INFINITY,
            far: f64::INFINITY,
        }
    }

    pub(super) const fn at(last: f64) -> Self {
        Self {
            last,
            far: f64::INFINITY,
        }
    }

    /// Takes the time of the next sample. A single sample with a wrong time changes nothing.
    pub(super) fn follow(&mut self, seconds: f64, step: f64) -> Follows {
        let passed = seconds - self.last;
        if self.last.is_finite() && passed.abs() > LONG_GAP_SECONDS.max(GAP_STEPS * step) {
            if (seconds - self.far).abs() <= LONG_GAP_SECONDS {
                *self = Self::at(seconds);
                return Follows::AfterLongGap;
            }
            self.far = seconds;
            return Follows::Unconfirmed;
        }
        let gap = self.last.is_finite() && (passed > GAP_STEPS * step || passed < -step);
        *self = Self::at(seconds);
        if gap {
            Follows::AfterGap
        } else {
            Follows::Closely
        }
    }
}
