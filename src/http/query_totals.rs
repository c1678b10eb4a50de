//! The database queries of a request, as its log record, its span and the series of its route show them.

use crate::clock::{Nanos, seconds};
use crate::context::{QueryTally, Slot};
use crate::metrics::{Counter, Histogram, Metrics};
use crate::model::Attributes;
use crate::semconv;

/// The totals of a request's queries.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueryTotals {
    queries: u64,
    nanos: Nanos,
    duplicates: u64,
    n_plus_one: bool,
}

/// The instruments of queries by route, or the series of one route.
#[derive(Debug)]
pub(super) struct QuerySeries {
    queries: Counter,
    duplicates: Counter,
    n_plus_one: Counter,
    duration: Histogram,
}

impl QueryTotals {
    /// The totals of this slot's request, also added to its attributes. `None` without queries.
    #[inline]
    pub(super) fn of(slot: &Slot, attributes: &mut Attributes) -> Option<Self> {
        slot.tally(|tally| Self::note(tally, attributes))
    }

    /// Adds the last failed query of a failed request to its attributes.
    #[cold]
    pub(super) fn note_failed(slot: &Slot, attributes: &mut Attributes) {
        let Some(failed) = slot.failed_query() else {
            return;
        };
        attributes.insert(semconv::DB_QUERY_SUMMARY, failed.summary.to_string());
        for (key, value) in failed.driver.attributes() {
            attributes.insert(key, value.to_owned());
        }
        if failed.driver.code.is_none() {
            let error_type = failed.error_type.to_string();
            attributes.insert(semconv::WATCHPOST_DB_ERROR_TYPE, error_type);
        }
    }

    fn note(tally: &QueryTally, attributes: &mut Attributes) -> Self {
        let slowest = tally.n_plus_one();
        attributes.insert(semconv::DB_QUERIES, number(tally.queries()));
        attributes.insert(semconv::DB_DURATION_MS, millis(tally.nanos()));
        if tally.duplicates() > 0 {
            attributes.insert(semconv::DB_DUPLICATES, number(tally.duplicates()));
        }
        if let Some(summary) = slowest {
            attributes.insert(semconv::DB_N_PLUS_ONE, summary.to_string());
        }
        Self {
            queries: tally.queries(),
            nanos: tally.nanos(),
            duplicates: tally.duplicates(),
            n_plus_one: slowest.is_some(),
        }
    }
}

/// Milliseconds to the microsecond, as every duration of a log record has them.
fn millis(nanos: Nanos) -> f64 {
    (nanos / 1000) as f64 / 1000.0
}

/// A count as an attribute.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl QuerySeries {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let counter = |name, what: &'static str| metrics.counter(name).description(what).build();
        Self {
            queries: counter(
                "watchpost.request.db_queries",
                "Database queries of HTTP server requests, by route",
            ),
            duplicates: counter(
                "watchpost.request.db_duplicates",
                "Database queries whose digest came before in the same HTTP server request, by route",
            ),
            n_plus_one: counter(
                "watchpost.request.n_plus_one",
                "HTTP server requests that ran a statement in a loop, by route",
            ),
            duration: metrics
                .histogram(semconv::REQUEST_DB_DURATION)
                .unit("s")
                .description("Time of HTTP server requests in database queries, by route")
                .bounds(semconv::DB_DURATION_BOUNDS)
                .build(),
        }
    }

    /// The series of a route.
    pub(super) fn of(&self, route: &str) -> Self {
        let labels = || [(semconv::HTTP_ROUTE, route.to_owned())];
        Self {
            queries: self.queries.with(labels()),
            duplicates: self.duplicates.with(labels()),
            n_plus_one: self.n_plus_one.with(labels()),
            duration: self.duration.with(labels()),
        }
    }

    pub(super) fn record(&self, queried: &QueryTotals) {
        self.queries.add(queried.queries);
        self.duplicates.add(queried.duplicates);
        self.n_plus_one.add(queried.n_plus_one.into());
        self.duration.record_untraced(seconds(queried.nanos));
    }
}
