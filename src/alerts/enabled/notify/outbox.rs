//! What one channel has still to deliver. Pure: it gets the time from its caller, in milliseconds since the Unix epoch.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, UNIX_EPOCH};

use super::announcement::{AlertAnnouncement, AnnouncementKind};
use super::channel::{DeliveryError, NotificationGrouping};
use super::compose::{GroupView, compose};
use super::delivery::{Delivery, DeliveryOutcome};
use super::group::{AlertGroup, GroupMember, OutboxSettings};
use super::notification::{Notification, millis};
use super::retry::{MAX_WAIT, back_off};

/// The maximum number of alerts that a channel keeps.
pub(super) const MAX_MEMBERS: usize = 2000;
/// The maximum number of attempts in the delivery log of a channel.
pub(super) const MAX_LOG: usize = 100;
/// The maximum number of dead letters that a channel keeps.
pub(super) const MAX_DEAD: usize = 100;
/// A notification that could not be delivered for so long is a dead letter: a day.
const EXPIRES_AFTER: u64 = 86_400_000;
/// For how long the end of an alert is sent again, to a receiver that wants it: five minutes.
const RESEND_RESOLVED: u64 = 300_000;
/// For how long a notification waits for the disk: five seconds.
pub(super) const STORE_WAIT: u64 = 5000;

/// Why an announcement was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::alerts::enabled) enum OutboxDrop {
    Coalesced,
    Ended,
    Rejected,
    Expired,
    QueueFull,
}

/// What became of the announcements: `emitted` is the sum of the others and of what waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::alerts::enabled) struct OutboxCounts {
    pub(in crate::alerts::enabled) emitted: u64,
    pub(in crate::alerts::enabled) delivered: u64,
    pub(in crate::alerts::enabled) dropped: BTreeMap<OutboxDrop, u64>,
}

/// What is kept over a restart.
#[derive(Debug, Default, PartialEq)]
pub(super) struct OutboxContent {
    pub(super) groups: BTreeMap<String, AlertGroup>,
    pub(super) log: VecDeque<Delivery>,
    pub(super) dead: VecDeque<AlertAnnouncement>,
    pub(super) last_number: u64,
    pub(super) failing_since: Option<u64>,
    pub(super) problem: Option<String>,
}

/// A notification that is being delivered.
#[derive(Debug)]
pub(super) struct PreparedDelivery {
    pub(super) group: String,
    pub(super) notification: Notification,
    attempt: u32,
    is_resend: bool,
}

#[derive(Debug)]
pub(super) struct ChannelOutbox {
    settings: OutboxSettings,
    pub(super) content: OutboxContent,
    pub(super) counts: OutboxCounts,
    /// Announcements that arrived before the file was read.
    incoming: Option<Vec<(AlertAnnouncement, bool)>>,
    /// Increases with each change.
    pub(super) version: u64,
    /// Failures in a row, of any group.
    failures: u32,
    /// Nothing is delivered before.
    hold_until: u64,
    resent: u64,
}

