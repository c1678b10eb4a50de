//! The spans of a trace as a tree.

use rustc_hash::{FxHashMap, FxHashSet};

use super::critical_path::{Interval, TimedSpan, critical_path};
use crate::clock::{Nanos, nanos};
use crate::model::SpanId;
use crate::trace::{KeptTrace, Span};

/// A span in the order in which a page shows it: below its parent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PlacedSpan<'a> {
    pub(super) span: &'a Span,
    /// 0 at the top.
    pub(super) depth: usize,
    /// The number of spans below it, at all depths. They follow it.
    pub(super) below: usize,
    /// From the start of the trace.
    pub(super) start: Nanos,
    pub(super) end: Nanos,
    /// Whether its parent should be in this trace, but is not.
    pub(super) is_orphan: bool,
    /// Whether it ended after its parent, which did not wait for it.
    pub(super) outlives_parent: bool,
    /// When the trace waited for this span itself.
    pub(super) on_path: Vec<Interval>,
}

/// Orders the spans of a trace. Each one is there once, whatever its parent is.
pub(super) fn placed(trace: &KeptTrace) -> Vec<PlacedSpan<'_>> {
    let spans = &trace.spans;
    let timed: Vec<TimedSpan> = spans
        .iter()
        .map(|span| {
            let start = nanos(span.start.duration_since(trace.start).unwrap_or_default());
            TimedSpan {
                start,
                end: start.saturating_add(nanos(span.duration)),
            }
        })
        .collect();
    let (order, tops) = order(spans);
    let mut children = vec![Vec::new(); spans.len()];
    for entry in &order {
        if let Some(of) = entry.parent.and_then(|parent| children.get_mut(parent)) {
            of.push(entry.index);
        }
    }
    let mut on_path = critical_path(&timed, &children, &tops);
    let below = below(&order);
    order
        .iter()
        .zip(below)
        .filter_map(|(entry, below)| {
            let span = spans.get(entry.index)?;
            let times = timed.get(entry.index)?;
            let parent = entry.parent.and_then(|parent| timed.get(parent));
            let has_parent = !span.is_root && span.parent_span_id != SpanId::NIL;
            Some(PlacedSpan {
                span,
                depth: entry.depth,
                below,
                start: times.start,
                end: times.end,
                is_orphan: entry.parent.is_none() && has_parent,
                outlives_parent: parent.is_some_and(|parent| times.end > parent.end),
                on_path: on_path
                    .get_mut(entry.index)
                    .map(std::mem::take)
                    .unwrap_or_default(),
            })
        })
        .collect()
}

struct Entry {
    index: usize,
    depth: usize,
    parent: Option<usize>,
}

/// The positions of the spans, each after its parent, and those at the top.
fn order(spans: &[Span]) -> (Vec<Entry>, Vec<usize>) {
    let mut children: FxHashMap<SpanId, Vec<usize>> = FxHashMap::default();
    let ids: FxHashSet<SpanId> = spans.iter().map(|span| span.span_id).collect();
    let mut tops = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        if span.is_root || span.parent_span_id == SpanId::NIL || !ids.contains(&span.parent_span_id)
        {
            tops.push(index);
        } else {
            children.entry(span.parent_span_id).or_default().push(index);
        }
    }
    let mut seen = vec![false; spans.len()];
    let mut order: Vec<Entry> = Vec::with_capacity(spans.len());
    let mut used = Vec::new();
    // The top of the tree first. Then all spans again: parents that form a circle are reached from no top.
    for start in tops.into_iter().chain(0..spans.len()) {
        if seen.get(start).is_none_or(|seen| *seen) {
            continue;
        }
        used.push(start);
        let mut waiting = vec![(start, 0, None)];
        while let Some((index, depth, parent)) = waiting.pop() {
            let (Some(span), Some(seen)) = (spans.get(index), seen.get_mut(index)) else {
                continue;
            };
            if std::mem::replace(seen, true) {
                continue;
            }
            order.push(Entry {
                index,
                depth,
                parent,
            });
            // Each ID once: of two spans with one ID, the first has the children.
            let below = children.remove(&span.span_id).unwrap_or_default();
            waiting.extend(
                below
                    .into_iter()
                    .rev()
                    .map(|child| (child, depth + 1, Some(index))),
            );
        }
    }
    (order, used)
}

