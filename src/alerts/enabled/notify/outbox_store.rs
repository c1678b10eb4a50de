use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use super::outbox::OutboxContent;
use super::stored::{decode, encode};
use crate::alerts::enabled::codec::InvalidFile;
use crate::files::{Disk, Files};
use crate::model::{Diagnostics, lock};

/// The file of a channel in the data directory. It is replaced as a whole. Its methods block as long as the disk does.
pub(super) struct OutboxStore {
    name: String,
    files: Mutex<Box<dyn Files>>,
    diagnostics: Arc<Diagnostics>,
    /// Whether the file may be written: it was read, or there is none, and no newer version has written it.
    is_ours: AtomicBool,
}

impl OutboxStore {
    pub(super) fn in_directory(path: &Path, channel: &str, diagnostics: &Arc<Diagnostics>) -> Self {
        Self {
            name: format!("outbox-{channel}"),
            files: Mutex::new(Box::new(Disk::new(path))),
            diagnostics: Arc::clone(diagnostics),
            is_ours: AtomicBool::new(false),
        }
    }

    /// Reads what an earlier process has left.
    pub(super) fn load(&self) -> OutboxContent {
        let bytes = match lock(&self.files).read(&self.name) {
            Ok(bytes) => bytes,
            Err(error) => {
                let is_new = error.kind() == ErrorKind::NotFound;
                self.is_ours.store(is_new, Relaxed);
                if !is_new {
                    self.report(&error.to_string());
                }
                return OutboxContent {
                    is_incomplete: !is_new,
                    ..OutboxContent::default()
                };
            }
        };
        let (mut content, problem) = decode(&bytes);
        content.is_incomplete = problem.is_some();
        match problem {
            None => {}
            Some(InvalidFile::Damaged) => self.diagnostics.report(format!(
                "a part of `{}` in the data directory is left out: it is damaged",
                self.name
            )),
            Some(InvalidFile::NewerVersion(version)) => {
                self.diagnostics.report(format!(
                    "`{}` in the data directory has format {version}, which a newer version of watchpost has written: it is left as it is, and notifications are not stored; run the newer version",
                    self.name
                ));
                return OutboxContent {
                    is_incomplete: true,
                    ..OutboxContent::default()
                };
            }
        }
        self.is_ours.store(true, Relaxed);
        content
    }

    /// Whether the file may be written.
    pub(super) fn is_ours(&self) -> bool {
        self.is_ours.load(Relaxed)
    }

    /// Writes the file, and syncs it. Returns whether that succeeded.
    pub(super) fn save(&self, content: &[u8]) -> bool {
        if !self.is_ours() {
            return false;
        }
        let written = lock(&self.files).replace(&self.name, content);
        if let Err(error) = &written {
            self.report(&error.to_string());
        }
        written.is_ok()
    }

    fn report(&self, error: &str) {
        self.diagnostics.report(format!(
            "notifications are not stored in the data directory ({error}): a crash may lose them"
        ));
    }

    pub(super) fn encode(content: &OutboxContent) -> Vec<u8> {
        encode(content)
    }
}

impl fmt::Debug for OutboxStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
