//! The errors told apart, in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustc_hash::FxHashMap;

use super::event::{ErrorEvent, Frame};
use super::fingerprint::GroupHash;
use crate::model::EventId;
use crate::model::lock_for_status;

/// Groups that are kept. Of the place of capture that has the most of them, the one that was not seen for longest makes
/// room: a place whose messages all differ does not drive the others out.
const MAX_GROUPS: usize = 1000;
/// Bytes that the samples of all groups may take, roughly. The place whose samples take the most makes room for one that
/// takes less; else a group has none.
const MAX_SAMPLE_BYTES: usize = 8 << 20;
/// Samples that make room for one.
const MAX_GONE: usize = 16;

/// Errors that are one error: same type, same message but for what changes from one to the next, same
/// place, same route.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ErrorGroup {
    /// The group's number, the same in every process.
    pub number: u64,
    /// How many events it has had since the start.
    pub count: u64,
    /// When the first of them was captured.
    pub first_seen: SystemTime,
    /// When the last of them was captured.
    pub last_seen: SystemTime,
    /// The id of the last of them.
    pub last_event: EventId,
    /// The type of the error.
    pub error_type: String,
    /// The message of the first one, at most 1 KiB of it.
    pub message: String,
    /// Where it was captured.
    pub location: String,
    /// The route in which it was captured; empty outside a request.
    pub route: String,
    /// The first event that there was room for; `None` where errors of other places needed the room.
    pub sample: Option<Arc<ErrorEvent>>,
}

/// All groups of one monitor.
#[derive(Debug, Default)]
pub(super) struct ErrorGroups(Mutex<GroupTable>);

#[derive(Debug, Default)]
struct GroupTable {
    groups: FxHashMap<u64, GroupEntry>,
    /// What each place of capture has here.
    places: FxHashMap<u64, LocationUsage>,
    sample_bytes: usize,
}

#[derive(Debug)]
struct GroupEntry {
    group: ErrorGroup,
    place: u64,
}

/// What the errors of one place of capture have.
#[derive(Debug, Clone, Copy, Default)]
struct LocationUsage {
    groups: usize,
    sample_bytes: usize,
}

