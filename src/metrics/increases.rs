//! The increases of totals from one reading of all series to the next.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::histogram_values::HistogramValues;
use super::series::SeriesId;
use super::snapshot::{SeriesSnapshot, SeriesValue};

/// How many readings in a row may miss an observed total before its next value counts as its first.
const MAX_MISSING: u8 = 9;

/// The totals at the last reading, from which the increases of the next one are calculated.
///
/// A series of the registry that was not in the last reading started at zero. An observed total may have any age: what
/// its first value means is for the caller to decide. It may also be absent for a moment, such as when a file of the
/// system cannot be read, and it was reset to zero if it is lower than before.
#[derive(Debug)]
pub(crate) struct Increases {
    /// The totals of the registry's series, also of those that are not exposed: they may return with their totals.
    recorded: FxHashMap<SeriesId, SeriesValue>,
    observed: FxHashMap<ObservedKey, ObservedTotal>,
    /// The wall time of the last reading, at first of the start.
    last: u64,
}

/// The metric's exposed name and the labels of an observed counter.
type ObservedKey = (Arc<str>, Arc<str>);

#[derive(Debug, Clone, Copy)]
struct ObservedTotal {
    /// The wall time of the last reading before the total was first seen or reset.
    begins: u64,
    total: f64,
    /// The number of readings in a row that did not have it.
    missing: u8,
}

/// The increase of a counter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CounterIncrease {
    /// The increase since the last reading. Of an observed total that is seen for the first time, the whole total.
    pub(crate) value: f64,
    /// Whether an observed total is seen for the first time.
    #[cfg_attr(
        not(feature = "history"),
        expect(dead_code, reason = "only the history reads it")
    )]
    pub(crate) is_first: bool,
    /// The wall time, in nanoseconds since the Unix epoch, at which the total was zero. Of an observed total, the last
    /// reading before it was first seen or reset.
    #[cfg_attr(
        not(feature = "otlp"),
        expect(dead_code, reason = "only a push reads it")
    )]
    pub(crate) begins: u64,
}

/// A reading of all series that is in progress.
#[derive(Debug)]
pub(crate) struct TotalsReading<'a> {
    before: &'a mut Increases,
    wall: u64,
    /// The totals of this reading, as in [`Increases::recorded`].
    recorded: FxHashMap<SeriesId, SeriesValue>,
}

impl Increases {
    /// `start` is the wall time of the monitor's start, in nanoseconds since the Unix epoch.
    pub(crate) fn new(start: u64) -> Self {
        Self {
            recorded: FxHashMap::default(),
            observed: FxHashMap::default(),
            last: start,
        }
    }

    /// Begins a reading at this wall time. If it is not ended, the increases of the registry's series are in the next.
    pub(crate) fn begin(&mut self, wall: u64) -> TotalsReading<'_> {
        for total in self.observed.values_mut() {
            total.missing = total.missing.saturating_add(1);
        }
        TotalsReading {
            recorded: FxHashMap::default(),
            before: self,
            wall,
        }
    }
}

