use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use rustc_hash::FxBuildHasher;

use super::instruments::QueryInstruments;
use super::outcome::{EndedQuery, QueryOutcome};
use super::retirements;
use super::statement::NormalizedStatement;
use super::stats::{DigestIdentity, DigestStats, QueryStats};
use super::summary_labels::LabelClaim;
use super::target::DatabaseTarget;
use crate::clock::Nanos;
use crate::context::{self, QueryTiming, Routes, Slot};
use crate::metrics::Histogram;
use crate::model::prefix;
use crate::semconv;
use crate::trace::{
    AttributeBuffer, SpanKind, SpanLimits, SpanRecord, SpanTemplate, SpanValue, attributes_of,
};

/// The summary of the statements for which the table has no room.
const OTHER: &str = "_other";

/// How long threads count a statement as [`OTHER`] before the table decides again.
const OTHER_FOR: Nanos = 10_000_000_000;

/// Bytes of a summary as a label. Spans and `Monitor::queries` have all of it.
const MAX_LABEL: usize = 80;

/// All statements to one target that have the same normalized text: their span, series and statistics.
#[derive(Debug)]
pub(super) struct Digest {
    pub(super) instruments: Arc<QueryInstruments>,
    pub(super) target: Arc<DatabaseTarget>,
    /// The target's address while threads may find the digest in their caches, 0 once it is retired.
    live_for: AtomicUsize,
    /// Identifies the digest in a request's query tally; 0 for [`OTHER`].
    pub(super) id: u64,
    pub(super) summary: Arc<str>,
    operation: Box<str>,
    collection: Option<Box<str>>,
    /// The span of a completed query without further attributes. The normalized text is among its attributes and stored
    /// nowhere else, since it may be long.
    pub(super) span_template: SpanTemplate,
    pub(super) stats: DigestStats,
    /// Held while the summary labels series. Otherwise queries count in the series of [`OTHER`].
    label: LabelClaim,
    completed: OnceLock<Histogram>,
    cancelled: OnceLock<Histogram>,
    /// Set only for [`OTHER`].
    other: Option<Box<OtherSeries>>,
}

/// The series of [`OTHER`]. Its `completed` and `cancelled` stay empty, so that each of its queries takes the slow
/// path, which checks `expires_at`.
#[derive(Debug)]
struct OtherSeries {
    completed: OnceLock<Histogram>,
    cancelled: OnceLock<Histogram>,
    expires_at: Nanos,
}

impl Digest {
    pub(super) fn new(
        instruments: &Arc<QueryInstruments>,
        target: &Arc<DatabaseTarget>,
        id: u64,
        statement: NormalizedStatement,
    ) -> Self {
        Self::with_series(instruments, target, id, statement, None)
    }

    fn with_series(
        instruments: &Arc<QueryInstruments>,
        target: &Arc<DatabaseTarget>,
        id: u64,
        statement: NormalizedStatement,
        other: Option<Box<OtherSeries>>,
    ) -> Self {
        let NormalizedStatement {
            text,
            summary,
            operation,
            collection,
            ..
        } = statement;
        let address = Arc::as_ptr(target).addr();
        // Two digests whose series have the same labels share one label in the budget. Their texts differ, their
        // summaries as labels do not.
        let label_set = (address, label_text(&summary), (&operation, &collection));
        let mut digest = Self {
            instruments: Arc::clone(instruments),
            target: Arc::clone(target),
            live_for: AtomicUsize::new(address),
            id,
            label: LabelClaim::new(FxBuildHasher.hash_one(label_set)),
            summary: summary.into(),
            operation,
            collection,
            span_template: SpanTemplate::default(),
            stats: DigestStats::default(),
            completed: OnceLock::new(),
            cancelled: OnceLock::new(),
            other,
        };
        // The name and the attributes of the span are read from the finished digest.
        digest.span_template = digest.prepare_span(&text);
        digest
    }

    /// The digest of the statements to a target for which the table has no room.
    pub(super) fn other(instruments: &Arc<QueryInstruments>, target: &Arc<DatabaseTarget>) -> Self {
        let statement = NormalizedStatement {
            text: "".into(),
            summary: OTHER.into(),
            operation: "".into(),
            collection: None,
            digest: 0,
        };
        let now = instruments.requests.clock().now();
        let other = Box::new(OtherSeries {
            completed: OnceLock::new(),
            cancelled: OnceLock::new(),
            expires_at: now.saturating_add(OTHER_FOR),
        });
        Self::with_series(instruments, target, 0, statement, Some(other))
    }