impl ChannelOutbox {
    /// An outbox that takes announcements. They are looked at once it is [opened](Self::open).
    pub(super) fn new(settings: OutboxSettings) -> Self {
        Self {
            settings,
            content: OutboxContent::default(),
            counts: OutboxCounts::default(),
            incoming: Some(Vec::new()),
            version: 0,
            failures: 0,
            hold_until: 0,
            resent: 0,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.incoming.is_none()
    }

    /// Adds what an earlier process has stored, and begins with the announcements.
    pub(super) fn open(&mut self, stored: OutboxContent, now: u64) {
        let mut recovered = 0;
        for (key, group) in stored.groups {
            let into = self.content.groups.entry(key).or_default();
            into.flushed = into.flushed.max(group.flushed);
            into.first_failed = into.first_failed.or(group.first_failed);
            into.attempts = into.attempts.max(group.attempts);
            into.due = into.due.or(group.due);
            for (fingerprint, mut member) in group.members {
                if let Entry::Vacant(place) = into.members.entry(fingerprint) {
                    recovered += u64::from(member.is_pending);
                    // It may have been in flight when the process ended.
                    member.is_known = true;
                    member.in_flight = None;
                    place.insert(member);
                }
            }
        }
        self.counts.emitted += recovered;
        self.content.last_number = self.content.last_number.max(stored.last_number);
        self.content.failing_since = self.content.failing_since.or(stored.failing_since);
        self.content.problem = self.content.problem.take().or(stored.problem);
        for delivery in stored.log.into_iter().rev() {
            self.content.log.push_front(delivery);
        }
        for letter in stored.dead.into_iter().rev() {
            self.content.dead.push_front(letter);
        }
        for (announcement, is_recovered) in self.incoming.take().into_iter().flatten() {
            self.offer(announcement, is_recovered, now);
        }
    }

    /// Takes an announcement. One that an earlier process has stored with its alerts (`is_recovered`) may be here already.
    pub(super) fn offer(&mut self, new: AlertAnnouncement, is_recovered: bool, now: u64) {
        if let Some(incoming) = &mut self.incoming {
            if incoming.len() < MAX_MEMBERS {
                incoming.push((new, is_recovered));
            } else {
                self.counts.emitted += 1;
                self.drop_some(OutboxDrop::QueueFull, 1);
            }
            return;
        }
        if is_recovered && new.number <= self.content.last_number {
            return;
        }
        self.content.last_number = self.content.last_number.max(new.number);
        self.version += 1;
        if new.kind == AnnouncementKind::Acknowledged && !self.settings.sends_acknowledgements {
            return;
        }
        self.counts.emitted += 1;
        let key = self.group_key(&new);
        let fingerprint = new.alert.alert.fingerprint;
        let is_full = self.len() >= MAX_MEMBERS;
        let is_end = new.kind == AnnouncementKind::Resolved;
        let group = self.content.groups.entry(key.clone()).or_default();
        let mut dropped = None;
        match group.members.get_mut(&fingerprint) {
            // The receiver need not hear of it at all.
            Some(member) if is_end && !member.is_known && member.in_flight.is_none() => {
                dropped = Some((OutboxDrop::Ended, 1 + u64::from(member.is_pending)));
                group.members.remove(&fingerprint);
            }
            Some(member) => {
                if member.is_pending && member.in_flight != Some(member.newest.number) {
                    dropped = Some((OutboxDrop::Coalesced, 1));
                }
                member.newest = new;
                member.is_pending = true;
            }
            None if is_full => dropped = Some((OutboxDrop::QueueFull, 1)),
            None => {
                let member = GroupMember {
                    newest: new,
                    is_pending: true,
                    is_known: false,
                    in_flight: None,
                };
                group.members.insert(fingerprint, member);
            }
        }
        group.changed = (self.version, now);
        if !group.members.values().any(|member| member.is_pending) {
            (group.due, group.attempts, group.first_failed) = (None, 0, None);
        } else if group.due.is_none() {
            let interval = span(self.settings.group_interval);
            let wait = span(self.settings.group_wait);
            let earliest = group
                .flushed
                .map_or(now + wait, |at| at.saturating_add(interval));
            group.due = Some(earliest.max(now));
        }
        if group.members.is_empty() {
            self.content.groups.remove(&key);
        }
        if let Some((why, count)) = dropped {
            self.drop_some(why, count);
        }
    }

    /// The next notification to deliver. `stored` is the version that is on disk: what is not there yet waits for it. At the
    /// end of the process (`all`), nothing waits.
    pub(super) fn take_due(
        &mut self,
        now: u64,
        stored: Option<u64>,
        all: bool,
    ) -> Option<PreparedDelivery> {
        self.forget(now);
        if self.hold_until > now + MAX_WAIT {
            self.hold_until = now;
        }
        if !self.is_open() || (self.hold_until > now && !all) {
            return None;
        }
        let is_ready = |group: &AlertGroup| {
            let (version, at) = group.changed;
            let is_stored = stored.is_none_or(|stored| stored >= version);
            all || is_stored || now.abs_diff(at) >= STORE_WAIT
        };
        let is_due = |due: u64| all || due <= now || due > now + 2 * MAX_WAIT;
        let groups = self.content.groups.iter();
        let next = groups.filter_map(|(key, group)| Some((group.due?, key, group)));
        let next = next.filter(|(due, _, group)| is_due(*due) && is_ready(group));
        let next = next.min_by_key(|(due, ..)| *due);
        let Some((_, key, _)) = next else {
            return self.take_resend(now);
        };
        let key = key.clone();
        let group = self.content.groups.get_mut(&key)?;
        for member in group.members.values_mut().filter(|it| it.is_pending) {
            member.in_flight = Some(member.newest.number);
        }
        let notification = compose(
            &self.settings,
            GroupView {
                key: &key,
                group,
                is_resend: false,
            },
        )?;
        Some(PreparedDelivery {
            attempt: group.attempts.saturating_add(1),
            group: key,
            notification,
            is_resend: false,
        })
    }

    /// What a receiver wants to hear again.
    fn take_resend(&mut self, now: u64) -> Option<PreparedDelivery> {
        let every = span(self.settings.resend_every?);
        if now.abs_diff(self.resent) < every {
            return None;
        }
        self.resent = now;
        let (key, group) = self.content.groups.iter().next()?;
        let notification = compose(
            &self.settings,
            GroupView {
                key,
                group,
                is_resend: true,
            },
        )?;
        Some(PreparedDelivery {
            attempt: 1,
            group: key.clone(),
            notification,
            is_resend: true,
        })
    }

    /// Notes the result of an attempt.
    pub(super) fn complete(
        &mut self,
        prepared: &PreparedDelivery,
        result: &Result<(), DeliveryError>,
        now: u64,
        random: u64,
    ) {
        self.version += 1;
        self.resent = now;
        self.note_health(result, now);
        let Some(group) = self.content.groups.get_mut(&prepared.group) else {
            return;
        };
        if prepared.is_resend {
            return;
        }
        let first_failed = *group.first_failed.get_or_insert(now);
        let is_expired = now.saturating_sub(first_failed) >= EXPIRES_AFTER;
        let outcome = match result {
            Ok(()) => DeliveryOutcome::Delivered,
            Err(error) if error.is_final => DeliveryOutcome::Rejected,
            Err(_) if is_expired => DeliveryOutcome::Expired,
            Err(_) => DeliveryOutcome::Retried,
        };
        let mut next_retry = None;
        if outcome == DeliveryOutcome::Retried {
            group.attempts = prepared.attempt;
            let asked = result.as_ref().err().and_then(|error| error.retry_after);
            let asked = asked.map_or(0, span).min(MAX_WAIT);
            let wait = |failures| back_off(failures, random).max(asked);
            let due = now + wait(group.attempts);
            group.due = Some(due);
            self.hold_until = now + wait(self.failures);
            next_retry = Some(due.max(self.hold_until));
        } else {
            (group.attempts, group.first_failed) = (0, None);
            group.flushed = Some(now);
        }
        self.settle(&prepared.group, outcome, result);
        self.log(prepared, outcome, result, now, next_retry);
    }

    /// Settles the alerts that were in flight.
    fn settle(&mut self, key: &str, outcome: DeliveryOutcome, result: &Result<(), DeliveryError>) {
        let Some(group) = self.content.groups.get_mut(key) else {
            return;
        };
        let keeps_ended = self.settings.resend_every.is_some();
        let is_uncertain = result.as_ref().is_err_and(|error| error.is_uncertain);
        let (mut delivered, mut coalesced, mut given_up, mut dead) = (0, 0, 0, Vec::new());
        for member in group.members.values_mut() {
            let Some(number) = member.in_flight.take() else {
                continue;
            };
            let is_newest = member.newest.number == number;
            match outcome {
                DeliveryOutcome::Delivered => {
                    delivered += 1;
                    member.is_known = true;
                    member.is_pending = !is_newest;
                }
                DeliveryOutcome::Retried => {
                    member.is_known |= is_uncertain;
                    coalesced += u64::from(!is_newest);
                }
                DeliveryOutcome::Rejected | DeliveryOutcome::Expired => {
                    member.is_known |= is_uncertain;
                    member.is_pending = !is_newest;
                    given_up += 1;
                    if is_newest {
                        dead.push(member.newest.clone());
                    }
                }
            }
        }
        group.members.retain(|_, member| {
            let is_end = member.newest.kind == AnnouncementKind::Resolved;
            member.is_pending || !is_end || keeps_ended
        });
        let interval = span(self.settings.group_interval);
        let has_more = group.members.values().any(|member| member.is_pending);
        if outcome != DeliveryOutcome::Retried {
            let next = group.flushed.unwrap_or(0).saturating_add(interval);
            group.due = has_more.then_some(next);
        }
        if group.members.is_empty() {
            self.content.groups.remove(key);
        }
        self.counts.delivered += delivered;
        self.drop_some(OutboxDrop::Coalesced, coalesced);
        let why = if outcome == DeliveryOutcome::Expired {
            OutboxDrop::Expired
        } else {
            OutboxDrop::Rejected
        };
        self.drop_some(why, given_up);
        self.content.dead.extend(dead);
        let excess = self.content.dead.len().saturating_sub(MAX_DEAD);
        self.content.dead.drain(..excess);
    }

    fn note_health(&mut self, result: &Result<(), DeliveryError>, now: u64) {
        if let Err(error) = result {
            self.failures = self.failures.saturating_add(1);
            self.content.failing_since.get_or_insert(now);
            self.content.problem = Some(error.text.chars().take(500).collect());
        } else {
            self.failures = 0;
            self.hold_until = 0;
            self.content.failing_since = None;
            self.content.problem = None;
        }
    }

    fn log(
        &mut self,
        prepared: &PreparedDelivery,
        outcome: DeliveryOutcome,
        result: &Result<(), DeliveryError>,
        now: u64,
        next_retry: Option<u64>,
    ) {
        let error = result.as_ref().err();
        let time = |at| UNIX_EPOCH + Duration::from_millis(at);
        self.content.log.push_back(Delivery {
            at: time(now),
            channel: self.settings.channel.clone(),
            id: prepared.notification.id.clone(),
            title: prepared.notification.title(),
            cause: prepared.notification.cause,
            attempt: prepared.attempt,
            outcome,
            code: error.and_then(|error| error.code),
            problem: error.map(|error| error.text.chars().take(500).collect()),
            next_retry: next_retry.map(time),
        });
        let excess = self.content.log.len().saturating_sub(MAX_LOG);
        self.content.log.drain(..excess);
    }

    /// Removes the ends of alerts that were sent for long enough.
    fn forget(&mut self, now: u64) {
        if self.settings.resend_every.is_none() {
            return;
        }
        for group in self.content.groups.values_mut() {
            group.members.retain(|_, member| {
                let ended = member.newest.alert.alert.resolved_at.map_or(0, millis);
                member.is_pending
                    || member.newest.kind != AnnouncementKind::Resolved
                    || now.saturating_sub(ended) < RESEND_RESOLVED
            });
        }
        self.content
            .groups
            .retain(|_, group| !group.members.is_empty());
    }

    /// Removes alerts that were delivered and no longer exist, because the file with the alerts was lost.
    /// Without that, they would be sent again for ever.
    pub(super) fn forget_unknown(&mut self, fires: &dyn Fn(u64) -> bool) {
        for group in self.content.groups.values_mut() {
            group.members.retain(|fingerprint, member| {
                member.is_pending
                    || member.newest.kind == AnnouncementKind::Resolved
                    || fires(*fingerprint)
            });
        }
        self.content
            .groups
            .retain(|_, group| !group.members.is_empty());
    }

    fn group_key(&self, new: &AlertAnnouncement) -> String {
        let alert = &new.alert.alert;
        match self.settings.grouping {
            NotificationGrouping::ByRule => alert.rule.clone(),
            NotificationGrouping::EachAlert => format!("{:016x}", alert.fingerprint),
            NotificationGrouping::All => String::new(),
        }
    }

    fn drop_some(&mut self, why: OutboxDrop, count: u64) {
        if count > 0 {
            *self.counts.dropped.entry(why).or_default() += count;
        }
    }

    /// The number of alerts that it keeps.
    fn len(&self) -> usize {
        let groups = self.content.groups.values();
        groups.map(|group| group.members.len()).sum()
    }

    /// The number of announcements that wait.
    pub(super) fn spooled(&self) -> u64 {
        let groups = self.content.groups.values();
        let members = groups.flat_map(|group| group.members.values());
        let waiting = members.map(|member| {
            let replaced = member
                .in_flight
                .is_some_and(|it| it != member.newest.number);
            u64::from(member.is_pending) + u64::from(replaced)
        });
        waiting.sum()
    }
}

/// A duration in milliseconds.
fn span(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
