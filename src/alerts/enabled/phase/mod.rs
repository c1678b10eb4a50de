//! The state machine of one alert: one label set of one rule.

use std::time::Duration;

use super::alert::{Acknowledgement, AlertState, TransitionReason};
use crate::clock::{Nanos, nanos};

/// When an evaluation took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// The time of the rules in nanoseconds. A gap between evaluations counts as one interval. All durations are measured in
    /// this time.
    pub(super) rule: Nanos,
    /// Milliseconds since the Unix epoch, to be shown.
    pub(super) wall: u64,
}

/// What an evaluation has found for a label set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Signal {
    /// The condition holds.
    Fires(f64),
    /// The condition does not hold, but the value is not past the clear threshold either.
    Between(f64),
    /// The condition does not hold.
    Clears(f64),
    /// There is no value.
    Missing,
    /// The rule could not be evaluated.
    Failed,
}

/// What a missing value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum MissingData {
    /// The alert keeps its state. If there is no value for [`stale_after`](super::Rule::stale_after), a firing alert is
    /// resolved as stale, and the alert `no_data` fires.
    #[default]
    Keep,
    /// The condition does not hold, as in Prometheus.
    Resolve,
    /// The condition holds.
    Fire,
}

/// The durations of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timing {
    /// For how long the condition has to hold before the alert fires.
    pub(super) hold: Duration,
    /// For how long the condition must not hold before the alert is resolved.
    pub(super) keep_firing: Duration,
    pub(super) missing: MissingData,
    /// After how long without values a kept alert is stale.
    pub(super) stale_after: Duration,
}

/// The state of an alert, with what belongs to it alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Phase {
    #[default]
    Inactive,
    /// The condition holds, but not for long enough.
    Pending {
        /// The first evaluation at which it held.
        since: Moment,
    },
    Firing(Episode),
    /// The condition no longer holds, but not for long enough.
    Recovering {
        episode: Episode,
        /// The first evaluation at which it did not hold.
        since: Moment,
    },
    Resolved(EndedEpisode),
}

/// The time from the moment at which an alert fires to the moment at which it is resolved.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Episode {
    pub(super) fired: Moment,
    /// When it was last announced. `None` if it has not been announced.
    pub(super) announced: Option<Nanos>,
    pub(super) acknowledged: Option<Acknowledgement>,
}

/// An episode that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EndedEpisode {
    pub(super) fired: Moment,
    pub(super) ended: Moment,
    /// Whether it was announced, and its end was not.
    pub(super) owes_end: bool,
}

/// What is known of an alert between two evaluations.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Tracking {
    pub(super) phase: Phase,
    /// The last value.
    pub(super) value: Option<f64>,
    /// The evaluation since which there is no value.
    pub(super) missing_since: Option<Nanos>,
    /// Whether the last evaluation failed.
    pub(super) has_failed: bool,
}

/// A change of the state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PhaseChange {
    pub(super) from: AlertState,
    pub(super) to: AlertState,
    pub(super) reason: TransitionReason,
    pub(super) value: Option<f64>,
}

impl Phase {
    pub(super) fn state(&self) -> AlertState {
        match self {
            Self::Inactive => AlertState::Inactive,
            Self::Pending { .. } => AlertState::Pending,
            Self::Firing(_) => AlertState::Firing,
            Self::Recovering { .. } => AlertState::Recovering,
            Self::Resolved(_) => AlertState::Resolved,
        }
    }

    /// The episode that is not over.
    pub(super) fn episode(&self) -> Option<&Episode> {
        match self {
            Self::Firing(episode) | Self::Recovering { episode, .. } => Some(episode),
            Self::Inactive | Self::Pending { .. } | Self::Resolved(_) => None,
        }
    }

    pub(super) fn episode_mut(&mut self) -> Option<&mut Episode> {
        match self {
            Self::Firing(episode) | Self::Recovering { episode, .. } => Some(episode),
            Self::Inactive | Self::Pending { .. } | Self::Resolved(_) => None,
        }
    }

    /// The state after the condition was found to hold.
    fn holding(self, timing: &Timing, now: Moment) -> (Self, TransitionReason) {
        let hold = nanos(timing.hold);
        match self {
            Self::Inactive | Self::Resolved(_) if hold > 0 => {
                (Self::Pending { since: now }, TransitionReason::ConditionMet)
            }
            Self::Inactive | Self::Resolved(_) => (fire(now), TransitionReason::ConditionMet),
            Self::Pending { since } if now.rule.saturating_sub(since.rule) >= hold => {
                (fire(now), TransitionReason::HeldFor)
            }
            Self::Recovering { episode, .. } => {
                (Self::Firing(episode), TransitionReason::ConditionMet)
            }
            same @ (Self::Pending { .. } | Self::Firing(_)) => {
                (same, TransitionReason::ConditionMet)
            }
        }
    }