    /// Encodes the span of a completed query once, for all queries of the digest.
    fn prepare_span(&self, text: &str) -> SpanTemplate {
        let traces = self.instruments.traces.as_ref();
        let limits = traces.map_or_else(SpanLimits::default, |traces| *traces.limits());
        // The order of the attributes is that in which a full buffer drops them: the text, which is the longest, comes
        // last.
        let mut attributes = AttributeBuffer::attributes(&limits);
        for (key, value) in self.labels() {
            attributes.text(key, &value);
        }
        if let Some(port) = self.target.port {
            attributes.value(semconv::SERVER_PORT, SpanValue::I64(port.into()));
        }
        if let Some(pool) = &self.target.pool {
            attributes.text(semconv::DB_CLIENT_CONNECTION_POOL_NAME, pool);
        }
        if !text.is_empty() {
            attributes.text(semconv::DB_QUERY_TEXT, text);
        }
        let name = self.span_name();
        let record = SpanRecord {
            kind: SpanKind::Client,
            name: &name,
            attributes: attributes.bytes(),
            left_out: attributes.left_out(),
            ..SpanRecord::default()
        };
        match &self.instruments.traces {
            Some(traces) => traces.sender().add_template(&record),
            None => SpanTemplate::new(&record),
        }
    }

    /// The summary. Without one, the database, the server or the system, as the semantic conventions specify.
    fn span_name(&self) -> String {
        let target = &*self.target;
        if !self.summary.is_empty() {
            return self.summary.to_string();
        }
        match (&target.namespace, &target.server, target.port) {
            (Some(namespace), ..) => namespace.to_string(),
            (None, Some(server), Some(port)) => format!("{server}:{port}"),
            (None, Some(server), None) => server.to_string(),
            (None, None, _) => target.system.as_str().to_owned(),
        }
    }

    /// The normalized text; empty if there is none.
    fn text(&self) -> Arc<str> {
        let mut attributes = attributes_of(self.span_template.record().attributes);
        let text = attributes.find(|(key, _)| *key == semconv::DB_QUERY_TEXT);
        match text {
            Some((_, SpanValue::Str(text))) => text.into(),
            _ => Arc::default(),
        }
    }

    /// The statistics as the host sees them; `None` before the first query has ended.
    pub(super) fn snapshot(&self, routes: &Routes) -> Option<QueryStats> {
        let identity = || DigestIdentity {
            system: self.target.system,
            namespace: self.target.namespace.clone(),
            summary: Arc::clone(&self.summary),
            text: self.text(),
        };
        self.stats.snapshot(identity, routes)
    }

    /// Whether a thread that finds the digest in its cache may use it for a query to this target.
    #[inline]
    pub(super) fn is_for(&self, target: &Arc<DatabaseTarget>) -> bool {
        self.live_for.load(Relaxed) == Arc::as_ptr(target).addr()
    }

    /// Whether the digest is in the table.
    pub(super) fn is_live(&self) -> bool {
        self.live_for.load(Relaxed) != 0
    }

    /// Removes the digest from all caches and releases its label. Running queries still count here, in the series of
    /// [`OTHER`].
    pub(super) fn retire(&self) {
        if self.live_for.swap(0, Relaxed) == 0 {
            return;
        }
        let now = self.instruments.requests.clock().now();
        self.instruments.labels.release(&self.label, now);
        retirements::add(self.id == 0);
    }

    /// The labels of the target and the statement, except the port, which spans hold as a number.
    fn labels(&self) -> Vec<(&'static str, Box<str>)> {
        let target = &self.target;
        let mut labels = vec![(semconv::DB_SYSTEM_NAME, target.system.as_str().into())];
        let texts = [
            (semconv::DB_NAMESPACE, target.namespace.as_deref()),
            (semconv::DB_OPERATION_NAME, Some(&*self.operation)),
            (semconv::DB_COLLECTION_NAME, self.collection.as_deref()),
            (semconv::DB_QUERY_SUMMARY, Some(&*self.summary)),
            (semconv::SERVER_ADDRESS, target.server.as_deref()),
        ];
        let present = texts.into_iter().filter_map(|(key, value)| {
            Some((key, value.filter(|value| !value.is_empty())?.into()))
        });
        labels.extend(present);
        labels
    }

