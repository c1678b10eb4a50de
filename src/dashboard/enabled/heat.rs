//! How many requests took how long, over time: the cells of a heat map.

use std::time::Duration;

use super::json::ObjectWriter;
use super::past::{time, window};
use super::route_figures;
use crate::history::{History, MetricQuery};

/// The bounds of the rows: five for each power of ten, from 0.1 ms to 1000 s. They are rounded to two digits, so that they
/// are readable.
const DIGITS: [f64; 5] = [1.0, 1.6, 2.5, 4.0, 6.3];
const POWERS: [f64; 7] = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0];
/// The maximum number of columns.
pub(super) const MAX_COLUMNS: u64 = 80;

/// The cells of a heat map. Row 0 is below the first bound, and each other one begins with a bound.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct HeatMap {
    /// Seconds, in ascending order.
    pub(super) bounds: Vec<f64>,
    /// The counts of the rows of each step; `None` without data.
    pub(super) columns: Vec<Option<Vec<u64>>>,
}

/// Reads a heat map of the steps that end at `end`: as much as one curve of a quantile. Rows without a value at the
/// edges are left out.
pub(super) fn read(
    history: &History,
    query: MetricQuery,
    end: u64,
    step: Duration,
    steps: usize,
) -> Result<HeatMap, String> {
    let powers = POWERS.iter();
    let bounds: Vec<f64> = powers
        .flat_map(|power| DIGITS.map(|digit| digit * power))
        .collect();
    let step_ms = u64::try_from(step.as_millis()).unwrap_or(u64::MAX).max(1);
    let start = route_figures::start(end, step, steps);
    let first = time(start.saturating_add(step_ms));
    let query = query.total().window(window(history, step));
    let read = history.distributions(&query, first, time(end), step);
    let mut columns: Vec<Option<Vec<u64>>> = vec![None; steps];
    for (at, values) in read.map_err(|error| error.to_string())? {
        let passed = at.max(0).unsigned_abs().saturating_sub(start) / step_ms;
        let place = usize::try_from(passed)
            .ok()
            .and_then(|it| it.checked_sub(1));
        if let Some(column) = place.and_then(|place| columns.get_mut(place)) {
            *column = Some(values.counts_between(&bounds));
        }
    }
    Ok(cut(&bounds, columns))
}

/// Leaves out the rows before the first and after the last one with a value.
fn cut(bounds: &[f64], mut columns: Vec<Option<Vec<u64>>>) -> HeatMap {
    let is_used = |row: usize| {
        let mut counts = columns.iter().flatten();
        counts.any(|counts| counts.get(row).is_some_and(|count| *count > 0))
    };
    let mut rows = (0..=bounds.len()).filter(|row| is_used(*row));
    let Some(first) = rows.next() else {
        return HeatMap {
            bounds: Vec::new(),
            columns: vec![None; columns.len()],
        };
    };
    // The first row is below the first bound, so that no row is open downwards unless values are.
    let last = rows.next_back().unwrap_or(first);
    let low = first.saturating_sub(1);
    for column in columns.iter_mut().flatten() {
        column.truncate(last + 1);
        column.drain(..low.min(column.len()));
    }
    HeatMap {
        bounds: bounds.get(low..last).unwrap_or_default().to_vec(),
        columns,
    }
}

/// Writes a heat map whose first step begins at `start`.
pub(super) fn put(it: &mut ObjectWriter<'_>, map: &HeatMap, start: u64, step_ms: u64) {
    it.integer("start", start);
    it.integer("step_ms", step_ms);
    let bounds: Vec<Option<f64>> = map.bounds.iter().copied().map(Some).collect();
    it.numbers("bounds", &bounds);
    it.list("columns", |list| {
        for column in &map.columns {
            match column {
                None => list.raw("null"),
                Some(counts) => {
                    let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
                    list.raw(&format!("[{}]", counts.join(",")));
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_values_at_the_edges_are_left_out() {
        let bounds = [0.1, 1.0, 10.0, 100.0];
        let columns = vec![None, Some(vec![0, 0, 2, 0, 0]), Some(vec![0, 0, 0, 1, 0])];
        let map = cut(&bounds, columns);
        // Row 1 is from 0.1 to 1 and is empty: it gives the first used row its lower bound.
        assert_eq!(map.bounds, [1.0, 10.0]);
        assert_eq!(
            map.columns,
            [None, Some(vec![0, 2, 0]), Some(vec![0, 0, 1])]
        );
        let lowest = cut(&bounds, vec![Some(vec![3, 0, 0, 0, 0])]);
        assert_eq!(
            (lowest.bounds, lowest.columns),
            (vec![], vec![Some(vec![3])])
        );
        let highest = cut(&bounds, vec![Some(vec![0, 0, 0, 0, 4])]);
        assert_eq!(highest.bounds, [100.0]);
        assert_eq!(highest.columns, [Some(vec![0, 4])]);
        let none = cut(&bounds, vec![None, Some(vec![0; 5])]);
        assert_eq!((none.bounds, none.columns), (vec![], vec![None, None]));
    }
}
