//! The alerts of a channel that are delivered together, and what the receiver has heard of each.

use std::collections::BTreeMap;
use std::time::Duration;

use super::announcement::{AlertAnnouncement, AnnouncementKind};
use super::channel::NotificationGrouping;
use super::delivery::DeliveryOutcome;
use super::outbox_counts::{OutboxCounts, OutboxDrop};
use crate::alerts::enabled::alert::Alert;

/// For how long a notification waits for the disk: five seconds.
pub(super) const STORE_WAIT: u64 = 5000;

/// What the notifications of a channel are made of.
#[derive(Debug, Clone)]
pub(in crate::alerts::enabled) struct OutboxSettings {
    pub(in crate::alerts::enabled) channel: String,
    pub(in crate::alerts::enabled) service: String,
    pub(in crate::alerts::enabled) environment: Option<String>,
    pub(in crate::alerts::enabled) dashboard_url: Option<String>,
    /// How long the first alert of a group waits for others.
    pub(in crate::alerts::enabled) group_wait: Duration,
    /// The least time between two notifications of a group.
    pub(in crate::alerts::enabled) group_interval: Duration,
    pub(in crate::alerts::enabled) grouping: NotificationGrouping,
    pub(in crate::alerts::enabled) sends_acknowledgements: bool,
    pub(in crate::alerts::enabled) resend_every: Option<Duration>,
    /// The time after which a receiver may assume the end.
    pub(in crate::alerts::enabled) valid_for: Duration,
}

/// An alert of a group: its newest state.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GroupMember {
    pub(super) newest: AlertAnnouncement,
    /// An acknowledgement that is to be delivered after `newest`: a receiver that has not heard of the alert cannot take it.
    pub(super) next: Option<AlertAnnouncement>,
    /// Whether the newest state has still to be delivered.
    pub(super) is_pending: bool,
    /// Whether the receiver has heard of the alert, or may have.
    pub(super) is_known: bool,
    /// Whether the receiver has refused the newest state. It would refuse each notification that contains it.
    pub(super) is_refused: bool,
    /// The number of the state that is being delivered.
    pub(super) in_flight: Option<u64>,
    /// The version of the outbox with the last change of this alert, and when that was.
    pub(super) changed: (u64, u64),
}

/// Alerts that are delivered together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct AlertGroup {
    pub(super) members: BTreeMap<u64, GroupMember>,
    /// When it is to be delivered. `None` if nothing has changed.
    pub(super) due: Option<u64>,
    pub(super) flushed: Option<u64>,
    pub(super) attempts: u32,
    /// Whether some recipients have accepted the last attempt. What is new does not wait for the others.
    pub(super) is_partial: bool,
    pub(super) first_failed: Option<u64>,
    /// When all its alerts were last sent, for a receiver that wants to hear them again.
    pub(super) resent: u64,
    /// The number of notifications of the repetition that is under way.
    pub(super) resend_page: usize,
}

/// What an announcement has done to an alert.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MemberChange {
    /// The receiver need not hear of it.
    Ignored,
    /// It waits, and has replaced this number of others.
    Waits { replaced: u64 },
    /// The alert has ended before the receiver heard of it: this number of announcements is not delivered.
    Ended(u64),
}

impl GroupMember {
    /// An alert that the receiver has still to hear of.
    pub(super) fn new(newest: AlertAnnouncement) -> Self {
        Self {
            newest,
            next: None,
            is_pending: true,
            is_known: false,
            is_refused: false,
            in_flight: None,
            changed: (0, 0),
        }
    }

    /// Whether the receiver has heard of it, and takes what it is now.
    pub(super) fn is_told(&self) -> bool {
        self.is_known && !self.is_refused
    }

    pub(super) fn is_end(&self) -> bool {
        self.newest.kind == AnnouncementKind::Resolved
    }

    /// Takes a newer announcement of the alert.
    pub(super) fn take(&mut self, mut new: AlertAnnouncement) -> MemberChange {
        match new.kind {
            AnnouncementKind::Acknowledged => return self.take_acknowledgement(new),
            AnnouncementKind::Resolved if !self.is_known && self.in_flight.is_none() => {
                return MemberChange::Ended(1 + self.waiting());
            }
            AnnouncementKind::Resolved => {
                keep_announced(&mut new.alert.alert, &self.newest.alert.alert);
            }
            AnnouncementKind::First | AnnouncementKind::Repeat => {}
        }
        let replaced = self.replaceable() + u64::from(self.next.take().is_some());
        self.set(new);
        MemberChange::Waits { replaced }
    }

