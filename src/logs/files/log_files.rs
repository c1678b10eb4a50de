use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::catalog::{SegmentCatalog, SegmentLimits};
use super::compress::compress_closed;
use super::position::LogPosition;
use super::reader::LogReader;
use super::rolling::{RollingFile, RollingLimits};
use crate::clock::{Clock, Nanos};
use crate::model::Diagnostics;

/// The share of `error.log` in the limit of all files: an eighth.
const ERROR_SHARE: u64 = 8;
/// A file has at most this share of the limit, so that the oldest can give way to it: a quarter.
const FILE_SHARE: u64 = 4;

/// After a compression that failed, the next one waits twice as long as that one did, from this on.
const FIRST_PAUSE: Nanos = 10 * SECOND;
/// The longest such pause. Each attempt takes room on a disk that may be full.
const LAST_PAUSE: Nanos = 3600 * SECOND;
const SECOND: Nanos = 1_000_000_000;

/// The settings of the files.
#[derive(Debug, Clone)]
pub(crate) struct LogFilesSetup {
    pub(crate) directory: PathBuf,
    pub(crate) max_file_bytes: u64,
    pub(crate) max_bytes: u64,
    /// The maximum number of closed files of each name.
    pub(crate) max_closed: usize,
    pub(crate) permissions: u32,
    pub(crate) clock: Clock,
    pub(crate) diagnostics: Arc<Diagnostics>,
}

/// The log files of a monitor: what its writer, its readers and the job that compresses share.
pub(crate) struct LogFiles {
    setup: LogFilesSetup,
    combined: Arc<SegmentCatalog>,
    errors: Arc<SegmentCatalog>,
    /// Lines of level `ERROR` that `error.log` has not.
    lost_copies: AtomicU64,
    /// When files are compressed again, after a failure.
    compress_not_before: AtomicU64,
    /// The pause after the last failure; 0 if there was none since the last success.
    pause: AtomicU64,
}

/// The state of the files, for the monitor's own metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LogFilesStatus {
    /// The bytes of all files on the disk.
    pub(crate) bytes: u64,
    pub(crate) lost_copies: u64,
}

impl LogFiles {
    pub(crate) fn new(setup: LogFilesSetup) -> Self {
        let catalog = |stem| Arc::new(SegmentCatalog::new(&setup.directory, stem));
        Self {
            combined: catalog("combined"),
            errors: catalog("error"),
            lost_copies: AtomicU64::new(0),
            compress_not_before: AtomicU64::new(0),
            pause: AtomicU64::new(0),
            setup,
        }
    }

    /// The directory of the files.
    pub(in crate::logs) fn directory(&self) -> &Path {
        &self.setup.directory
    }

    /// The files of all lines.
    pub(super) fn combined(&self) -> &SegmentCatalog {
        &self.combined
    }

    /// A reader of all lines from a position on; `None` begins with the oldest line.
    pub(crate) fn reader(&self, from: Option<LogPosition>) -> std::io::Result<LogReader> {
        self.combined.load()?;
        Ok(LogReader::new(Arc::clone(&self.combined), from))
    }

    /// The positions of the oldest line, and after the newest one that this process has found. What follows is its own.
    #[cfg_attr(
        not(any(test, feature = "elasticsearch")),
        expect(dead_code, reason = "only shipping reads with it")
    )]
    pub(crate) fn range(&self) -> std::io::Result<(LogPosition, LogPosition)> {
        self.combined.load()?;
        Ok((self.combined.start(), self.combined.found_end()))
    }

    /// Compresses closed files and stores the lists. A failure is reported. Compression then pauses, longer with each failure.
    pub(crate) fn tick(&self) {
        let compresses = self.setup.clock.now() >= self.compress_not_before.load(Relaxed);
        let mut failed = false;
        for catalog in [&self.combined, &self.errors] {
            let loaded = catalog.load();
            let compressed = if loaded.is_ok() && compresses {
                compress_closed(catalog, self.setup.permissions)
            } else {
                Ok(())
            };
            failed |= compressed.is_err();
            // The list is stored whatever becomes of the compression.
            let saved = loaded.and_then(|()| catalog.save());
            if let Err(error) = compressed.and(saved) {
                self.setup.diagnostics.report(format!(
                    "the closed log files in `{}` are not compressed now: {error}",
                    self.setup.directory.display()
                ));
            }
        }
        if compresses {
            self.note_compression(failed);
        }
    }

    fn note_compression(&self, failed: bool) {
        let pause = match self.pause.load(Relaxed) {
            _ if !failed => 0,
            0 => FIRST_PAUSE,
            before => (2 * before).min(LAST_PAUSE),
        };
        self.pause.store(pause, Relaxed);
        let next = self.setup.clock.now().saturating_add(pause);
        self.compress_not_before.store(next, Relaxed);
    }

    /// Stores the lists at the end of the process. Returns whether they are stored.
    pub(crate) fn finish(&self) -> bool {
        let saved = [&self.combined, &self.errors].map(|it| it.save().is_ok());
        saved == [true, true]
    }

    /// The number of the line after the newest one. `None` in a child made by `fork` if a thread of the parent held a lock.
    #[cfg_attr(
        not(feature = "elasticsearch"),
        expect(dead_code, reason = "only shipping counts what waits")
    )]
    pub(crate) fn end_line(&self) -> Option<u64> {
        self.combined.end_line()
    }

    /// `None` in a child made by `fork` if a thread of the parent held a lock.
    pub(crate) fn status(&self) -> Option<LogFilesStatus> {
        let (combined, errors) = (self.combined.totals()?, self.errors.totals()?);
        Some(LogFilesStatus {
            bytes: combined + errors,
            lost_copies: self.lost_copies.load(Relaxed),
        })
    }

    /// The wall time, in milliseconds since the Unix epoch.
    pub(super) fn wall_millis(&self) -> u64 {
        let clock = &self.setup.clock;
        clock.wall(clock.now()) / 1_000_000
    }

    pub(super) fn count_lost_copies(&self, lines: u64) {
        self.lost_copies.fetch_add(lines, Relaxed);
    }

    /// The files of all lines, and those of errors.
    pub(super) fn rolling_files(&self) -> [RollingFile; 2] {
        let all = self.setup.max_bytes;
        let errors = all / ERROR_SHARE;
        [(&self.combined, all - errors), (&self.errors, errors)].map(|(catalog, max_bytes)| {
            let limits = RollingLimits {
                max_file_bytes: self.setup.max_file_bytes.min(max_bytes / FILE_SHARE),
                all: SegmentLimits {
                    max_bytes,
                    max_closed: self.setup.max_closed,
                },
                permissions: self.setup.permissions,
            };
            RollingFile::new(Arc::clone(catalog), limits)
        })
    }
}
