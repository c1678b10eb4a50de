use std::sync::Arc;

use super::failed_query::FailedQuery;
use crate::clock::Nanos;

/// The maximum number of digests that a request distinguishes. Queries with further digests count, but not as
/// duplicates.
const MAX_SHAPES: usize = 64;
/// The minimum number of sequential queries of one shape that count as "N+1 queries".
const N_PLUS_ONE: u64 = 5;
/// The minimum total duration of these queries, in nanoseconds.
const N_PLUS_ONE_NANOS: Nanos = 50_000_000;

/// The totals of a request's queries. The slot reuses the memory for its next request.
///
/// Several similar queries in sequence, after another query, are "N+1 queries". Source:
/// <https://docs.sentry.io/product/issues/issue-details/performance-issues/n-one-queries/>.
#[derive(Debug, Default)]
pub(crate) struct QueryTally {
    shapes: Vec<DigestTally>,
    /// The end time of the first query.
    first_end: Option<Nanos>,
    /// The number of queries of further shapes, and their total duration.
    more: u64,
    more_nanos: Nanos,
    /// The last failed query.
    failed: Option<Arc<FailedQuery>>,
}

/// The timing of an ended query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueryTiming<'a> {
    /// The number of the query's shape.
    pub(crate) shape: u64,
    pub(crate) summary: &'a Arc<str>,
    pub(crate) start: Nanos,
    pub(crate) end: Nanos,
}

/// The totals of the queries of one shape.
#[derive(Debug)]
struct DigestTally {
    shape: u64,
    summary: Arc<str>,
    queries: u64,
    nanos: Nanos,
    last_end: Nanos,
    /// The number of queries that began after the previous one had ended, and their total duration.
    in_turn: u64,
    in_turn_nanos: Nanos,
    /// Whether another query had ended before the first of these queries began.
    follows: bool,
}

impl QueryTally {
    /// Counts an ended query.
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

    /// Stores a failed query as the last one.
    pub(super) fn fail(&mut self, query: FailedQuery) {
        self.failed = Some(Arc::new(query));
    }

    /// Returns the last failed query.
    pub(crate) fn failed(&self) -> Option<&Arc<FailedQuery>> {
        self.failed.as_ref()
    }

    /// Returns the number of ended queries, including cancelled ones.
    pub(crate) fn queries(&self) -> u64 {
        self.shapes.iter().map(|of| of.queries).sum::<u64>() + self.more
    }

    /// Returns the total duration of the queries. Concurrent queries each count in full.
    pub(crate) fn nanos(&self) -> Nanos {
        let nanos = self.shapes.iter().map(|of| of.nanos);
        nanos.fold(self.more_nanos, Nanos::wrapping_add)
    }

    /// Returns the number of queries whose shape occurred before in the same request.
    pub(crate) fn duplicates(&self) -> u64 {
        self.shapes.iter().map(|of| of.queries - 1).sum()
    }

    /// Returns the summary of the shape that is "N+1 queries". If there are several, returns the one that took longest.
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

    /// Counts queries, given as shape, start and end in milliseconds.
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
