use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::data_dir::DataDir;
use crate::clock::Clock;
use crate::logs::{
    LogFileWriter, LogFiles, LogFilesSetup, LogFilesStatus, LogFormatter, LogIndex, LogsConfig,
};
use crate::metrics::{InstrumentKind, Metrics};
use crate::model::Diagnostics;
use crate::worker::{PeriodicTask, SinkSetup};

/// How long lines may wait for a sync. The worker looks every 20 ms, and a sync takes some milliseconds: all lines are
/// synced within half a second.
const SYNC_DELAY: Duration = Duration::from_millis(300);
/// The interval at which closed files are compressed.
const COMPRESS_EVERY: Duration = Duration::from_secs(5);

/// The interval at which complete blocks are indexed.
const INDEX_EVERY: Duration = Duration::from_secs(1);

/// The log files of a monitor.
pub(super) struct LogFilesState {
    files: Arc<LogFiles>,
    index: Arc<LogIndex>,
    /// Holds the lock of a directory of its own.
    _lock: Option<DataDir>,
}

impl LogFilesState {
    /// Opens the directory of the log files. `None` if there is none, or if it cannot be used, which is reported.
    pub(super) fn open(
        config: &LogsConfig,
        data_dir: Option<&Path>,
        clock: &Clock,
        diagnostics: &Arc<Diagnostics>,
    ) -> Option<Self> {
        if !config.files {
            return None;
        }
        let (directory, lock) = match (&config.dir, data_dir) {
            (Some(path), _) => match DataDir::open(path) {
                // The directory itself may be a link. Its target is used, since links in it are refused.
                Ok(locked) => {
                    let path = locked.path();
                    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
                    (target, Some(locked))
                }
                Err(error) => {
                    diagnostics.report(format!(
                        "the directory of the log files `{}` cannot be used ({error}): there are no log files; make it writable or set `log.dir` to another",
                        path.display()
                    ));
                    return None;
                }
            },
            (None, Some(data_dir)) => (data_dir.join("logs"), None),
            (None, None) => return None,
        };
        let files = LogFiles::new(LogFilesSetup {
            directory,
            max_file_bytes: config.max_file_bytes as u64,
            max_bytes: config.max_bytes as u64,
            max_closed: config.max_files as usize,
            permissions: config.permissions,
            clock: clock.clone(),
            diagnostics: Arc::clone(diagnostics),
        });
        let files = Arc::new(files);
        Some(Self {
            index: Arc::new(LogIndex::new(&files, diagnostics)),
            files,
            _lock: lock,
        })
    }

    pub(super) fn files(&self) -> &Arc<LogFiles> {
        &self.files
    }

    /// The sink that writes them.
    pub(super) fn sink(&self, format: LogFormatter) -> SinkSetup {
        SinkSetup {
            name: "log files",
            format: Box::new(format),
            writer: Box::new(LogFileWriter::new(&self.files)),
            flush_delay: SYNC_DELAY,
        }
    }

    /// The files with their index, for searches.
    pub(super) fn index(&self) -> Arc<LogIndex> {
        Arc::clone(&self.index)
    }

    pub(super) fn tasks(&self) -> [PeriodicTask; 3] {
        let (files, last) = (Arc::clone(&self.files), Arc::clone(&self.files));
        let index = self.index();
        [
            PeriodicTask::on_pool(COMPRESS_EVERY, move || files.tick()),
            PeriodicTask::on_pool(INDEX_EVERY, move || index.tick()),
            PeriodicTask::at_end("the list of log files", move || last.finish()),
        ]
    }

    /// Adds their series to the metrics page.
    pub(super) fn observe(&self, metrics: &Metrics) {
        let of = |value: fn(LogFilesStatus) -> f64| {
            let files = Arc::clone(&self.files);
            Arc::new(move |record: &mut dyn FnMut(&[(&str, &str)], f64)| {
                if let Some(status) = files.status() {
                    record(&[], value(status));
                }
            })
        };
        metrics.observe_own(
            "watchpost.log.files.size",
            "By",
            "Bytes of the log files on the disk",
            InstrumentKind::Gauge,
            of(|it| it.bytes as f64),
        );
        metrics.observe_own(
            "watchpost.log.files.lost_copies",
            "",
            "Lines of level ERROR that are in combined.log and could not be copied to error.log",
            InstrumentKind::Counter,
            of(|it| it.lost_copies as f64),
        );
        let index = self.index();
        metrics.observe_own(
            "watchpost.log.files.unindexed",
            "",
            "Log files that cannot be indexed now, so that searches read all of them",
            InstrumentKind::Gauge,
            Arc::new(move |record: &mut dyn FnMut(&[(&str, &str)], f64)| {
                if let Some(files) = index.unindexed() {
                    record(&[], files as f64);
                }
            }),
        );
    }
}
