//! Metrics: instruments, the `metrics` facade, the exposition that Prometheus scrapes, and pushes over OTLP.
//!
//! A monitor has one registry, [`Metrics`], which [`Monitor::metrics`](crate::Monitor::metrics) returns. Typed
//! instruments and the macros of the `metrics` facade record into it. [`Prometheus`] is the service that exposes it.
//!
//! ```
//! # #[cfg(feature = "testing")] {
//! # let metrics = watchpost::metrics::Metrics::standalone();
//! let wait = metrics
//!     .histogram("job.wait")
//!     .unit("s")
//!     .description("Time that a job waits")
//!     .bounds([0.1, 1.0, 10.0])
//!     .build();
//! let mail = wait.with([("queue", "mail")]); // Keep it if it is used often.
//! mail.record(0.25);
//! mail.record(2.5);
//! assert!(metrics.render().contains("job_wait_seconds_count{queue=\"mail\"} 2\n"));
//! # }
//! ```
//!
//! The exposition of this histogram:
//!
//! ```text
//! # HELP job_wait_seconds Time that a job waits
//! # TYPE job_wait_seconds histogram
//! job_wait_seconds_bucket{queue="mail",le="0.1"} 0
//! job_wait_seconds_bucket{queue="mail",le="1"} 1
//! job_wait_seconds_bucket{queue="mail",le="10"} 2
//! job_wait_seconds_bucket{queue="mail",le="+Inf"} 2
//! job_wait_seconds_sum{queue="mail"} 2.75
//! job_wait_seconds_count{queue="mail"} 2
//! ```
//!
//! # Instruments
//!
//! | instrument | records | exposed as |
//! |---|---|---|
//! | [`Counter`] | whole numbers that add up | a counter, `name_total` |
//! | [`UpDownCounter`] | whole numbers that go up and down | a gauge |
//! | [`Gauge`] | a current value | a gauge |
//! | [`Histogram`] | a distribution of values, in buckets | `name_bucket`, `name_sum`, `name_count` |
//!
//! Every value is exact under any number of threads: a series consists of a few shards, each thread adds to one of
//! them, and a scrape sums them. Recording through a handle takes no lock and allocates nothing, except that a
//! histogram allocates 512 bytes for the first value in each range of two powers of two. Memory grows with the
//! number of series, never with the number of recorded values.
//!
//! # The macros of the facade
//!
//! After [`install`](crate::Monitor::install), the macros of the [`metrics`](https://docs.rs/metrics) crate, also those in
//! libraries, record into this registry:
//!
//! ```
//! # #[cfg(feature = "testing")] {
//! # let registry = watchpost::metrics::Metrics::standalone();
//! # metrics::with_local_recorder(&registry.recorder(), || {
//! metrics::counter!("jobs", "queue" => "mail").increment(2);
//! metrics::gauge!("queue_length", "queue" => "mail").set(4.0);
//! # });
//! # assert!(registry.render().contains("jobs_total{queue=\"mail\"} 2\n"));
//! # assert!(registry.render().contains("queue_length{queue=\"mail\"} 4\n"));
//! # }
//! ```
//!
//! ```text
//! jobs_total{queue="mail"} 2
//! queue_length{queue="mail"} 4
//! ```
//!
//! A macro looks its series up by name at each call; a typed handle does not, and costs a sixteenth
//! ([`guide::cost`](crate::guide::cost)).
//!
//! # Names
//!
//! Typed instruments have OpenTelemetry names, which are converted to Prometheus' form: dots become `_`, and the word
//! for the unit is appended. `http.server.request.duration` in `s` is exposed as
//! `http_server_request_duration_seconds`. Names of the facade stay as the program writes them, except that a counter
//! gets `_total`.
//!
//! Two spellings with the same exposed name are one metric. If two instruments register one name with different kinds,
//! the first one wins. The second records nothing that is exposed, and the monitor's report lists the conflict.
//!
//! # Bounds of the facade's histograms
//!
//! A histogram of the facade has the bounds that OpenTelemetry's conventions give to durations, from 5 ms to 10 s. If
//! its name contains the word `bytes` or `size`, or its unit is bytes, the bounds are powers of four from 64 B to 64
//! MiB.
//!
//! # What the crate exposes
//!
//! | names | what |
//! |---|---|
//! | `http_server_*`, `rpc_server_*` | requests, see below |
//! | `http_client_*`, `rpc_client_*`, `gen_ai_client_*` | outgoing calls, see [`external`](crate::external) |
//! | `db_client_*` | queries and pools, see [`db`](crate::db) |
//! | `content_*` | generated content, see [`content`](crate::content) |
//! | `watchpost_users_active` | distinct users within 5 minutes and a day, see [`http`](crate::http#active-users) |
//! | `process_*`, `system_*` | the operating system's figures of the process and its machine, see [`system`](crate::system) |
//! | `tokio_*` | figures of each runtime given to [`watch_runtime`](Metrics::watch_runtime) |
//! | `watchpost_anomalies_*`, `watchpost_anomaly_*` | anomalies and their hooks, see [`anomaly`](crate::anomaly) |
//! | `watchpost_log_errors_total` | `tracing` events and captured errors with level `ERROR`; absent if `log.recent_bytes` is 0 |
//! | `watchpost_log_files_size_bytes`, `watchpost_log_files_lost_copies_total`, `watchpost_log_files_unindexed` | with [log files](crate::logs#files): their bytes on the disk, lines that are missing in `error.log` alone, and files that cannot be indexed, so that searches read all of them |
//! | `watchpost_elasticsearch_*` | with `elasticsearch.urls`: log records for that server, see [`guide::shipping`](crate::guide::shipping) |
//! | `watchpost_*` | the monitor itself |
//!
//! # Metrics of HTTP requests
//!
//! | histogram | labels | bounds |
//! |---|---|---|
//! | `http_server_request_duration_seconds` | those of the conventions (method, scheme, route, status, protocol version, `error_type`) and `watchpost_outcome` | 1, 5, 25, 100 and 500 ms, 2.5 s |
//! | `rpc_server_call_duration_seconds` | method, status and `error_type` of [gRPC calls](crate::http#grpc) | the same |
//! | `watchpost_http_time_to_headers_seconds` | method and route | the same |
//! | `http_server_response_body_size_bytes`, `http_server_request_body_size_bytes` | method, scheme and route | none: a count and a sum |
//! | `watchpost_http_connection_duration_seconds` | route and outcome | 1 and 100 ms, 1 and 10 s, 1 and 10 min, 1 h |
//! | `http_client_request_duration_seconds` | see [`external`](crate::external) | as the server's |
//!
//! Most of the cost of metrics is the size of the exposition: each label set has a line for each bound. With these
//! bounds the exposition is less than twice as large as that of axum-prometheus for the same requests. The bounds are
//! every second or third bound of the conventions, and 1 ms. A query for another `le`, such as an SLO of 250 ms,
//! returns nothing until that bound is set. `histogram_quantile` interpolates between bounds that differ by a factor of
//! four to five.
//!
//! # Setting other buckets
//!
//! The setting `metrics.histograms` gives a histogram other bounds or switches it off. It applies to every histogram:
//! this crate's, typed ones and those of the facade. A name is either the program's or the exposed one.
//!
//! ```toml
//! [metrics.histograms]
//! # The bounds of OpenTelemetry's conventions.
//! "http.server.request.duration" = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
//! "http.server.response.body.size" = [1024, 65536, 1048576]
//! "http.server.request.body.size" = "off"
//! ```
//!
//! ```sh
//! WATCHPOST_METRICS_HISTOGRAMS="http.server.request.duration=0.05 0.1 0.2 0.4,http.server.request.body.size=off"
//! ```
//!
//! In code, [`histogram_bounds`](crate::MonitorBuilder::histogram_bounds) and
//! [`histogram_off`](crate::MonitorBuilder::histogram_off) do the same. Code overrides the environment, and the
//! environment overrides the file, whichever of the two names they use. Within one source, the last entry of a
//! histogram wins. [`Monitor::doctor`](crate::Monitor::doctor) reports names that no histogram has.
//!
//! # Negative values
//!
//! In the OpenMetrics format, a histogram with a negative bound has no `_sum` and no `_count`, and neither has a
//! histogram from its first negative value on: the specification requires a sum that never decreases. The bucket `+Inf`
//! still counts all values. The text format has both. Values that are not finite are not recorded.
//!
//! # Cardinality limits
//!
//! A metric has at most 2,000 series, and a registry 20,000; [`MetricsConfig`] sets both. A label set for which there
//! is no room is counted in the metric's overflow series, `{otel_metric_overflow="true"}`. The total stays exact; only
//! the breakdown by label is lost. The report names each such metric once, [`Metrics::capped`] lists them, and
//! `watchpost_metrics_overflows_total` counts the requests.
//!
//! | what | maximum | beyond it |
//! |---|---|---|
//! | series of a metric | 2,000 (`metrics.max_series_per_metric`) | the overflow series |
//! | series of a registry | 20,000 (`metrics.max_series`) | the overflow series |
//! | metric names | 2,000 | not exposed, and reported |
//! | labels of a series | 16 | left out |
//! | bytes of a label's name | 128 | cut |
//! | bytes of a label's value | 256 | cut |
//!
//! `watchpost_metrics_truncated_total` counts labels that were cut or left out. No call fails or returns an error.
//!
//! # Which series exist before the first event
//!
//! Prometheus computes an increase from two values, so it misses the first event of a series that begins with 1. These
//! series are there from the start, with the value 0:
//!
//! | series | from when |
//! |---|---|
//! | `watchpost_records_emitted_total`, `_delivered_total` by `signal`; `_dropped_total` by `signal` and `reason` | every label set, when the monitor is built |
//! | `watchpost_spans_lost_total` by `reason`, `watchpost_traces_over_budget_total`, `watchpost_traces_store_*_total`, `watchpost_errors_unrouted_total`, `watchpost_worker_restarts_total`, `watchpost_metrics_refused_total`, `_truncated_total`, `watchpost_alerts_evaluations_total`, `watchpost_alerts_hook_events_total` by `result`, `watchpost_serve_connections_closed_total` by `reason`, `watchpost_log_files_lost_copies_total`, `watchpost_elasticsearch_*_total` | the same |
//! | a metric of your own: `metrics.counter("orders").build()` | without labels, when it is built |
//! | a label set of your own: `orders.with([("kind", "gift")])` | when `with` is called, before the first `add` |
//! | `http_server_*`, `watchpost_http_*`, `watchpost_errors_total`, `watchpost_hook_panics_total`, `watchpost_long_polls_total` | without labels, when the monitor is built; with labels, from the first event |
//! | `db_client_*`, `http_client_*`, `rpc_*`, `gen_ai_client_*`, `watchpost_request_*` | with the first event |
//!
//! The series without labels is the base from which `with` makes the others. It starts at 0 and leaves the page when the
//! metric gets its first series with labels, unless a value was recorded in the base itself:
//!
//! ```text
//! http_server_request_duration_seconds_count 0
//! ```
//!
//! becomes
//!
//! ```text
//! http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",http_route="/",..} 1
//! ```
//!
//! So create the label sets that you alert on at the start:
//!
//! ```
//! # #[cfg(feature = "testing")] {
//! # let metrics = watchpost::metrics::Metrics::standalone();
//! let rejected = metrics.counter("orders.rejected").build();
//! for reason in ["stock", "payment"] {
//!     let _at_zero = rejected.with([("reason", reason)]);
//! }
//! assert!(metrics.render().contains("orders_rejected_total{reason=\"stock\"} 0\n"));
//! # }
//! ```
//!
//! Except for those in the first two rows, a series that stays at 0 leaves the page after `metrics.idle_after`, as any
//! [idle series](#when-a-series-is-removed) does. A query that does not depend on the 0 finds new series as well, such as
//! the first 500 of a route: `increase(x[5m]) > 0 or (x unless x offset 5m) > 0`.
//!
//! # When a series is removed
//!
//! A series that was not used for `metrics.idle_after` (one hour) is no longer exposed. Its memory is freed once its
//! handles are dropped. If a handle is still held, the series returns with its total when it is used again.
//!
//! Some series are kept however long they are idle: an up-down counter that is not 0, a gauge that was changed by `add`
//! and is not 0, and the overflow series. A gauge that is only set is removed after `idle_after`: set it from time to
//! time, or raise `idle_after`.
//!
//! # Exemplars
//!
//! In the [OpenMetrics] format, a bucket carries an exemplar: a value that fell into it, its time and its trace ID. A
//! dashboard can link from a slow bucket to a trace. Exemplars are recorded for request durations, and for every
//! histogram that the host records inside a request. A bucket takes a new exemplar at most once a second.
//!
//! ```text
//! wait_seconds_bucket{kind="x",le="1.0"} 2 # {trace_id="00000000000000000000000000000abc"} 0.75 1700000001.250
//! ```
//!
//! Prometheus requests this format by default. It stores exemplars if it runs with `--enable-feature=exemplar-storage`.
//!
//! # Native histograms
//!
//! With the feature `native-histograms`, a Prometheus that asks for its protobuf format receives native histograms. Their
//! buckets are fixed: 32 per power of two (schema 5), whatever bounds the histogram has here. `histogram_quantile` then
//! differs from the exact quantile by at most 2.2 %, also where a histogram has no bounds, such as the sizes of bodies.
//! The request path is the same: the counts are those that the other formats show.
//!
//! Prometheus asks for this format if it runs with `--enable-feature=native-histograms` (from 2.40 on), or, in the latest
//! versions, if the configuration has `scrape_native_histograms: true`:
//!
//! ```sh
//! prometheus --config.file=prometheus.yml --enable-feature=native-histograms,exemplar-storage
//! ```
//!
//! A native histogram is one series, without the suffixes `_bucket`, `_sum` and `_count`:
//!
//! ```text
//! histogram_quantile(0.95, sum by (http_route) (rate(http_server_request_duration_seconds[5m])))
//! histogram_count(rate(http_server_request_duration_seconds[5m]))
//! ```
//!
//! Queries for `_bucket`, `_sum` and `_count` find nothing new from then on, because Prometheus drops the histogram's own
//! buckets where native ones are present. It keeps both with `scrape_classic_histograms: true` in the scrape
//! configuration (from 2.45 on; `always_scrape_classic_histograms` in Prometheus 3).
//!
//! Other clients get the formats that they prefer, as without the feature. A client gets protobuf only if it names
//! `application/vnd.google.protobuf` with `proto=io.prometheus.client.MetricFamily` and `encoding=delimited`, and gives a
//! lower weight to the text formats that it names.
//!
//! | value | native bucket |
//! |---|---|
//! | up to 2^-24 (60 ns, in seconds), and not below its negative | the zero bucket |
//! | below that | a negative bucket, by its magnitude |
//! | above 2^40 (1 TiB, in bytes), or below its negative | the last bucket, which ends at 2^40 |
//! | not finite | none: it is not recorded |
//!
//! The histogram's own buckets are sent too, with the exemplars. All histograms have a sum, also those with
//! [negative values](#negative-values). Counters are named as their samples are (`jobs_total`), and the overflow series
//! is there as in the other formats. A [joined exposition](#using-it-with-another-recorder) follows; its histograms and
//! summaries become untyped metrics, for which Prometheus stores the same series.
//!
//! A metric is sent once all its series are written, since its length comes first. One with 2,000 histograms takes about
//! a megabyte of memory for that time. The format is smaller than the others: for the example `contentmax`, 37 kB
//! instead of 138 kB of text. Native buckets take 4 kB of that, and the histograms' own buckets with their exemplars take
//! 11 kB.
//!
//! # Pushing to a Collector
//!
//! A service that is not scraped can push its metrics to any OTLP receiver, such as an OpenTelemetry Collector. This needs
//! the feature `otlp`, an endpoint, and the exporter, which is `none` by default: a service that is scraped and sends
//! traces pushes no metrics unless this setting enables it.
//!
//! ```sh
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 OTEL_METRICS_EXPORTER=otlp ./shop
//! ```
//!
//! In code:
//!
//! ```
//! use std::time::Duration;
//! use watchpost::Monitor;
//! use watchpost::metrics::{MetricsConfig, MetricsExporter};
//!
//! # fn main() -> watchpost::Result<()> {
//! let metrics = MetricsConfig::default()
//!     .exporter(MetricsExporter::Otlp)
//!     .export_interval(Duration::from_secs(30));
//! let builder = Monitor::builder("shop").otlp_endpoint("http://localhost:4318").metrics(metrics);
//! # let monitor = builder.env(false).console(false).build()?;
//! # Ok(())
//! # }
//! ```
//!
//! | setting | variable | default |
//! |---|---|---|
//! | `metrics.exporter` | `OTEL_METRICS_EXPORTER` | `none`; the page for Prometheus is served in either case |
//! | `otlp.endpoint`, or the full URL `otlp.metrics_endpoint` | `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` | none |
//! | `metrics.export_interval` | `OTEL_METRIC_EXPORT_INTERVAL` | 60 s |
//! | `metrics.temporality` | `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` | `cumulative` |
//! | `metrics.histogram_aggregation` | `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION` | `base2_exponential_bucket_histogram` |
//!
//! Headers, timeout, compression and certificates are those of `otlp.*`. The [table](crate::config#the-settings) has all
//! settings and their variables.
//!
//! **When.** A push contains all series that the page shows, except those of a recorder that was
//! [joined](Metrics::join_exposition). It is made at each interval, by [`flush`](crate::Monitor::flush), and when the
//! monitor shuts down. The worker makes it, in 3 ms for 2,000 counters and 20 ms for 2,000 histograms; requests of the
//! service never wait for it.
//!
//! **Names.** A metric has the name and unit that the program gives it: `http.server.request.duration` in `s`, where the
//! page shows `http_server_request_duration_seconds`. Labels of the semantic conventions have their names as attributes:
//! `http_route` becomes `http.route`, and `http.response.status_code` and `server.port` are integers. All other labels
//! stay as the page shows them, so a label `tenant.id` arrives as `tenant_id`. The resource is that of traces.
//!
//! | instrument | pushed as |
//! |---|---|
//! | [`Counter`] | a monotonic sum |
//! | [`UpDownCounter`] | a sum that is not monotonic, always cumulative |
//! | [`Gauge`] | a gauge |
//! | [`Histogram`] | an exponential histogram at scale 5, or the histogram's own buckets; the exemplars of the period |
//!
//! An exponential histogram has 32 buckets for each power of two from 2^-24 to 2^40, so a quantile
//! differs from the exact one by at most 1.1 %. Smaller values count as zero, larger ones in the bucket above. The sum is
//! omitted once a negative value was recorded, since OTLP requires a sum that never decreases.
//!
//! **Start times.** A total starts when its series was made. A series that was removed and is made again starts anew. A
//! counter that is read when it is pushed, such as those of the process, starts with the monitor, and anew if its value
//! decreases.
//!
//! **Increases.** With the temporality `delta`, a push has the increases since the push before and leaves out counters
//! and histograms without one. `lowmemory` is the same, except that counters that are read when they are pushed are
//! cumulative.
//!
//! **When the receiver fails.** Pushes wait, at most 8 MiB of them, and are sent again as [traces
//! are](crate::trace#export-over-otlp). `watchpost_records_emitted_total{signal="metric"}` counts data points; each is
//! delivered, or dropped for a reason. A dropped push loses nothing of cumulative totals but their values at that time.
//! Dropped increases are lost.
//!
//! # Using it with another recorder
//!
//! [`install`](crate::Monitor::install) makes this registry the facade's recorder, unless one is set already. A service
//! with the recorder of `metrics-exporter-prometheus` keeps it and joins its exposition to this one:
//!
//! ```ignore
//! let handle = PrometheusBuilder::new().install_recorder()?;
//! let upkeep = handle.clone();
//! monitor.metrics().join_exposition(move || handle.render(), move || upkeep.run_upkeep());
//! ```
//!
//! At each scrape, its text follows this registry's in all formats, without the families that this registry has. It is
//! rendered in one piece on the thread that is scraped. The upkeep function runs every ten seconds on a thread of the
//! monitor. A host that composes recorders itself uses [`Metrics::recorder`].
//!
//! # Moving from metrics-exporter-prometheus
//!
//! A service that moves to `install()` sees its counters renamed: `_total` is added to names that do not end in it, so
//! `jobs` becomes `jobs_total`. Rename them in queries and alerts, or keep the old names with
//! [`keep_counter_names(true)`](crate::MonitorBuilder::keep_counter_names). Histograms without buckets are summaries
//! there and histograms here.
//!
//! With `keep_counter_names`, a name that a typed handle and the facade both use is one counter, and it is exposed as its
//! first user registers it: as `jobs_total` after `metrics().counter("jobs")`, as `jobs` after `counter!("jobs")`.
//!
//! [OpenMetrics]: https://prometheus.io/docs/specs/om/open_metrics_spec/

