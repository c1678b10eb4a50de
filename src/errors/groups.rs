//! The groups of captured errors, in memory.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use rustc_hash::FxHashMap;

use super::event::{ErrorEvent, Frame};
use super::fingerprint::GroupHash;
use crate::model::{EventId, lock, lock_for_status};

/// The maximum number of groups. A further group replaces the least recently seen group of the location with the most
/// groups, so that a location whose messages all differ does not displace the others.
const MAX_GROUPS: usize = 1000;
/// The maximum number of bytes of all samples together, approximately. A new sample replaces samples of the location
/// with the most bytes; a group whose own location has the most gets no sample.
const MAX_SAMPLE_BYTES: usize = 8 << 20;
/// The maximum number of samples that are removed for a new one.
const MAX_EVICTIONS: usize = 16;

/// A group of events that are the same error: equal type, location and route, and equal messages except for numbers,
/// IDs and quoted text; or equal [fingerprints](crate::errors::ErrorCapture::fingerprint).
///
/// [`Monitor::error_groups`](crate::Monitor::error_groups) lists the groups.
///
/// ```
/// # fn main() -> watchpost::Result<()> {
/// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
/// for group in monitor.error_groups() {
///     println!("{} times: {} at {}", group.count, group.message, group.location);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ErrorGroup {
    /// The number of the group, equal in every process and release.
    pub number: u64,
    /// Events since the start of the process; with a data directory, including those that were found there.
    pub count: u64,
    /// When the first event was captured.
    pub first_seen: SystemTime,
    /// When the last event was captured.
    pub last_seen: SystemTime,
    /// The ID of the last event.
    pub last_event: EventId,
    /// The type of the error, as in [`Cause::type_name`](crate::errors::Cause::type_name).
    pub error_type: String,
    /// The message of the first event, cut at 1 KiB.
    pub message: String,
    /// Where the events were captured: `file:line:column`.
    pub location: String,
    /// The route in which they were captured; empty outside a request.
    pub route: String,
    /// One event of the group, the first for which there was memory. `None` while events of other locations use it.
    pub sample: Option<Arc<ErrorEvent>>,
}

/// The groups of one monitor.
#[derive(Debug, Default)]
pub(super) struct ErrorGroups(Mutex<GroupTable>);

#[derive(Debug, Default)]
struct GroupTable {
    groups: FxHashMap<u64, GroupEntry>,
    /// The usage of each location, by its hash.
    locations: FxHashMap<u64, LocationUsage>,
    sample_bytes: usize,
}

#[derive(Debug)]
struct GroupEntry {
    group: ErrorGroup,
    /// The hash of the group's location.
    location: u64,
}

/// The groups and the bytes of samples of one location.
#[derive(Debug, Clone, Copy, Default)]
struct LocationUsage {
    groups: usize,
    sample_bytes: usize,
}

impl ErrorGroups {
    /// Adds an event to its group; returns whether the group is new.
    pub(super) fn add(&self, event: &Arc<ErrorEvent>) -> bool {
        let mut table = self.lock();
        if let Some(GroupEntry { group, .. }) = table.groups.get_mut(&event.group) {
            group.count = group.count.saturating_add(1);
            group.last_seen = event.at;
            group.last_event = event.id;
            return false;
        }
        // Room is made before the new group is added, so that the table never exceeds its limit and the new group is
        // not the one that is dropped.
        if table.groups.len() >= MAX_GROUPS {
            table.drop_group();
        }
        let location = GroupHash::new().with(&event.location).finish();
        let size = size_of_event(event);
        // The sample is the large part of a group. If its location has used its share of the memory, the group is
        // counted without a sample.
        let room = table.make_room(location, size);
        table.locations.entry(location).or_default().groups += 1;
        if room {
            table.resize_sample(location, 0, size);
        }
        let error = event.error().cloned().unwrap_or_default();
        let group = ErrorGroup {
            number: event.group,
            count: 1,
            first_seen: event.at,
            last_seen: event.at,
            last_event: event.id,
            error_type: error.type_name,
            message: crate::model::prefix(&error.message, 1024).to_owned(),
            location: event.location.clone(),
            route: event.route.clone(),
            sample: room.then(|| Arc::clone(event)),
        };
        table
            .groups
            .insert(event.group, GroupEntry { group, location });
        true
    }

