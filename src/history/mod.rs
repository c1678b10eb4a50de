//! The history of all metrics: their values and increases of the last hours, and queries over them.
//!
//! With the feature `history`, the monitor takes a snapshot of all series every ten seconds, on a thread of its own. A
//! `MetricQuery` reads one metric: which series, over which window, and by which labels.
//!
//! ```
//! # #[cfg(all(feature = "history", feature = "testing"))] {
//! use std::time::Duration;
//! use watchpost::history::MetricQuery;
//! # use watchpost::testing::Harness;
//! # let monitor = Harness::new();
//!
//! let jobs = monitor.metrics().counter("jobs").build();
//! jobs.with([("queue", "mail")]).add(30);
//! # monitor.advance(Duration::from_secs(10));
//! # monitor.snapshot();
//!
//! let query = MetricQuery::rate("jobs_total").by(["queue"]).window(Duration::from_secs(60));
//! # let now = monitor.now();
//! # #[cfg(any())]
//! let now = SystemTime::now();
//! for series in monitor.history().at(&query, now).unwrap() {
//!     println!("{:?}: {} jobs/s", series.labels, series.points[0].value);
//! #   assert_eq!(series.points[0].value, 3.0);
//! }
//! # }
//! ```
//!
//! It prints:
//!
//! ```text
//! [("queue", "mail")]: 3 jobs/s
//! ```
//!
//! # Queries
//!
//! The name of a metric is the exposed one. A histogram has the name without `_bucket`, `_sum` and `_count`.
//!
//! | function | of a counter | of a gauge | of a histogram |
//! |---|---|---|---|
//! | `increase` | the increase in the window | | the number of values recorded in the window |
//! | `rate` | the increase per second | | the number of values per second |
//! | `sum_increase` | | | the sum of the values recorded in the window |
//! | `mean` | | the mean of the snapshots | the mean of the values recorded in the window |
//! | `quantile` | | | a quantile of the values recorded in the window |
//! | `last`, `min`, `max` | | the last, lowest or highest of the snapshots | |
//!
//! `label`, `label_in` and `label_not_in` select series, `by` and `total` combine them. Increases are added, and
//! histograms are merged before a quantile is calculated: a quantile of several routes is that of all their requests. How
//! gauges are combined is set by `aggregation`; each gauge counts with its own value in the window, also if it existed for
//! a part of it only.
//!
//! A result has no point for a time without data. A function that does not apply to a kind of metric has no result. The
//! window is the time after its begin, up to its end. `History::range` evaluates a query at regular times, `History::at` at one.
//!
//! `History::metrics` lists the metrics that there are, with their kinds, and `History::label_values` the values of one label.
//!
//! # Reading without blocking
//!
//! `History::range` and `History::at` read on the calling thread. `MetricReader` has the same methods as futures, for
//! code of an asynchronous runtime and for code that should not depend on where the metrics are. With the feature
//! `prometheus-reader`, `PrometheusReader` answers the same queries from a Prometheus server, for a service with many
//! instances. Its documentation lists the differences.
//!
//! # Markers
//!
//! `History::markers` returns what happened to the service, to be shown with its metrics: each start with the version of the
//! service, whether that is a new version, and whether the process before it ended without a shutdown; each shutdown; and
//! what the service has marked itself with [`Monitor::mark`](crate::Monitor::mark). With a data directory they are kept over
//! restarts, in its directory `markers`. A mark is stored within five seconds; the shutdown stores what is left.
//!
//! # Export
//!
//! `to_csv` and `to_json` format results for spreadsheets and scripts.
//!
//! # What is exact
//!
//! Increases are counted from one snapshot to the next, so that they are whole numbers and add up: the increase of an
//! hour is the sum of those of its minutes. Prometheus extrapolates instead, and has no increase for the first value of a
//! series. A series that was removed because it was idle goes on where it was if it returns, so nothing is counted twice.
//!
//! The first snapshot has the increases since the monitor was built, also of totals that are older than it:
//!
//! | totals | the first increase |
//! |---|---|
//! | counters and histograms of the program; the monitor's own counts: `watchpost_records_*`, `watchpost_spans_lost`, `watchpost_traces_over_budget`, `watchpost_traces_store_*`, `watchpost_errors_unstored`, `_evicted` and `_corrupt_files`, `watchpost_worker_restarts`, `watchpost_history_dropped` and `_damaged_files`, `watchpost_serve_connections_closed`, `watchpost_metrics_*`, `watchpost_anomalies`, `watchpost_anomaly_reports`, `_delivered`, `_disabled` and `_dropped`, `watchpost_anomaly_hook_panics`, `watchpost_log_errors`, `tokio_*` | the whole first value: they begin with the monitor |
//! | `process_cpu_seconds`, `watchpost_cgroup_cpu_*`, `system_network_io_bytes`, `watchpost_errors_unrouted`, `watchpost_process_restarts` | since the monitor was built: they are read then |
//! | a series of the second row that appears later, such as that of a new network interface | none: its age is not known |
//!
//! A histogram has 32 buckets per power of two, whatever its exposed bounds are. A quantile is the middle of a bucket, and
//! differs from the exact one by at most 1.1 %. Values up to 2^-24 (60 ns, in seconds) count as 0, and those above 2^40 as
//! 2^40. The sum of a histogram's values in one snapshot keeps seven digits.
//!
//! A rate is the increase divided by the time that the snapshots in the window cover. That time is measured by the
//! monotonic clock, so that steps of the wall clock do not change rates. Snapshots keep their order, and the wall time at
//! which they were taken: if the clock was set back, a window contains the snapshots of both passes.
//!
//! A point has `has_gap` if a part of its window has no data, or may have none: the history begins later, the monitor did
//! not run, a snapshot came after more than one and a half intervals, or the wall clock moved by more than a second against
//! the monotonic one. Increases that are counted late, after a late snapshot, are in the window of that snapshot.
//!
//! # What is kept
//!
//! The guide [`history`](crate::guide::history) has the sizes, and what is removed first.
//!
//! Snapshots are kept in memory: for two hours, and about 16 MiB, whatever is reached first. The oldest are removed. With
//! more series than there is room for, the newest are left out, and the report says so. `History::begins_at` returns from
//! when there is data, and `History::covered` how much of a period. A series whose kind
//! or bounds change keeps its earlier values. A series takes about a byte for each snapshot in which it
//! changes by a small whole number, up to nine bytes for an arbitrary one, and none worth mentioning while it stays the same;
//! a histogram takes two bytes for each bucket that has new values, and six for the sum.
//!
//! With a [data directory](crate::MonitorBuilder::data_dir), they are stored in its sub-directory `history` too, and rolled up
//! into minutes and hours: snapshots for 48 hours, minutes for 15 days, hours for 395 days, and at most 2 GiB. Each snapshot is
//! on the disk within about a second. A process that is killed loses what was counted after the last snapshot on the disk; an
//! orderly shutdown stores a last snapshot. The next process continues the history.
//!
//! Ages are measured by the time that monitors ran with the directory. A wall clock that is set removes nothing and does not
//! change the order of what is stored. If there is no room, the oldest snapshots are removed first, then minutes, then hours.
//!
//! If the disk is full, read-only, gone or hangs, the history is in memory alone: a notice and `/health` say why. It is tried
//! again every 30 s, and what is still in memory is then stored. Damaged files are renamed to `*.corrupt-N`; a damaged part costs
//! a series of an hour, and is never read as other values. Files of a newer version of this crate are left as they are.
//! `watchpost_history_dropped_total` counts the snapshots that are missing, by `reason`.
//!
//! | setting | default | |
//! |---|---|---|
//! | `history.interval` | 10 s | the time between snapshots |
//! | `history.memory_age` | 2 h | the age of the oldest snapshot |
//! | `history.max_memory_bytes` | 16 MiB | the size of all snapshots in memory |
//! | `history.max_bytes` | 2 GiB | the size of all files |
//! | `history.raw_age` | 48 h | the age of the oldest snapshot in files |
//! | `history.minute_age` | 15 d | the age of the oldest minute |
//! | `history.hour_age` | 395 d | the age of the oldest hour |
//!
//! Metrics of [joined expositions](crate::metrics::Metrics::join_exposition) are not in the history.
//!
//! # Cost
//!
//! A request pays nothing for the history: snapshots read the counts that the metrics page reads.

mod config;
#[cfg(feature = "history")]
mod enabled;

pub use self::config::HistoryConfig;
#[cfg(feature = "prometheus-reader")]
pub use self::enabled::PrometheusReader;
#[cfg(feature = "history")]
pub use self::enabled::{
    Aggregation, History, Marker, MarkerKind, MetricInfo, MetricKind, MetricQuery, MetricReader,
    Point, ReadFuture, ResultSeries, to_csv, to_json,
};

#[cfg(feature = "alerts")]
pub(crate) use self::enabled::TimeRange;
#[cfg(feature = "history")]
pub(crate) use self::enabled::{
    DiskStatus, FlaggedSeries, HistorySetup, MarkerStore, OddStep, RecordedStep, SeriesKey,
    SeriesKind, SnapshotObserver, Step, TakenSnapshot,
};
