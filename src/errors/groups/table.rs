//! The groups in memory: which event joins which group, and which group is removed for a new one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use rustc_hash::FxHashMap;

#[cfg(test)]
use super::entry::source_of;
use super::entry::{GroupEntry, push_key};
use super::group::GroupedBy;
use super::pattern::{ErrorPattern, SeenPattern};
use super::releases::Releases;
use super::state::{ChangeAuthor, ErrorState, Mute};
use crate::clock::Nanos;
use crate::errors::event::{ErrorEvent, Frame};
use crate::errors::grouping::{
    CapturePlace, frames_fingerprint, message_fingerprint, own_fingerprint,
};
use crate::model::EventId;
use crate::users::UserHash;

/// The maximum number of groups. A further group replaces the least recently seen group of the location with the most
/// groups, so that a location whose messages all differ does not displace the others.
pub(super) const MAX_GROUPS: usize = 1000;
/// The maximum number of bytes of all samples together, approximately.
pub(super) const MAX_SAMPLE_BYTES: usize = 8 << 20;
/// To how many bytes samples are removed when there are too many.
const KEPT_SAMPLE_BYTES: usize = 7 << 20;
/// The maximum number of patterns that wait to be announced. A further one is counted and not announced.
const MAX_PATTERNS: usize = 1024;

/// The groups of one monitor.
#[derive(Debug, Default)]
pub(super) struct GroupTable {
    pub(super) groups: FxHashMap<u64, GroupEntry>,
    pub(super) by_fingerprint: FxHashMap<u64, u64>,
    pub(super) by_place: FxHashMap<CapturePlace, PlaceGroup>,
    /// The groups that merged groups have become.
    pub(super) merged: FxHashMap<u64, u64>,
    /// How many groups each location has, by its hash, and how many bytes of samples.
    pub(super) sources: FxHashMap<u64, LocationUsage>,
    sample_bytes: usize,
    pub(super) releases: Releases,
    pub(super) counts: GroupCounts,
    /// What has yet to be announced.
    pub(super) patterns: Vec<SeenPattern>,
    /// What is queued for the hooks, which have not been called with it, and how much they were called with.
    pub(super) announcing: VecDeque<SeenPattern>,
    announced: u64,
    /// The number of the last stored event that the counts contain.
    pub(super) covered: u64,
    /// Whether anything has changed since the groups were last stored.
    pub(super) is_dirty: bool,
    /// Whether an event has changed a state since this was last taken.
    pub(super) has_changed: bool,
    /// Whether the running release is new, and has no event yet.
    pub(super) awaits_first_of_release: bool,
}

/// To which group the events of a place belong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum PlaceGroup {
    /// To this one, until the frames of an event are known.
    Awaiting(u64),
    /// To this one, which the frames of an event have decided.
    Decided(u64),
    /// To one of their own messages: the frames have none of the service.
    ByMessage,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LocationUsage {
    pub(super) groups: usize,
    sample_bytes: usize,
}

/// Counts since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct GroupCounts {
    /// Events that were added to a group.
    pub(crate) events: u64,
    /// Groups that were removed for others.
    pub(crate) evicted: u64,
    /// The events that those had counted.
    pub(crate) evicted_events: u64,
    pub(crate) new: u64,
    pub(crate) regressed: u64,
    pub(crate) spikes: u64,
    pub(crate) first_of_release: u64,
    /// Patterns of groups that were removed before they were announced, or for which there was no room.
    pub(crate) unannounced: u64,
}

/// What is known of an event besides itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival<'a> {
    /// When it was captured, if that was in this process.
    pub(super) captured: Option<Nanos>,
    pub(super) now: Nanos,
    /// Whether a group that it begins is announced as a new one.
    pub(super) is_news: bool,
    /// Whether frames follow.
    pub(super) has_backtrace: bool,
    pub(super) user: Option<UserHash>,
    pub(super) release: &'a str,
    pub(super) environment: &'a str,
}

