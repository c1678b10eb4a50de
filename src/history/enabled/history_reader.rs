use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::History;
use super::catalog::MetricInfo;
use super::metric_query::MetricQuery;
use super::metric_reader::{MetricReader, ReadFuture};
use crate::error::{Error, Result};
use crate::model::{catch_panic, suppressed};

/// Reads on the blocking pool of the current Tokio runtime, of any kind. At most four reads of one history run at the same
/// time, and others wait for them. Without a runtime, the thread that polls the future reads.
///
/// `history.at`, `range`, `metrics` and `label_values` are the blocking methods of [`History`]; call these with a
/// `dyn MetricReader`, or as `MetricReader::at(&history, ..)`. If a future is dropped, a read that has begun ends by itself and its result is
/// discarded.
impl MetricReader for History {
    fn at<'a>(&'a self, query: &'a MetricQuery, time: SystemTime) -> ReadFuture<'a> {
        let (history, query) = (self.clone(), query.clone());
        Box::pin(self.read_on_pool(move || history.at(&query, time)))
    }

    fn range<'a>(
        &'a self,
        query: &'a MetricQuery,
        start: SystemTime,
        end: SystemTime,
        step: Duration,
    ) -> ReadFuture<'a> {
        let (history, query) = (self.clone(), query.clone());
        Box::pin(self.read_on_pool(move || history.range(&query, start, end, step)))
    }

    fn metrics(&self) -> ReadFuture<'_, Vec<MetricInfo>> {
        let history = self.clone();
        Box::pin(self.read_on_pool(move || Ok(history.metrics())))
    }

    fn label_values<'a>(&'a self, metric: &'a str, label: &'a str) -> ReadFuture<'a, Vec<String>> {
        let (history, metric, label) = (self.clone(), metric.to_owned(), label.to_owned());
        Box::pin(self.read_on_pool(move || Ok(history.label_values(&metric, &label))))
    }
}

impl History {
    async fn read_on_pool<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if Handle::try_current().is_err() {
            return suppressed(read);
        }
        let permit = Arc::clone(&self.reads).acquire_owned().await;
        // Tokio panics if it cannot start a thread.
        let task = catch_panic(|| {
            spawn_blocking(move || {
                let _permit = permit;
                suppressed(read)
            })
        });
        let Some(task) = task else {
            return Err(Error::reader(
                "the history cannot be read: no thread is available",
            ));
        };
        task.await.unwrap_or_else(|_| {
            Err(Error::reader(
                "the history was not read: the runtime is shutting down",
            ))
        })
    }
}
