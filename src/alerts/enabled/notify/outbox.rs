//! What one channel has still to deliver. Pure: it gets the time from its caller, in milliseconds since the Unix epoch.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, UNIX_EPOCH};

use super::announcement::{AlertAnnouncement, AnnouncementKind};
use super::channel::{DeliveryError, NotificationGrouping};
use super::compose::{GroupPart, GroupView, MAX_ALERTS, compose};
use super::delivery::{Delivery, DeliveryOutcome};
use super::group::{
    AlertGroup, DeliveryResult, GroupMember, MemberChange, OutboxSettings, StoreGate,
};
use super::notification::{Notification, millis};
use super::outbox_counts::{OutboxCounts, OutboxDrop};
use super::retry::{MAX_WAIT, back_off};

/// The maximum number of alerts that a channel keeps.
pub(super) const MAX_MEMBERS: usize = 2000;
/// The maximum number of announcements that wait for the file: all that an earlier process may have left, and as many new ones.
const MAX_INCOMING: usize = 2 * MAX_MEMBERS;
/// The maximum number of attempts in the delivery log of a channel.
pub(super) const MAX_LOG: usize = 100;
/// The maximum number of dead letters that a channel keeps.
pub(super) const MAX_DEAD: usize = 100;
/// A notification that could not be delivered for so long is a dead letter: a day.
const EXPIRES_AFTER: u64 = 86_400_000;
/// For how long the end of an alert is sent again, to a receiver that wants it: five minutes.
const RESEND_RESOLVED: u64 = 300_000;
/// What is kept over a restart.
#[derive(Debug, Default, PartialEq)]
pub(super) struct OutboxContent {
    pub(super) groups: BTreeMap<String, AlertGroup>,
    pub(super) log: VecDeque<Delivery>,
    pub(super) dead: VecDeque<AlertAnnouncement>,
    pub(super) last_number: u64,
    pub(super) failing_since: Option<u64>,
    pub(super) problem: Option<String>,
    /// Whether a part of the file could not be read, so that the receiver may know of alerts that are not here.
    pub(super) is_incomplete: bool,
}

/// A notification that is being delivered.
#[derive(Debug)]
pub(super) struct PreparedDelivery {
    pub(super) group: String,
    pub(super) notification: Notification,
    attempt: u32,
    /// Whether the receiver hears again of what it knows.
    pub(super) is_resend: bool,
}

/// How an announcement comes to a channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnnouncementOrigin {
    /// Whether an earlier process has stored it with its alerts, so that it may be here already.
    pub(super) is_recovered: bool,
    /// Whether alerts like this one go to the channel. What follows on an announcement goes to all that have it.
    pub(super) is_routed: bool,
}

