//! The critical path of a trace: what its duration consists of.

use crate::clock::Nanos;

/// A span as the critical path needs it. Times count from the start of the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimedSpan {
    pub(super) start: Nanos,
    pub(super) end: Nanos,
}

/// A time within a trace, from its start.
pub(super) type Interval = (Nanos, Nanos);

/// Returns for each span the times during which the trace waited for the work of this span itself, in ascending order.
///
/// It goes back from the end of each of `tops`: the child that ended last is what a span waited for, then the child that ended
/// last before that one started, and so on. The times between them are the span's own. A child that ends after its parent
/// is a task that nobody waited for, so it is not on the path. Spans that are on no path have no times. `children` has
/// positions in `spans`; each span is a child once.
pub(super) fn critical_path(
    spans: &[TimedSpan],
    children: &[Vec<usize>],
    tops: &[usize],
) -> Vec<Vec<Interval>> {
    let mut own: Vec<Vec<Interval>> = vec![Vec::new(); spans.len()];
    // A list in place of recursion, since a trace may be deeper than a thread's stack allows. Each entry is a span with
    // the part of it that is on the path.
    let whole = |top: &usize| spans.get(*top).map(|root| (*top, (root.start, root.end)));
    let mut waiting: Vec<(usize, Interval)> = tops.iter().filter_map(whole).collect();
    while let Some((index, (from, to))) = waiting.pop() {
        let mut below: Vec<(usize, TimedSpan)> = children
            .get(index)
            .into_iter()
            .flatten()
            .filter_map(|child| Some((*child, *spans.get(*child)?)))
            .collect();
        below.sort_by_key(|(_, span)| std::cmp::Reverse(span.end));
        let mut at = to;
        let Some(own) = own.get_mut(index) else {
            continue;
        };
        for (child, span) in below {
            // The clock may have been set between them: only what lies within the parent counts.
            let start = span.start.max(from);
            if span.end > at || span.end <= start {
                continue;
            }
            if span.end < at {
                own.push((span.end, at));
            }
            waiting.push((child, (start, span.end)));
            at = start;
        }
        if at > from {
            own.push((from, at));
        }
        own.reverse();
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(spans: &[(Nanos, Nanos)], parents: &[usize]) -> Vec<Vec<Interval>> {
        let spans: Vec<_> = spans
            .iter()
            .map(|(start, end)| TimedSpan {
                start: *start,
                end: *end,
            })
            .collect();
        let mut children = vec![Vec::new(); spans.len()];
        for (child, parent) in parents.iter().enumerate() {
            children[*parent].push(child + 1);
        }
        critical_path(&spans, &children, &[0])
    }

    #[test]
    fn a_span_alone_is_all_of_it() {
        assert_eq!(path(&[(0, 10)], &[]), [vec![(0, 10)]]);
        assert_eq!(path(&[(0, 0)], &[]), [vec![]]);
    }

    #[test]
    fn what_a_span_waited_for_is_its_childrens() {
        // A root with two children, one after the other. The second one has a child.
        let own = path(&[(0, 100), (10, 30), (40, 90), (50, 80)], &[0, 0, 2]);
        assert_eq!(
            own,
            [
                vec![(0, 10), (30, 40), (90, 100)],
                vec![(10, 30)],
                vec![(40, 50), (80, 90)],
                vec![(50, 80)]
            ]
        );
        let sum: Nanos = own.iter().flatten().map(|(from, to)| to - from).sum();
        assert_eq!(sum, 100, "the times of the path are those of the root");
    }

    #[test]
    fn of_children_at_the_same_time_the_last_to_end_counts() {
        let own = path(&[(0, 100), (10, 60), (10, 90)], &[0, 0]);
        assert_eq!(own, [vec![(0, 10), (90, 100)], vec![], vec![(10, 90)]]);
    }

    #[test]
    fn a_task_that_ends_after_its_parent_is_not_waited_for() {
        let own = path(&[(0, 100), (10, 140), (20, 30)], &[0, 0]);
        assert_eq!(own, [vec![(0, 20), (30, 100)], vec![], vec![(20, 30)]]);
    }

    #[test]
    fn a_child_that_starts_before_its_parent_counts_from_there() {
        let own = path(&[(50, 100), (20, 70)], &[0]);
        assert_eq!(own, [vec![(70, 100)], vec![(50, 70)]]);
        // One that lies outside does not count at all.
        let own = path(&[(50, 100), (20, 40)], &[0]);
        assert_eq!(own, [vec![(50, 100)], vec![]]);
    }

    #[test]
    fn ten_thousand_spans_below_each_other_are_no_problem() {
        let depth = 10_000;
        let spans: Vec<_> = (0..depth).map(|n| (n, 2 * depth - n)).collect();
        let parents: Vec<_> = (0..spans.len() - 1).collect();
        let own = path(&spans, &parents);
        let sum: Nanos = own.iter().flatten().map(|(from, to)| to - from).sum();
        assert_eq!(sum, 2 * depth);
    }
}