    /// The state after the condition was found not to hold, with the value past the clear threshold.
    fn clearing(self, timing: &Timing, now: Moment) -> Self {
        let keep = nanos(timing.keep_firing);
        match self {
            Self::Pending { .. } => Self::Inactive,
            Self::Firing(episode) if keep == 0 => episode.end(now),
            Self::Firing(episode) => Self::Recovering {
                episode,
                since: now,
            },
            Self::Recovering { episode, since } if now.rule.saturating_sub(since.rule) >= keep => {
                episode.end(now)
            }
            same => same,
        }
    }

    /// The state after the value was found between the two thresholds.
    fn between(self) -> Self {
        match self {
            Self::Pending { .. } => Self::Inactive,
            Self::Recovering { episode, .. } => Self::Firing(episode),
            same => same,
        }
    }

    /// The state if the alert has to end at once.
    pub(super) fn ended(self, now: Moment) -> Self {
        match self {
            Self::Pending { .. } => Self::Inactive,
            Self::Firing(episode) | Self::Recovering { episode, .. } => episode.end(now),
            same => same,
        }
    }
}

fn fire(now: Moment) -> Phase {
    Phase::Firing(Episode {
        fired: now,
        announced: None,
        acknowledged: None,
    })
}

impl Episode {
    fn end(self, now: Moment) -> Phase {
        Phase::Resolved(EndedEpisode {
            fired: self.fired,
            ended: now,
            owes_end: self.announced.is_some(),
        })
    }
}

impl Tracking {
    /// Takes the result of an evaluation. Returns the change, if the state is another one.
    pub(super) fn step(
        &mut self,
        timing: &Timing,
        signal: Signal,
        now: Moment,
    ) -> Option<PhaseChange> {
        // A failure changes nothing: neither the state nor what is known of the data.
        self.has_failed = signal == Signal::Failed;
        let value = match signal {
            Signal::Failed => return None,
            Signal::Missing => None,
            Signal::Fires(value) | Signal::Between(value) | Signal::Clears(value) => Some(value),
        };
        if value.is_some() {
            self.value = value;
            self.missing_since = None;
        } else {
            self.missing_since.get_or_insert(now.rule);
        }
        let phase = std::mem::take(&mut self.phase);
        let from = phase.state();
        let (phase, reason) = match (signal, timing.missing) {
            (Signal::Fires(_), _) => phase.holding(timing, now),
            (Signal::Between(_), _) if from == AlertState::Recovering => {
                (phase.between(), TransitionReason::NotCleared)
            }
            (Signal::Between(_), _) => (phase.between(), TransitionReason::ConditionEnded),
            (Signal::Clears(_), _) => (
                phase.clearing(timing, now),
                TransitionReason::ConditionEnded,
            ),
            (Signal::Missing, MissingData::Resolve) => {
                (phase.clearing(timing, now), TransitionReason::MissingData)
            }
            (Signal::Missing, MissingData::Fire) => {
                (phase.holding(timing, now).0, TransitionReason::MissingData)
            }
            (Signal::Missing, MissingData::Keep) if self.is_stale(timing, now) => {
                (phase.ended(now), TransitionReason::Stale)
            }
            (Signal::Missing | Signal::Failed, _) => (phase, TransitionReason::MissingData),
        };
        self.phase = phase;
        let to = self.phase.state();
        (from != to).then_some(PhaseChange {
            from,
            to,
            reason,
            value,
        })
    }

    /// Ends the alert, for a reason that is no value.
    pub(super) fn end(&mut self, reason: TransitionReason, now: Moment) -> Option<PhaseChange> {
        let phase = std::mem::take(&mut self.phase);
        let from = phase.state();
        self.phase = phase.ended(now);
        let to = self.phase.state();
        (from != to).then_some(PhaseChange {
            from,
            to,
            reason,
            value: None,
        })
    }

    fn is_stale(&self, timing: &Timing, now: Moment) -> bool {
        let since = self.missing_since.unwrap_or(now.rule);
        now.rule.saturating_sub(since) >= nanos(timing.stale_after)
    }
}

#[cfg(test)]
mod tests;
