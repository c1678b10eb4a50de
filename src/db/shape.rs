use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use rustc_hash::FxBuildHasher;

use super::cache;
use super::common::Common;
use super::outcome::Ended;
use super::statement::Statement;
use super::stats::Stats;
use super::target::Target;
use crate::clock::{Nanos, seconds};
use crate::metrics::Histogram;
use crate::model::prefix;
use crate::request::{self, Asked, Slot};
use crate::semconv;
use crate::trace::{Bounded, Prepared, SpanKind, SpanRecord, SpanValue, attributes_of};

/// The summary of what is beyond the cap.
pub(super) const OTHER: &str = "_other";

/// How long threads keep a statement as one of [`OTHER`] before the table decides again.
const OTHER_FOR: Nanos = 10_000_000_000;

/// Bytes of a summary that are a label; spans and `Monitor::queries` have all of it.
const MAX_LABEL: usize = 80;

/// Statements of one form, to one target.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) common: Arc<Common>,
    pub(super) target: Arc<Target>,
    /// The target's address while threads may find the shape in their caches, 0 afterwards.
    found_by: AtomicUsize,
    /// Tells it from others, in a request's tally; 0 of what is beyond the cap.
    pub(super) number: u64,
    pub(super) summary: Arc<str>,
    operation: Box<str>,
    collection: Option<Box<str>>,
    /// The span of a query that did what it should and has no more to tell; the statement's form is among its
    /// attributes, and nowhere else: it may be long.
    pub(super) plain: Prepared,
    pub(super) stats: Stats,
    /// Whether its summary labels series. Otherwise it counts in those of [`OTHER`].
    named: AtomicBool,
    completed: OnceLock<Histogram>,
    cancelled: OnceLock<Histogram>,
    other: Option<Box<OtherSeries>>,
}

/// What [`OTHER`] has instead of the two series of a shape, so that each of its queries takes the slow path.
#[derive(Debug)]
struct OtherSeries {
    completed: OnceLock<Histogram>,
    cancelled: OnceLock<Histogram>,
    until: Nanos,
}

impl Shape {
    pub(super) fn new(
        common: &Arc<Common>,
        target: &Arc<Target>,
        number: u64,
        statement: Statement,
    ) -> Self {
        let Statement {
            text,
            summary,
            operation,
            collection,
            ..
        } = statement;
        let mut shape = Self {
            common: Arc::clone(common),
            target: Arc::clone(target),
            found_by: AtomicUsize::new(Arc::as_ptr(target).addr()),
            number,
            summary: summary.into(),
            operation,
            collection,
            plain: Prepared::default(),
            stats: Stats::default(),
            named: AtomicBool::new(false),
            completed: OnceLock::new(),
            cancelled: OnceLock::new(),
            other: None,
        };
        let mut attributes = Bounded::attributes();
        for (key, value) in shape.labels() {
            attributes.text(key, &value);
        }
        if let Some(port) = target.port {
            attributes.value(semconv::SERVER_PORT, SpanValue::I64(port.into()));
        }
        if let Some(pool) = &target.pool {
            attributes.text(semconv::DB_CLIENT_CONNECTION_POOL_NAME, pool);
        }
        if !text.is_empty() {
            attributes.text(semconv::DB_QUERY_TEXT, &text);
        }
        let name = shape.span_name();
        let plain = SpanRecord {
            kind: SpanKind::Client,
            name: &name,
            attributes: attributes.bytes(),
            left_out: attributes.left_out(),
            ..SpanRecord::default()
        };
        shape.plain = match &common.traces {
            Some(traces) => traces.prepare(&plain),
            None => Prepared::new(&plain),
        };
        shape
    }

    /// The summary; without one, where the query goes.
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

    /// The statement's form; empty for none.
    pub(super) fn text(&self) -> Arc<str> {
        let mut attributes = attributes_of(self.plain.record().attributes);
        let text = attributes.find(|(key, _)| *key == semconv::DB_QUERY_TEXT);
        match text {
            Some((_, SpanValue::Str(text))) => text.into(),
            _ => Arc::default(),
        }
    }

    /// What counts the statements of a target for which there is no room.
    pub(super) fn other(common: &Arc<Common>, target: &Arc<Target>) -> Self {
        let other = Statement {
            text: "".into(),
            summary: OTHER.into(),
            operation: "".into(),
            collection: None,
            shape: 0,
        };
        let now = common.requests.clock().now();
        Self {
            other: Some(Box::new(OtherSeries {
                completed: OnceLock::new(),
                cancelled: OnceLock::new(),
                until: now.saturating_add(OTHER_FOR),
            })),
            ..Self::new(common, target, 0, other)
        }
    }

    /// Whether a thread that finds it in its cache may use it for a query of this target.
    #[inline]
    pub(super) fn is_for(&self, target: &Arc<Target>) -> bool {
        self.found_by.load(Relaxed) == Arc::as_ptr(target).addr()
    }

    /// Whether it has its place.
    pub(super) fn is_live(&self) -> bool {
        self.found_by.load(Relaxed) != 0
    }

    /// Takes its place. Queries under way still count in it, as those of [`OTHER`].
    pub(super) fn retire(&self) {
        if self.found_by.swap(0, Relaxed) == 0 {
            return;
        }
        let now = self.common.requests.clock().now();
        let names = &self.common.names;
        names.give_up(self.name(), &self.named, now);
        cache::retired(self.number == 0);
    }

