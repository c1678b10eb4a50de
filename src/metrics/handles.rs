use std::borrow::Cow;
use std::sync::Arc;

#[cfg(feature = "history")]
use super::context::SeriesWatches;
use super::metric::Metric;
use super::series::{Series, SeriesCell};
use crate::clock::Nanos;
use crate::model::TraceId;

/// A value that only grows. Cheap to clone and to use: no lock, no allocation.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "testing")] {
/// let metrics = watchpost::metrics::Metrics::standalone();
/// let jobs = metrics.counter("jobs").description("Jobs done.").build();
/// let mail = jobs.with([("queue", "mail")]);
/// mail.add(2);
/// assert!(metrics.render().contains("jobs_total{queue=\"mail\"} 2\n"));
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Counter(SeriesHandle);

/// A current value, which is set or changed by a delta.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "testing")] {
/// let metrics = watchpost::metrics::Metrics::standalone();
/// let temperature = metrics.gauge("room.temperature").unit("Cel").build();
/// temperature.set(21.5);
/// assert!(metrics.render().contains("room_temperature_celsius 21.5\n"));
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Gauge(SeriesHandle);

/// A value that goes up and down, such as the number of requests in flight. It is exposed as a gauge.
///
/// A series whose value is not 0 is never removed.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "testing")] {
/// let metrics = watchpost::metrics::Metrics::standalone();
/// let open = metrics.up_down_counter("uploads.open").build();
/// open.add(2);
/// open.add(-1);
/// assert!(metrics.render().contains("uploads_open 1\n"));
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct UpDownCounter(SeriesHandle);

/// A distribution of values: a count for each bucket, and the sum.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "testing")] {
/// let metrics = watchpost::metrics::Metrics::standalone();
/// let wait = metrics.histogram("job.wait").unit("s").bounds([0.1, 1.0]).build();
/// wait.record(0.25);
/// let exposition = metrics.render();
/// assert!(exposition.contains("job_wait_seconds_bucket{le=\"0.1\"} 0\n"));
/// assert!(exposition.contains("job_wait_seconds_bucket{le=\"1\"} 1\n"));
/// assert!(exposition.contains("job_wait_seconds_sum 0.25\n"));
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Histogram(SeriesHandle);

/// One series and the metric that it belongs to.
#[derive(Debug, Clone)]
struct SeriesHandle {
    metric: Arc<Metric>,
    series: Arc<Series>,
}

impl SeriesHandle {
    fn new(metric: Arc<Metric>) -> Self {
        let series = metric.series("", []);
        Self { metric, series }
    }

    fn with<K, V>(&self, labels: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<Cow<'static, str>>,
        V: Into<Cow<'static, str>>,
    {
        let more = labels
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()));
        Self {
            metric: Arc::clone(&self.metric),
            series: self.metric.series(&self.series.labels, more),
        }
    }
}

/// What a handle records into, for what watches it.
#[cfg(feature = "history")]
pub(crate) struct HandleSeries {
    /// The exposed name of the metric.
    pub(crate) name: String,
    /// In canonical form.
    pub(crate) labels: Arc<str>,
    /// `None` without a monitor.
    pub(crate) watches: Option<Arc<SeriesWatches>>,
}

#[cfg(feature = "history")]
impl SeriesHandle {
    fn described(&self) -> HandleSeries {
        let Metric {
            name,
            kind,
            context,
            ..
        } = &*self.metric;
        HandleSeries {
            name: name.sample_name(*kind),
            labels: Arc::clone(&self.series.labels),
            watches: context.watches.get().and_then(std::sync::Weak::upgrade),
        }
    }
}

macro_rules! with_labels {
    ($handle:ident) => {
        impl $handle {
            pub(super) fn new(metric: Arc<Metric>) -> Self {
                Self(SeriesHandle::new(metric))
            }

            /// Describes the series that the handle records into.
            #[cfg(feature = "history")]
            pub(crate) fn described(&self) -> HandleSeries {
                self.0.described()
            }

            /// Returns the handle of the series with these labels in addition to its own. If a key occurs twice, the
            /// later value wins. A label with an empty value is left out.
            ///
            /// This locks a shared lock and allocates: keep the handle if it is used often. If the metric has no room
            /// for another label set, the handle records into the metric's overflow series.
            #[must_use]
            pub fn with<K, V>(&self, labels: impl IntoIterator<Item = (K, V)>) -> Self
            where
                K: Into<Cow<'static, str>>,
                V: Into<Cow<'static, str>>,
            {
                Self(self.0.with(labels))
            }
        }
    };
}

with_labels!(Counter);
with_labels!(Gauge);
with_labels!(UpDownCounter);
with_labels!(Histogram);

impl Counter {
    /// Adds `n`. A total of 2^64 wraps around to 0, which Prometheus treats as a reset.
    #[inline]
    pub fn add(&self, n: u64) {
        if let SeriesCell::Counter(cell) = &self.0.series.cell {
            cell.add(n);
        }
    }
}

impl Gauge {
    /// Sets the value.
    #[inline]
    pub fn set(&self, value: f64) {
        if let SeriesCell::Gauge(cell) = &self.0.series.cell {
            cell.set(value);
        }
    }

    /// Adds `delta`, which may be negative, to the value.
    #[inline]
    pub fn add(&self, delta: f64) {
        if let SeriesCell::Gauge(cell) = &self.0.series.cell {
            cell.add(delta);
        }
    }
}

impl UpDownCounter {
    /// Adds `n`, which may be negative.
    #[inline]
    pub fn add(&self, n: i64) {
        if let SeriesCell::UpDown(cell) = &self.0.series.cell {
            cell.add(n);
        }
    }
}

impl Histogram {
    /// Records a value, in the histogram's unit. A value that is not finite is ignored.
    ///
    /// Inside a request, the trace ID becomes the exemplar of the value's bucket, at most once a second.
    #[inline]
    pub fn record(&self, value: f64) {
        record(&self.0.metric, &self.0.series, value, 1);
    }

    /// Records a value without an exemplar.
    #[inline]
    pub(crate) fn record_untraced(&self, value: f64) {
        self.record_traced(value, TraceId::NIL, 0);
    }

    /// Records a value with the trace that it belongs to. `at` is the current time of the monitor's clock.
    #[expect(
        clippy::inline_always,
        reason = "each request records three, and a call saves and restores six registers"
    )]
    #[inline(always)]
    pub(crate) fn record_traced(&self, value: f64, trace: TraceId, at: Nanos) {
        if let SeriesCell::Histogram(cell) = &self.0.series.cell
            && let Some(bucket) = cell.record(value)
            && trace != TraceId::NIL
        {
            cell.record_exemplar(bucket, value, trace, at, || {
                self.0.metric.context.clock.wall(at)
            });
        }
    }
}

/// Records a value `times` times. The calling thread's trace is looked up only if the bucket accepts an exemplar now.
#[inline]
pub(super) fn record(metric: &Metric, series: &Series, value: f64, times: u64) {
    if let SeriesCell::Histogram(cell) = &series.cell
        && let Some(bucket) = cell.record_many(value, times)
        && let Some(source) = metric.context.trace_source.get()
    {
        let clock = &metric.context.clock;
        let at = clock.now();
        if cell.accepts_exemplar(bucket, at)
            && let Some(trace) = source()
            && trace != TraceId::NIL
        {
            cell.record_exemplar(bucket, value, trace, at, || clock.wall(at));
        }
    }
}
