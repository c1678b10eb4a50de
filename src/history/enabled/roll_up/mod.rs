//! Roll-ups: steps of a coarser resolution, made of consecutive steps of a finer one.

use std::ops::Range;
use std::sync::Arc;

use super::column::{Column, GaugeSteps};
use super::gauge::GaugeValues;
use super::numbers::is_missing;
use super::steps::{Resolution, SeriesKind, SeriesRun, StepFlags, StepTime, Tick};
use crate::metrics::{HistogramSum, HistogramValues};

/// A series without values for more steps than this has two runs.
const MAX_MISSING: usize = 60;

/// Coarse steps, and the finer steps that each of them consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Groups {
    /// The coarse steps.
    pub(super) times: Vec<StepTime>,
    /// The finer steps of each.
    pub(super) of: StepGroups,
}

/// Consecutive steps in groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StepGroups {
    first: Tick,
    /// For each group, the step after its last.
    ends: Vec<Tick>,
}

impl Groups {
    /// The finer steps of a coarse one, by its position in `times`.
    pub(super) fn steps(&self, group: usize) -> Range<Tick> {
        self.of.steps(group)
    }
}

impl StepGroups {
    /// No groups. The first step will be `first`.
    pub(super) fn new(first: Tick) -> Self {
        Self {
            first,
            ends: Vec::new(),
        }
    }

    /// Adds the next step: to a new group, or to the last one.
    pub(super) fn push(&mut self, is_new: bool) {
        let end = self.all().end + 1;
        match self.ends.last_mut() {
            Some(last) if !is_new => *last = end,
            _ => self.ends.push(end),
        }
    }

    /// All steps.
    pub(super) fn all(&self) -> Range<Tick> {
        self.first..self.ends.last().copied().unwrap_or(self.first)
    }

    /// The steps of a group.
    pub(super) fn steps(&self, group: usize) -> Range<Tick> {
        let end = |group: usize| self.ends.get(group).copied();
        let start = group.checked_sub(1).and_then(end).unwrap_or(self.first);
        start..end(group).unwrap_or(start)
    }

    /// The groups that contain some of the steps.
    pub(super) fn overlapping(&self, steps: &Range<Tick>) -> Range<usize> {
        let start = self.ends.partition_point(|end| *end <= steps.start);
        let end = self.ends.partition_point(|end| *end < steps.end);
        start..(end + 1).min(self.ends.len())
    }
}

/// Groups steps into those of a coarser resolution. `first` is the number of the first of them.
///
/// Consecutive steps whose wall times are in the same minute or hour make one coarse step. Each change to another minute or
/// hour begins a new one, also if the clock was set back.
pub(super) fn roll_up_times(first: Tick, times: &[StepTime], to: Resolution) -> Groups {
    let mut groups = Groups {
        times: Vec::new(),
        of: StepGroups::new(first),
    };
    for time in times {
        let wall = to.end_of_step(time.wall);
        match groups.times.last_mut() {
            Some(group) if group.wall == wall && to != Resolution::Raw => {
                group.length = group.length.saturating_add(time.length);
                group.at = time.at;
                group.has_gap |= time.has_gap;
                group.snapshots = group.snapshots.saturating_add(time.snapshots);
                groups.of.push(false);
            }
            _ => {
                groups.times.push(StepTime { wall, ..*time });
                groups.of.push(true);
            }
        }
    }
    groups
}

/// Rolls up the values of series: increases are added, gauges become [`Column::Gauges`], and flags are united.
/// `first_coarse` is the number of the first coarse step.
///
/// The runs of one series may be in any order. Values of different kinds, or of histograms with different bounds, stay in
/// different runs, which then may overlap in the step of the change. Steps that are in no group are left out.
pub(super) fn roll_up_runs(
    runs: &[SeriesRun],
    groups: &Groups,
    first_coarse: Tick,
) -> Vec<SeriesRun> {
    let mut sorted: Vec<&SeriesRun> = runs.iter().collect();
    sorted.sort_by(|one, other| {
        let (key, other_key) = (&one.key, &other.key);
        key.name
            .cmp(&other_key.name)
            .then_with(|| key.labels.cmp(&other_key.labels))
            .then(one.first.cmp(&other.first))
    });
    let mut done: Vec<CoarseRun<'_>> = Vec::new();
    // The position of the first run of the current series.
    let mut current = 0;
    for run in sorted {
        if done
            .get(current)
            .is_some_and(|other| other.of.key != run.key)
        {
            current = done.len();
        }
        for group in groups.of.overlapping(&run.steps()) {
            let Some(value) = CoarseValue::of(run, &groups.steps(group)) else {
                continue;
            };
            let of_series = done.get_mut(current..).unwrap_or_default();
            // The latest is the one that goes on.
            let same = of_series
                .iter_mut()
                .rev()
                .find(|other| other.of.is_alike(run));
            if let Some(same) = same.filter(|same| group <= same.end() + MAX_MISSING) {
                same.add(group, value);
            } else {
                let mut new = CoarseRun::new(run, group);
                new.add(group, value);
                done.push(new);
            }
        }
    }
    done.into_iter()
        .map(|run| run.finish(first_coarse))
        .collect()
}

/// The values of a series in coarse steps.
struct CoarseRun<'a> {
    /// One of the finer runs.
    of: &'a SeriesRun,
    /// The position of the first group.
    first: usize,
    column: Column,
    flags: Vec<(u32, StepFlags)>,
}

/// The values of a series in one coarse step.
pub(super) struct CoarseValue {
    pub(super) sum: CoarseSum,
    pub(super) flags: StepFlags,
}

