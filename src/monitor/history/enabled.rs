use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Nanos};
use crate::health::ComponentStatus;
use crate::history::{DiskStatus, History, HistoryConfig, HistorySetup, MarkerStore};
use crate::metrics::{InstrumentKind, Metrics, Observer};
use crate::model::{Diagnostics, InProgress};
use crate::summary::HostFigures;
use crate::worker::PeriodicTask;

/// A disk that has not responded for this long hangs.
const MAX_BUSY: Duration = Duration::from_secs(60);
const RESOLUTIONS: [&str; 3] = ["raw", "minute", "hour"];

/// The history of a monitor, and what its summary contains.
#[derive(Debug)]
pub(in crate::monitor) struct HistoryState {
    pub(in crate::monitor) history: History,
    pub(in crate::monitor) figures: HostFigures,
    clock: Clock,
}

impl HistoryState {
    /// Creates the history, and its tasks. It is kept in the data directory, if there is one. `version` is that of the
    /// service, for the markers of its starts.
    pub(in crate::monitor) fn new(
        config: &HistoryConfig,
        metrics: &Metrics,
        data_dir: Option<&Path>,
        clock: &Clock,
        diagnostics: &Arc<Diagnostics>,
        version: Option<&str>,
    ) -> (Self, Vec<PeriodicTask>) {
        let mut markers = MarkerStore::new(clock, version.unwrap_or_default());
        if let Some(data_dir) = data_dir {
            markers = markers.in_directory(&data_dir.join("markers"), diagnostics);
        }
        let markers = Arc::new(markers);
        let (history, mut tasks) = History::new(HistorySetup {
            config,
            metrics,
            directory: data_dir.map(|path| path.join("history")),
            clock,
            diagnostics,
            markers: &markers,
        });
        tasks.extend(markers.tasks());
        let figures = HostFigures::default();
        let state = Self {
            history,
            figures,
            clock: clock.clone(),
        };
        (state, tasks)
    }

    /// Adds the series about the history's files to the metrics.
    pub(in crate::monitor) fn observe(&self, metrics: &Metrics) {
        if self.history.disk_status().is_none() {
            return;
        }
        self.observe_files(metrics);
        self.gauge(
            metrics,
            ("watchpost.history.journal", "By"),
            "Bytes of the snapshots that are in no segment yet",
            |status, _, record| record(&[], status.journal_bytes as f64),
        );
        self.gauge(
            metrics,
            ("watchpost.history.last_write.age", "s"),
            "The time since snapshots were last saved in the data directory",
            |status, now, record| {
                if let Some(at) = status.saved_at {
                    record(&[], age(at, now).as_secs_f64());
                }
            },
        );
        self.add(
            metrics,
            ("watchpost.history.dropped", ""),
            "Snapshots that are missing in the data directory: it failed (disk), they were damaged, or removed for max_bytes (size)",
            InstrumentKind::Counter,
            |status, _, record| {
                record(&[("reason", "disk")], status.unsaved as f64);
                record(&[("reason", "damaged")], status.lost as f64);
                record(&[("reason", "size")], status.evicted as f64);
            },
        );
        self.add(
            metrics,
            ("watchpost.history.damaged_files", ""),
            "Files of the history that were damaged",
            InstrumentKind::Counter,
            |status, _, record| record(&[], status.damaged_files as f64),
        );
        self.gauge(
            metrics,
            ("watchpost.history.damaged_series", ""),
            "Series of single segments that queries or roll-ups found damaged",
            |status, _, record| record(&[], status.damaged_series as f64),
        );
    }

    fn observe_files(&self, metrics: &Metrics) {
        self.gauge(
            metrics,
            ("watchpost.history.stored", "By"),
            "Bytes of the history's segments in the data directory",
            |status, _, record| {
                for (resolution, (_, bytes)) in RESOLUTIONS.iter().zip(status.segments) {
                    record(&[("resolution", resolution)], bytes as f64);
                }
            },
        );
        self.gauge(
            metrics,
            ("watchpost.history.segments", ""),
            "The history's segments in the data directory",
            |status, _, record| {
                for (resolution, (count, _)) in RESOLUTIONS.iter().zip(status.segments) {
                    record(&[("resolution", resolution)], count as f64);
                }
            },
        );
    }

    fn gauge(
        &self,
        metrics: &Metrics,
        name: (&'static str, &'static str),
        description: &'static str,
        read: fn(&DiskStatus, Nanos, &mut dyn FnMut(&[(&str, &str)], f64)),
    ) {
        self.add(metrics, name, description, InstrumentKind::Gauge, read);
    }

    fn add(
        &self,
        metrics: &Metrics,
        (name, unit): (&'static str, &'static str),
        description: &'static str,
        kind: InstrumentKind,
        read: fn(&DiskStatus, Nanos, &mut dyn FnMut(&[(&str, &str)], f64)),
    ) {
        // The files hold no registry, so there is no reference cycle.
        let Some(status) = self.history.disk_status_reader() else {
            return;
        };
        let clock = self.clock.clone();
        let observer: Observer = Arc::new(move |record| {
            if let Some(status) = status() {
                read(&status, clock.now(), record);
            }
        });
        metrics.observe_own(name, unit, description, kind, observer);
    }

    /// Reads the state of the files for the health page. `None` without files.
    pub(in crate::monitor) fn component(
        &self,
    ) -> impl Fn() -> Option<ComponentStatus> + Send + Sync + use<> {
        let status = self.history.disk_status_reader();
        let clock = self.clock.clone();
        move || {
            let status = status.as_ref()?()?;
            let now = clock.now();
            let hangs = status
                .busy_since
                .map(|since| age(since, now))
                .filter(|busy| *busy > MAX_BUSY)
                .map(|busy| {
                    (
                        "the data directory does not respond: the history is in memory alone"
                            .to_owned(),
                        busy,
                    )
                });
            let failure = status.failure.map(|(why, since)| (why, age(since, now)));
            let bytes = status.segments.iter().map(|(_, bytes)| bytes).sum::<u64>();
            let bytes = bytes + status.journal_bytes;
            Some(ComponentStatus::failing_store(
                hangs.or(failure),
                status.kept,
                bytes,
            ))
        }
    }

    /// Begins the history, once the monitor's own metrics are registered.
    pub(in crate::monitor) fn begin(&self) {
        self.history.begin();
    }

    /// Returns what shows for how long the current snapshot has been in progress.
    #[expect(clippy::unnecessary_wraps, reason = "the other build has none")]
    pub(in crate::monitor) fn snapshot_in_progress(&self) -> Option<Arc<InProgress>> {
        Some(self.history.snapshot_in_progress())
    }
}

fn age(since: Nanos, now: Nanos) -> Duration {
    Duration::from_nanos(now.saturating_sub(since))
}
