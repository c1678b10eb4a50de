use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::active_alert::SavedAlerts;
use super::codec::InvalidFile;
use super::engine::AlertEngine;
use super::saved::{decode, encode};
use crate::clock::{Nanos, nanos};
use crate::files::{Disk, Files};
use crate::model::{Diagnostics, lock};

/// The file in the data directory. It is replaced as a whole.
const FILE: &str = "alerts";
/// The longest time between two writes: how exactly the downtime is known after a crash.
const SAVE_EVERY: Duration = Duration::from_secs(300);

/// Stores the alerts in the data directory.
pub(super) struct AlertStore {
    diagnostics: Arc<Diagnostics>,
    state: Mutex<AlertStoreState>,
}

struct AlertStoreState {
    files: Box<dyn Files>,
    /// Whether the alerts of earlier processes were read. Nothing is written before.
    is_loaded: bool,
    /// Whether a newer version has written the file. It is left as it is.
    is_newer: bool,
    /// When the alerts were last written.
    saved: Option<Nanos>,
}

impl AlertStore {
    pub(super) fn in_directory(path: &Path, diagnostics: &Arc<Diagnostics>) -> Self {
        let state = AlertStoreState {
            files: Box::new(Disk::new(path)),
            is_loaded: false,
            is_newer: false,
            saved: None,
        };
        Self {
            diagnostics: Arc::clone(diagnostics),
            state: Mutex::new(state),
        }
    }

    /// Reads the alerts of earlier processes, once. Blocks as long as the disk does.
    pub(super) fn load(&self) -> Option<SavedAlerts> {
        let mut state = lock(&self.state);
        if state.is_loaded || state.is_newer {
            return None;
        }
        let bytes = match state.files.read(FILE) {
            Ok(bytes) => bytes,
            Err(error) => {
                state.is_loaded = error.kind() == ErrorKind::NotFound;
                if !state.is_loaded {
                    self.report(&error.to_string());
                }
                return None;
            }
        };
        let (saved, problem) = decode(&bytes);
        match problem {
            None => {}
            Some(InvalidFile::Damaged) => self
                .diagnostics
                .report("a part of the alerts in the data directory is left out: it is damaged"),
            Some(InvalidFile::NewerVersion(version)) => {
                state.is_newer = true;
                self.diagnostics.report(format!(
                    "the alerts in the data directory have format {version}, which a newer version of watchpost has written: they are left as they are, and those of this process are not stored; run the newer version"
                ));
                return None;
            }
        }
        state.is_loaded = true;
        Some(saved)
    }

    /// Whether the alerts have to be written even if nothing has changed.
    pub(super) fn is_due(&self, now: Nanos) -> bool {
        let saved = lock(&self.state).saved;
        saved.is_none_or(|saved| now.saturating_sub(saved) >= nanos(SAVE_EVERY))
    }

    /// Writes the alerts, and syncs them. Returns whether that succeeded. Blocks as long as the disk does.
    pub(super) fn save(&self, engine: &Mutex<AlertEngine>, now: Nanos, wall: u64) -> bool {
        let mut state = lock(&self.state);
        if !state.is_loaded {
            return false;
        }
        // The engine is locked after the file, so that the last of two writes has the last state.
        let bytes = {
            let engine = lock(engine);
            let (alerts, silences) = (&engine.alerts, &engine.silences);
            let unsent = (engine.last_number, &engine.unsent);
            let transitions = &engine.transitions;
            encode(engine.time(), wall, alerts, silences, transitions, unsent)
        };
        let written = state.files.replace(FILE, &bytes);
        state.saved = written.is_ok().then_some(now);
        if let Err(error) = &written {
            self.report(&error.to_string());
        }
        written.is_ok()
    }

    fn report(&self, error: &str) {
        self.diagnostics.report(format!(
            "the alerts cannot be stored in the data directory ({error}): a restart forgets them"
        ));
    }
}

impl fmt::Debug for AlertStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertStore").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{header, put};

    #[test]
    fn a_file_of_a_newer_version_is_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        let mut bytes = header(1).to_vec();
        put(&mut bytes, 0, &[9, 0]);
        std::fs::write(&path, &bytes).unwrap();
        let diagnostics = Arc::default();
        let store = AlertStore::in_directory(directory.path(), &diagnostics);
        let engine = Mutex::new(AlertEngine::new(Duration::from_secs(30), 0));
        for _ in 0..2 {
            assert_eq!(store.load(), None);
            assert!(!store.save(&engine, 1, 1));
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        let notices = diagnostics.notices();
        assert!(
            notices.len() == 1 && notices[0].contains("format 9"),
            "{notices:?}"
        );
        // One that is damaged is replaced.
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let store = AlertStore::in_directory(directory.path(), &diagnostics);
        assert!(store.load().is_some() && store.save(&engine, 1, 1));
        assert_ne!(std::fs::read(&path).unwrap(), bytes);
    }
}