/// How many of the following entries are below each one.
fn below(order: &[Entry]) -> Vec<usize> {
    let mut below = vec![0; order.len()];
    // The entries above the current one, with their depths.
    let mut above: Vec<(usize, usize)> = Vec::new();
    for (position, entry) in order.iter().enumerate() {
        while above.last().is_some_and(|(_, depth)| *depth >= entry.depth) {
            if let Some((ended, _)) = above.pop()
                && let Some(count) = below.get_mut(ended)
            {
                *count = position - ended - 1;
            }
        }
        above.push((position, entry.depth));
    }
    for (open, _) in above {
        if let Some(count) = below.get_mut(open) {
            *count = order.len() - open - 1;
        }
    }
    below
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::model::{KeepReason, TraceId};
    use crate::trace::{AttributeValue, SpanKind, SpanStatus};

    /// A span from and to these milliseconds; `parent` 0 makes it the root.
    pub(in crate::dashboard::enabled::traces) fn span(
        id: u64,
        parent: u64,
        name: &str,
        (from, to): (u64, u64),
    ) -> Span {
        Span {
            trace_id: TraceId::from_u128(1),
            span_id: SpanId::from_u64(id),
            parent_span_id: SpanId::from_u64(parent),
            is_root: parent == 0,
            parent_is_remote: false,
            name: name.to_owned(),
            kind: SpanKind::Internal,
            status: SpanStatus::Unset,
            status_message: String::new(),
            start: UNIX_EPOCH + Duration::from_millis(from),
            duration: Duration::from_millis(to - from),
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            scope: String::new(),
            left_out: 0,
        }
    }

    pub(in crate::dashboard::enabled::traces) fn with(
        mut span: Span,
        attributes: &[(&str, &str)],
    ) -> Span {
        let owned = attributes
            .iter()
            .map(|(key, text)| ((*key).to_owned(), AttributeValue::Str((*text).to_owned())));
        span.attributes.extend(owned);
        span
    }

    pub(in crate::dashboard::enabled::traces) fn trace(mut spans: Vec<Span>) -> KeptTrace {
        spans.sort_by_key(|span| span.start);
        let start = spans.first().map_or(UNIX_EPOCH, |span| span.start);
        let end = spans.iter().map(|span| span.start + span.duration).max();
        KeptTrace {
            trace_id: TraceId::from_u128(1),
            kept: KeepReason::Error,
            start,
            duration: end.map_or(Duration::ZERO, |end| end.duration_since(start).unwrap()),
            spans,
        }
    }

    fn names<'a>(placed: &[PlacedSpan<'a>]) -> Vec<(&'a str, usize, usize)> {
        let all = placed.iter();
        all.map(|it| (it.span.name.as_str(), it.depth, it.below))
            .collect()
    }

    #[test]
    fn spans_follow_their_parents_in_the_order_of_their_starts() {
        let trace = trace(vec![
            span(1, 0, "root", (0, 100)),
            span(2, 1, "second", (50, 90)),
            span(3, 1, "first", (10, 40)),
            span(4, 3, "below", (20, 30)),
        ]);
        let placed = placed(&trace);
        assert_eq!(
            names(&placed),
            [
                ("root", 0, 3),
                ("first", 1, 1),
                ("below", 2, 0),
                ("second", 1, 0)
            ]
        );
        assert!(placed.iter().all(|it| !it.is_orphan && !it.outlives_parent));
    }

    #[test]
    fn every_span_is_there_once_whatever_its_parent_is() {
        let trace = trace(vec![
            span(1, 0, "root", (10, 20)),
            span(2, 99, "without its parent", (11, 12)),
            span(3, 4, "in a circle", (12, 13)),
            span(4, 3, "closes it", (13, 14)),
            span(5, 5, "its own parent", (14, 15)),
            span(6, 1, "before its parent", (5, 12)),
            span(7, 1, "a task", (15, 40)),
        ]);
        let placed = placed(&trace);
        let mut all = names(&placed);
        all.sort_unstable();
        assert_eq!(all.len(), 7);
        let of = |name: &str| placed.iter().find(|it| it.span.name == name).unwrap();
        assert!(of("without its parent").is_orphan);
        assert!(of("a task").outlives_parent);
        assert_eq!(of("a task").on_path, []);
        // The trace starts with its earliest span, so no time is negative.
        assert_eq!(of("before its parent").start, 0);
        assert_eq!((of("root").start, of("root").below), (5_000_000, 2));
        assert_eq!(placed.last().unwrap().span.name, "its own parent");
    }

    #[test]
    fn a_trace_without_its_root_and_one_of_many_spans_are_placed() {
        let unfinished = trace(vec![span(2, 1, "a", (0, 10)), span(3, 2, "b", (2, 8))]);
        assert_eq!(names(&placed(&unfinished)), [("a", 0, 1), ("b", 1, 0)]);
        let wide = std::iter::once(span(1, 0, "root", (0, 20_000)))
            .chain((0..10_000).map(|n| span(n + 2, 1, "step", (n, n + 1))));
        let wide = trace(wide.collect());
        let of_wide = placed(&wide);
        assert_eq!((of_wide.len(), of_wide[0].below), (10_001, 10_000));
        let orphans = trace(
            (0..10_000)
                .map(|n| span(n + 2, 99_999, "lost", (n, n + 1)))
                .collect(),
        );
        assert!(
            placed(&orphans)
                .iter()
                .all(|it| it.is_orphan && it.depth == 0)
        );
    }
}
