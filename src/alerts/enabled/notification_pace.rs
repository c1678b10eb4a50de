//! When an alert is announced: which of its evaluations send something.

use std::time::Duration;

use super::alert::{AlertState, NotificationReason};
use super::phase::{Phase, Tracking};
use crate::clock::{Nanos, nanos};

/// The pace of a rule's notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotificationPace {
    /// The least time between two notifications that an alert fires, also if it was resolved meanwhile.
    pub(super) cooldown: Duration,
    /// The time after which a firing alert is announced again.
    pub(super) repeat: Duration,
}

impl NotificationPace {
    /// Decides whether an alert is announced now, and notes that it was. `last` is when it was last announced as firing, in
    /// any episode. `is_muted` says that a silence or another alert hides it.
    ///
    /// The end of an episode that was announced is announced in any case, and that of another never: no receiver waits for
    /// an end that does not come, and none hears of the end of what it has not heard of.
    pub(super) fn notify(
        self,
        tracking: &mut Tracking,
        last: &mut Option<Nanos>,
        is_muted: bool,
        now: Nanos,
    ) -> Option<NotificationReason> {
        let is_over = |since: Option<Nanos>, least| {
            since.is_none_or(|at| now.saturating_sub(at) >= nanos(least))
        };
        let is_firing = tracking.phase.state() == AlertState::Firing;
        let reason = match &mut tracking.phase {
            Phase::Resolved(ended) => {
                let owes_end = std::mem::take(&mut ended.owes_end);
                return owes_end.then_some(NotificationReason::Resolved);
            }
            Phase::Firing(episode) | Phase::Recovering { episode, .. } => {
                if !is_firing || is_muted || !is_over(*last, self.cooldown) {
                    return None;
                }
                let reason = match episode.announced {
                    None => NotificationReason::First,
                    Some(_) if episode.acknowledged.is_some() => return None,
                    Some(at) if is_over(Some(at), self.repeat) => NotificationReason::Repeat,
                    Some(_) => return None,
                };
                episode.announced = Some(now);
                reason
            }
            Phase::Inactive | Phase::Pending { .. } => return None,
        };
        *last = Some(now);
        Some(reason)
    }
}
