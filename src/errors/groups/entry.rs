use std::sync::Arc;
use std::time::SystemTime;

use super::group::{ErrorGroup, GroupedBy};
use super::samples::Samples;
use super::state::{ChangeAuthor, ErrorState, ErrorStateChange};
use super::timeline::EventTimeline;
use super::top_counts::TopCounts;
use crate::clock::Nanos;
use crate::errors::event::{ErrorEvent, EventKind};
use crate::errors::grouping::{CapturePlace, GROUPING_VERSION, GroupHash};
use crate::model::{EventId, prefix};
use crate::users::UserSketch;

/// The maximum number of fingerprints, of places and of merged numbers of a group. More of them replace the oldest.
pub(super) const MAX_KEYS: usize = 32;
/// The maximum number of waiting groups of a group: one of each of its last processes.
pub(super) const MAX_WAITED: usize = 8;
/// The maximum number of changes of its state that a group keeps.
pub(super) const MAX_CHANGES: usize = 12;
/// The maximum numbers of bytes of the name and of the comment of a change.
const MAX_AUTHOR: usize = 100;
const MAX_COMMENT: usize = 200;
/// How long a group is new, in seconds.
const NEW_SECONDS: u64 = 24 * 3600;

/// A group in memory.
#[derive(Debug, Clone)]
pub(super) struct GroupEntry {
    pub(super) number: u64,
    pub(super) version: u8,
    pub(super) grouped_by: GroupedBy,
    /// The fingerprints whose events join it.
    pub(super) fingerprints: Vec<u64>,
    /// The places of capture whose events join it, or have joined it. The first one is that of its first event.
    pub(super) places: Vec<CapturePlace>,
    /// The numbers of the groups that were merged into it.
    pub(super) merged: Vec<u64>,
    /// The numbers of the groups that waited for frames and were merged into it. They are few and apart, because each
    /// process adds some, which must not displace the numbers of groups that somebody has merged.
    pub(super) waited: Vec<u64>,
    pub(super) kind: EventKind,
    pub(super) error_type: String,
    pub(super) message: String,
    pub(super) location: String,
    /// The hash of the location, whose groups share one part of the memory.
    pub(super) source: u64,
    pub(super) count: u64,
    pub(super) first_seen: SystemTime,
    pub(super) last_seen: SystemTime,
    pub(super) last_event: EventId,
    pub(super) state: ErrorState,
    /// The last changes of the state, the oldest first.
    pub(super) changes: Vec<ErrorStateChange>,
    /// The count when the group was muted.
    pub(super) count_at_mute: u64,
    /// The monotonic time of the resolution in this process: events that were captured before do not regress the group.
    pub(super) resolved_at: Nanos,
    /// When the last of its events was captured, if that was in this process.
    pub(super) last_captured: Option<Nanos>,
    pub(super) is_spiking: bool,
    pub(super) timeline: EventTimeline,
    pub(super) users: UserSketch,
    pub(super) routes: TopCounts,
    pub(super) releases: TopCounts,
    pub(super) environments: TopCounts,
    pub(super) samples: Samples,
    /// Whether the group is known from before this process, or its first event was announced.
    pub(super) is_announced: bool,
    /// When the first event of this process was added.
    pub(super) created: Nanos,
}

impl GroupEntry {
    /// A group without events, for a first event.
    pub(super) fn new(
        number: u64,
        grouped_by: GroupedBy,
        fingerprint: u64,
        event: &ErrorEvent,
        created: Nanos,
    ) -> Self {
        let error = event.error().cloned().unwrap_or_default();
        Self {
            number,
            version: GROUPING_VERSION,
            grouped_by,
            fingerprints: vec![fingerprint],
            places: vec![CapturePlace::of(event)],
            merged: Vec::new(),
            waited: Vec::new(),
            kind: event.kind,
            error_type: error.type_name,
            message: prefix(&error.message, 1024).to_owned(),
            location: event.location.clone(),
            source: source_of(&event.location),
            count: 0,
            first_seen: event.at,
            last_seen: event.at,
            last_event: event.id,
            state: ErrorState::Open,
            changes: Vec::new(),
            count_at_mute: 0,
            resolved_at: 0,
            last_captured: None,
            is_spiking: false,
            timeline: EventTimeline::new(),
            users: UserSketch::new(),
            routes: TopCounts::default(),
            releases: TopCounts::default(),
            environments: TopCounts::default(),
            samples: Samples::default(),
            is_announced: false,
            created,
        }
    }