    fn take_acknowledgement(&mut self, new: AlertAnnouncement) -> MemberChange {
        let is_heard = self.is_pending || self.is_known;
        if self.is_end() || !is_heard {
            return MemberChange::Ignored;
        }
        let replaced = if self.is_pending && self.newest.kind != AnnouncementKind::Acknowledged {
            u64::from(self.next.replace(new).is_some())
        } else {
            let replaced = self.replaceable();
            self.set(new);
            replaced
        };
        MemberChange::Waits { replaced }
    }

    fn set(&mut self, new: AlertAnnouncement) {
        self.newest = new;
        (self.is_pending, self.is_refused) = (true, false);
    }

    /// The announcements that wait and would be replaced: one that is in flight counts when its result is known.
    fn replaceable(&self) -> u64 {
        u64::from(self.is_pending && self.in_flight != Some(self.newest.number))
    }

    /// The announcements that have still to be delivered.
    pub(super) fn waiting(&self) -> u64 {
        let in_flight = self.in_flight.is_some_and(|it| it != self.newest.number);
        u64::from(self.is_pending) + u64::from(in_flight) + u64::from(self.next.is_some())
    }

    /// Notes what became of the state that was in flight, if one was. `resends`: the receiver hears again of what fires.
    /// Returns the state if it was given up.
    pub(super) fn settle(
        &mut self,
        result: DeliveryResult,
        resends: bool,
        counts: &mut OutboxCounts,
    ) -> Option<AlertAnnouncement> {
        let number = self.in_flight.take()?;
        let is_newest = self.newest.number == number;
        self.is_known |= result.is_uncertain;
        let why = match result.outcome {
            DeliveryOutcome::Delivered => {
                counts.delivered += 1;
                self.is_known = true;
                self.is_pending = !is_newest;
                self.promote();
                return None;
            }
            DeliveryOutcome::Retried => {
                if !is_newest && !self.drop_unheard_end(1, counts) {
                    counts.drop_some(OutboxDrop::Coalesced, 1);
                }
                return None;
            }
            DeliveryOutcome::Rejected => OutboxDrop::Rejected,
            DeliveryOutcome::Expired => OutboxDrop::Expired,
        };
        counts.drop_some(why, 1);
        self.is_pending = !is_newest;
        self.is_refused = is_newest && why == OutboxDrop::Rejected;
        // It is part of the next repetition, once the receiver responds again.
        self.is_known |= resends && why == OutboxDrop::Expired;
        if !is_newest {
            self.drop_unheard_end(0, counts);
        }
        let given_up = is_newest.then(|| self.newest.clone());
        if self.is_known {
            self.promote();
        } else if self.next.take().is_some() {
            counts.drop_some(why, 1);
        }
        given_up
    }

    /// Drops an end that waits, and `before` announcements with it, if the receiver has certainly not heard of the begin. It
    /// arrived while the begin was in flight. Returns whether it was dropped.
    fn drop_unheard_end(&mut self, before: u64, counts: &mut OutboxCounts) -> bool {
        let is_unheard = self.is_pending && self.is_end() && !self.is_known;
        if is_unheard {
            self.is_pending = false;
            counts.drop_some(OutboxDrop::Ended, 1 + before);
        }
        is_unheard
    }

    /// What was to be delivered after the newest state is the newest one now, if nothing else waits.
    fn promote(&mut self) {
        if !self.is_pending
            && let Some(next) = self.next.take()
        {
            self.set(next);
        }
    }
}

/// What may be delivered: each state waits until it is on disk, but not for a disk that hangs.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoreGate {
    /// The version of the outbox that is on disk. `None` if nothing waits for it.
    pub(super) stored: Option<u64>,
    pub(super) now: u64,
}

impl StoreGate {
    pub(super) fn admits(self, member: &GroupMember) -> bool {
        let (version, at) = member.changed;
        self.stored.is_none_or(|stored| stored >= version) || self.now.abs_diff(at) >= STORE_WAIT
    }
}

/// The result of an attempt to deliver a notification.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeliveryResult {
    pub(super) outcome: DeliveryOutcome,
    /// Whether the receiver may have processed it although it failed.
    pub(super) is_uncertain: bool,
}

impl AlertGroup {
    pub(super) fn has_pending(&self) -> bool {
        self.members.values().any(|member| member.is_pending)
    }
}

/// Gives the end of an alert the severity and the labels with which it was announced. The rule may have changed since, and some
/// receivers know an alert by its labels. If the rule no longer exists, its texts are those of the announcement.
fn keep_announced(end: &mut Alert, announced: &Alert) {
    end.severity = announced.severity;
    end.labels.clone_from(&announced.labels);
    if end.annotations.is_empty() && end.runbook.is_none() {
        end.annotations.clone_from(&announced.annotations);
        end.runbook.clone_from(&announced.runbook);
        end.bound.clone_from(&announced.bound);
    }
}