    /// Sets the frames of an event, if it is the sample of its group.
    pub(super) fn set_sample_frames(&self, event: EventId, frames: &[Frame]) {
        let mut table = self.lock();
        let mut samples = table
            .groups
            .values_mut()
            .filter_map(|it| Some((it.location, it.group.sample.as_mut()?)));
        let sample = samples.find(|(_, sample)| sample.id == event);
        if let Some((location, sample)) = sample {
            let sample = Arc::make_mut(sample);
            let before = size_of_frames(&sample.frames);
            sample.frames = frames.to_vec();
            table.resize_sample(location, before, size_of_frames(frames));
        }
    }

    /// Sets the frames of an event as [`set_sample_frames`](Self::set_sample_frames) does. If the sample of its group
    /// has no frames, the event becomes the sample.
    pub(super) fn offer_sample(&self, event: &ErrorEvent, frames: &[Frame]) {
        let mut table = self.lock();
        let Some(GroupEntry { group, location }) = table.groups.get_mut(&event.group) else {
            return;
        };
        let Some(sample) = group.sample.as_mut() else {
            return;
        };
        if sample.id != event.id && !sample.frames.is_empty() {
            return;
        }
        let before = size_of_event(sample);
        let sample = Arc::make_mut(sample);
        if sample.id != event.id {
            sample.clone_from(event);
        }
        sample.frames = frames.to_vec();
        let (after, location) = (size_of_event(sample), *location);
        table.resize_sample(location, before, after);
    }

    /// The groups, the most recently seen first.
    pub(super) fn snapshot(&self) -> Vec<ErrorGroup> {
        let mut groups: Vec<_> = {
            // A child process made by `fork` while the lock was held cannot read the table.
            let Some(table) = lock_for_status(&self.0) else {
                return Vec::new();
            };
            table.groups.values().map(|it| it.group.clone()).collect()
        };
        groups.sort_by_key(|group| std::cmp::Reverse((group.last_seen, group.number)));
        groups
    }

    fn lock(&self) -> MutexGuard<'_, GroupTable> {
        lock(&self.0)
    }
}

impl GroupTable {
    /// Removes the least recently seen group of the location that has the most groups.
    fn drop_group(&mut self) {
        let Some((&most, _)) = self.locations.iter().max_by_key(|(_, has)| has.groups) else {
            return;
        };
        let of_location = self.groups.values().filter(|it| it.location == most);
        let oldest = of_location.min_by_key(|it| it.group.last_seen);
        let Some(number) = oldest.map(|it| it.group.number) else {
            return;
        };
        self.drop_sample(number);
        self.groups.remove(&number);
        if let Some(location) = self.locations.get_mut(&most) {
            location.groups = location.groups.saturating_sub(1);
            if location.groups == 0 {
                self.locations.remove(&most);
            }
        }
    }

    /// Removes the sample of a group.
    fn drop_sample(&mut self, number: u64) {
        let Some(entry) = self.groups.get_mut(&number) else {
            return;
        };
        if let Some(sample) = entry.group.sample.take() {
            let location = entry.location;
            self.resize_sample(location, size_of_event(&sample), 0);
        }
    }

    /// Whether there is room for a sample of a location. Locations that use more give up samples for it.
    fn make_room(&mut self, location: u64, size: usize) -> bool {
        let has = self
            .locations
            .get(&location)
            .map_or(0, |has| has.sample_bytes);
        for _ in 0..MAX_EVICTIONS {
            if self.sample_bytes + size <= MAX_SAMPLE_BYTES {
                return true;
            }
            let most = self.locations.iter().max_by_key(|(_, it)| it.sample_bytes);
            let Some((&most, _)) = most.filter(|(_, it)| it.sample_bytes > has + size) else {
                return false;
            };
            let with_sample = |it: &&GroupEntry| it.location == most && it.group.sample.is_some();
            let of_location = self.groups.values().filter(with_sample);
            let oldest = of_location.min_by_key(|it| it.group.last_seen);
            let Some(number) = oldest.map(|it| it.group.number) else {
                return false;
            };
            self.drop_sample(number);
        }
        self.sample_bytes + size <= MAX_SAMPLE_BYTES
    }

    /// Counts that a sample of a location takes `after` bytes instead of `before`.
    fn resize_sample(&mut self, location: u64, before: usize, after: usize) {
        let resized = |bytes: usize| (bytes + after).saturating_sub(before);
        self.sample_bytes = resized(self.sample_bytes);
        let location = self.locations.entry(location).or_default();
        location.sample_bytes = resized(location.sample_bytes);
    }
}