impl GroupTable {
    /// Returns the number of the group that an event belongs to. The group is created if it does not exist.
    pub(super) fn place(&mut self, event: &ErrorEvent, arrival: &Arrival<'_>) -> u64 {
        let (fingerprint, grouped_by) = match self.find(event, arrival.has_backtrace) {
            Ok(number) => return number,
            Err(new) => new,
        };
        // Room is made before the new group is added, so that the new group is not the one that is removed.
        if self.groups.len() >= MAX_GROUPS {
            self.evict();
        }
        // The number of a group that waits is that of no stored group, not even of one that is not loaded yet: its frames
        // may belong to another one.
        let number = match grouped_by {
            GroupedBy::Place => random_number(event.id),
            _ => fingerprint,
        };
        let number = self.free_number(number);
        let entry = GroupEntry::new(number, grouped_by, fingerprint, event, arrival.now);
        if grouped_by == GroupedBy::Place {
            let place = CapturePlace::of(event);
            self.by_place.insert(place, PlaceGroup::Awaiting(number));
        }
        self.by_fingerprint.insert(fingerprint, number);
        self.sources.entry(entry.source).or_default().groups += 1;
        self.groups.insert(number, entry);
        if grouped_by != GroupedBy::Place {
            self.announce_new(number, arrival.is_news);
        }
        number
    }

    /// The first number from `number` that no group has or had. A group keeps its number when its fingerprint changes, so
    /// the number of a new one may be taken. 0 is the number of the head in the file.
    pub(super) fn free_number(&self, mut number: u64) -> u64 {
        while number == 0 || self.groups.contains_key(&number) || self.merged.contains_key(&number)
        {
            number = number.wrapping_add(1);
        }
        number
    }

    /// The group of an event, or the fingerprint of a new one.
    pub(super) fn find(
        &self,
        event: &ErrorEvent,
        has_backtrace: bool,
    ) -> Result<u64, (u64, GroupedBy)> {
        let known = |fingerprint: u64, by| {
            let number = self.by_fingerprint.get(&fingerprint).copied();
            number.ok_or((fingerprint, by))
        };
        if let Some(own) = own_fingerprint(event) {
            return known(own, GroupedBy::Fingerprint);
        }
        let place = CapturePlace::of(event);
        match self.by_place.get(&place) {
            Some(PlaceGroup::Awaiting(number) | PlaceGroup::Decided(number)) => Ok(*number),
            None if has_backtrace => known(place.0, GroupedBy::Place),
            None | Some(PlaceGroup::ByMessage) => {
                known(message_fingerprint(event), GroupedBy::Message)
            }
        }
    }

    /// Adds an event to its group, and changes the state of the group accordingly.
    pub(super) fn add(&mut self, event: &Arc<ErrorEvent>, arrival: &Arrival<'_>) {
        let Some(entry) = self.groups.get_mut(&event.group) else {
            return;
        };
        self.is_dirty = true;
        self.counts.events += 1;
        entry.count = entry.count.saturating_add(1);
        entry.first_seen = entry.first_seen.min(event.at);
        entry.last_seen = event.at;
        entry.last_event = event.id;
        entry.last_captured = entry.last_captured.max(arrival.captured);
        let place = CapturePlace::of(event);
        if let Some(replaced) = push_key(&mut entry.places, place) {
            self.by_place.remove(&replaced);
        }
        entry.timeline.add(minute_of(event.at), 1);
        if let Some(user) = arrival.user {
            entry.users.add(user);
        }
        entry.routes.add(&event.route, 1);
        for (counts, name) in [
            (&mut entry.releases, arrival.release),
            (&mut entry.environments, arrival.environment),
        ] {
            if !name.is_empty() {
                counts.add(name, 1);
            }
        }
        self.offer_sample(event);
        self.step(event.group, event.at, arrival);
        if self.awaits_first_of_release && arrival.captured.is_some() {
            self.awaits_first_of_release = false;
            self.counts.first_of_release += 1;
            self.push_pattern(ErrorPattern::FirstOfRelease, event.group);
        }
    }

    /// Offers an event that is counted already as a sample of its group.
    pub(super) fn offer_sample(&mut self, event: &Arc<ErrorEvent>) {
        let Some(entry) = self.groups.get_mut(&event.group) else {
            return;
        };
        let (before, after) = entry.samples.offer(event, entry.count);
        let source = entry.source;
        self.resize_samples(source, before, after);
        self.trim_samples(event.at);
    }