mod bounds;
mod builder;
mod cell;
mod config;
mod context;
mod distribution;
mod exemplar;
mod exponential;
mod exposition;
mod facade;
mod fine_counts;
mod global;
mod handles;
mod histogram;
mod histogram_values;
#[cfg(any(feature = "history", feature = "otlp"))]
mod increases;
mod joined;
mod labels;
mod metric;
mod name;
mod number;
mod observable;
mod own_histograms;
mod registry;
mod runtime;
mod runtime_metrics;
mod self_metrics;
mod series;
#[cfg(any(feature = "history", feature = "otlp"))]
mod snapshot;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

pub use self::builder::{CounterBuilder, GaugeBuilder, HistogramBuilder, UpDownCounterBuilder};
pub use self::config::{
    Buckets, HistogramAggregation, MetricsConfig, MetricsExporter, MetricsTemporality,
};
pub use self::exposition::{ExpositionBody, Prometheus};
pub use self::handles::{Counter, Gauge, Histogram, UpDownCounter};

pub(crate) use self::context::TraceSource;
pub(crate) use self::fine_counts::FineCounts;
pub(crate) use self::name::InstrumentKind;
pub(crate) use self::observable::{ObserveFn, Observer};
pub(crate) use self::own_histograms::is_in_own_namespace;
#[cfg(any(feature = "dashboard", feature = "otlp"))]
pub(crate) use self::snapshot::MetricSnapshot;
#[cfg(feature = "history")]
pub(crate) use self::{
    context::SeriesWatches,
    handles::HandleSeries,
    histogram_values::HistogramSum,
    labels::{label_value, labels_among},
    snapshot::Snapshot,
};
#[cfg(feature = "dashboard")]
pub(crate) use self::{
    distribution::Distribution, exposition::accepts_gzip, snapshot::HistogramTotals,
};
#[cfg(any(feature = "history", feature = "otlp"))]
pub(crate) use self::{
    exemplar::Exemplar,
    histogram_values::HistogramValues,
    increases::{Increases, TotalsReading},
    labels::label_pairs,
    snapshot::{SeriesSnapshot, SeriesValue, Snapshotter},
};
#[cfg(feature = "otlp")]
pub(crate) use self::{exponential::ZERO_THRESHOLD, histogram_values::IndexedBuckets};