impl TotalsReading<'_> {
    /// The increase of a counter. `name` is the exposed name of its metric.
    pub(crate) fn counter(
        &mut self,
        name: &Arc<str>,
        series: &SeriesSnapshot,
        total: f64,
    ) -> CounterIncrease {
        if series.is_observed() {
            return self.observed(name, series, total);
        }
        let before = match self.before.recorded.get(&series.id) {
            Some(SeriesValue::Number(before)) => *before,
            _ => 0.0,
        };
        self.recorded.insert(series.id, SeriesValue::Number(total));
        CounterIncrease {
            value: total - before,
            is_first: false,
            begins: series.made_at,
        }
    }

    fn observed(
        &mut self,
        name: &Arc<str>,
        series: &SeriesSnapshot,
        total: f64,
    ) -> CounterIncrease {
        let key = (Arc::clone(name), Arc::clone(&series.labels));
        let new = ObservedTotal {
            begins: self.before.last,
            total: 0.0,
            missing: 0,
        };
        let mut is_first = false;
        let observed = self.before.observed.entry(key).or_insert_with(|| {
            is_first = true;
            new
        });
        if total < observed.total {
            *observed = new;
        }
        let value = total - observed.total;
        observed.total = total;
        observed.missing = 0;
        CounterIncrease {
            value,
            is_first,
            begins: observed.begins,
        }
    }

    /// The values that a histogram recorded since the last reading. `None` if it has not changed.
    pub(crate) fn histogram(
        &mut self,
        series: &SeriesSnapshot,
        total: &Arc<HistogramValues>,
    ) -> Option<Arc<HistogramValues>> {
        let now = SeriesValue::Histogram(Arc::clone(total));
        self.recorded.insert(series.id, now);
        match self.before.recorded.get(&series.id) {
            Some(SeriesValue::Histogram(before)) if Arc::ptr_eq(before, total) => None,
            Some(SeriesValue::Histogram(before)) => Some(Arc::new(total.since(before))),
            _ => Some(Arc::clone(total)),
        }
    }

    /// The wall time of the reading before this one, at first of the start.
    #[cfg(feature = "otlp")]
    pub(crate) fn last(&self) -> u64 {
        self.before.last
    }

    /// Ends the reading. The next one has the increases since this one.
    pub(crate) fn end(self) {
        let Self {
            before,
            wall,
            recorded,
        } = self;
        before.recorded = recorded;
        before
            .observed
            .retain(|_, total| total.missing <= MAX_MISSING);
        before.last = wall;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(id: u64, labels: &str) -> SeriesSnapshot {
        SeriesSnapshot {
            id: SeriesId(id),
            is_exposed: true,
            labels: labels.into(),
            made_at: 40,
            value: SeriesValue::Number(0.0),
            exemplars: Vec::new(),
        }
    }

    /// Reads one counter, unless its total is `None`.
    fn read(
        increases: &mut Increases,
        wall: u64,
        id: u64,
        total: Option<f64>,
    ) -> Option<(f64, bool, u64)> {
        let mut reading = increases.begin(wall);
        let name = Arc::from("seen_total");
        let read = total.map(|total| reading.counter(&name, &series(id, ""), total));
        reading.end();
        read.map(|it| (it.value, it.is_first, it.begins))
    }

    #[test]
    fn a_counter_of_the_registry_started_at_zero() {
        let mut increases = Increases::new(7);
        let mut read = |wall, id, total| read(&mut increases, wall, id, total);
        assert_eq!(read(10, 1, Some(5.0)), Some((5.0, false, 40)));
        assert_eq!(read(20, 1, Some(8.0)), Some((3.0, false, 40)));
        // Another series with the same labels has another number.
        assert_eq!(read(30, 2, Some(9.0)), Some((9.0, false, 40)));
    }

    #[test]
    fn an_observed_total_is_first_seen_then_grows_and_is_reset() {
        let mut increases = Increases::new(7);
        let mut read = |wall, total| read(&mut increases, wall, 0, total);
        assert_eq!(read(10, Some(100.0)), Some((100.0, true, 7)));
        assert_eq!(read(20, Some(130.0)), Some((30.0, false, 7)));
        assert_eq!(read(30, Some(20.0)), Some((20.0, false, 20)));
        for wall in 31..31 + u64::from(MAX_MISSING) {
            assert_eq!(read(wall, None), None);
        }
        assert_eq!(read(50, Some(25.0)), Some((5.0, false, 20)));
        for wall in 51..=51 + u64::from(MAX_MISSING) {
            assert_eq!(read(wall, None), None);
        }
        assert_eq!(read(70, Some(26.0)), Some((26.0, true, 60)));
    }

    #[test]
    fn a_reading_that_is_not_ended_loses_nothing_of_the_registry() {
        let mut increases = Increases::new(0);
        read(&mut increases, 10, 1, Some(5.0));
        let mut reading = increases.begin(20);
        reading.counter(&Arc::from("seen_total"), &series(1, ""), 6.0);
        drop(reading);
        assert_eq!(
            read(&mut increases, 30, 1, Some(8.0)),
            Some((3.0, false, 40))
        );
    }
}
