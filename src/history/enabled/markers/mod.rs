//! Markers: starts and shutdowns of the service, and what it marks itself.

mod marker;
mod marker_files;
mod marker_list;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

pub use self::marker::{Marker, MarkerKind};

use self::marker_files::MarkerFiles;
use self::marker_list::MarkerList;
use crate::clock::{Clock, Nanos, nanos};
use crate::files::{Disk, Files};
use crate::model::{Diagnostics, cut, lock, lock_for_status, prefix};
use crate::redact::{self, RedactionRules};
use crate::worker::PeriodicTask;

/// The maximum length of a marker's text, in bytes.
const MAX_TEXT: usize = 256;
/// The longest time from a mark until it is stored, unless the disk is slow.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// The time after a failure in which nothing is stored.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// The markers of a monitor. They are in memory, and in the data directory if there is one.
#[derive(Debug)]
pub(crate) struct MarkerStore {
    clock: Clock,
    version: String,
    /// The monitor's rules. The threads of the host do not have them.
    rules: RedactionRules,
    list: Mutex<MarkerList>,
    disk: Option<MarkerDisk>,
}

#[derive(Debug)]
struct MarkerDisk {
    diagnostics: Arc<Diagnostics>,
    /// Locked as long as the disk takes. Only the tasks lock it.
    state: Mutex<MarkerWriterState>,
}

#[derive(Debug)]
struct MarkerWriterState {
    files: MarkerFiles,
    /// No attempt is made before this time.
    retry_at: Nanos,
}

impl MarkerStore {
    /// Adds the marker of the start. `version` is that of the service, empty if it is not set. Must be called with the
    /// monitor's redaction rules.
    pub(crate) fn new(clock: &Clock, version: &str) -> Self {
        let version = text_of(version);
        let start = Marker::new(MarkerKind::Start, clock.wall(clock.now()), version.clone());
        Self {
            clock: clock.clone(),
            version,
            rules: RedactionRules::current(),
            list: Mutex::new(MarkerList::new(start)),
            disk: None,
        }
    }

    /// Stores the markers in a directory, which [`tasks`](Self::tasks) open.
    pub(crate) fn in_directory(self, path: &Path, diagnostics: &Arc<Diagnostics>) -> Self {
        self.in_files(Disk::new(path), diagnostics)
    }

    fn in_files(self, files: impl Files + 'static, diagnostics: &Arc<Diagnostics>) -> Self {
        let state = MarkerWriterState {
            files: MarkerFiles::new(files),
            retry_at: 0,
        };
        let disk = MarkerDisk {
            diagnostics: Arc::clone(diagnostics),
            state: Mutex::new(state),
        };
        Self {
            disk: Some(disk),
            ..self
        }
    }

    /// The tasks that store the markers.
    pub(crate) fn tasks(self: &Arc<Self>) -> Vec<PeriodicTask> {
        if self.disk.is_none() {
            return Vec::new();
        }
        let (each, last) = (Arc::clone(self), Arc::clone(self));
        vec![
            PeriodicTask::on_pool(SAVE_EVERY, move || {
                each.save();
            }),
            PeriodicTask::at_end("the markers", move || last.shut_down()),
        ]
    }

    /// Adds a mark. Does not wait for the disk.
    pub(crate) fn mark(&self, text: &str) {
        let _entered = self.rules.enter();
        self.push(MarkerKind::Mark, text_of(text));
    }

    /// The markers from `start` to `end`, in the order in which they were added.
    pub(super) fn between(&self, start: SystemTime, end: SystemTime) -> Vec<Marker> {
        let list = lock_for_status(&self.list);
        let all = list.iter().flat_map(|list| list.iter());
        let within = all.filter(|marker| start <= marker.time && marker.time <= end);
        within.map(|marker| Marker::clone(marker)).collect()
    }

    /// The last `max` markers, in the order in which they were added.
    #[cfg(feature = "dashboard")]
    pub(super) fn latest(&self, max: usize) -> Vec<Marker> {
        let list = lock_for_status(&self.list);
        let all = list.iter().flat_map(|list| list.latest(max));
        all.map(|marker| Marker::clone(marker)).collect()
    }

    fn push(&self, kind: MarkerKind, text: String) {
        let marker = Marker::new(kind, self.clock.wall(self.clock.now()), text);
        // A child made by `fork` may not be able to lock it.
        if let Some(mut list) = lock_for_status(&self.list) {
            list.push(marker);
        }
    }

    /// Stores what is not stored, unless an attempt has just failed. Blocks as long as the disk does. Returns whether all is
    /// stored.
    fn save(&self) -> bool {
        let Some(disk) = &self.disk else { return false };
        let mut state = lock(&disk.state);
        let now = self.clock.now();
        if now < state.retry_at {
            return false;
        }
        let done = state.files.save(&self.list);
        if let Err(error) = &done {
            state.retry_at = now.saturating_add(nanos(RETRY_AFTER));
            disk.diagnostics.report(format!(
                "the markers cannot be stored in the data directory ({error}): they stay in memory, and are stored when it works again"
            ));
        }
        done.is_ok()
    }

    /// Adds the marker of the shutdown, and stores all. Blocks as long as the disk does. Returns whether all is stored.
    fn shut_down(&self) -> bool {
        self.push(MarkerKind::Shutdown, self.version.clone());
        if let Some(disk) = &self.disk {
            lock(&disk.state).retry_at = 0;
        }
        self.save()
    }
}

/// Redacts and cuts a text.
fn text_of(text: &str) -> String {
    prefix(&redact::text(&cut(text, MAX_TEXT)), MAX_TEXT).to_owned()
}

#[cfg(test)]
mod tests;
