use std::sync::{Arc, OnceLock};

use super::summary_labels::SummaryLabels;
use crate::clock::nanos;
use crate::context::Requests;
use crate::metrics::{Histogram, Metrics};
use crate::semconv;
use crate::trace::Traces;

/// Where the queries of one monitor are recorded. Each digest holds it, so that a query clones only one `Arc`: a
/// reference count that all threads share is the most expensive part of starting a query.
#[derive(Debug)]
pub(super) struct QueryInstruments {
    pub(super) requests: Arc<Requests>,
    pub(super) traces: Option<Arc<Traces>>,
    pub(super) labels: SummaryLabels,
    /// Registered with the first query, so that a service without a database has no such series.
    duration: OnceLock<Histogram>,
    metrics: Metrics,
}

impl QueryInstruments {
    pub(super) fn new(
        metrics: &Metrics,
        requests: &Arc<Requests>,
        traces: Option<&Arc<Traces>>,
    ) -> Self {
        Self {
            requests: Arc::clone(requests),
            traces: traces.cloned(),
            labels: SummaryLabels::new(nanos(metrics.idle_after())),
            duration: OnceLock::new(),
            metrics: metrics.clone(),
        }
    }

    /// The histogram of query durations.
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