#[derive(Debug)]
pub(super) struct ChannelOutbox {
    settings: OutboxSettings,
    pub(super) content: OutboxContent,
    pub(super) counts: OutboxCounts,
    /// Announcements that arrived before the file was read.
    incoming: Option<Vec<(AlertAnnouncement, AnnouncementOrigin)>>,
    /// Increases with each change.
    pub(super) version: u64,
    /// Failures in a row, of any group.
    failures: u32,
    /// Nothing is delivered before.
    hold_until: u64,
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
                    recovered += member.waiting();
                    // What waits may have been in flight when the process ended.
                    member.is_known |= member.is_pending;
                    place.insert(member);
                }
            }
            // Nothing waits if the records of what did are damaged.
            into.due = into.due.filter(|_| into.has_pending());
        }
        self.counts.emitted += recovered;
        self.content.last_number = self.content.last_number.max(stored.last_number);
        self.content.failing_since = self.content.failing_since.or(stored.failing_since);
        self.content.problem = self.content.problem.take().or(stored.problem);
        self.content.is_incomplete |= stored.is_incomplete;
        for delivery in stored.log.into_iter().rev() {
            self.content.log.push_front(delivery);
        }
        for letter in stored.dead.into_iter().rev() {
            self.content.dead.push_front(letter);
        }
        for (announcement, origin) in self.incoming.take().into_iter().flatten() {
            self.offer(announcement, origin, now);
        }
    }

    /// Takes an announcement.
    pub(super) fn offer(&mut self, new: AlertAnnouncement, origin: AnnouncementOrigin, now: u64) {
        if let Some(incoming) = &mut self.incoming {
            if incoming.len() < MAX_INCOMING {
                incoming.push((new, origin));
            } else if origin.is_routed {
                self.counts.emitted += 1;
                self.counts.drop_some(OutboxDrop::QueueFull, 1);
            }
            return;
        }
        if origin.is_recovered && new.number <= self.content.last_number {
            return;
        }
        let key = self.group_key(&new);
        let fingerprint = new.alert.alert.fingerprint;
        let group = self.content.groups.get(&key);
        let is_held = group.is_some_and(|group| group.members.contains_key(&fingerprint));
        let is_wanted = match new.kind {
            AnnouncementKind::First | AnnouncementKind::Repeat => origin.is_routed,
            AnnouncementKind::Acknowledged => is_held && self.settings.sends_acknowledgements,
            // Whatever the rule and the routes are by now.
            AnnouncementKind::Resolved => {
                is_held || (origin.is_routed && self.content.is_incomplete)
            }
        };
        if !is_wanted {
            return;
        }
        self.content.last_number = self.content.last_number.max(new.number);
        self.version += 1;
        let is_full = self.len() >= MAX_MEMBERS;
        let group = self.content.groups.entry(key.clone()).or_default();
        let change = match group.members.get_mut(&fingerprint) {
            Some(member) => member.take(new),
            None if is_full => {
                self.counts.drop_some(OutboxDrop::QueueFull, 1);
                MemberChange::Waits { replaced: 0 }
            }
            None => {
                group.members.insert(fingerprint, GroupMember::new(new));
                MemberChange::Waits { replaced: 0 }
            }
        };
        match change {
            MemberChange::Ignored => return,
            MemberChange::Waits { replaced } => {
                self.counts.drop_some(OutboxDrop::Coalesced, replaced);
            }
            MemberChange::Ended(count) => {
                group.members.remove(&fingerprint);
                self.counts.drop_some(OutboxDrop::Ended, count);
            }
        }
        self.counts.emitted += 1;
        if let Some(member) = group.members.get_mut(&fingerprint) {
            member.changed = (self.version, now);
        }
        if !group.has_pending() {
            (group.due, group.attempts, group.first_failed) = (None, 0, None);
        } else if group.due.is_none() || group.is_partial {
            let interval = span(self.settings.group_interval);
            let wait = span(self.settings.group_wait);
            let earliest = group
                .flushed
                .map_or(now + wait, |at| at.saturating_add(interval));
            // What is new does not wait for recipients that are refused for now.
            let due = group.due.map_or(u64::MAX, |due| due.max(now));
            group.due = Some(earliest.max(now).min(due));
        }
        if group.members.is_empty() {
            self.content.groups.remove(&key);
        }
    }

    /// The next notification to deliver. `stored` is the version that is on disk: what is not there yet waits for it.
    pub(super) fn take_due(&mut self, now: u64, stored: Option<u64>) -> Option<PreparedDelivery> {
        self.forget(now);
        if self.hold_until > now + MAX_WAIT {
            self.hold_until = now;
        }
        if !self.is_open() || self.hold_until > now {
            return None;
        }
        let gate = StoreGate { stored, now };
        let is_ready = |group: &AlertGroup| {
            let mut pending = group.members.values().filter(|member| member.is_pending);
            pending.any(|member| gate.admits(member))
        };
        // No wait is longer, unless the clock was set back.
        let longest = self.settings.group_interval.max(self.settings.group_wait);
        let last = now + MAX_WAIT + span(longest).max(MAX_WAIT);
        let is_due = |due: u64| due <= now || due > last;
        let groups = self.content.groups.iter();
        let next = groups.filter_map(|(key, group)| Some((group.due?, key, group)));
        let next = next.filter(|(due, _, group)| is_due(*due) && is_ready(group));
        let next = next.min_by_key(|(due, ..)| *due);
        let Some((_, key, _)) = next else {
            return self.take_resend(now);
        };
        let key = key.clone();
        self.prepare(key, gate)
    }

    /// A notification that waits, of none of these groups. At the end of the process, whatever it waits for.
    pub(super) fn take_last(&mut self, tried: &BTreeSet<String>) -> Option<PreparedDelivery> {
        let mut groups = self.content.groups.iter();
        let next = groups.find(|(key, group)| group.due.is_some() && !tried.contains(*key));
        let key = next?.0.clone();
        let gate = StoreGate {
            stored: None,
            now: 0,
        };
        self.prepare(key, gate)
    }

    fn prepare(&mut self, key: String, gate: StoreGate) -> Option<PreparedDelivery> {
        let group = self.content.groups.get_mut(&key)?;
        let view = GroupView {
            key: &key,
            group,
            part: GroupPart::New(gate),
        };
        let notification = compose(&self.settings, view)?;
        // Those that found no place are delivered with the next one.
        for notified in notification.alerts.iter().filter(|it| it.is_new) {
            if let Some(member) = group.members.get_mut(&notified.alert.fingerprint) {
                member.in_flight = Some(member.newest.number);
            }
        }
        Some(PreparedDelivery {
            attempt: group.attempts.saturating_add(1),
            group: key,
            notification,
            is_resend: false,
        })
    }

    /// What a receiver wants to hear again: that of the group that was sent longest ago.
    fn take_resend(&mut self, now: u64) -> Option<PreparedDelivery> {
        let every = span(self.settings.resend_every?);
        loop {
            let groups = self.content.groups.iter_mut();
            let due = groups.filter(|(_, group)| now.abs_diff(group.resent) >= every);
            let (key, group) = due.min_by_key(|(_, group)| group.resent)?;
            let page = group.resend_page;
            let view = GroupView {
                key,
                group,
                part: GroupPart::Again(page),
            };
            let found = compose(&self.settings, view);
            let total = found.as_ref().map_or(0, |it| {
                (it.alerts.len() as u64).saturating_add(it.truncated)
            });
            if ((page + 1) * MAX_ALERTS) as u64 >= total {
                (group.resent, group.resend_page) = (now, 0);
            } else {
                group.resend_page = page + 1;
            }
            if let Some(notification) = found {
                return Some(PreparedDelivery {
                    attempt: 1,
                    group: key.clone(),
                    notification,
                    is_resend: true,
                });
            }
        }
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
        self.note_health(result, now);
        let error = result.as_ref().err();
        let asked = error.and_then(|error| error.retry_after);
        let asked = asked.map_or(0, span).min(MAX_WAIT);
        let wait = |failures| back_off(failures, random).max(asked);
        if prepared.is_resend {
            if error.is_some_and(|error| !error.is_partial) {
                self.hold_until = now + wait(self.failures);
            }
            return;
        }
        let Some(group) = self.content.groups.get_mut(&prepared.group) else {
            return;
        };
        let first_failed = *group.first_failed.get_or_insert(now);
        let is_expired = now.saturating_sub(first_failed) >= EXPIRES_AFTER;
        let outcome = match error {
            None => DeliveryOutcome::Delivered,
            Some(error) if error.is_final => DeliveryOutcome::Rejected,
            Some(_) if is_expired => DeliveryOutcome::Expired,
            Some(_) => DeliveryOutcome::Retried,
        };
        group.is_partial = error.is_some_and(|error| error.is_partial);
        let is_partial = group.is_partial;
        let mut next_retry = None;
        if outcome == DeliveryOutcome::Retried {
            group.attempts = prepared.attempt;
            let due = now + wait(group.attempts);
            group.due = Some(due);
            if is_partial {
                group.flushed = Some(now);
            } else {
                self.hold_until = now + wait(self.failures);
            }
            next_retry = Some(due.max(self.hold_until));
        } else {
            (group.attempts, group.first_failed) = (0, None);
            group.flushed = Some(now);
        }
        if outcome == DeliveryOutcome::Delivered && prepared.notification.truncated == 0 {
            // It had everything that fires.
            (group.resent, group.resend_page) = (now, 0);
        }
        self.settle(&prepared.group, outcome, result);
        let group = self.content.groups.get(&prepared.group);
        let next_retry = next_retry.filter(|_| group.is_some_and(|it| it.due.is_some()));
        self.log(prepared, outcome, result, now, next_retry);
    }

    /// Settles the alerts that were in flight.
    fn settle(&mut self, key: &str, outcome: DeliveryOutcome, result: &Result<(), DeliveryError>) {
        let Some(group) = self.content.groups.get_mut(key) else {
            return;
        };
        let resends = self.settings.resend_every.is_some();
        let result = DeliveryResult {
            outcome,
            is_uncertain: result.as_ref().is_err_and(|error| error.is_uncertain),
        };
        for member in group.members.values_mut() {
            let given_up = member.settle(result, resends, &mut self.counts);
            self.content.dead.extend(given_up);
        }
        group.members.retain(|_, member| {
            member.is_pending || !member.is_end() || (resends && member.is_known)
        });
        if outcome != DeliveryOutcome::Retried {
            let interval = span(self.settings.group_interval);
            let next = group.flushed.unwrap_or(0).saturating_add(interval);
            group.due = group.has_pending().then_some(next);
        } else if !group.has_pending() {
            (group.due, group.attempts, group.first_failed) = (None, 0, None);
        }
        if group.members.is_empty() {
            self.content.groups.remove(key);
        }
        let excess = self.content.dead.len().saturating_sub(MAX_DEAD);
        self.content.dead.drain(..excess);
    }

    fn note_health(&mut self, result: &Result<(), DeliveryError>, now: u64) {
        if let Err(error) = result {
            if error.is_partial {
                // The receiver works, so nothing else waits.
                (self.failures, self.hold_until) = (0, 0);
            } else {
                self.failures = self.failures.saturating_add(1);
            }
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
                member.is_pending || !member.is_end() || now.saturating_sub(ended) < RESEND_RESOLVED
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
                member.is_pending || member.is_end() || fires(*fingerprint)
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

    /// The number of alerts that it keeps.
    fn len(&self) -> usize {
        let groups = self.content.groups.values();
        groups.map(|group| group.members.len()).sum()
    }

    /// The number of announcements that wait.
    pub(super) fn spooled(&self) -> u64 {
        let groups = self.content.groups.values();
        let members = groups.flat_map(|group| group.members.values());
        members.map(GroupMember::waiting).sum()
    }
}

/// A duration in milliseconds.
fn span(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