impl ErrorGroups {
    /// Counts an event; whether its group is new.
    pub(super) fn add(&self, event: &Arc<ErrorEvent>) -> bool {
        let mut table = self.lock();
        if let Some(GroupEntry { group, .. }) = table.groups.get_mut(&event.group) {
            group.count = group.count.saturating_add(1);
            group.last_seen = event.at;
            group.last_event = event.id;
            return false;
        }
        if table.groups.len() >= MAX_GROUPS {
            table.drop_group();
        }
        let place = GroupHash::new().with(&event.location).number();
        let size = size_of_event(event);
        let room = table.make_room(place, size);
        table.places.entry(place).or_default().groups += 1;
        if room {
            table.resize_sample(place, 0, size);
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
            .insert(event.group, GroupEntry { group, place });
        true
    }

    /// Gives an event its backtrace, where it is the sample of its group.
    pub(super) fn add_frames(&self, event: EventId, frames: &[Frame]) {
        let mut table = self.lock();
        let mut samples = table
            .groups
            .values_mut()
            .filter_map(|it| Some((it.place, it.group.sample.as_mut()?)));
        let sample = samples.find(|(_, sample)| sample.id == event);
        if let Some((place, sample)) = sample {
            let sample = Arc::make_mut(sample);
            let before = size_of_frames(&sample.frames);
            sample.frames = frames.to_vec();
            table.resize_sample(place, before, size_of_frames(frames));
        }
    }

    /// Gives an event its backtrace as [`add_frames`](Self::add_frames) does; it becomes the sample of its group
    /// where that has none.
    pub(super) fn add_named(&self, event: &ErrorEvent, frames: &[Frame]) {
        let mut table = self.lock();
        let Some(GroupEntry { group, place }) = table.groups.get_mut(&event.group) else {
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
        let (after, place) = (size_of_event(sample), *place);
        table.resize_sample(place, before, after);
    }

    /// The groups, the one seen last first.
    pub(super) fn snapshot(&self) -> Vec<ErrorGroup> {
        let mut groups: Vec<_> = {
            // In a child made by `fork` whose parent was at it, there are none.
            let Some(table) = lock_for_status(&self.0) else {
                return Vec::new();
            };
            table.groups.values().map(|it| it.group.clone()).collect()
        };
        groups.sort_by_key(|group| std::cmp::Reverse((group.last_seen, group.number)));
        groups
    }

    fn lock(&self) -> MutexGuard<'_, GroupTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GroupTable {
    /// Drops a group of the place that has the most.
    fn drop_group(&mut self) {
        let Some((&most, _)) = self.places.iter().max_by_key(|(_, has)| has.groups) else {
            return;
        };
        let of_place = self.groups.values().filter(|it| it.place == most);
        let oldest = of_place.min_by_key(|it| it.group.last_seen);
        let Some(number) = oldest.map(|it| it.group.number) else {
            return;
        };
        self.drop_sample(number);
        self.groups.remove(&number);
        if let Some(place) = self.places.get_mut(&most) {
            place.groups = place.groups.saturating_sub(1);
            if place.groups == 0 {
                self.places.remove(&most);
            }
        }
    }

    fn drop_sample(&mut self, number: u64) {
        let Some(entry) = self.groups.get_mut(&number) else {
            return;
        };
        if let Some(sample) = entry.group.sample.take() {
            let place = entry.place;
            self.resize_sample(place, size_of_event(&sample), 0);
        }
    }

    /// Whether there is room for a sample of a place, for which places that have more give up some of theirs.
    fn make_room(&mut self, place: u64, size: usize) -> bool {
        let has = self.places.get(&place).map_or(0, |has| has.sample_bytes);
        for _ in 0..MAX_GONE {
            if self.sample_bytes + size <= MAX_SAMPLE_BYTES {
                return true;
            }
            let most = self.places.iter().max_by_key(|(_, it)| it.sample_bytes);
            let Some((&most, _)) = most.filter(|(_, it)| it.sample_bytes > has + size) else {
                return false;
            };
            let with_sample = |it: &&GroupEntry| it.place == most && it.group.sample.is_some();
            let of_place = self.groups.values().filter(with_sample);
            let oldest = of_place.min_by_key(|it| it.group.last_seen);
            let Some(number) = oldest.map(|it| it.group.number) else {
                return false;
            };
            self.drop_sample(number);
        }
        self.sample_bytes + size <= MAX_SAMPLE_BYTES
    }

    /// Counts that a sample of a place takes so many bytes in place of so many.
    fn resize_sample(&mut self, place: u64, before: usize, after: usize) {
        let resized = |bytes: usize| (bytes + after).saturating_sub(before);
        self.sample_bytes = resized(self.sample_bytes);
        let place = self.places.entry(place).or_default();
        place.sample_bytes = resized(place.sample_bytes);
    }
}

/// The memory of an event, roughly.
fn size_of_event(event: &ErrorEvent) -> usize {
    let causes = event.causes.iter();
    let causes: usize = causes.map(|it| it.type_name.len() + it.message.len()).sum();
    let crumbs = event.breadcrumbs.iter().map(|crumb| {
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
    size_of::<ErrorEvent>() + causes + crumbs.sum::<usize>() + request + attributes + tags + frames
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

    fn event(place: &str, group: u64, at: u64, text: usize) -> Arc<ErrorEvent> {
        Arc::new(ErrorEvent {
            id: EventId::from_u128(group.into()),
            at: UNIX_EPOCH + Duration::from_secs(at),
            level: Level::Error,
            kind: EventKind::Error,
            causes: Vec::new(),
            location: place.to_owned(),
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

    fn at(groups: &ErrorGroups, place: &str) -> Vec<ErrorGroup> {
        let mut all = groups.snapshot();
        all.retain(|group| group.location == place);
        all
    }

    #[test]
    fn a_place_whose_errors_all_differ_leaves_the_groups_of_others() {
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
        // Two noisy places have as many each.
        for n in 5000..9000 {
            groups.add(&event("noisy:2", n, n, 10));
        }
        let [one, two] = ["noisy:1", "noisy:2"].map(|place| at(&groups, place).len());
        assert_eq!(one + two, MAX_GROUPS - 5);
        assert!(one.abs_diff(two) <= 1, "{one} {two}");
        let table = groups.lock();
        assert_eq!(table.places.len(), 7);
    }

    #[test]
    fn a_place_with_large_samples_makes_room_for_those_of_others() {
        let groups = ErrorGroups::default();
        for n in 100..400 {
            groups.add(&event("noisy:1", n, n, 60_000));
        }
        let with_sample = |place: &str| {
            let all = at(&groups, place);
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
