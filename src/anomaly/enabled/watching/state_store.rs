use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::state::{InvalidState, decode, encode, usual_bytes};
use super::watcher::AnomalyWatcher;
use crate::anomaly::AnomalyConfig;
use crate::clock::{Clock, Nanos, nanos};
use crate::files::{Disk, Files};
use crate::model::{Diagnostics, lock};
use crate::worker::PeriodicTask;

/// The file in the data directory. Its header has the number of its records.
const FILE: &str = "anomalies";
/// A process that is killed loses what was learned after the last time.
const SAVE_EVERY: Duration = Duration::from_secs(300);
/// The interval at which the store looks whether it has to write. It restores the state in the first run.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Stores what was learned about the watched series in the data directory, and the last anomalies.
#[derive(Debug)]
pub(crate) struct AnomalyStore {
    watcher: AnomalyWatcher,
    clock: Clock,
    diagnostics: Arc<Diagnostics>,
    files: Mutex<StateFile>,
}

#[derive(Debug)]
struct StateFile {
    files: Disk,
    /// Whether the state of earlier processes was restored. Nothing is written before.
    is_restored: bool,
    /// Whether a newer version has written the file. It is left as it is.
    is_newer: bool,
    /// When the state is stored next.
    due: Nanos,
}

impl AnomalyStore {
    /// The bytes of the history's files that the state may take, out of `max_bytes`.
    pub(crate) fn share_of(max_bytes: usize, config: &AnomalyConfig) -> usize {
        usual_bytes(config.max_series).min(max_bytes / 2)
    }

    pub(crate) fn in_directory(
        path: &Path,
        watcher: &AnomalyWatcher,
        clock: &Clock,
        diagnostics: &Arc<Diagnostics>,
    ) -> Self {
        let files = StateFile {
            files: Disk::new(path),
            is_restored: false,
            is_newer: false,
            due: clock.now().saturating_add(nanos(SAVE_EVERY)),
        };
        Self {
            watcher: watcher.clone(),
            clock: clock.clone(),
            diagnostics: Arc::clone(diagnostics),
            files: Mutex::new(files),
        }
    }

    /// The tasks that restore and store the state: regularly, and a last time at the end.
    pub(crate) fn tasks(self: &Arc<Self>) -> [PeriodicTask; 2] {
        let (regular, last) = (Arc::clone(self), Arc::clone(self));
        [
            PeriodicTask::on_pool(LOOK_EVERY, move || regular.tick()),
            PeriodicTask::at_end("what is normal", move || last.finish()),
        ]
    }

    /// Restores the state of earlier processes in the first call, and stores it every five minutes. Blocks as long as the
    /// disk does.
    pub(crate) fn tick(&self) {
        let mut files = lock(&self.files);
        self.restore(&mut files);
        let now = self.clock.now();
        if now >= files.due {
            files.due = now.saturating_add(nanos(SAVE_EVERY));
            self.save(&mut files);
        }
    }

    /// Stores the state a last time. Blocks as long as the disk does. Returns whether it is stored.
    pub(crate) fn finish(&self) -> bool {
        let mut files = lock(&self.files);
        self.restore(&mut files);
        self.save(&mut files)
    }

    fn restore(&self, files: &mut StateFile) {
        if files.is_restored || files.is_newer {
            return;
        }
        let bytes = match files.files.read(FILE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                files.is_restored = true;
                return;
            }
            Err(error) => return self.report(&error),
        };
        let (state, result) = decode(&bytes);
        match result {
            Ok(()) => {}
            Err(InvalidState::Damaged) => self.diagnostics.report(
                "a part of what was learned about the watched series is damaged in the data directory: it is learned again",
            ),
            Err(InvalidState::OtherVersion(version)) => {
                files.is_newer = true;
                self.diagnostics.report(format!(
                    "what was learned about the watched series has format {version} in the data directory, which a newer version of watchpost has written: it is left as it is, and learned again; run the newer version"
                ));
                return;
            }
        }
        files.is_restored = true;
        self.watcher.restore(state);
    }

    /// Returns whether everything is stored.
    fn save(&self, files: &mut StateFile) -> bool {
        if !files.is_restored {
            return false;
        }
        let state = self.watcher.state();
        if state.is_empty() {
            return true;
        }
        let stored = files.files.replace(FILE, &encode(&state));
        if let Err(error) = &stored {
            self.report(error);
        }
        stored.is_ok()
    }

    fn report(&self, error: &io::Error) {
        self.diagnostics.report(format!(
            "what was learned about the watched series cannot be stored in the data directory ({error}): a restart learns it again"
        ));
    }
}