    /// The number of its labels.
    fn name(&self) -> u64 {
        let target = Arc::as_ptr(&self.target).addr();
        let kind = (&self.operation, &self.collection);
        FxBuildHasher.hash_one((target, readable(&self.summary), kind))
    }

    fn is_named(&self, now: Nanos) -> bool {
        self.named.load(Relaxed) || self.common.names.take(self.name(), self, &self.named, now)
    }

    /// What is known of the statements, but for the port, which is a number on a span.
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
        let there = texts.into_iter().filter_map(|(key, value)| {
            Some((key, value.filter(|value| !value.is_empty())?.into()))
        });
        labels.extend(there);
        labels
    }

    /// A query as a request's tally counts it.
    #[inline]
    pub(super) fn asked(&self, start: Nanos, end: Nanos) -> Asked<'_> {
        Asked {
            shape: self.number,
            summary: &self.summary,
            start,
            end,
        }
    }

    /// Counts a query of the operation that the thread is at, if there is one, and in that one's tally.
    pub(super) fn count_alone(&self, query: &Asked<'_>, ended: &Ended, rows: Option<u64>) {
        let number = self.common.requests.number();
        let here = request::current_slot(number).map(|(slot, _)| slot);
        if let Some(slot) = &here {
            slot.count_query(query);
            self.note_failure(slot, ended);
        }
        self.count(query, ended, rows, here.as_deref());
    }

    /// Keeps a query that failed with its request.
    #[inline]
    pub(super) fn note_failure(&self, slot: &Slot, ended: &Ended) {
        if let Some(failed) = ended.failed_query(&self.summary) {
            slot.fail_query(failed);
        }
    }

    /// Counts a query, of a trace where there is one.
    #[inline]
    pub(super) fn count(
        &self,
        query: &Asked<'_>,
        ended: &Ended,
        rows: Option<u64>,
        of: Option<&Slot>,
    ) {
        let nanos = query.end.saturating_sub(query.start);
        let seconds = seconds(nanos);
        self.stats.record(ended, (nanos, seconds), rows, of);
        match ended {
            Ended::Completed => self.record(self.completed.get(), ended, seconds, query.end),
            Ended::Cancelled => self.record(self.cancelled.get(), ended, seconds, query.end),
            Ended::Failed { .. } | Ended::Panicked | Ended::Unknown => {
                self.record_otherwise(ended, seconds, query.end);
            }
        }
    }

    #[inline]
    fn record(&self, series: Option<&Histogram>, ended: &Ended, seconds: f64, now: Nanos) {
        match series {
            Some(series) => series.record_alone(seconds),
            None => self.record_otherwise(ended, seconds, now),
        }
    }

    /// Records a query for which no series is known yet.
    #[cold]
    fn record_otherwise(&self, ended: &Ended, seconds: f64, now: Nanos) {
        let (completed, cancelled) = match &self.other {
            Some(other) => {
                if now >= other.until {
                    self.retire();
                }
                (&other.completed, &other.cancelled)
            }
            None => (&self.completed, &self.cancelled),
        };
        let series = match ended {
            Ended::Completed => Some(completed),
            Ended::Cancelled => Some(cancelled),
            Ended::Failed { .. } | Ended::Panicked | Ended::Unknown => None,
        };
        let own = self.other.is_some() || self.is_named(now);
        let series = series.filter(|_| own);
        match series {
            Some(series) => series
                .get_or_init(|| self.labelled(ended, own))
                .record_alone(seconds),
            None => self.labelled(ended, own).record_alone(seconds),
        }
    }

    /// The series of queries that ended so: of its own labels, or of [`OTHER`].
    fn labelled(&self, ended: &Ended, own: bool) -> Histogram {
        let labels = self.labels().into_iter();
        let mut labels: Vec<_> = labels
            .filter_map(|(key, value)| match key {
                semconv::DB_QUERY_SUMMARY if own => Some((key, readable(&value))),
                semconv::DB_OPERATION_NAME | semconv::DB_COLLECTION_NAME if !own => None,
                semconv::DB_QUERY_SUMMARY => None,
                key => Some((key, String::from(value))),
            })
            .collect();
        if !own {
            labels.push((semconv::DB_QUERY_SUMMARY, OTHER.to_owned()));
        }
        labels.extend(
            self.target
                .port
                .map(|port| (semconv::SERVER_PORT, port.to_string())),
        );
        labels.push((semconv::WATCHPOST_OUTCOME, ended.as_str().to_owned()));
        if let Ended::Failed {
            error_type, driver, ..
        } = ended
        {
            labels.push((semconv::ERROR_TYPE, error_type.to_string()));
            let code = driver
                .code
                .iter()
                .map(|code| (semconv::DB_RESPONSE_STATUS_CODE, code.to_string()));
            labels.extend(code);
        }
        self.common.duration().with(labels)
    }
}

/// A summary as a label: what is too long ends behind a whole word, with a mark.
fn readable(summary: &str) -> String {
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
    fn a_long_summary_ends_behind_a_word() {
        let tables = |n: usize| format!("SELECT{}", " orders".repeat(n));
        assert_eq!(readable(&tables(3)), tables(3));
        assert_eq!(readable(&tables(40)), format!("{} …", tables(9)));
        let word = "ä".repeat(100);
        let cut = readable(&word);
        assert!(cut.ends_with("ä …") && cut.len() <= MAX_LABEL, "{cut}");
        for length in 75..90 {
            assert!(readable(&"x".repeat(length)).len() <= MAX_LABEL);
        }
    }
}
