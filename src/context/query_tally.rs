use std::sync::Arc;

use super::failed_query::FailedQuery;
use crate::clock::Nanos;

/// The most digests that a request distinguishes. A query of a further one counts, but not as a duplicate.
const MAX_SHAPES: usize = 64;
/// The rule of "N+1 queries": so many of one shape, each begun when the one before had ended ..
const N_PLUS_ONE: u64 = 5;
/// .. and so long in all.
const N_PLUS_ONE_NANOS: Nanos = 50_000_000;

/// The totals of a request's queries. The slot reuses the memory for its next request.
///
/// A number of similar queries one after the other, after some query that they follow from, is "N+1 queries";
/// source: <https://docs.sentry.io/product/issues/issue-details/performance-issues/n-one-queries/>.
#[derive(Debug, Default)]
pub(crate) struct QueryTally {
    shapes: Vec<DigestTally>,
    /// When the first of all had ended.
    first_end: Option<Nanos>,
    /// Queries of further shapes, and the time in them.
    more: u64,
    more_nanos: Nanos,
    /// The last query that failed.
    failed: Option<Arc<FailedQuery>>,
}

/// A query that ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueryTiming<'a> {
    /// The number of its shape.
    pub(crate) shape: u64,
    pub(crate) summary: &'a Arc<str>,
    pub(crate) start: Nanos,
    pub(crate) end: Nanos,
}

/// The queries of one shape.
#[derive(Debug)]
struct DigestTally {
    shape: u64,
    summary: Arc<str>,
    queries: u64,
    nanos: Nanos,
    last_end: Nanos,
    /// Those that began when the one before had ended, and the time in them.
    in_turn: u64,
    in_turn_nanos: Nanos,
    /// Whether another query had ended before the first of them.
    follows: bool,
}

impl QueryTally {
    /// Counts a query that ended.
    #[inline]
    pub(super) fn count(&mut self, query: &QueryTiming<'_>) {
        let nanos = query.end.saturating_sub(query.start);
        let mut shapes = self.shapes.iter_mut();
        let Some(known) = shapes.find(|known| known.shape == query.shape) else {
            return self.count_first(query, nanos);
        };
        known.queries += 1;
        known.nanos = known.nanos.wrapping_add(nanos);
        if query.start >= known.last_end {
            known.in_turn += 1;
            known.in_turn_nanos = known.in_turn_nanos.wrapping_add(nanos);
        }
        known.last_end = known.last_end.max(query.end);
    }

    #[cold]
    fn count_first(&mut self, query: &QueryTiming<'_>, nanos: Nanos) {
        let follows = self.first_end.is_some_and(|first| first <= query.start);
        self.first_end.get_or_insert(query.end);
        if self.shapes.len() < MAX_SHAPES {
            self.shapes.push(DigestTally {
                shape: query.shape,
                summary: Arc::clone(query.summary),
                queries: 1,
                nanos,
                last_end: query.end,
                in_turn: 1,
                in_turn_nanos: nanos,
                follows,
            });
        } else {
            self.more += 1;
            self.more_nanos = self.more_nanos.wrapping_add(nanos);
        }
    }

    /// Keeps the last query that failed.
    pub(super) fn fail(&mut self, query: FailedQuery) {
        self.failed = Some(Arc::new(query));
    }

    /// The last query that failed.
    pub(crate) fn failed(&self) -> Option<&Arc<FailedQuery>> {
        self.failed.as_ref()
    }

    /// Queries that ended, cancelled ones too.
    pub(crate) fn queries(&self) -> u64 {
        self.shapes.iter().map(|of| of.queries).sum::<u64>() + self.more
    }

    /// The time in them. Of queries that ran beside each other each counts.
    pub(crate) fn nanos(&self) -> Nanos {
        let nanos = self.shapes.iter().map(|of| of.nanos);
        nanos.fold(self.more_nanos, Nanos::wrapping_add)
    }

    /// Queries of a shape that came before in the same request.
    pub(crate) fn duplicates(&self) -> u64 {
        self.shapes.iter().map(|of| of.queries - 1).sum()
    }

    /// The summary of the shape that is "N+1 queries"; of several the one that took longest.
    pub(crate) fn n_plus_one(&self) -> Option<&Arc<str>> {
        let found = self.shapes.iter().filter(|of| {
            of.follows && of.in_turn >= N_PLUS_ONE && of.in_turn_nanos > N_PLUS_ONE_NANOS
        });
        found
            .max_by_key(|of| of.in_turn_nanos)
            .map(|of| &of.summary)
    }

    pub(super) fn clear(&mut self) {
        self.shapes.clear();
        let shapes = std::mem::take(&mut self.shapes);
        *self = Self {
            shapes,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = 1_000_000;

    /// Queries of a shape, when they began and ended, in milliseconds.
    fn tally(queries: &[(u64, Nanos, Nanos)]) -> QueryTally {
        let mut tally = QueryTally::default();
        for (shape, start, end) in queries {
            let summary = format!("SELECT s{shape}").into();
            tally.count(&QueryTiming {
                shape: *shape,
                summary: &summary,
                start: start * MS,
                end: end * MS,
            });
        }
        tally
    }

    fn in_turn(shape: u64, from: Nanos, count: Nanos, each: Nanos) -> Vec<(u64, Nanos, Nanos)> {
        (0..count)
            .map(|n| (shape, from + n * each, from + (n + 1) * each))
            .collect()
    }

    #[test]
    fn similar_queries_in_turn_after_another_are_n_plus_one() {
        let source = vec![(1, 0, 2)];
        let cases = [
            ("five of 11 ms after a source", in_turn(2, 2, 5, 11), true),
            ("four", in_turn(2, 2, 4, 50), false),
            ("50 ms in all", in_turn(2, 2, 5, 10), false),
            (
                "begun before the source had ended",
                in_turn(2, 1, 5, 11),
                false,
            ),
            (
                "beside each other",
                vec![(2, 2, 40), (2, 3, 40), (2, 4, 40), (2, 5, 40), (2, 6, 40)],
                false,
            ),
            (
                "different ones",
                (2..9).map(|n| (n, n * 20, n * 20 + 19)).collect(),
                false,
            ),
        ];
        for (what, queries, expected) in cases {
            let tally = tally(&[source.clone(), queries].concat());
            assert_eq!(tally.n_plus_one().is_some(), expected, "{what}");
        }
        assert!(
            tally(&in_turn(2, 0, 9, 11)).n_plus_one().is_none(),
            "no source"
        );
    }

    #[test]
    fn duplicates_and_time_are_counted_and_forgotten() {
        let mut many = tally(&[in_turn(1, 0, 3, 10), in_turn(2, 30, 1, 5)].concat());
        let sums = |of: &QueryTally| (of.queries(), of.duplicates(), of.nanos());
        assert_eq!(sums(&many), (4, 2, 35 * MS));
        many.clear();
        assert_eq!(sums(&many), (0, 0, 0));
        let different: Vec<_> = (0..1000).map(|n| (n, n, n + 1)).collect();
        let tally = tally(&different);
        assert_eq!(sums(&tally), (1000, 0, 1000 * MS));
        assert_eq!(tally.shapes.len(), MAX_SHAPES);
    }
}