    /// Changes the state of a group after an event.
    fn step(&mut self, number: u64, at: SystemTime, arrival: &Arrival<'_>) {
        let Some(entry) = self.groups.get_mut(&number) else {
            return;
        };
        match &entry.state {
            ErrorState::Resolved { at: resolved, by } => {
                // Events of this process are compared by the monotonic clock, which nobody sets.
                let is_later = match arrival.captured {
                    Some(captured) => captured >= entry.resolved_at,
                    None => at > *resolved,
                };
                if is_later && by.applies(arrival.release, &self.releases) {
                    let state = ErrorState::Regressed {
                        at,
                        resolved_at: *resolved,
                    };
                    entry.set_state(state, at, &ChangeAuthor::default());
                    self.has_changed = true;
                    self.counts.regressed += 1;
                    self.push_pattern(ErrorPattern::Regression, number);
                }
            }
            ErrorState::Muted {
                until: Mute::UntilMoreThan { events, period },
                ..
            } => {
                let minutes = period.as_secs().div_ceil(60);
                let minute = minute_of(at);
                let within = if minutes <= 60 {
                    entry.timeline.in_minutes(minute, minutes)
                } else {
                    entry.timeline.in_hours(minute / 60, minutes.div_ceil(60))
                };
                let since = entry.count.saturating_sub(entry.count_at_mute);
                if within.min(since) > *events {
                    entry.set_state(ErrorState::Open, at, &ChangeAuthor::default());
                    self.has_changed = true;
                }
            }
            _ => {}
        }
    }

    /// Lets the frames of an event decide about its place, and keeps them with a sample.
    pub(super) fn set_frames(
        &mut self,
        id: EventId,
        event: Option<&ErrorEvent>,
        frames: &[Frame],
        arrival: &Arrival<'_>,
    ) {
        let known = event.map(|event| event.group);
        let number = known.and_then(|number| self.resolve_number(number));
        // Events that were stored are found by their ID alone.
        let holds = |entry: &&GroupEntry| entry.samples.find(id).is_some();
        let number = number.or_else(|| self.groups.values().find(holds).map(|it| it.number));
        let Some(entry) = number.and_then(|number| self.groups.get_mut(&number)) else {
            return;
        };
        let sample = entry.samples.find(id).cloned();
        let (number, source) = (entry.number, entry.source);
        if let Some((before, after)) = entry.samples.set_frames(id, event, frames) {
            self.resize_samples(source, before, after);
            self.is_dirty = true;
        }
        if let Some(event) = event.or(sample.as_deref()) {
            self.decide(event, frames, number, arrival);
        }
    }

    /// Decides about the place of an event by its frames.
    fn decide(&mut self, event: &ErrorEvent, frames: &[Frame], number: u64, arrival: &Arrival<'_>) {
        let place = CapturePlace::of(event);
        let state = self.by_place.get(&place).copied();
        if !event.fingerprint.is_empty()
            || matches!(state, Some(PlaceGroup::Decided(_) | PlaceGroup::ByMessage))
        {
            return;
        }
        let group = match state {
            Some(PlaceGroup::Awaiting(number)) => number,
            _ => number,
        };
        let Some(fingerprint) = frames_fingerprint(event, frames) else {
            self.decide_by_message(place, group, event, arrival);
            return;
        };
        let target = match self.by_fingerprint.get(&fingerprint).copied() {
            Some(target) => target,
            // A group that also has events of other places stays with them.
            None if self.is_of_place(group, place) => {
                self.set_fingerprint(group, fingerprint, GroupedBy::Frames);
                group
            }
            None => return,
        };
        self.set_place(place, target, PlaceGroup::Decided(target));
        // Events of this place that came before any frames have formed groups by their messages.
        let mut others: Vec<u64> = self
            .groups
            .values()
            .filter(|entry| entry.number != target && entry.places == [place])
            .filter(|entry| matches!(entry.grouped_by, GroupedBy::Message | GroupedBy::Place))
            .map(|entry| entry.number)
            .collect();
        others.sort_unstable();
        for other in others {
            self.join(other, target, event.at, arrival);
        }
        self.announce_new(target, arrival.is_news);
    }

    /// The frames of a place have none of the service: its events are grouped by their messages.
    fn decide_by_message(
        &mut self,
        place: CapturePlace,
        group: u64,
        event: &ErrorEvent,
        arrival: &Arrival<'_>,
    ) {
        self.set_place(place, group, PlaceGroup::ByMessage);
        let is_waiting = |entry: &GroupEntry| entry.grouped_by == GroupedBy::Place;
        if !self.groups.get(&group).is_some_and(is_waiting) {
            return;
        }
        let fingerprint = message_fingerprint(event);
        match self.by_fingerprint.get(&fingerprint).copied() {
            Some(target) if target != group => self.join(group, target, event.at, arrival),
            _ => self.set_fingerprint(group, fingerprint, GroupedBy::Message),
        }
        self.announce_new(group, arrival.is_news);
    }