    /// Changes the state, and keeps the change.
    pub(super) fn set_state(&mut self, state: ErrorState, at: SystemTime, author: &ChangeAuthor) {
        if self.changes.len() >= MAX_CHANGES {
            self.changes.remove(0);
        }
        self.changes.push(ErrorStateChange {
            at,
            state: state.clone(),
            by: prefix(&author.by, MAX_AUTHOR).to_owned(),
            comment: prefix(&author.comment, MAX_COMMENT).to_owned(),
        });
        self.state = state;
    }

    /// Adds what another group has counted. The earlier of the two first events describes the group from then on. Returns
    /// the bytes of the samples before and after.
    pub(super) fn absorb(&mut self, other: Self, now: SystemTime) -> (usize, usize) {
        self.count = self.count.saturating_add(other.count);
        if other.first_seen < self.first_seen {
            self.first_seen = other.first_seen;
        }
        if other.last_seen > self.last_seen {
            self.last_seen = other.last_seen;
            self.last_event = other.last_event;
        }
        self.last_captured = self.last_captured.max(other.last_captured);
        self.timeline.merge(&other.timeline);
        self.users.merge(&other.users);
        self.routes.merge(&other.routes);
        self.releases.merge(&other.releases);
        self.environments.merge(&other.environments);
        self.is_announced |= other.is_announced;
        self.samples.merge(other.samples, now)
    }

    /// Adds the number of a group that waited. Returns the one that it replaces if there is no room.
    pub(super) fn push_waited(&mut self, number: u64) -> Option<u64> {
        let replaced = (self.waited.len() >= MAX_WAITED).then(|| self.waited.remove(0));
        self.waited.push(number);
        replaced
    }

    /// The group as others see it, at a minute since the Unix epoch.
    pub(super) fn group(&self, minute: u64, now: SystemTime) -> ErrorGroup {
        let routes = self.routes.sorted();
        let age = now.duration_since(self.first_seen).unwrap_or_default();
        ErrorGroup {
            number: self.number,
            count: self.count,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            last_event: self.last_event,
            error_type: self.error_type.clone(),
            message: self.message.clone(),
            location: self.location.clone(),
            route: routes
                .names
                .first()
                .map(|it| it.0.clone())
                .unwrap_or_default(),
            grouped_by: self.grouped_by,
            grouping_version: self.version,
            is_new: self.state == ErrorState::Open && age.as_secs() < NEW_SECONDS,
            state: self.state.clone(),
            changes: self.changes.clone(),
            kind: self.kind,
            is_spiking: self.is_spiking,
            users: self.users.count(),
            routes,
            releases: self.releases.sorted(),
            environments: self.environments.sorted(),
            minutes: self.timeline.minutes(minute),
            hours: self.timeline.hours(minute),
            sample: self.samples.first().map(Arc::clone),
            samples: self.samples.events(),
        }
    }
}

/// The hash of a location.
pub(super) fn source_of(location: &str) -> u64 {
    GroupHash::new().with(location).finish()
}

/// Adds a key, unless it is there. Returns the one that it replaces if there is no room.
pub(super) fn push_key<K: Copy + PartialEq>(keys: &mut Vec<K>, key: K) -> Option<K> {
    if keys.contains(&key) {
        return None;
    }
    // The first one is that of the first event, and stays.
    let replaced = (keys.len() >= MAX_KEYS).then(|| keys.remove(1));
    keys.push(key);
    replaced
}
