use std::borrow::Cow;
use std::sync::Arc;

use super::metric::Metric;
use super::series::{Cell, Series};
use crate::clock::Nanos;
use crate::model::TraceId;

/// Counts what only grows. Cheap to clone and to use: no lock, no allocation.
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
pub struct Counter(Handle);

/// Tells a value as it is now.
#[derive(Debug, Clone)]
pub struct Gauge(Handle);

/// Counts what comes and goes.
///
/// A series that is not 0 never leaves the page.
#[derive(Debug, Clone)]
pub struct UpDownCounter(Handle);

/// Counts values by size, in buckets, and adds them up.
#[derive(Debug, Clone)]
pub struct Histogram(Handle);

#[derive(Debug, Clone)]
struct Handle {
    metric: Arc<Metric>,
    series: Arc<Series>,
}

impl Handle {
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

macro_rules! with_labels {
    ($handle:ident) => {
        impl $handle {
            pub(super) fn new(metric: Arc<Metric>) -> Self {
                Self(Handle::new(metric))
            }

            /// The series with these labels beside those that it has; of two with one key the later
            /// stays. An empty value is no label.
            ///
            /// It takes a lock that is shared and some allocations: keep the handle where it is used often.
            /// Over the cap the handle counts in the metric's overflow series.
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
    /// Adds `n`. A total over 2^64 starts again at 0, as Prometheus expects of a counter.
    #[inline]
    pub fn add(&self, n: u64) {
        if let Cell::Counter(cell) = &self.0.series.cell {
            cell.add(n);
        }
    }
}

impl Gauge {
    /// Sets the value.
    #[inline]
    pub fn set(&self, value: f64) {
        if let Cell::Gauge(cell) = &self.0.series.cell {
            cell.set(value);
        }
    }

    /// Moves the value by `delta`, which may be negative.
    #[inline]
    pub fn add(&self, delta: f64) {
        if let Cell::Gauge(cell) = &self.0.series.cell {
            cell.add(delta);
        }
    }
}

impl UpDownCounter {
    /// Adds `n`, which may be negative.
    #[inline]
    pub fn add(&self, n: i64) {
        if let Cell::UpDown(cell) = &self.0.series.cell {
            cell.add(n);
        }
    }
}

impl Histogram {
    /// Counts a value, in the histogram's unit. What is no finite number is not counted.
    ///
    /// Inside a request the value's bucket keeps the trace id as an exemplar, at most one a second.
    #[inline]
    pub fn record(&self, value: f64) {
        record(&self.0.metric, &self.0.series, value, 1);
    }

    /// Counts a value that is no exemplar of anything.
    #[inline]
    pub(crate) fn record_alone(&self, value: f64) {
        self.record_traced(value, TraceId::NIL, 0);
    }

    /// Counts a value of a trace that the caller knows, at a reading of the monitor's clock.
    #[expect(
        clippy::inline_always,
        reason = "each request records three, and a call saves and restores six registers"
    )]
    #[inline(always)]
    pub(crate) fn record_traced(&self, value: f64, trace: TraceId, at: Nanos) {
        if let Cell::Histogram(cell) = &self.0.series.cell
            && let Some(bucket) = cell.record(value)
            && trace != TraceId::NIL
        {
            cell.trace(bucket, value, trace, at, || {
                self.0.metric.common.clock.wall(at)
            });
        }
    }
}

/// Counts a value; its trace is asked for only when its bucket would take one.
#[inline]
pub(super) fn record(metric: &Metric, series: &Series, value: f64, times: u64) {
    if let Cell::Histogram(cell) = &series.cell
        && let Some(bucket) = cell.record_many(value, times)
        && let Some(source) = metric.common.trace_source.get()
    {
        let clock = &metric.common.clock;
        let at = clock.now();
        if cell.wants_trace(bucket, at)
            && let Some(trace) = source()
            && trace != TraceId::NIL
        {
            cell.trace(bucket, value, trace, at, || clock.wall(at));
        }
    }
}
