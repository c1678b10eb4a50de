use std::sync::{Arc, OnceLock};

use super::names::Names;
use crate::clock::nanos;
use crate::metrics::{Histogram, Metrics};
use crate::request::Requests;
use crate::semconv;
use crate::trace::Traces;

/// What all queries of one monitor go to. Each shape holds it, so that a query holds its shape alone: counts of
/// holders that all threads share are what costs most.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) requests: Arc<Requests>,
    pub(super) traces: Option<Arc<Traces>>,
    pub(super) names: Names,
    /// Made with the first query, so that a service without a database has none on its page.
    duration: OnceLock<Histogram>,
    metrics: Metrics,
}

impl Common {
    pub(super) fn new(
        metrics: &Metrics,
        requests: &Arc<Requests>,
        traces: Option<&Arc<Traces>>,
    ) -> Self {
        Self {
            requests: Arc::clone(requests),
            traces: traces.cloned(),
            names: Names::new(nanos(metrics.idle_after())),
            duration: OnceLock::new(),
            metrics: metrics.clone(),
        }
    }

    /// Durations of queries.
    pub(super) fn duration(&self) -> &Histogram {
        self.duration.get_or_init(|| {
            self.metrics
                .histogram(semconv::DB_CLIENT_OPERATION_DURATION)
                .unit("s")
                .description("Duration of database client operations")
                .bounds(semconv::DB_DURATION_BOUNDS)
                .build()
        })
    }
}
