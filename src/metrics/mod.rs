//! Metrics: one registry for typed handles and the `metrics` facade, and the page that Prometheus scrapes.
//!
//! A monitor has one registry, [`Metrics`], which [`Monitor::metrics`](crate::Monitor::metrics) hands out. Typed handles and
//! the macros of the `metrics` facade count into it alike; [`Prometheus`] is the page over it.
//!
//! ```
//! # #[cfg(feature = "testing")] {
//! # let metrics = watchpost::metrics::Metrics::standalone();
//! let took = metrics
//!     .histogram("content.generation.duration")
//!     .unit("s")
//!     .description("Time to generate a content.")
//!     .build();
//! let draft = took.with([("content.type", "draft")]); // Keep it where it is used often.
//! draft.record(0.42);
//! assert!(metrics.render().contains(
//!     "content_generation_duration_seconds_count{content_type=\"draft\"} 1\n"
//! ));
//! # }
//! ```
//!
//! # What is counted
//!
//! | | takes | on the page |
//! |---|---|---|
//! | [`Counter`] | whole numbers that add up | `name_total` |
//! | [`UpDownCounter`] | whole numbers, up and down | a gauge |
//! | [`Gauge`] | a value as it is now | a gauge |
//! | [`Histogram`] | values, into buckets; no sample is kept | `name_bucket`, `name_sum`, `name_count` |
//!
//! Each is exact under any number of threads: a series is a few cells of which a thread uses its own, and a
//! scrape adds them up. A kept handle takes no lock and allocates nothing. Memory does not grow with what is
//! counted, scraped or not, but with the number of series alone.
//!
//! Typed names are written as OpenTelemetry writes them and take Prometheus' form on the page: dots become
//! `_`, the unit a word at the end (`http.server.request.duration` in `s` is
//! `http_server_request_duration_seconds`). Names of the facade stay as written, apart from a counter's
//! `_total`. Two spellings of one name on the page are one metric. The first type of a name stays; a handle
//! of another type counts into nothing that is shown, and the monitor's report says so.
//!
//! A histogram of the facade has the bounds that OpenTelemetry's conventions give to durations, 5 ms to 10 s; where its
//! name has the word `bytes` or `size`, or its unit says bytes, powers of four from 64 B to 64 MiB.
//!
//! The page also has what the system says of the process (`process_*`), what tokio says of each runtime that
//! [`watch_runtime`](Metrics::watch_runtime) was told of (`tokio_*`), and what the monitor says of itself
//! (`watchpost_*`).
//!
//! # HTTP requests on the page
//!
//! | histogram | labels | bounds |
//! |---|---|---|
//! | `http_server_request_duration_seconds` | those of the conventions (method, scheme, route, status, protocol version, `error_type`) and `watchpost_outcome` | 1, 5, 25, 100 and 500 ms, 2.5 s |
//! | `rpc_server_call_duration_seconds` | method, status and `error_type` of [gRPC calls](crate::http#grpc) | the same |
//! | `watchpost_http_time_to_headers_seconds` | method and route | the same |
//! | `http_server_response_body_size_bytes`, `http_server_request_body_size_bytes` | method, scheme and route | none: a count and a sum |
//! | `watchpost_http_connection_duration_seconds` | route | 1 and 100 ms, 1 and 10 s, 1 and 10 min, 1 h |
//! | `http_client_request_duration_seconds` | see [`external`](crate::external) | as the server's |
//!
//! The page is the largest part of what metrics cost, and a label set costs a line for each bound. With these bounds it
//! is less than twice as large as the page that axum-prometheus has for the same requests. Of the conventions' bounds
//! these are every second or third, and 1 ms. A query for another `le`, such as an SLO of 250 ms, finds nothing until
//! that bound is set. Quantiles by `histogram_quantile` are interpolated between bounds that are four to five times
//! apart.
//!
//! # Other buckets, or none
//!
//! The setting `metrics.histograms` gives a histogram other bounds, or switches it off, by its name in the program or on
//! the page. It holds for every histogram: those of this crate, typed ones and those of the facade. Code goes before the
//! environment, and the environment before the file, whichever of the two names each uses. Within one source the last
//! entry of a histogram holds. [`Monitor::doctor`](crate::Monitor::doctor) reports names that no histogram has.
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
//! [`histogram_off`](crate::MonitorBuilder::histogram_off) do the same.
//!
//! # Values below zero
//!
//! In the OpenMetrics form a histogram has no `_sum` and no `_count` while it has a bound below zero, and from the first
//! negative value on: its specification takes a sum for a counter, which may not fall. The number of values is that of
//! the bucket `+Inf`. The text form has both. Values that are not finite are not recorded.
//!
//! # What happens at the cap
//!
//! A metric has at most 2,000 series and a registry 20,000; [`MetricsConfig`] sets both. A label set that
//! has no room is counted in the metric's one overflow series, `{otel_metric_overflow="true"}`: the sum over
//! all series stays exact, only who is who is lost. The report says it once a metric,
//! [`Metrics::capped`] lists the metrics, and `watchpost_metrics_overflows_total` tells how often.
//!
//! Other limits are fixed: 2,000 metric names, 16 labels a series, 128 bytes of a label's name, 256 of its
//! value. What is longer is cut, what is more is left out, and `watchpost_metrics_truncated_total` counts it.
//! Nothing fails and nothing is said to the caller.
//!
//! # When a series leaves the page
//!
//! A series that nobody used for `idle_after` (an hour) leaves the page. Its memory is freed where nobody
//! holds its handle any more. Where somebody does, the series comes back with its total when it is used
//! again. What would be wrong if it was forgotten stays however long it rests: an up-down counter that is
//! not 0, a gauge that was moved by `add` and is not 0, the overflow series. A gauge that is only set tells
//! old news after an hour: set it again now and then, or let `idle_after` be long.
//!
//! The series without labels, from which others were made by `with`, is shown only if it counted itself or is
//! the metric's only one.
//!
//! # Exemplars
//!
//! In [OpenMetrics] form a bucket carries the trace id of a value that fell into it, the value and the time:
//! from a slow bucket to a trace in one click. Durations of requests have them, and every histogram of the host's that
//! is recorded inside a request. A bucket takes a new one at most once a second. Prometheus asks for this form
//! by itself, and keeps them where it runs with `--enable-feature=exemplar-storage`.
//!
//! # Beside a recorder of your own
//!
//! [`install`](crate::Monitor::install) makes this registry the facade's recorder, unless there is one. A service that has the
//! recorder of `metrics-exporter-prometheus` already keeps it, and joins its page to this one:
//!
//! ```ignore
//! let handle = PrometheusBuilder::new().install_recorder()?;
//! let upkeep = handle.clone();
//! monitor.metrics().join_page(move || handle.render(), move || upkeep.run_upkeep());
//! ```
//!
//! Its text follows ours at each scrape, in both forms, without the families that ours has; the upkeep runs
//! every ten seconds on the monitor's thread. Its page is made in one piece, on the thread that is scraped.
//! A host that composes recorders itself takes [`Metrics::recorder`].
//!
//! A service that moves from metrics-exporter-prometheus to `install()` sees its counters renamed: this page adds `_total`
//! to names that do not end in it, so `jobs` becomes `jobs_total`. Rename them in queries and alerts, or keep the old names
//! with [`keep_counter_names(true)`](crate::MonitorBuilder::keep_counter_names). Histograms without buckets are summaries
//! there and histograms here.
//!
//! [OpenMetrics]: https://prometheus.io/docs/specs/om/open_metrics_spec/

