use std::sync::Arc;

use crate::clock::Nanos;

/// Shapes that a request tells apart. A query of a further one counts, and as no duplicate.
const MAX_SHAPES: usize = 64;
/// The rule of "N+1 queries": so many of one shape, each begun when the one before had ended ..
const N_PLUS_ONE: u32 = 5;
/// .. and so long in all.
const N_PLUS_ONE_NANOS: Nanos = 50_000_000;

/// What a request asked of databases. The memory is the slot's and is used again for its next request.
///
/// A number of similar queries one after the other, after some query that they follow from, is "N+1 queries";
/// source: <https://docs.sentry.io/product/issues/issue-details/performance-issues/n-one-queries/>.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Queries that ended, cancelled ones too.
    pub(crate) queries: u32,
    /// The time in them. Of queries that ran beside each other each counts.
    pub(crate) nanos: Nanos,
    /// Queries of a shape that came before in the same request.
    pub(crate) duplicates: u32,
    first_end: Option<Nanos>,
    shapes: Vec<OfShape>,
}

/// The queries of one shape.
#[derive(Debug)]
struct OfShape {
    shape: u64,
    summary: Arc<str>,
    /// Those that began when the one before had ended, and the time in them.
    in_turn: u32,
    nanos: Nanos,
    last_end: Nanos,
    /// Whether another query had ended before the first of them.
    follows: bool,
}

impl Tally {
    /// Counts a query that ended.
    pub(super) fn count(&mut self, shape: u64, summary: &Arc<str>, start: Nanos, end: Nanos) {
        let nanos = end.saturating_sub(start);
        self.queries = self.queries.saturating_add(1);
        self.nanos = self.nanos.saturating_add(nanos);
        if let Some(known) = self.shapes.iter_mut().find(|known| known.shape == shape) {
            self.duplicates = self.duplicates.saturating_add(1);
            if start >= known.last_end {
                known.in_turn = known.in_turn.saturating_add(1);
                known.nanos = known.nanos.saturating_add(nanos);
            }
            known.last_end = known.last_end.max(end);
        } else if self.shapes.len() < MAX_SHAPES {
            self.shapes.push(OfShape {
                shape,
                summary: Arc::clone(summary),
                in_turn: 1,
                nanos,
                last_end: end,
                follows: self.first_end.is_some_and(|first| first <= start),
            });
        }
        let first = self.first_end.get_or_insert(end);
        *first = end.min(*first);
    }

    /// The summary of the shape that is "N+1 queries"; of several the one that took longest.
    pub(crate) fn n_plus_one(&self) -> Option<&Arc<str>> {
        let found = self
            .shapes
            .iter()
            .filter(|of| of.follows && of.in_turn >= N_PLUS_ONE && of.nanos > N_PLUS_ONE_NANOS);
        found.max_by_key(|of| of.nanos).map(|of| &of.summary)
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
    fn tally(queries: &[(u64, Nanos, Nanos)]) -> Tally {
        let mut tally = Tally::default();
        for (shape, start, end) in queries {
            let summary = format!("SELECT s{shape}").into();
            tally.count(*shape, &summary, start * MS, end * MS);
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
        assert_eq!((many.queries, many.duplicates, many.nanos), (4, 2, 35 * MS));
        many.clear();
        assert_eq!((many.queries, many.duplicates, many.nanos), (0, 0, 0));
        let different: Vec<_> = (0..1000).map(|n| (n, n, n + 1)).collect();
        let tally = tally(&different);
        assert_eq!((tally.queries, tally.duplicates), (1000, 0));
        assert_eq!(tally.shapes.len(), MAX_SHAPES);
    }
}
