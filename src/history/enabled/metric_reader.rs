use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::catalog::MetricInfo;
use super::metric_query::{MetricQuery, ResultSeries};
use crate::error::Result;

/// The future of a [`MetricReader`]'s result.
pub type ReadFuture<'a, T = Vec<ResultSeries>> =
    Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Answers a [`MetricQuery`] asynchronously: from the history of this process, or from a server that has the metrics of
/// many.
///
/// | reader | whose metrics |
/// |---|---|
/// | [`History`](super::History) | those of this process |
/// | `PrometheusReader` (feature `prometheus-reader`) | those of every instance that a Prometheus server scrapes |
///
/// Code that takes an `Arc<dyn MetricReader>` works with either. A type of your own may implement the trait, such as a
/// fixed result in a test.
///
/// ```
/// # #[cfg(feature = "testing")] {
/// use std::time::SystemTime;
/// use watchpost::history::{MetricQuery, MetricReader, ResultSeries};
///
/// /// The requests per second of each route, in the last five minutes.
/// async fn by_route(reader: &dyn MetricReader, now: SystemTime) -> watchpost::Result<Vec<(String, f64)>> {
///     let query = MetricQuery::rate("http_server_request_duration_seconds").by(["http_route"]);
///     let results = reader.at(&query, now).await?;
///     let of_route = |series: &ResultSeries| {
///         let route = series.labels.iter().find(|(label, _)| label == "http_route")?;
///         Some((route.1.clone(), series.points.first()?.value))
///     };
///     Ok(results.iter().filter_map(of_route).collect())
/// }
/// # let monitor = watchpost::testing::Harness::new();
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// #     assert!(by_route(monitor.history(), monitor.now()).await.unwrap().is_empty());
/// # });
/// # }
/// ```
pub trait MetricReader: Send + Sync {
    /// Reads the result of a query at one time: at most one point for each series or group.
    ///
    /// # Errors
    ///
    /// Completes with an error if the query is invalid ([`Error::is_query`](crate::Error::is_query)), or if the result
    /// cannot be read ([`Error::is_reader`](crate::Error::is_reader)).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the future only reads, and may be dropped at any time.
    fn at<'a>(&'a self, query: &'a MetricQuery, time: SystemTime) -> ReadFuture<'a>;

    /// Reads the results of a query at `start`, and after each `step` up to `end`.
    ///
    /// # Errors
    ///
    /// Completes with an error as [`at`](Self::at) does, and if `end` is before `start`, if `step` is shorter than a
    /// millisecond, or if there would be more than 11,000 points.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`at`](Self::at).
    fn range<'a>(
        &'a self,
        query: &'a MetricQuery,
        start: SystemTime,
        end: SystemTime,
        step: Duration,
    ) -> ReadFuture<'a>;

    /// Lists the metrics that there are, sorted by name: at most 10,000, the first in order.
    ///
    /// # Errors
    ///
    /// Completes with an error if the list cannot be read ([`Error::is_reader`](crate::Error::is_reader)).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`at`](Self::at).
    fn metrics(&self) -> ReadFuture<'_, Vec<MetricInfo>>;

    /// Lists the values that a label has in the series of a metric, sorted: at most 10,000, the first in order. Empty if
    /// there is no such metric, or if it does not have the label.
    ///
    /// # Errors
    ///
    /// Completes with an error as [`metrics`](Self::metrics) does.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`at`](Self::at).
    fn label_values<'a>(&'a self, metric: &'a str, label: &'a str) -> ReadFuture<'a, Vec<String>>;
}

impl<R: MetricReader + ?Sized> MetricReader for Arc<R> {
    fn at<'a>(&'a self, query: &'a MetricQuery, time: SystemTime) -> ReadFuture<'a> {
        (**self).at(query, time)
    }

    fn range<'a>(
        &'a self,
        query: &'a MetricQuery,
        start: SystemTime,
        end: SystemTime,
        step: Duration,
    ) -> ReadFuture<'a> {
        (**self).range(query, start, end, step)
    }

    fn metrics(&self) -> ReadFuture<'_, Vec<MetricInfo>> {
        (**self).metrics()
    }

    fn label_values<'a>(&'a self, metric: &'a str, label: &'a str) -> ReadFuture<'a, Vec<String>> {
        (**self).label_values(metric, label)
    }
}