mod builder;
mod cell;
mod common;
mod config;
mod exemplar;
mod exponential;
mod facade;
mod handles;
mod histogram;
mod installed;
mod known;
mod labels;
mod metric;
mod name;
mod observed;
mod own;
mod page;
mod process;
mod registry;
mod runtime;
mod series;

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

pub use self::builder::{CounterBuilder, GaugeBuilder, HistogramBuilder, UpDownCounterBuilder};
pub use self::config::{Buckets, MetricsConfig};
pub use self::handles::{Counter, Gauge, Histogram, UpDownCounter};
pub use self::page::{PageBody, Prometheus};

pub(crate) use self::common::TraceSource;
pub(crate) use self::exponential::Exponential;
pub(crate) use self::installed::install_recorder;
pub(crate) use self::known::is_in_own_namespace;
pub(crate) use self::name::Kind;
pub(crate) use self::observed::Observer;

use self::common::Common;
use self::facade::Recorder;
use self::page::join::Joined;
use self::page::{Form, Page};
use self::registry::{Registry, Wanted};
use crate::clock::Clock;
use crate::model::Diagnostics;

/// The metrics of one monitor. Cheap to clone; clones share the registry.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
}

/// A metric that has more label sets than there is room for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capped {
    /// The metric's name on the page, without `_total`.
    pub metric: String,
    /// Its series now, the overflow series apart.
    pub series: usize,
    /// How often a label set was asked for that had no room. One label set may have been asked for often.
    pub overflowed: u64,
}

impl Metrics {
    pub(crate) fn new(config: MetricsConfig, clock: Clock, diagnostics: Arc<Diagnostics>) -> Self {
        let common = Arc::new(Common::new(config, clock, diagnostics));
        Self {
            registry: Arc::new(Registry::new(common)),
        }
    }

    /// A registry of its own, without a monitor, for tests and benches.
    #[cfg(feature = "testing")]
    pub fn standalone() -> Self {
        Self::new(MetricsConfig::default(), Clock::system(), Arc::default())
    }

    /// A counter of this name, to be built: `http.requests`, `jobs`. The page adds `_total`.
    pub fn counter(&self, name: &str) -> CounterBuilder {
        CounterBuilder::new(&self.registry, name)
    }

