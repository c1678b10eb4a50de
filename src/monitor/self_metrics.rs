//! The monitor's metrics about itself, and its components on the health page.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::doctor::FORKED;
use super::error_groups;
use super::serve::ServerCounters;
use super::shipping::LogShipping;
use super::state::MonitorState;
use crate::clock::Clock;
use crate::db::Queries;
use crate::errors::{ErrorTracker, unrouted};
use crate::health::ComponentStatus;
use crate::metrics::{InstrumentKind, Metrics};
use crate::model::{DropReason, InProgress, RecordCounters, RecordKind};
use crate::semconv;
use crate::system;
use crate::trace::{TraceStore, Traces};
use crate::users::UserTracker;
use crate::worker::{SinkStatus, SpoolStatus, Worker, WorkerStatus};

/// For how long the snapshots of all metrics take, and which connection pool they wait for.
#[derive(Clone)]
struct SnapshotWatch {
    clock: Clock,
    /// The snapshot of the history, in a build with one.
    history: Option<Arc<InProgress>>,
    /// Weak, because what holds it may outlive the monitor, and must not keep the pools open.
    queries: Weak<Queries>,
}

impl SnapshotWatch {
    /// For how long the current snapshot of the history has been in progress.
    fn history(&self) -> Option<Duration> {
        self.history.as_ref()?.age(self.clock.now())
    }

    /// The pool whose `state` has not returned for longest.
    fn slowest_pool(&self) -> Option<(Arc<str>, Duration)> {
        self.queries.upgrade()?.slowest_pool_state()
    }
}

/// Adds the monitor's own series to the metrics page and its components to the health page.
pub(super) fn observe(inner: &MonitorState) {
    let MonitorState {
        metrics,
        counters,
        worker,
        health,
        errors,
        ..
    } = inner;
    observe_records(metrics, counters);
    observe_worker(metrics, worker);
    observe_errors(metrics, errors);
    error_groups::observe(metrics, errors.error_groups());
    if let Some(traces) = &inner.tracing.traces {
        observe_traces(metrics, traces);
    }
    if let Some(store) = &inner.tracing.store {
        observe_trace_store(metrics, store);
    }
    if let Some(files) = &inner.log_files {
        files.observe(metrics);
    }
    if let Some(shipping) = &inner.shipping {
        shipping.observe(metrics);
    }
    metrics.watch_itself();
    system::register(metrics, &inner.system);
    observe_servers(metrics, &inner.server_counters);
    observe_users(metrics, &inner.users);
    observe_log_errors(inner);
    let snapshots = SnapshotWatch {
        clock: inner.requests.clock().clone(),
        history: inner.history.snapshot_in_progress(),
        queries: Arc::downgrade(&inner.queries),
    };
    observe_snapshots(metrics, worker, &snapshots);
    inner.history.observe(metrics);
    inner.alerts.observe(metrics);
    watch_parts(inner, snapshots);
    if let Some(data_dir) = &inner.data_dir {
        health.check_disk(data_dir.path().to_owned(), &inner.system);
    }
}

fn observe_records(metrics: &Metrics, counters: &Arc<RecordCounters>) {
    let signal = |signal: RecordKind| ("signal", signal.as_str());
    let of = Arc::clone(counters);
    metrics.observe_own(
        "watchpost.records.emitted",
        "",
        "Records made: lines of requests, of events and of notices",
        InstrumentKind::Counter,
        Arc::new(move |record| {
            for s in RecordKind::ALL {
                record(&[signal(s)], of.totals(s).emitted() as f64);
            }
        }),
    );
    let of = Arc::clone(counters);
    metrics.observe_own(
        "watchpost.records.delivered",
        "",
        "Records that their receiver took",
        InstrumentKind::Counter,
        Arc::new(move |record| {
            for s in RecordKind::ALL {
                record(&[signal(s)], of.totals(s).delivered() as f64);
            }
        }),
    );
    let of = Arc::clone(counters);
    metrics.observe_own(
        "watchpost.records.dropped",
        "",
        "Records dropped, by reason",
        InstrumentKind::Counter,
        Arc::new(move |record| {
            for s in RecordKind::ALL {
                let totals = of.totals(s);
                for reason in DropReason::ALL {
                    let labels = [signal(s), ("reason", reason.as_str())];
                    record(&labels, totals.dropped(reason) as f64);
                }
            }
        }),
    );
}

