//! The typical trace that one is compared with, and its spans that do the same.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::span_tree::PlacedSpan;
use crate::model::{KeepReason, TraceId};
use crate::trace::{RecentTraces, SimilarTrace, Span, find_similar};

/// The maximum number of traces among which the typical one is chosen.
const MAX_TRACES: usize = 1000;
/// With fewer traces of head sampling, all kept ones count.
const MIN_SAMPLES: usize = 3;

/// The trace with the median duration among those of the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TypicalTrace {
    pub(super) trace_id: TraceId,
    /// Among how many traces it is the median.
    pub(super) of: usize,
    /// Whether these were sampled at random. Others were kept because they are slow or failed.
    pub(super) is_sample: bool,
}

/// Chooses the typical trace of the route or name of `root`, in memory, without the trace itself.
pub(super) fn typical(recent: &Arc<RecentTraces>, root: &Span) -> Option<TypicalTrace> {
    let mut similar = find_similar(recent, root, MAX_TRACES);
    similar.retain(|it| it.trace_id != root.trace_id);
    median(&similar)
}

fn median(similar: &[SimilarTrace]) -> Option<TypicalTrace> {
    let is_sampled = |it: &&SimilarTrace| matches!(it.kept, KeepReason::Head | KeepReason::Parent);
    let sampled: Vec<_> = similar.iter().filter(is_sampled).collect();
    let is_sample = sampled.len() >= MIN_SAMPLES;
    let mut chosen = if is_sample {
        sampled
    } else {
        similar.iter().collect()
    };
    chosen.sort_by_key(|it| it.duration);
    let middle = chosen.get(chosen.len().saturating_sub(1) / 2)?;
    Some(TypicalTrace {
        trace_id: middle.trace_id,
        of: chosen.len(),
        is_sample,
    })
}

/// Returns for each span the position of the span that does the same in another trace: the one with the same names from the
/// root down; of several, the one at the same place in the order.
pub(super) fn counterparts(
    here: &[PlacedSpan<'_>],
    there: &[PlacedSpan<'_>],
) -> Vec<Option<usize>> {
    let positions: FxHashMap<_, _> = paths(there)
        .into_iter()
        .enumerate()
        .map(|(position, path)| (path, position))
        .collect();
    let found = paths(here).into_iter();
    found.map(|path| positions.get(&path).copied()).collect()
}

/// A number for the path of each span, with which of the spans of this path it is. Equal paths have equal numbers in all
/// traces, but for collisions of hashes, which would compare two spans that are not the same.
fn paths(spans: &[PlacedSpan<'_>]) -> Vec<(u64, usize)> {
    let mut above: Vec<u64> = Vec::new();
    let mut seen: FxHashMap<u64, usize> = FxHashMap::default();
    spans
        .iter()
        .map(|placed| {
            above.truncate(placed.depth);
            let parent = above.last().copied().unwrap_or(0xcbf2_9ce4_8422_2325);
            // A separator that is in no name.
            let bytes = placed.span.name.bytes().chain([0xff]);
            let path = bytes.fold(parent, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
            above.push(path);
            let count = seen.entry(path).or_default();
            *count += 1;
            (path, *count)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dashboard::enabled::traces::span_tree::placed;
    use crate::dashboard::enabled::traces::span_tree::tests::{span, trace};

    fn similar(id: u128, millis: u64, kept: KeepReason) -> SimilarTrace {
        SimilarTrace {
            trace_id: TraceId::from_u128(id),
            duration: Duration::from_millis(millis),
            kept,
        }
    }

    #[test]
    fn the_median_of_samples_is_typical_and_else_of_all() {
        use KeepReason::{Error, Head};

        assert_eq!(median(&[]), None);
        let slow = [
            similar(1, 900, Error),
            similar(2, 800, Error),
            similar(3, 20, Head),
        ];
        let chosen = median(&slow).unwrap();
        assert_eq!(
            (chosen.trace_id.to_u128(), chosen.of, chosen.is_sample),
            (2, 3, false)
        );
        let samples = [(4, 10), (5, 30), (6, 15)].map(|(id, millis)| similar(id, millis, Head));
        let all: Vec<_> = slow.into_iter().chain(samples).collect();
        let chosen = median(&all).unwrap();
        // 10, 15, 20, 30 ms.
        assert_eq!(
            (chosen.trace_id.to_u128(), chosen.of, chosen.is_sample),
            (6, 4, true)
        );
    }

    #[test]
    fn a_span_is_compared_with_the_one_at_the_same_place() {
        let here = trace(vec![
            span(1, 0, "root", (0, 100)),
            span(2, 1, "SELECT", (1, 10)),
            span(3, 1, "SELECT", (11, 20)),
            span(4, 3, "inner", (12, 13)),
            span(5, 1, "only here", (30, 40)),
        ]);
        let there = trace(vec![
            span(1, 0, "root", (0, 50)),
            span(7, 1, "other", (1, 2)),
            span(8, 1, "SELECT", (3, 4)),
            span(9, 1, "SELECT", (5, 6)),
            span(10, 9, "inner", (5, 6)),
        ]);
        let (here, there) = (placed(&here), placed(&there));
        let found = counterparts(&here, &there);
        let names: Vec<_> = here
            .iter()
            .zip(&found)
            .map(|(placed, at)| {
                (
                    placed.span.name.as_str(),
                    at.map(|at| there[at].span.span_id.to_u64()),
                )
            })
            .collect();
        assert_eq!(
            names,
            [
                ("root", Some(1)),
                ("SELECT", Some(8)),
                ("SELECT", Some(9)),
                ("inner", Some(10)),
                ("only here", None)
            ]
        );
    }
}