/// The memory of an event, approximately.
fn size_of_event(event: &ErrorEvent) -> usize {
    let causes = event.causes.iter();
    let causes: usize = causes.map(|it| it.type_name.len() + it.message.len()).sum();
    let breadcrumbs = event.breadcrumbs.iter().map(|crumb| {
        let fields = crumb
            .fields
            .iter()
            .map(|(key, value)| key.len() + value.len());
        200 + crumb.target.len() + crumb.message.len() + fields.sum::<usize>()
    });
    let request = event.path.len() + event.query.len() + event.user_agent.len();
    let attributes = (event.attributes.len() + event.extra.len()) * 128;
    let tags: usize = event
        .tags
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    let frames = size_of_frames(&event.frames);
    size_of::<ErrorEvent>()
        + causes
        + breadcrumbs.sum::<usize>()
        + request
        + attributes
        + tags
        + frames
}

fn size_of_frames(frames: &[Frame]) -> usize {
    let texts = frames
        .iter()
        .map(|frame| frame.function.len() + frame.file.len());
    texts.sum::<usize>() + size_of_val(frames)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::event::EventKind;
    use super::*;
    use crate::model::{Attributes, Level, SpanId, TraceId};

    fn event(location: &str, group: u64, at: u64, text: usize) -> Arc<ErrorEvent> {
        Arc::new(ErrorEvent {
            id: EventId::from_u128(group.into()),
            at: UNIX_EPOCH + Duration::from_secs(at),
            level: Level::Error,
            kind: EventKind::Error,
            causes: Vec::new(),
            location: location.to_owned(),
            thread: String::new(),
            trace_id: TraceId::NIL,
            span_id: SpanId::NIL,
            method: String::new(),
            route: String::new(),
            path: "x".repeat(text),
            query: String::new(),
            user_agent: String::new(),
            client_address: String::new(),
            user: String::new(),
            attributes: Attributes::default(),
            tags: Vec::new(),
            extra: Attributes::default(),
            breadcrumbs: Vec::new(),
            frames: Vec::new(),
            fingerprint: Vec::new(),
            group,
            resident_bytes: None,
            truncated: false,
        })
    }

    fn at(groups: &ErrorGroups, location: &str) -> Vec<ErrorGroup> {
        let mut all = groups.snapshot();
        all.retain(|group| group.location == location);
        all
    }

    #[test]
    fn a_location_whose_errors_all_differ_leaves_the_groups_of_others() {
        let groups = ErrorGroups::default();
        for n in 0..5 {
            groups.add(&event(&format!("rare:{n}"), n, 0, 10));
        }
        for n in 100..5000 {
            assert!(groups.add(&event("noisy:1", n, n, 10)));
        }
        for n in 0..5 {
            assert_eq!(at(&groups, &format!("rare:{n}")).len(), 1);
        }
        let noisy = at(&groups, "noisy:1");
        assert_eq!(noisy.len(), MAX_GROUPS - 5);
        assert!(noisy.iter().all(|group| group.number >= 5000 - 995));
        // Two noisy locations have equally many.
        for n in 5000..9000 {
            groups.add(&event("noisy:2", n, n, 10));
        }
        let [one, two] = ["noisy:1", "noisy:2"].map(|location| at(&groups, location).len());
        assert_eq!(one + two, MAX_GROUPS - 5);
        assert!(one.abs_diff(two) <= 1, "{one} {two}");
        let table = groups.lock();
        assert_eq!(table.locations.len(), 7);
    }

    #[test]
    fn a_location_with_large_samples_makes_room_for_those_of_others() {
        let groups = ErrorGroups::default();
        for n in 100..400 {
            groups.add(&event("noisy:1", n, n, 60_000));
        }
        let with_sample = |location: &str| {
            let all = at(&groups, location);
            all.iter().filter(|group| group.sample.is_some()).count()
        };
        let before = with_sample("noisy:1");
        assert!((100..150).contains(&before), "{before}");
        for n in 0..20 {
            groups.add(&event("rare:1", n, n, 10_000));
        }
        assert_eq!(with_sample("rare:1"), 20);
        assert!(with_sample("noisy:1") < before);
        let table = groups.lock();
        let samples = table
            .groups
            .values()
            .filter_map(|it| it.group.sample.as_deref());
        let bytes: usize = samples.map(size_of_event).sum();
        assert_eq!(table.sample_bytes, bytes);
        assert!(bytes <= MAX_SAMPLE_BYTES);
    }
}