    /// A gauge of this name, to be built.
    pub fn gauge(&self, name: &str) -> GaugeBuilder {
        GaugeBuilder::new(&self.registry, name)
    }

    /// An up-down counter of this name, to be built; on the page it is a gauge.
    pub fn up_down_counter(&self, name: &str) -> UpDownCounterBuilder {
        UpDownCounterBuilder::new(&self.registry, name)
    }

    /// A histogram of this name, to be built.
    pub fn histogram(&self, name: &str) -> HistogramBuilder {
        HistogramBuilder::new(&self.registry, name)
    }

    /// A recorder of the `metrics` facade over this registry, for a host that composes recorders.
    /// `install()` makes it the process's own.
    pub fn recorder(&self) -> impl metrics::Recorder + fmt::Debug + Send + Sync + 'static {
        Recorder::new(&self.registry)
    }

    /// The service that answers scrapes.
    pub fn prometheus(&self) -> Prometheus {
        Prometheus::new(&self.registry)
    }

    /// The whole page in the text form. [`prometheus`](Self::prometheus) sends it piece by piece.
    pub fn render(&self) -> String {
        self.render_as(Form::Text)
    }

    fn render_as(&self, form: Form) -> String {
        let mut page = Page::new(&self.registry, form);
        let mut bytes = Vec::new();
        while let Some(frame) = page.frame() {
            bytes.extend_from_slice(&frame);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The metrics that have more label sets than there is room for, by name.
    pub fn capped(&self) -> Vec<Capped> {
        let metrics = self.registry.metrics();
        let capped = metrics.filter_map(|metric| {
            let (series, overflowed) = metric.room();
            (overflowed > 0).then(|| Capped {
                metric: metric.name.family.clone(),
                series,
                overflowed,
            })
        });
        capped.collect()
    }

    /// Names that the settings have buckets for and no histogram has so far. Histograms that this crate makes with their
    /// first value count as made.
    pub(crate) fn unknown_histograms(&self) -> Vec<String> {
        self.registry.unknown_histograms()
    }

    /// The names that histograms have, in the program and on the page: this crate's own, then the host's, which are
    /// bounded.
    pub(crate) fn histogram_names(&self) -> Vec<String> {
        self.registry.histogram_names()
    }

    /// Says a sentence about this crate, once.
    #[cold]
    pub(crate) fn notice(&self, sentence: String) {
        self.registry.common.diagnostics.report(sentence);
    }

    /// Joins the page of a recorder of the host's own to this one: `render` is asked at each scrape for
    /// its text, `upkeep` is called every ten seconds from a thread of the monitor.
    ///
    /// Both run under a guard against panics. A family that is on this page already is left out of theirs, and a notice
    /// names it.
    pub fn join_page(
        &self,
        render: impl Fn() -> String + Send + Sync + 'static,
        upkeep: impl Fn() + Send + Sync + 'static,
    ) {
        let joined = Joined {
            render: Arc::new(render),
            upkeep: Arc::new(upkeep),
        };
        let mut pages = self
            .registry
            .joined
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        pages.push(joined);
    }

    /// Puts values on the page that are read when it is asked for.
    pub(crate) fn observe(
        &self,
        name: &str,
        unit: &str,
        description: &str,
        kind: Kind,
        read: Observer,
    ) {
        let wanted = Wanted {
            name,
            kind,
            unit,
            description,
            bounds: None,
        };
        self.registry.observe(&wanted, read);
    }

    /// Puts a tokio runtime's figures on the page, read at each scrape, at most once a second, each with
    /// the label `runtime`: `tokio_workers`, `tokio_alive_tasks`, `tokio_global_queue_depth`,
    /// `tokio_busy_ratio`, `tokio_busy_seconds_total`, `tokio_parks_total`.
    ///
    /// A name that is watched already gets the new runtime. A runtime that has ended keeps its last figures.
    pub fn watch_runtime(&self, name: &str, runtime: &tokio::runtime::Handle) {
        runtime::watch(self, name, runtime);
    }

    /// Puts `process_*` and the registry's own figures on the page.
    pub(crate) fn watch_process(&self) {
        process::watch(self);
        own::watch(self);
    }

    /// Says who knows the calling thread's trace. The first one stays.
    pub(crate) fn trace_source(&self, source: TraceSource) {
        let first = self.registry.common.trace_source.set(source).is_ok();
        debug_assert!(first, "a monitor has one source of traces");
    }

    /// How long a series stays on the page that nobody uses.
    pub(crate) fn idle_after(&self) -> std::time::Duration {
        self.registry.common.config.idle_after
    }

    /// Takes series off the page that nobody has used for `idle_after`. The worker calls it every 10 s.
    pub(crate) fn expire(&self) {
        self.registry.expire();
    }

    /// A number that changes when handles that somebody caches must be looked up again: a cached handle
    /// keeps an idle series in memory.
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.registry.epoch()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("series", &self.registry.common.series.load(Relaxed))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
