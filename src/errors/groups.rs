//! The errors told apart, in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustc_hash::FxHashMap;

use super::event::{ErrorEvent, Frame};
use crate::model::EventId;

/// Groups that are kept; the one that was not seen for longest makes room.
const MAX_GROUPS: usize = 1000;
/// Bytes that the samples of all groups may take, roughly; without room a group has none.
const MAX_SAMPLE_BYTES: usize = 8 << 20;

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
    /// The first event that there was room for.
    pub sample: Option<Arc<ErrorEvent>>,
}

/// All groups of one monitor.
#[derive(Debug, Default)]
pub(super) struct Groups(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    groups: FxHashMap<u64, ErrorGroup>,
    sample_bytes: usize,
}

impl Groups {
    /// Counts an event; whether its group is new.
    pub(super) fn add(&self, event: &Arc<ErrorEvent>) -> bool {
        let mut table = self.lock();
        if let Some(group) = table.groups.get_mut(&event.group) {
            group.count = group.count.saturating_add(1);
            group.last_seen = event.at;
            group.last_event = event.id;
            return false;
        }
        if table.groups.len() >= MAX_GROUPS {
            table.drop_oldest();
        }
        let size = size_of_event(event);
        let room = table.sample_bytes + size <= MAX_SAMPLE_BYTES;
        if room {
            table.sample_bytes += size;
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
        table.groups.insert(event.group, group);
        true
    }

    /// Gives an event its backtrace, where it is the sample of its group.
    pub(super) fn add_frames(&self, event: EventId, frames: &[Frame]) {
        let mut table = self.lock();
        let mut samples = table
            .groups
            .values_mut()
            .filter_map(|it| it.sample.as_mut());
        let sample = samples.find(|sample| sample.id == event);
        if let Some(sample) = sample {
            let sample = Arc::make_mut(sample);
            let before = size_of_frames(&sample.frames);
            sample.frames = frames.to_vec();
            let grown = size_of_frames(frames).saturating_sub(before);
            table.sample_bytes = table.sample_bytes.saturating_add(grown);
        }
    }

    /// Gives an event its backtrace as [`add_frames`](Self::add_frames) does; it becomes the sample of its group
    /// where that has none.
    pub(super) fn add_named(&self, event: &ErrorEvent, frames: &[Frame]) {
        let mut table = self.lock();
        let group = table.groups.get_mut(&event.group);
        let Some(sample) = group.and_then(|group| group.sample.as_mut()) else {
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
        let after = size_of_event(sample);
        table.sample_bytes = (table.sample_bytes + after).saturating_sub(before);
    }

    /// The groups, the one seen last first.
    pub(super) fn snapshot(&self) -> Vec<ErrorGroup> {
        let mut groups: Vec<_> = self.lock().groups.values().cloned().collect();
        groups.sort_by_key(|group| std::cmp::Reverse((group.last_seen, group.number)));
        groups
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn drop_oldest(&mut self) {
        let oldest = self.groups.values().min_by_key(|group| group.last_seen);
        let Some(number) = oldest.map(|group| group.number) else {
            return;
        };
        let sample = self.groups.remove(&number).and_then(|group| group.sample);
        let size = sample.map_or(0, |sample| size_of_event(&sample));
        self.sample_bytes = self.sample_bytes.saturating_sub(size);
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