pub(super) enum CoarseSum {
    Increase(f64),
    Gauge(GaugeValues),
    Histogram(HistogramValues),
    /// Of a histogram whose cells are not needed.
    Totals(CountAndSum),
}

/// The number of values of a histogram, and their sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CountAndSum {
    pub(super) count: u64,
    pub(super) sum: f64,
}

impl CountAndSum {
    fn of(values: &HistogramValues) -> Self {
        Self {
            count: values.count(),
            sum: values.sum(),
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.wrapping_add(other.count),
            sum: self.sum + other.sum,
        }
    }
}

impl<'a> CoarseRun<'a> {
    fn new(of: &'a SeriesRun, first: usize) -> Self {
        let column = match (&*of.column, of.kind) {
            (Column::Histograms { empty, .. }, _) => Column::histograms(empty),
            (Column::Gauges(_), _) | (_, SeriesKind::Gauge) => {
                Column::Gauges(GaugeSteps::default())
            }
            (Column::Numbers(_), _) => Column::numbers(),
        };
        Self {
            of,
            first,
            column,
            flags: Vec::new(),
        }
    }

    /// The position after the last group.
    fn end(&self) -> usize {
        self.first + self.column.len()
    }

    /// Adds the values of a group, after those of it that are there.
    fn add(&mut self, group: usize, value: CoarseValue) {
        let Some(index) = group.checked_sub(self.first) else {
            return;
        };
        self.column.pad(index + 1);
        match (&mut self.column, value.sum) {
            (Column::Numbers(values), CoarseSum::Increase(increase)) => {
                if let Some(slot) = values.get_mut(index) {
                    *slot = if is_missing(*slot) {
                        increase
                    } else {
                        *slot + increase
                    };
                }
            }
            (Column::Gauges(gauges), CoarseSum::Gauge(values)) => gauges.add(index, &values),
            (Column::Histograms { empty, steps }, CoarseSum::Histogram(values)) => {
                if let Some(slot) = steps.get_mut(index) {
                    *slot = Some(match slot.take() {
                        Some(before) => sum_of(empty, [&before, &values]),
                        None => values,
                    });
                }
            }
            _ => {}
        }
        if value.flags == StepFlags::default() {
            return;
        }
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        match self.flags.last_mut() {
            Some((last, flags)) if *last == index => *flags = flags.with(value.flags),
            _ => self.flags.push((index, value.flags)),
        }
    }

    fn finish(self, first_coarse: Tick) -> SeriesRun {
        SeriesRun {
            key: self.of.key.clone(),
            kind: self.of.kind,
            first: first_coarse + self.first as u64,
            column: Arc::new(self.column),
            flags: self.flags,
        }
    }
}

impl CoarseValue {
    /// The values that a run has at some steps. `None` if it has none.
    pub(super) fn of(run: &SeriesRun, steps: &Range<Tick>) -> Option<Self> {
        let inside = run.positions(steps);
        let sum = match &*run.column {
            Column::Numbers(values) => {
                let values = values.get(inside.clone())?.iter().copied();
                let values = values.filter(|value| !is_missing(*value));
                if run.kind == SeriesKind::Gauge {
                    let values = values.map(GaugeValues::one);
                    CoarseSum::Gauge(values.reduce(|one, later| one.then(&later))?)
                } else {
                    CoarseSum::Increase(values.reduce(|one, other| one + other)?)
                }
            }
            Column::Gauges(gauges) => {
                let values = inside.clone().filter_map(|index| gauges.at(index));
                CoarseSum::Gauge(values.reduce(|one, later| one.then(&later))?)
            }
            Column::Histograms { empty, steps } => {
                let values = || {
                    steps
                        .get(inside.clone())
                        .unwrap_or_default()
                        .iter()
                        .flatten()
                };
                values().next()?;
                CoarseSum::Histogram(sum_of(empty, values()))
            }
        };
        let flags = run.flags_at(&inside);
        Some(Self { sum, flags })
    }

    /// The same with the totals of histograms alone, which take neither memory nor time for each cell.
    pub(super) fn without_cells(run: &SeriesRun, steps: &Range<Tick>) -> Option<Self> {
        let Column::Histograms { steps: values, .. } = &*run.column else {
            return Self::of(run, steps);
        };
        let inside = run.positions(steps);
        let values = values.get(inside.clone())?.iter().flatten();
        let totals = values.map(CountAndSum::of).reduce(CountAndSum::plus)?;
        Some(Self {
            sum: CoarseSum::Totals(totals),
            flags: run.flags_at(&inside),
        })
    }
}

/// With more cells, the sums of all cells are cheaper than to sort them.
const MAX_SORTED: usize = 256;

/// The sum of values with the same bounds.
pub(super) fn sum_of<'a>(
    empty: &HistogramValues,
    values: impl IntoIterator<Item = &'a HistogramValues, IntoIter: Clone>,
) -> HistogramValues {
    let values = values.into_iter();
    let all: usize = values.clone().map(|values| values.cells().len()).sum();
    if all > MAX_SORTED {
        let mut sum = HistogramSum::with_bounds_of(empty);
        values.for_each(|values| sum.add(values));
        return sum.values();
    }
    let (mut cells, mut sum) = (Vec::with_capacity(all), 0.0);
    for values in values {
        cells.extend_from_slice(values.cells());
        sum += values.sum();
    }
    cells.sort_unstable_by_key(|(code, _)| *code);
    cells.dedup_by(|(code, count), (first, sum)| {
        let is_same = code == first;
        if is_same {
            *sum = sum.wrapping_add(*count);
        }
        is_same
    });
    cells.shrink_to_fit();
    empty.with(cells, sum)
}

#[cfg(test)]
mod tests;