    /// Decides about groups whose frames have not come within `patience`.
    pub(super) fn end_waiting(&mut self, patience: Nanos, arrival: &Arrival<'_>) {
        let is_late = |entry: &&GroupEntry| {
            entry.grouped_by == GroupedBy::Place
                && arrival.now.saturating_sub(entry.created) >= patience
        };
        let late: Vec<u64> = self
            .groups
            .values()
            .filter(is_late)
            .map(|it| it.number)
            .collect();
        for number in late {
            self.join_decided(number, arrival);
            let entry = self.groups.get(&number);
            let first = entry
                .and_then(|entry| Some((*entry.places.first()?, entry.samples.first().cloned())));
            match first {
                Some((place, Some(event))) => {
                    self.decide_by_message(place, number, &event, arrival);
                }
                // Without an event there is no message to group by: the place is all that is known.
                Some((place, None)) => {
                    self.set_place(place, number, PlaceGroup::Decided(number));
                    self.set_fingerprint(number, place.0, GroupedBy::Message);
                    self.announce_new(number, true);
                }
                None => {}
            }
        }
    }

    /// Merges a group that waits into the one that its place belongs to, if that is decided: a group of an earlier process
    /// waits, and events of this one may have decided before it was there.
    fn join_decided(&mut self, number: u64, arrival: &Arrival<'_>) {
        let Some(entry) = self.groups.get(&number) else {
            return;
        };
        let (place, at) = (entry.places.first(), entry.last_seen);
        if let Some(PlaceGroup::Decided(target)) = place.and_then(|it| self.by_place.get(it)) {
            self.join(number, *target, at, arrival);
        }
    }

    /// Sets to which group the events of a place belong. The place is listed with `group`, and removed with it.
    fn set_place(&mut self, place: CapturePlace, group: u64, leads_to: PlaceGroup) {
        let Some(entry) = self.groups.get_mut(&group) else {
            return;
        };
        if let Some(replaced) = push_key(&mut entry.places, place) {
            self.by_place.remove(&replaced);
        }
        self.by_place.insert(place, leads_to);
    }

    fn is_of_place(&self, group: u64, place: CapturePlace) -> bool {
        let entry = self.groups.get(&group);
        entry.is_some_and(|entry| entry.places == [place] && entry.grouped_by != GroupedBy::Frames)
    }

    fn set_fingerprint(&mut self, group: u64, fingerprint: u64, by: GroupedBy) {
        let Some(entry) = self.groups.get_mut(&group) else {
            return;
        };
        for old in std::mem::take(&mut entry.fingerprints) {
            self.by_fingerprint.remove(&old);
        }
        entry.fingerprints.push(fingerprint);
        entry.grouped_by = by;
        self.by_fingerprint.insert(fingerprint, group);
        self.is_dirty = true;
    }

    /// Merges a group into another one because its events belong there: they change the state of that as if they were
    /// added to it.
    pub(super) fn join(&mut self, from: u64, into: u64, at: SystemTime, arrival: &Arrival<'_>) {
        let Some(entry) = self.groups.get(&from).filter(|_| from != into) else {
            return;
        };
        // The group may have waited since before a resolution, so the time of its events counts, and not the one of its
        // merge.
        let (captured, last_seen) = (entry.last_captured, entry.last_seen);
        let (first_seen, count) = (entry.first_seen, entry.count);
        self.merge(from, into, at);
        // Events that all occurred after a mute may end it.
        if let Some(target) = self.groups.get_mut(&into)
            && matches!(target.state, ErrorState::Muted { at, .. } if first_seen >= at)
        {
            target.count_at_mute = target.count_at_mute.saturating_sub(count);
        }
        let arrival = Arrival {
            captured,
            ..*arrival
        };
        self.step(into, last_seen, &arrival);
    }