fn observe_traces(metrics: &Metrics, traces: &Arc<Traces>) {
    let of = Arc::clone(traces);
    metrics.observe_own(
        "watchpost.spans.lost",
        "",
        "Spans of undecided traces for which there was no room, and spans whose trace was forgotten",
        InstrumentKind::Counter,
        Arc::new(move |record| {
            let lost = of.lost();
            record(&[("reason", "no_room")], lost.no_room as f64);
            record(&[("reason", "late")], lost.late as f64);
        }),
    );
    let of = Arc::clone(traces);
    metrics.observe_own(
        "watchpost.traces.over_budget",
        "",
        "Traces that would have been kept for what happened in them, but for the budget",
        InstrumentKind::Counter,
        Arc::new(move |record| record(&[], of.lost().traces_over_budget as f64)),
    );
    let of = Arc::clone(traces);
    metrics.observe(
        "watchpost.traces.open",
        "By",
        "What the spans of undecided traces hold",
        InstrumentKind::Gauge,
        Arc::new(move |record| record(&[], of.lost().open_bytes as f64)),
    );
}

fn observe_trace_store(metrics: &Metrics, store: &TraceStore) {
    type StoreMetric = (
        &'static str,
        &'static str,
        &'static str,
        InstrumentKind,
        fn(&TraceStore, &mut dyn FnMut(&[(&str, &str)], f64)),
    );
    const STORE: [StoreMetric; 5] = [
        (
            "watchpost.traces.store.size",
            "By",
            "Bytes of the files in which kept traces are stored",
            InstrumentKind::Gauge,
            |store, record| {
                if let Some(status) = store.status() {
                    record(&[], status.bytes as f64);
                }
            },
        ),
        (
            "watchpost.traces.store.emitted",
            "",
            "Records of kept traces for the data directory",
            InstrumentKind::Counter,
            |store, record| {
                if let Some(status) = store.status() {
                    record(&[], status.emitted as f64);
                }
            },
        ),
        (
            "watchpost.traces.store.stored",
            "",
            "Records of kept traces that were written to the data directory",
            InstrumentKind::Counter,
            |store, record| {
                if let Some(status) = store.status() {
                    record(&[], status.stored as f64);
                }
            },
        ),
        (
            "watchpost.traces.store.dropped",
            "",
            "Records of kept traces that were not written to the data directory, by reason",
            InstrumentKind::Counter,
            |store, record| {
                for (reason, count) in store.status().iter().flat_map(|status| &status.dropped) {
                    record(&[("reason", reason.as_str())], *count as f64);
                }
            },
        ),
        (
            "watchpost.traces.store.damaged",
            "",
            "Stored records of kept traces that a search found damaged",
            InstrumentKind::Counter,
            |store, record| {
                if let Some(status) = store.status() {
                    record(&[], status.damaged as f64);
                }
            },
        ),
    ];
    for (name, unit, description, kind, read) in STORE {
        // The store holds no registry, so there is no reference cycle.
        let store = store.clone();
        let read = move |record: &mut dyn FnMut(&[(&str, &str)], f64)| read(&store, record);
        metrics.observe_own(name, unit, description, kind, Arc::new(read));
    }
}

fn observe_errors(metrics: &Metrics, errors: &ErrorTracker) {
    type StoreMetric = (
        &'static str,
        &'static str,
        &'static str,
        InstrumentKind,
        fn(&SpoolStatus) -> u64,
    );
    const STORE: [StoreMetric; 4] = [
        (
            "watchpost.errors.stored",
            "By",
            "Bytes of the files in which captured errors are stored",
            InstrumentKind::Gauge,
            |store| store.bytes,
        ),
        (
            "watchpost.errors.unstored",
            "",
            "Captured errors that were never stored, for the disk refused them",
            InstrumentKind::Counter,
            |store| store.unstored,
        ),
        (
            "watchpost.errors.evicted",
            "",
            "Stored errors that made room for newer ones",
            InstrumentKind::Counter,
            |store| store.evicted,
        ),
        (
            "watchpost.errors.corrupt_files",
            "",
            "Files of stored errors that were damaged",
            InstrumentKind::Counter,
            |store| store.corrupt,
        ),
    ];
    for (name, unit, description, kind, of) in STORE {
        // The handle of the store holds no registry, so there is no reference cycle.
        let errors = errors.clone();
        let read = move |record: &mut dyn FnMut(&[(&str, &str)], f64)| {
            if let Some(store) = errors.store_status() {
                record(&[], of(&store) as f64);
            }
        };
        metrics.observe_own(name, unit, description, kind, Arc::new(read));
    }
    metrics.observe(
        "watchpost.errors.unrouted",
        "",
        "Errors of the process that no monitor captured",
        InstrumentKind::Counter,
        Arc::new(|record| record(&[], unrouted() as f64)),
    );
}