    /// The times of a query, as a request's tally counts it.
    #[inline]
    pub(super) fn timing(&self, start: Nanos, end: Nanos) -> QueryTiming<'_> {
        QueryTiming {
            shape: self.id,
            summary: &self.summary,
            start,
            end,
        }
    }

    /// Records a query that has no span: in the thread's current operation, if there is one, and here.
    pub(super) fn record_untraced(&self, query: &EndedQuery<'_>) {
        let monitor = self.instruments.requests.number();
        let slot = context::current_slot(monitor).map(|(slot, _)| slot);
        if let Some(slot) = &slot {
            slot.count_query(&query.timing);
            self.record_failure(slot, query.outcome);
        }
        self.record(query, slot.as_deref());
    }

    /// Keeps a query that failed with its request, for the request's log record and for captured errors.
    #[inline]
    pub(super) fn record_failure(&self, slot: &Slot, outcome: &QueryOutcome) {
        if let Some(failed) = outcome.failed_query(&self.summary) {
            slot.fail_query(failed);
        }
    }

    /// Records a query in the statistics and the series; `slot` is its operation, if it has one.
    #[inline]
    pub(super) fn record(&self, query: &EndedQuery<'_>, slot: Option<&Slot>) {
        self.stats.record(query, slot);
        let series = match query.outcome {
            QueryOutcome::Completed => self.completed.get(),
            QueryOutcome::Cancelled => self.cancelled.get(),
            QueryOutcome::Failed { .. } | QueryOutcome::Panicked | QueryOutcome::Unknown => None,
        };
        match series {
            Some(series) => series.record_untraced(query.seconds),
            None => self.record_uncached(query),
        }
    }

    /// Records a query whose series has no handle here yet.
    #[cold]
    fn record_uncached(&self, query: &EndedQuery<'_>) {
        let now = query.timing.end;
        let (completed, cancelled) = match &self.other {
            Some(other) => {
                // Its statements get another chance to enter the table.
                if now >= other.expires_at {
                    self.retire();
                }
                (&other.completed, &other.cancelled)
            }
            None => (&self.completed, &self.cancelled),
        };
        // Handles are kept for the outcomes whose label set does not vary.
        let handle = match query.outcome {
            QueryOutcome::Completed => Some(completed),
            QueryOutcome::Cancelled => Some(cancelled),
            QueryOutcome::Failed { .. } | QueryOutcome::Panicked | QueryOutcome::Unknown => None,
        };
        let has_own_label = self.other.is_some() || self.acquire_label(now);
        let series = || self.series(query.outcome, has_own_label);
        match handle.filter(|_| has_own_label) {
            Some(handle) => handle.get_or_init(series).record_untraced(query.seconds),
            None => series().record_untraced(query.seconds),
        }
    }

    fn acquire_label(&self, now: Nanos) -> bool {
        let labels = &self.instruments.labels;
        self.label.is_held() || labels.acquire(&self.label, self.stats.calls(), now)
    }

    /// The series of an outcome, labelled with the digest's own summary or as [`OTHER`].
    fn series(&self, outcome: &QueryOutcome, has_own_label: bool) -> Histogram {
        let labels = self.labels().into_iter();
        // The series of `_other` has only the labels of its database: operation and collection belong to one statement.
        let mut labels: Vec<_> = labels
            .filter_map(|(key, value)| match key {
                semconv::DB_QUERY_SUMMARY if has_own_label => Some((key, label_text(&value))),
                semconv::DB_OPERATION_NAME | semconv::DB_COLLECTION_NAME if !has_own_label => None,
                semconv::DB_QUERY_SUMMARY => None,
                key => Some((key, String::from(value))),
            })
            .collect();
        if !has_own_label {
            labels.push((semconv::DB_QUERY_SUMMARY, OTHER.to_owned()));
        }
        labels.extend(
            self.target
                .port
                .map(|port| (semconv::SERVER_PORT, port.to_string())),
        );
        labels.push((semconv::WATCHPOST_OUTCOME, outcome.as_str().to_owned()));
        if let QueryOutcome::Failed {
            error_type, driver, ..
        } = outcome
        {
            labels.push((semconv::ERROR_TYPE, error_type.to_string()));
            let code = driver
                .code
                .iter()
                .map(|code| (semconv::DB_RESPONSE_STATUS_CODE, code.to_string()));
            labels.extend(code);
        }
        self.instruments.duration().with(labels)
    }
}

impl Drop for Digest {
    /// Nothing makes spans from the template any more: queries and thread caches hold the digest.
    fn drop(&mut self) {
        if let Some(traces) = &self.instruments.traces {
            traces.sender().retire_template(&self.span_template);
        }
    }
}

/// A summary as a label. A summary that is too long ends after a whole word, with an ellipsis.
pub(crate) fn label_text(summary: &str) -> String {
    if summary.len() <= MAX_LABEL {
        return summary.to_owned();
    }
    let start = prefix(summary, MAX_LABEL - 4);
    let end = start.rfind(' ').filter(|end| *end > 0);
    let words = start.get(..end.unwrap_or(start.len()));
    format!("{} …", words.unwrap_or(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_summary_ends_after_a_word() {
        let tables = |n: usize| format!("SELECT{}", " orders".repeat(n));
        assert_eq!(label_text(&tables(3)), tables(3));
        assert_eq!(label_text(&tables(40)), format!("{} …", tables(9)));
        let word = "ä".repeat(100);
        let cut = label_text(&word);
        assert!(cut.ends_with("ä …") && cut.len() <= MAX_LABEL, "{cut}");
        for length in 75..90 {
            assert!(label_text(&"x".repeat(length)).len() <= MAX_LABEL);
        }
    }
}