use self::context::RegistryContext;
use self::exposition::{Exposition, ExpositionFormat};
use self::facade::FacadeRecorder;
use self::joined::JoinedExposition;
use self::observable::TotalOrigin;
use self::registry::{InstrumentSpec, Registry};
use crate::clock::Clock;
use crate::model::{ClaimResult, Diagnostics, MonitorLifetime, write_lock};

/// The metrics of one monitor: creates instruments and exposes their values.
///
/// [`Monitor::metrics`](crate::Monitor::metrics) returns it. Cheap to clone; clones share the registry.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
}

/// A metric that has reached its maximum number of label sets; listed by [`Metrics::capped`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CappedMetric {
    /// The exposed name of the metric, without `_total`.
    pub metric: String,
    /// The current number of series, without the overflow series.
    pub series: usize,
    /// How often a label set was requested for which there was no room. Each request of one label set counts.
    pub overflowed: u64,
}

impl Metrics {
    pub(crate) fn new(config: MetricsConfig, clock: Clock, diagnostics: Arc<Diagnostics>) -> Self {
        let context = Arc::new(RegistryContext::new(config, clock, diagnostics));
        Self {
            registry: Arc::new(Registry::new(context)),
        }
    }

    /// Creates a registry without a monitor, for tests and benchmarks.
    #[cfg(feature = "testing")]
    pub fn standalone() -> Self {
        Self::new(MetricsConfig::default(), Clock::system(), Arc::default())
    }