fn observe_worker(metrics: &Metrics, worker: &Arc<Worker>) {
    // Weak, because the worker's periodic tasks hold the registry.
    let of = Arc::downgrade(worker);
    metrics.observe_own(
        "watchpost.worker.restarts",
        "",
        "Panics that the worker went on after",
        InstrumentKind::Counter,
        Arc::new(move |record| {
            if let Some(status) = status(&of) {
                record(&[], status.recovered_panics as f64);
            }
        }),
    );
    let of = Arc::downgrade(worker);
    metrics.observe(
        "watchpost.sink.queued",
        "By",
        "Bytes of lines that wait for a sink or are being written",
        InstrumentKind::Gauge,
        Arc::new(move |record| {
            for sink in status(&of).iter().flat_map(|status| &status.sinks) {
                record(&[("sink", sink.name)], sink.queued_bytes as f64);
            }
        }),
    );
}

fn observe_snapshots(metrics: &Metrics, worker: &Arc<Worker>, snapshots: &SnapshotWatch) {
    let (snapshots, of) = (snapshots.clone(), Arc::downgrade(worker));
    metrics.observe(
        "watchpost.snapshot.age",
        "s",
        "For how long the snapshot of all metrics in progress has been taken, by what takes it",
        InstrumentKind::Gauge,
        Arc::new(move |record| {
            if let Some(age) = snapshots.history() {
                record(&[("reader", "history")], age.as_secs_f64());
            }
            let status = status(&of);
            for sink in status.iter().flat_map(|status| &status.sinks) {
                if let Some(age) = sink.job_age {
                    record(&[("reader", sink.name)], age.as_secs_f64());
                }
            }
        }),
    );
}

fn observe_servers(metrics: &Metrics, counters: &Arc<ServerCounters>) {
    let counters = Arc::clone(counters);
    metrics.observe_own(
        "watchpost.serve.connections.closed",
        "",
        "Connections of the own port that were closed because all places were taken, by reason",
        InstrumentKind::Counter,
        Arc::new(move |record| {
            record(&[("reason", "evicted")], counters.evicted() as f64);
            record(&[("reason", "refused")], counters.refused() as f64);
        }),
    );
}

fn observe_users(metrics: &Metrics, users: &Arc<UserTracker>) {
    let users = Arc::clone(users);
    metrics.observe(
        semconv::USERS_ACTIVE,
        "",
        "Distinct users within a window of time: an estimate, unless the host sets it",
        InstrumentKind::Gauge,
        Arc::new(move |record| {
            let active = users.active();
            for (window, users) in [("5m", active.five_minutes), ("24h", active.day)] {
                if let Some(users) = users {
                    record(&[("window", window)], users as f64);
                }
            }
        }),
    );
}

/// Nothing sees the log records if none are kept in memory.
fn observe_log_errors(inner: &MonitorState) {
    if inner.recent_logs.keeps_records() {
        let logs = Arc::clone(&inner.recent_logs);
        inner.metrics.observe_own(
            "watchpost.log.errors",
            "",
            "Events and captured errors with the level ERROR",
            InstrumentKind::Counter,
            Arc::new(move |record| record(&[], logs.errors() as f64)),
        );
    }
}

