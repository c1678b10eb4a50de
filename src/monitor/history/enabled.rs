use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::anomaly::{AnomalyConfig, AnomalyStore, AnomalyWatcher};
use crate::clock::{Clock, Nanos};
use crate::config::Config;
use crate::health::ComponentStatus;
use crate::history::{
    DiskStatus, History, HistoryConfig, HistorySetup, MarkerStore, SnapshotObserver,
};
use crate::metrics::{InstrumentKind, Metrics, Observer};
use crate::model::{Diagnostics, HookCounts, InProgress};
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
    pub(in crate::monitor) anomalies: AnomalyWatcher,
    /// What was learned, in the data directory.
    #[cfg_attr(
        not(feature = "testing"),
        expect(dead_code, reason = "only the test harness calls it directly")
    )]
    pub(in crate::monitor) anomaly_store: Option<Arc<AnomalyStore>>,
    clock: Clock,
}

impl HistoryState {
    /// Creates the history and what watches it, and their tasks. They are kept in the data directory, if there is one.
    pub(in crate::monitor) fn new(
        config: &Config,
        metrics: &Metrics,
        data_dir: Option<&Path>,
        clock: &Clock,
        diagnostics: &Arc<Diagnostics>,
    ) -> (Self, Vec<PeriodicTask>) {
        let version = config.service.version.as_deref();
        let mut markers = MarkerStore::new(clock, version.unwrap_or_default());
        if let Some(data_dir) = data_dir {
            markers = markers.in_directory(&data_dir.join("markers"), diagnostics);
        }
        let markers = Arc::new(markers);
        let step = config.history.interval;
        let anomalies = AnomalyWatcher::new(&config.anomaly, step, metrics, diagnostics);
        let observer: Arc<dyn SnapshotObserver> = Arc::new(anomalies.clone());
        let (history, mut tasks) = History::new(HistorySetup {
            config: &without_states(&config.history, &config.anomaly),
            metrics,
            directory: data_dir.map(|path| path.join("history")),
            clock,
            diagnostics,
            markers: &markers,
            observer: Some(observer),
        });
        tasks.extend(markers.tasks());
        tasks.extend(anomalies.tasks(step));
        let anomaly_store = data_dir.map(|path| {
            let store = AnomalyStore::in_directory(path, &anomalies, clock, diagnostics);
            Arc::new(store)
        });
        tasks.extend(anomaly_store.iter().flat_map(AnomalyStore::tasks));
        let figures = HostFigures::default();
        let state = Self {
            history,
            figures,
            anomalies,
            anomaly_store,
            clock: clock.clone(),
        };
        (state, tasks)
    }

    /// Adds the series about the history's files to the metrics.
    pub(in crate::monitor) fn observe(&self, metrics: &Metrics) {
        self.observe_anomalies(metrics);
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

    /// Adds the series about anomalies to the metrics.
    fn observe_anomalies(&self, metrics: &Metrics) {
        const REPORTS: [(&str, &str, fn(&HookCounts) -> u64); 5] = [
            (
                "watchpost.anomaly.reports",
                "Reports of anomalies, while there was a hook",
                |counts| counts.emitted,
            ),
            (
                "watchpost.anomaly.reports.delivered",
                "Reports of anomalies with which the hooks were called",
                |counts| counts.delivered,
            ),
            (
                "watchpost.anomaly.reports.disabled",
                "Reports of anomalies with which no hook was called, since all were disabled or removed",
                |counts| counts.disabled,
            ),
            (
                "watchpost.anomaly.reports.dropped",
                "Reports of anomalies that were dropped, since too many waited for the hooks",
                |counts| counts.dropped,
            ),
            (
                "watchpost.anomaly.hook_panics",
                "Panics of hooks for anomalies",
                |counts| counts.panics,
            ),
        ];
        // The watcher takes snapshots of the registry. Weak, so that there is no reference cycle.
        let of = self.anomalies.downgrade();
        let anomalies = of.clone();
        metrics.observe_own(
            "watchpost.anomalies",
            "",
            "Anomalies that began",
            InstrumentKind::Counter,
            Arc::new(move |record| {
                if let Some((begun, _)) = anomalies.counts() {
                    record(&[], begun as f64);
                }
            }),
        );
        let anomalies = of.clone();
        metrics.observe(
            "watchpost.anomalies.open",
            "",
            "Anomalies that are under way",
            InstrumentKind::Gauge,
            Arc::new(move |record| {
                if let Some((_, open)) = anomalies.counts() {
                    record(&[], open as f64);
                }
            }),
        );
        for (name, description, read) in REPORTS {
            let anomalies = of.clone();
            metrics.observe_own(
                name,
                "",
                description,
                InstrumentKind::Counter,
                Arc::new(move |record| {
                    if let Some(counts) = anomalies.reports() {
                        record(&[], read(&counts) as f64);
                    }
                }),
            );
        }
        metrics.observe(
            "watchpost.anomaly.series",
            "",
            "Series that are watched for anomalies, and series for which there is no room",
            InstrumentKind::Gauge,
            Arc::new(move |record| {
                if let Some((watched, left_out)) = of.series_counts() {
                    record(&[("state", "watched")], watched as f64);
                    record(&[("state", "left_out")], left_out as f64);
                }
            }),
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

/// The settings of the history's files. What is learned about the watched series counts in their size.
fn without_states(history: &HistoryConfig, anomaly: &AnomalyConfig) -> HistoryConfig {
    let mut files = history.clone();
    files.max_bytes -= AnomalyStore::share_of(files.max_bytes, anomaly);
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learned_counts_in_the_size_of_the_files() {
        let files = |max_bytes, max_series| {
            let history = HistoryConfig::default().max_bytes(max_bytes);
            without_states(&history, &AnomalyConfig::default().max_series(max_series)).max_bytes
        };
        let all = HistoryConfig::DEFAULT_MAX_BYTES;
        let states = all - files(all, 2000);
        assert!(states > 2000 * 1024 && states < all / 256, "{states}");
        // There is room for both with the least size.
        assert!(files(16 << 20, 5000) >= 8 << 20);
    }
}