    /// Returns the builder of a counter with this name: `http.requests`, `jobs`. The exposed name ends in `_total`.
    pub fn counter(&self, name: &str) -> CounterBuilder {
        CounterBuilder::new(&self.registry, name)
    }

    /// Returns the builder of a gauge with this name.
    pub fn gauge(&self, name: &str) -> GaugeBuilder {
        GaugeBuilder::new(&self.registry, name)
    }

    /// Returns the builder of an up-down counter with this name, which is exposed as a gauge.
    pub fn up_down_counter(&self, name: &str) -> UpDownCounterBuilder {
        UpDownCounterBuilder::new(&self.registry, name)
    }

    /// Returns the builder of a histogram with this name.
    pub fn histogram(&self, name: &str) -> HistogramBuilder {
        HistogramBuilder::new(&self.registry, name)
    }

    /// Returns a recorder of the `metrics` facade that records into this registry, for a host that composes recorders.
    ///
    /// [`install`](crate::Monitor::install) sets it as the process's recorder.
    pub fn recorder(&self) -> impl metrics::Recorder + fmt::Debug + Send + Sync + 'static {
        FacadeRecorder::new(&self.registry)
    }

    /// Makes this registry's recorder the process's, unless another running monitor or the host has set one.
    pub(crate) fn install_recorder(&self, life: &MonitorLifetime) -> ClaimResult {
        global::install(FacadeRecorder::new(&self.registry), life)
    }

    /// Returns the tower service that responds to scrapes.
    pub fn prometheus(&self) -> Prometheus {
        Prometheus::new(&self.registry)
    }

    /// Returns the whole exposition in the text format. [`prometheus`](Self::prometheus) sends it in frames.
    pub fn render(&self) -> String {
        self.render_as(ExpositionFormat::Text)
    }

    fn render_as(&self, format: ExpositionFormat) -> String {
        let mut exposition = Exposition::new(&self.registry, format);
        let mut bytes = Vec::new();
        while let Some(frame) = exposition.next_frame() {
            bytes.extend_from_slice(&frame);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Lists the metrics that have reached their maximum number of label sets, in the order of their names.
    pub fn capped(&self) -> Vec<CappedMetric> {
        let metrics = self.registry.metrics();
        let capped = metrics.filter_map(|metric| {
            let usage = metric.usage();
            (usage.overflows > 0).then(|| CappedMetric {
                metric: metric.name.family.clone(),
                series: usage.series,
                overflowed: usage.overflows,
            })
        });
        capped.collect()
    }

    /// The names for which the settings define buckets, but which no histogram has yet. Histograms that this crate
    /// creates with their first value count as existing.
    pub(crate) fn unknown_histograms(&self) -> Vec<String> {
        self.registry.unknown_histograms()
    }

    /// The names of histograms, in the program's form and the exposed one: this crate's own, then at most 500 of the
    /// host's.
    pub(crate) fn histogram_names(&self) -> Vec<String> {
        self.registry.histogram_names()
    }

    /// Reports a sentence as a notice, once.
    #[cold]
    pub(crate) fn notice(&self, sentence: String) {
        self.registry.context.diagnostics.report(sentence);
    }

    /// Appends the exposition of a recorder of the host's to this one.
    ///
    /// `render` is called at each scrape and returns the text format. `upkeep` is called every ten seconds on a thread
    /// of the monitor. If one of them panics, the panic is caught and counted. A family that this registry exposes too
    /// is left out of the joined text, and a notice names it.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "testing")] {
    /// let metrics = watchpost::metrics::Metrics::standalone();
    /// metrics.counter("jobs").build().add(1);
    /// metrics.join_exposition(|| "# TYPE mails counter\nmails 5\n".to_owned(), || {});
    /// assert!(metrics.render().ends_with("jobs_total 1\n# TYPE mails counter\nmails 5\n"));
    /// # }
    /// ```
    pub fn join_exposition(
        &self,
        render: impl Fn() -> String + Send + Sync + 'static,
        upkeep: impl Fn() + Send + Sync + 'static,
    ) {
        let joined = JoinedExposition {
            render: Arc::new(render),
            upkeep: Arc::new(upkeep),
        };
        write_lock(&self.registry.joined).push(joined);
    }

    /// Registers a metric whose values `observer` reports when it is scraped. The totals of a counter may have any age.
    pub(crate) fn observe(
        &self,
        name: &str,
        unit: &str,
        description: &str,
        kind: InstrumentKind,
        observer: Observer,
    ) {
        let spec = InstrumentSpec::observed(name, unit, description, kind);
        self.registry.observe(&spec, TotalOrigin::Earlier, observer);
    }

    /// Like [`observe`](Self::observe), for what counts since the monitor was built: the first value of each series is an
    /// increase.
    pub(crate) fn observe_own(
        &self,
        name: &str,
        unit: &str,
        description: &str,
        kind: InstrumentKind,
        observer: Observer,
    ) {
        let spec = InstrumentSpec::observed(name, unit, description, kind);
        self.registry.observe(&spec, TotalOrigin::Monitor, observer);
    }

    /// Exposes the figures of a tokio runtime, read when they are scraped, at most once a second.
    ///
    /// They have the label `runtime`: `tokio_workers`, `tokio_alive_tasks`, `tokio_global_queue_depth`,
    /// `tokio_busy_ratio`, `tokio_busy_seconds_total` and `tokio_parks_total`. A second runtime with the same `name`
    /// replaces the first. A runtime that has ended keeps its last figures.
    ///
    /// The monitor measures `tokio_busy_ratio` every ten seconds. Scrapes do not change that interval. The ratio is absent
    /// before the first measurement, and after the monitor has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn example(monitor: watchpost::Monitor) {
    /// monitor.metrics().watch_runtime("main", &tokio::runtime::Handle::current());
    /// # }
    /// ```
    pub fn watch_runtime(&self, name: &str, runtime: &tokio::runtime::Handle) {
        runtime_metrics::watch(&self.registry, name, runtime);
    }

    /// Measures the busy ratios of the watched runtimes since the last call. The worker calls it every 10 s.
    pub(crate) fn measure_runtimes(&self) {
        self.registry.runtimes.measure();
    }

    /// Registers the metrics of the registry itself.
    pub(crate) fn watch_itself(&self) {
        self_metrics::register(&self.registry);
    }

    /// Sets the function that returns the calling thread's trace. Only the first call has an effect.
    pub(crate) fn set_trace_source(&self, source: TraceSource) {
        let is_first = self.registry.context.trace_source.set(source).is_ok();
        debug_assert!(is_first, "a monitor has one source of traces");
    }

    /// Sets what watches the series of the registry, for their handles. Only the first call has an effect.
    #[cfg(feature = "history")]
    pub(crate) fn set_watches(&self, watches: std::sync::Weak<SeriesWatches>) {
        let is_first = self.registry.context.watches.set(watches).is_ok();
        debug_assert!(is_first, "one part of a monitor watches its series");
    }

    /// The exemplars of some series of a histogram. `name` is the exposed name, and the labels are in canonical form.
    #[cfg(feature = "history")]
    pub(crate) fn exemplars(&self, name: &str, labels: &[Arc<str>]) -> Vec<Exemplar> {
        snapshot::exemplars_of(&self.registry, name, labels)
    }

    /// How long an unused series stays exposed.
    pub(crate) fn idle_after(&self) -> Duration {
        self.registry.context.config.idle_after
    }

    /// Returns what takes snapshots of all series.
    #[cfg(feature = "history")]
    pub(crate) fn snapshotter(&self) -> Snapshotter {
        Snapshotter::new(&self.registry, false)
    }

    /// Returns what takes snapshots of all series, with their exemplars.
    #[cfg(feature = "otlp")]
    pub(crate) fn exemplar_snapshotter(&self) -> Snapshotter {
        Snapshotter::new(&self.registry, true)
    }

    /// The wall time at this moment, in nanoseconds since the Unix epoch.
    #[cfg(any(feature = "history", feature = "otlp"))]
    pub(crate) fn wall(&self) -> u64 {
        let clock = &self.registry.context.clock;
        clock.wall(clock.now())
    }

    /// Expires series that were not used for `idle_after`. The worker calls it every 10 s.
    pub(crate) fn expire(&self) {
        self.registry.expire();
    }

    /// Runs the upkeep of joined expositions, which are functions of the host. Called every 10 s on the worker's pool.
    pub(crate) fn upkeep(&self) {
        exposition::join::upkeep(&self.registry);
    }

    /// A number that changes when cached handles must be looked up again: a cached handle keeps an idle series in
    /// memory.
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.registry.epoch()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("series", &self.registry.context.series.load(Relaxed))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