fn watch_parts(inner: &MonitorState, snapshots: SnapshotWatch) {
    let data_dir_problem = inner.data_dir_problem.clone();
    let errors = inner.errors.clone();
    let history = inner.history.component();
    let traces = inner.tracing.store.clone();
    let shipping = inner.shipping.clone();
    let of = Arc::downgrade(&inner.worker);
    inner.health.set_components(move |record| {
        if let Some(problem) = &data_dir_problem {
            record("data directory", ComponentStatus::warning(problem));
        }
        if let Some(store) = errors.store_status() {
            record(
                "errors.store",
                ComponentStatus::store(store.failing, store.damaged, store.bytes),
            );
        }
        if let Some(store) = traces.as_ref().and_then(TraceStore::status) {
            record(
                "traces.store",
                ComponentStatus::failing_store(store.failure, 0, store.bytes),
            );
        }
        if let Some(component) = shipping.as_ref().and_then(LogShipping::component) {
            record("elasticsearch", component);
        }
        if let Some(store) = history() {
            record("history.store", store);
        }
        let slowest = snapshots.slowest_pool();
        let slowest = slowest.as_ref().map(|(pool, age)| (&**pool, *age));
        if let Some(component) =
            slowest.and_then(|(pool, age)| ComponentStatus::pool_state(pool, age))
        {
            record("connection pools", component);
        }
        if snapshots.history.is_some() {
            record(
                "history",
                ComponentStatus::snapshots(snapshots.history(), slowest),
            );
        }
        let Some(status) = status(&of) else { return };
        record(
            "worker",
            if status.forked {
                ComponentStatus::warning(FORKED)
            } else {
                ComponentStatus::worker(status.alive, status.round_age)
            },
        );
        for sink in &status.sinks {
            record(sink.name, sink_component(sink, slowest));
        }
    });
}

fn sink_component(sink: &SinkStatus, slowest_pool: Option<(&str, Duration)>) -> ComponentStatus {
    let hanging = ComponentStatus::snapshot_problem(sink.job_age, slowest_pool);
    let problem = hanging.or_else(|| sink.error.map(|error| error.to_string()));
    ComponentStatus::sink(sink.waiting_since, sink.last_delivery_age, problem)
}

fn status(worker: &Weak<Worker>) -> Option<WorkerStatus> {
    worker.upgrade().map(|worker| worker.status())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tower::Service as _;

    use crate::model::as_in_child;
    use crate::{Access, Monitor};

    /// Does not call `fork`, which is unsafe: marks the thread as that of a child instead, and holds the locks that a
    /// thread of the parent may hold.
    #[test]
    fn no_status_read_waits_in_a_child_made_by_fork() {
        let dir = tempfile::tempdir().unwrap();
        let monitor = Monitor::builder("forks")
            .env(false)
            .data_dir(dir.path())
            .console_to(std::io::sink())
            .build()
            .unwrap();
        monitor.capture_error(&std::fmt::Error);
        let inner = &monitor.inner;
        let health = || {
            let mut page = monitor.health().details(Access::open_to_anyone());
            let response = page.call(http::Request::get("/health").body(String::new()).unwrap());
            let response = response.now_or_never().unwrap().unwrap();
            let body = http_body_util::BodyExt::collect(response.into_body());
            let body = body.now_or_never().unwrap().unwrap().to_bytes();
            String::from_utf8(body.to_vec()).unwrap()
        };
        let read = || {
            monitor.error_groups();
            monitor.queries();
            monitor.dependencies();
            monitor.recent_traces();
            monitor.model_usage();
            monitor.system();
            let findings = monitor.doctor();
            (findings, monitor.metrics().render(), health())
        };
        let (_, page, details) = as_in_child(read);
        assert!(page.contains("watchpost_errors_stored"), "{page}");
        assert!(details.contains("errors.store") && details.contains("console"));
        let locked = || inner.system.while_locked(|| as_in_child(read));
        let locked = || inner.errors.while_store_is_locked(locked);
        let (findings, page, details) = inner.worker.while_sinks_are_locked(locked);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].about, "process");
        assert!(findings[0].sentence.contains("child made by `fork`"));
        // The other series are still exposed.
        assert!(page.contains("watchpost_records_emitted_total"), "{page}");
        assert!(!page.contains("watchpost_errors_stored"), "{page}");
        assert!(!page.contains("watchpost_sink_queued"), "{page}");
        assert!(!page.contains("process_cpu_seconds_total "), "{page}");
        assert!(details.contains("child made by `fork`"), "{details}");
        assert!(!details.contains("errors.store"), "{details}");
        // The parent exposes all series.
        assert!(monitor.metrics().render().contains("watchpost_sink_queued"));
        assert!(health().contains("errors.store"));
    }
}