    /// Merges a group into another one, with all that leads to it. The state of the other one stays.
    pub(super) fn merge(&mut self, from: u64, into: u64, at: SystemTime) {
        if from == into || !self.groups.contains_key(&into) {
            return;
        }
        let Some(mut entry) = self.take(from) else {
            return;
        };
        let samples = std::mem::take(&mut entry.samples);
        let Some(target) = self.groups.get_mut(&into) else {
            return;
        };
        let mut unlisted = Vec::new();
        for fingerprint in &entry.fingerprints {
            unlisted.extend(push_key(&mut target.fingerprints, *fingerprint));
            self.by_fingerprint.insert(*fingerprint, into);
        }
        for place in &entry.places {
            if let Some(replaced) = push_key(&mut target.places, *place) {
                self.by_place.remove(&replaced);
            }
            match self.by_place.get_mut(place) {
                Some(PlaceGroup::Awaiting(group) | PlaceGroup::Decided(group))
                    if *group == from =>
                {
                    *group = into;
                }
                _ => {}
            }
        }
        let list = match entry.grouped_by {
            GroupedBy::Place => &mut entry.waited,
            _ => &mut entry.merged,
        };
        list.push(from);
        for number in &entry.merged {
            if let Some(replaced) = push_key(&mut target.merged, *number) {
                self.merged.remove(&replaced);
            }
            self.merged.insert(*number, into);
        }
        for number in &entry.waited {
            if let Some(replaced) = target.push_waited(*number) {
                self.merged.remove(&replaced);
            }
            self.merged.insert(*number, into);
        }
        if target.is_announced {
            // What was found to be new is known under another number.
            self.patterns
                .retain(|seen| seen.number != from || seen.pattern != ErrorPattern::New);
        }
        entry.samples = samples;
        // What was counted elsewhere does not end a mute.
        target.count_at_mute = target.count_at_mute.saturating_add(entry.count);
        let (before, after) = target.absorb(entry, at);
        let source = target.source;
        for fingerprint in unlisted {
            self.by_fingerprint.remove(&fingerprint);
        }
        self.resize_samples(source, before, after);
        self.is_dirty = true;
    }

    /// The number of a group, after all merges. `None` if there is no such group.
    pub(super) fn resolve_number(&self, number: u64) -> Option<u64> {
        if self.groups.contains_key(&number) {
            return Some(number);
        }
        let into = self.merged.get(&number)?;
        self.groups.contains_key(into).then_some(*into)
    }

    /// Removes a group with all that leads to it, except its places and merged numbers, which [`merge`](Self::merge) moves.
    pub(super) fn take(&mut self, number: u64) -> Option<GroupEntry> {
        let entry = self.groups.remove(&number)?;
        for fingerprint in &entry.fingerprints {
            if self.by_fingerprint.get(fingerprint) == Some(&number) {
                self.by_fingerprint.remove(fingerprint);
            }
        }
        self.resize_samples(entry.source, entry.samples.bytes(), 0);
        if let Some(usage) = self.sources.get_mut(&entry.source) {
            usage.groups = usage.groups.saturating_sub(1);
            if usage.groups == 0 {
                self.sources.remove(&entry.source);
            }
        }
        Some(entry)
    }

    /// Removes the least recently seen group of the location that has the most groups. Groups about which somebody has
    /// decided are removed last.
    pub(super) fn evict(&mut self) {
        let Some((&most, _)) = self.sources.iter().max_by_key(|(_, has)| has.groups) else {
            return;
        };
        let of_source = self.groups.values().filter(|it| it.source == most);
        let least = of_source.min_by_key(|it| (it.state.is_decided(), it.last_seen));
        let Some(number) = least.map(|it| it.number) else {
            return;
        };
        let Some(entry) = self.take(number) else {
            return;
        };
        for place in &entry.places {
            // One of another group stays. One that says how to group is learned again.
            let is_of_other = matches!(
                self.by_place.get(place),
                Some(PlaceGroup::Awaiting(group) | PlaceGroup::Decided(group)) if *group != number
            );
            if !is_of_other {
                self.by_place.remove(place);
            }
        }
        for merged in entry.merged.iter().chain(&entry.waited) {
            self.merged.remove(merged);
        }
        self.counts.evicted += 1;
        self.counts.evicted_events += entry.count;
        self.is_dirty = true;
    }

