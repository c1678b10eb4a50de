use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::saved::{InvalidGroups, SavedGroups, decode};
use crate::files::{Disk, Files};
use crate::model::{Diagnostics, lock};

/// The file in the data directory. It is replaced as a whole.
const FILE: &str = "error_groups";

/// Stores the groups in the data directory.
pub(super) struct GroupStore {
    diagnostics: Arc<Diagnostics>,
    state: Mutex<GroupStoreState>,
}

struct GroupStoreState {
    files: Box<dyn Files>,
    /// Whether the groups of earlier processes were read. Nothing is written before.
    is_loaded: bool,
    /// Whether a later version has written the file. It is left as it is.
    is_newer: bool,
}

/// The result of a [`load`](GroupStore::load).
pub(super) enum Loaded {
    /// What was read.
    Groups(SavedGroups),
    /// There is no file: no earlier process has stored groups.
    Nothing,
    /// The file belongs to a later version: the groups of this process are in memory alone.
    Newer,
    /// The file cannot be read now.
    Failed,
}

impl GroupStore {
    pub(super) fn in_directory(path: &Path, diagnostics: &Arc<Diagnostics>) -> Self {
        let state = GroupStoreState {
            files: Box::new(Disk::new(path)),
            is_loaded: false,
            is_newer: false,
        };
        Self {
            diagnostics: Arc::clone(diagnostics),
            state: Mutex::new(state),
        }
    }

    /// Reads the groups of earlier processes. Blocks as long as the disk does.
    pub(super) fn load(&self) -> Loaded {
        let mut state = lock(&self.state);
        let bytes = match state.files.read(FILE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                state.is_loaded = true;
                return Loaded::Nothing;
            }
            Err(error) => {
                self.diagnostics.report(format!(
                    "the error groups in the data directory cannot be read ({error}): no new error is announced while they are tried again, for 30 s"
                ));
                return Loaded::Failed;
            }
        };
        let (saved, problem) = decode(&bytes);
        match problem {
            None => {}
            Some(InvalidGroups::Damaged) => self.diagnostics.report(
                "a part of the error groups in the data directory is left out: it is damaged",
            ),
            Some(InvalidGroups::NewerVersion(version)) => {
                state.is_newer = true;
                self.diagnostics.report(format!(
                    "the error groups in the data directory have format {version}, which a newer version of watchpost has written: they are left as they are, and those of this process are not stored; run the newer version"
                ));
                return Loaded::Newer;
            }
        }
        state.is_loaded = true;
        Loaded::Groups(saved)
    }

    /// Reports that the file is not tried again. Nothing is written, since only what was read is replaced.
    pub(super) fn give_up(&self) {
        self.diagnostics.report(format!(
            "the error groups in the data directory cannot be read: they are left as they are, and those of this process count as new and are not stored; repair or remove the file `{FILE}`, and restart"
        ));
    }

    /// Writes the bytes that `encode` returns, and syncs them. Returns whether that succeeded. Blocks as long as the disk
    /// does.
    pub(super) fn save(&self, encode: impl FnOnce() -> Vec<u8>) -> bool {
        let mut state = lock(&self.state);
        if !state.is_loaded || state.is_newer {
            return false;
        }
        // The groups are read after the file is locked, so that the last of two writes has the last state.
        let written = state.files.replace(FILE, &encode());
        if let Err(error) = &written {
            self.report(&error.to_string());
        }
        written.is_ok()
    }

    fn report(&self, error: &str) {
        self.diagnostics.report(format!(
            "the error groups cannot be stored in the data directory ({error}): a restart forgets their states"
        ));
    }

    #[cfg(test)]
    pub(super) fn with_files(files: Box<dyn Files>, diagnostics: &Arc<Diagnostics>) -> Self {
        let state = GroupStoreState {
            files,
            is_loaded: false,
            is_newer: false,
        };
        Self {
            diagnostics: Arc::clone(diagnostics),
            state: Mutex::new(state),
        }
    }
}

impl fmt::Debug for GroupStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupStore").finish_non_exhaustive()
    }
}