    /// Removes samples if there are too many bytes of them: of the location with the most bytes, and of these the ones
    /// that tell least.
    fn trim_samples(&mut self, now: SystemTime) {
        if self.sample_bytes <= MAX_SAMPLE_BYTES {
            return;
        }
        while self.sample_bytes > KEPT_SAMPLE_BYTES {
            let most = self.sources.iter().max_by_key(|(_, it)| it.sample_bytes);
            let Some((&most, _)) = most.filter(|(_, it)| it.sample_bytes > 0) else {
                return;
            };
            let of_source = self.groups.values_mut().filter(|it| it.source == most);
            let with = of_source.filter_map(|it| Some((it.samples.highest_irrelevance(now)?, it)));
            let Some((_, entry)) = with.max_by(|one, other| one.0.total_cmp(&other.0)) else {
                return;
            };
            let removed = entry.samples.remove_most_irrelevant(now);
            self.resize_samples(most, removed, 0);
        }
    }

    /// Counts that samples of a location take `after` bytes instead of `before`.
    pub(super) fn resize_samples(&mut self, source: u64, before: usize, after: usize) {
        let resized = |bytes: usize| (bytes + after).saturating_sub(before);
        self.sample_bytes = resized(self.sample_bytes);
        if let Some(usage) = self.sources.get_mut(&source) {
            usage.sample_bytes = resized(usage.sample_bytes);
        }
    }

    fn announce_new(&mut self, number: u64, is_news: bool) {
        let Some(entry) = self.groups.get_mut(&number).filter(|it| !it.is_announced) else {
            return;
        };
        entry.is_announced = true;
        if is_news {
            self.push_pattern(ErrorPattern::New, number);
        }
    }

    /// The number of patterns up to the last one that is queued for the hooks, for [`set_announced`](Self::set_announced).
    pub(super) fn last_announcing(&self) -> u64 {
        self.announced + self.announcing.len() as u64
    }

    /// The hooks were called with the patterns up to a number. Returns whether there are such.
    pub(super) fn set_announced(&mut self, up_to: u64) -> bool {
        let count = up_to.saturating_sub(self.announced);
        let count = self.announcing.len().min(count as usize);
        self.announcing.drain(..count);
        self.announced += count as u64;
        count > 0
    }

    /// Queues a pattern for the hooks, until [`set_announced`](Self::set_announced).
    pub(super) fn push_announcing(&mut self, seen: SeenPattern) {
        // If hooks hang, the oldest is forgotten, as their queue is full.
        if self.announcing.len() >= MAX_PATTERNS {
            self.announcing.pop_front();
            self.announced += 1;
        }
        self.announcing.push_back(seen);
    }

    pub(super) fn push_pattern(&mut self, pattern: ErrorPattern, number: u64) {
        if self.patterns.len() < MAX_PATTERNS {
            self.patterns.push(SeenPattern { pattern, number });
        } else {
            self.counts.unannounced += 1;
            if pattern == ErrorPattern::New {
                self.counts.new += 1;
            }
        }
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        assert!(self.groups.len() <= MAX_GROUPS);
        let bytes: usize = self.groups.values().map(|it| it.samples.bytes()).sum();
        assert_eq!(self.sample_bytes, bytes);
        let of_sources: usize = self.sources.values().map(|it| it.sample_bytes).sum();
        assert_eq!(of_sources, bytes);
        let groups: usize = self.sources.values().map(|it| it.groups).sum();
        assert_eq!(groups, self.groups.len());
        for (fingerprint, number) in &self.by_fingerprint {
            assert!(self.groups[number].fingerprints.contains(fingerprint));
        }
        for place in self.by_place.values() {
            if let PlaceGroup::Awaiting(number) | PlaceGroup::Decided(number) = place {
                assert!(self.groups.contains_key(number), "{number:x}");
            }
        }
        assert!(
            self.merged
                .values()
                .all(|into| self.groups.contains_key(into))
        );
        let keys = self
            .groups
            .values()
            .map(|it| it.places.len() + it.merged.len() + it.waited.len());
        assert!(self.by_place.len() + self.merged.len() <= keys.sum::<usize>() + MAX_GROUPS);
        for entry in self.groups.values() {
            assert_eq!(entry.source, source_of(&entry.location));
        }
    }
}

/// A number that no other group has, from the ID of an event, which is random.
fn random_number(id: EventId) -> u64 {
    let id = id.to_u128();
    (id >> 64) as u64 ^ id as u64
}

/// The minute of a time, counted from the Unix epoch.
pub(super) fn minute_of(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs() / 60
}
