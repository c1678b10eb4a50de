//! The evaluation of a query over the steps that its plan contains.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::column::Column;
use super::gauge::GaugeValues;
use super::metric_query::{Aggregation, Function, Grouping, MetricQuery, Point, ResultSeries};
use super::numbers::{MISSING, is_missing};
use super::plan::{Piece, Plan, Window};
use super::roll_up::{CoarseSum, CoarseValue, CountAndSum, sum_of};
use super::steps::{SeriesKey, SeriesRun, StepFlags};
use super::time_range::time_of;
#[cfg(feature = "dashboard")]
use crate::metrics::Distribution;
use crate::metrics::{HistogramSum, HistogramValues, label_pairs};

/// The labels of a series or a group.
pub(super) type Labels = Vec<(String, String)>;

/// The labels of a series, unescaped.
fn labels_of(canonical: &str) -> Labels {
    label_pairs(canonical)
        .map(|(label, value)| (label.to_owned(), value))
        .collect()
}

/// Collects the values that a query reads, and calculates its results.
///
/// Values are added up as they come, in the slots of the plan. What is kept for each slot is one number for a group of
/// counters, two numbers for a gauge or a group of histograms, and one histogram for a group if the query is of a quantile.
pub(super) struct Evaluation<'a> {
    query: &'a MetricQuery,
    plan: &'a Plan,
    /// The pieces of each source, in the order of time, with their positions in the plan.
    pieces: Vec<Vec<(usize, &'a Piece)>>,
    groups: Vec<GroupValues>,
    by_labels: BTreeMap<Labels, usize>,
    series: FxHashMap<SeriesKey, SeriesPlace>,
}

/// Where the values of a series are added.
#[derive(Debug, Clone, Copy)]
struct SeriesPlace {
    group: usize,
    /// Its position in the group.
    member: usize,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(query: &'a MetricQuery, plan: &'a Plan) -> Self {
        let mut pieces: Vec<Vec<(usize, &Piece)>> = Vec::new();
        for (position, piece) in plan.pieces.iter().enumerate() {
            if let Some(of_source) = slot_of(&mut pieces, piece.source, Vec::new()) {
                of_source.push((position, piece));
            }
        }
        Self {
            query,
            plan,
            pieces,
            groups: Vec::new(),
            by_labels: BTreeMap::new(),
            series: FxHashMap::default(),
        }
    }

    /// Adds values that were read from a source.
    pub(super) fn add(&mut self, source: usize, run: &SeriesRun) {
        let steps = run.steps();
        let place = self.place_of(&run.key);
        let pieces = self.pieces.get(source).map_or(&[][..], Vec::as_slice);
        let Some(group) = self.groups.get_mut(place.group) else {
            return;
        };
        let first = pieces.partition_point(|(_, piece)| piece.groups.all().end <= steps.start);
        for (position, piece) in pieces.get(first..).unwrap_or_default() {
            if piece.groups.all().start >= steps.end {
                break;
            }
            for part in piece.groups.overlapping(&steps) {
                let steps = piece.groups.steps(part);
                let value = match self.query.function {
                    Function::Quantile(_) => CoarseValue::of(run, &steps),
                    _ => CoarseValue::without_cells(run, &steps),
                };
                if let Some(value) = value {
                    let slot = piece.first_slot + part;
                    group.add(slot, run, value, |gauges, values| {
                        if let Some(gauge) = slot_of(gauges, place.member, GaugeSlots::default()) {
                            gauge.add(slot, *position, values, self.query.function);
                        }
                    });
                }
            }
        }
    }

    fn place_of(&mut self, key: &SeriesKey) -> SeriesPlace {
        if let Some(place) = self.series.get(key) {
            return *place;
        }
        let labels = self.query.grouping.of(labels_of(&key.labels));
        let groups = &mut self.groups;
        let group = *self.by_labels.entry(labels).or_insert_with(|| {
            groups.push(GroupValues::default());
            groups.len() - 1
        });
        let mut member = 0;
        if let Some(group) = groups.get_mut(group) {
            member = group.members;
            group.members += 1;
        }
        let place = SeriesPlace { group, member };
        self.series.insert(key.clone(), place);
        place
    }

    /// The results, sorted by labels.
    pub(super) fn finish(self) -> Vec<ResultSeries> {
        let Self {
            query,
            plan,
            groups,
            by_labels,
            ..
        } = self;
        let results = by_labels.into_iter().filter_map(|(labels, group)| {
            let group = groups.get(group)?;
            let windows = plan.windows.iter();
            let points: Vec<Point> = windows
                .filter_map(|window| group.point(query, window))
                .collect();
            (!points.is_empty()).then_some(ResultSeries { labels, points })
        });
        results.collect()
    }
}

#[cfg(feature = "dashboard")]
impl Evaluation<'_> {
    /// The values that all selected histograms recorded in each window, with the time of its end. A window without a
    /// histogram is left out.
    pub(super) fn distributions(self) -> Vec<(i64, Distribution)> {
        let mut all: Vec<(i64, Distribution)> = Vec::new();
        for window in &self.plan.windows {
            let groups = self.groups.iter();
            let values = groups.filter_map(|group| group.histogram(window));
            let sum = values.fold(None, |sum: Option<Distribution>, values| {
                let mut sum = sum.unwrap_or_default();
                sum.add(&values.distribution());
                Some(sum)
            });
            all.extend(sum.map(|sum| (window.at, sum)));
        }
        all
    }
}

impl Grouping {
    fn of(&self, labels: Labels) -> Labels {
        match self {
            Self::Each => labels,
            Self::By(wanted) => {
                let is_wanted = |(label, _): &(String, String)| wanted.contains(label);
                labels.into_iter().filter(is_wanted).collect()
            }
        }
    }
}

/// The values of a group in the slots of the plan.
#[derive(Debug, Default)]
struct GroupValues {
    /// The increases of all counters.
    increases: Vec<f64>,
    /// The totals of all histograms, of a query that needs no cells.
    totals: Vec<Option<CountAndSum>>,
    /// The values of all histograms, by their bounds, of a query that does.
    histograms: Vec<HistogramSlots>,
    /// By their positions in the group.
    gauges: Vec<GaugeSlots>,
    /// The number of series.
    members: usize,
    /// The slots with anomalies.
    anomalies: Vec<usize>,
}

#[derive(Debug)]
struct HistogramSlots {
    empty: HistogramValues,
    slots: Vec<Option<HistogramValues>>,
}

/// What a query needs of a gauge.
#[derive(Debug, Clone, Default)]
struct GaugeSlots {
    /// The sum of the values in a slot, or the last, lowest or highest of them.
    values: Vec<f64>,
    /// The number of values for a mean; the piece of the last value for the last one.
    weights: Vec<f64>,
}

/// Sets the length to one more than `slot` at least, and returns the value at `slot`.
fn slot_of<T: Clone>(values: &mut Vec<T>, slot: usize, empty: T) -> Option<&mut T> {
    if values.len() <= slot {
        values.resize(slot + 1, empty);
    }
    values.get_mut(slot)
}

impl GroupValues {
    fn add(
        &mut self,
        slot: usize,
        run: &SeriesRun,
        value: CoarseValue,
        add_gauge: impl FnOnce(&mut Vec<GaugeSlots>, &GaugeValues),
    ) {
        if value.flags.contains(StepFlags::ANOMALY) && self.anomalies.last() != Some(&slot) {
            match self.anomalies.binary_search(&slot) {
                Ok(_) => {}
                Err(place) => self.anomalies.insert(place, slot),
            }
        }
        match value.sum {
            CoarseSum::Increase(increase) => {
                if let Some(all) = slot_of(&mut self.increases, slot, MISSING) {
                    *all = if is_missing(*all) {
                        increase
                    } else {
                        *all + increase
                    };
                }
            }
            CoarseSum::Gauge(values) => add_gauge(&mut self.gauges, &values),
            CoarseSum::Totals(totals) => {
                if let Some(all) = slot_of(&mut self.totals, slot, None) {
                    *all = Some(all.map_or(totals, |before| before.plus(totals)));
                }
            }
            CoarseSum::Histogram(values) => self.add_histogram(slot, run, values),
        }
    }

    fn add_histogram(&mut self, slot: usize, run: &SeriesRun, values: HistogramValues) {
        let Column::Histograms { empty, .. } = &*run.column else {
            return;
        };
        let mut known = self.histograms.iter();
        let place = known.position(|other| other.empty.bounds() == empty.bounds());
        let place = place.unwrap_or_else(|| {
            self.histograms.push(HistogramSlots {
                empty: (**empty).clone(),
                slots: Vec::new(),
            });
            self.histograms.len() - 1
        });
        let slots = self.histograms.get_mut(place).map(|all| &mut all.slots);
        if let Some(all) = slots.and_then(|slots| slot_of(slots, slot, None)) {
            *all = Some(match all.take() {
                Some(before) => sum_of(empty, [&before, &values]),
                None => values,
            });
        }
    }

    /// The value at the end of a window. `None` if no series has a value that the function applies to.
    fn point(&self, query: &MetricQuery, window: &Window) -> Option<Point> {
        let value = self.value(query, window)?;
        Some(Point {
            at: time_of(window.at),
            value,
            is_anomaly: window.slots.iter().any(|slots| {
                let first = self.anomalies.partition_point(|slot| *slot < slots.start);
                self.anomalies
                    .get(first)
                    .is_some_and(|slot| *slot < slots.end)
            }),
            has_gap: window.has_gap,
        })
    }

    fn value(&self, query: &MetricQuery, window: &Window) -> Option<f64> {
        if let Function::Quantile(rank) = query.function {
            return self.histogram(window)?.distribution().quantile(rank);
        }
        let totals = inside(&self.totals, window).flatten().copied();
        if let Some(totals) = totals.reduce(CountAndSum::plus) {
            return of_totals(query.function, totals, window);
        }
        let gauges = || {
            let gauges = self.gauges.iter();
            gauges.filter_map(|gauge| gauge.value(query.function, window))
        };
        match query.function {
            Function::Increase => self.increase(window),
            Function::Rate => per_second(self.increase(window)?, window),
            Function::Last | Function::Mean | Function::Min | Function::Max => {
                aggregate(query.aggregation, gauges())
            }
            Function::SumIncrease | Function::Quantile(_) => None,
        }
    }

    fn increase(&self, window: &Window) -> Option<f64> {
        let increases = inside(&self.increases, window).copied();
        let increases = increases.filter(|increase| !is_missing(*increase));
        increases.reduce(|one, other| one + other)
    }

    fn histogram(&self, window: &Window) -> Option<HistogramValues> {
        let values = self.histograms.iter();
        let mut values = values.flat_map(|all| inside(&all.slots, window).flatten());
        let first = values.next()?;
        // Most windows are one slot.
        let Some(second) = values.next() else {
            return Some(first.clone());
        };
        let mut sum = HistogramSum::with_bounds_of(first);
        sum.add(first);
        sum.add(second);
        values.for_each(|values| sum.add(values));
        Some(sum.values())
    }
}

impl GaugeSlots {
    fn add(&mut self, slot: usize, piece: usize, values: &GaugeValues, function: Function) {
        let Some(all) = slot_of(&mut self.values, slot, MISSING) else {
            return;
        };
        let is_first = is_missing(*all);
        match function {
            Function::Mean => {
                *all = if is_first {
                    values.sum
                } else {
                    *all + values.sum
                };
                if let Some(count) = slot_of(&mut self.weights, slot, 0.0) {
                    *count += values.count;
                }
            }
            Function::Min => {
                *all = if is_first {
                    values.min
                } else {
                    all.min(values.min)
                }
            }
            Function::Max => {
                *all = if is_first {
                    values.max
                } else {
                    all.max(values.max)
                }
            }
            // Sources are not read in the order of time, if one has pieces before and after those of another.
            _ => {
                if let Some(last) = slot_of(&mut self.weights, slot, 0.0) {
                    let piece = piece as f64;
                    if is_first || *last <= piece {
                        (*all, *last) = (values.last, piece);
                    }
                }
            }
        }
    }

    /// The value in a window. `None` if the gauge has none.
    fn value(&self, function: Function, window: &Window) -> Option<f64> {
        let values = inside(&self.values, window).copied();
        let mut values = values.filter(|value| !is_missing(*value));
        match function {
            Function::Mean => {
                let sum = values.reduce(|one, other| one + other)?;
                let count: f64 = inside(&self.weights, window).sum();
                Some(sum / count)
            }
            Function::Min => values.reduce(f64::min),
            Function::Max => values.reduce(f64::max),
            _ => values.next_back(),
        }
    }
}

/// The values in the slots of a window.
fn inside<'a, T>(values: &'a [T], window: &'a Window) -> impl DoubleEndedIterator<Item = &'a T> {
    let slots = window.slots.iter();
    slots.flat_map(|slots: &Range<usize>| {
        let end = slots.end.min(values.len());
        values.get(slots.start..end).unwrap_or_default()
    })
}

fn of_totals(function: Function, totals: CountAndSum, window: &Window) -> Option<f64> {
    let count = totals.count as f64;
    match function {
        Function::Increase => Some(count),
        Function::Rate => per_second(count, window),
        Function::SumIncrease => Some(totals.sum),
        Function::Mean => (totals.count > 0).then(|| totals.sum / count),
        Function::Quantile(_) | Function::Last | Function::Min | Function::Max => None,
    }
}

fn per_second(increase: f64, window: &Window) -> Option<f64> {
    let seconds = Duration::from_millis(window.millis.max(0).unsigned_abs()).as_secs_f64();
    (seconds > 0.0).then(|| increase / seconds)
}

fn aggregate(by: Aggregation, values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut count = 0_u32;
    let combined = values
        .inspect(|_| count += 1)
        .reduce(|one, other| match by {
            Aggregation::Sum | Aggregation::Mean => one + other,
            Aggregation::Min => one.min(other),
            Aggregation::Max => one.max(other),
        })?;
    Some(match by {
        Aggregation::Mean => combined / f64::from(count),
        _ => combined,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::roll_up::StepGroups;
    use super::super::steps::SeriesKind;
    use super::*;

    /// A histogram with a value in each of `cells` cells at each of four steps.
    fn run(labels: &str, bounds: &[f64], cells: u16) -> SeriesRun {
        let empty = HistogramValues::empty(bounds);
        let values = empty.with((0..cells).map(|code| (code, 1)).collect(), 0.5);
        SeriesRun {
            key: SeriesKey {
                name: "took_seconds".into(),
                labels: labels.into(),
            },
            kind: SeriesKind::Histogram,
            first: 0,
            column: Arc::new(Column::Histograms {
                empty: Box::new(empty),
                steps: vec![
                    Some(values.clone()),
                    Some(values.clone()),
                    None,
                    Some(values),
                ],
            }),
            flags: Vec::new(),
        }
    }

    /// One window over two slots of two steps each.
    fn plan() -> Plan {
        let mut groups = StepGroups::new(0);
        for is_new in [true, false, true, false] {
            groups.push(is_new);
        }
        let piece = Piece {
            source: 0,
            groups,
            first_slot: 0,
        };
        let window = Window {
            at: 40_000,
            slots: std::iter::once(0..2).collect(),
            millis: 40_000,
            has_gap: false,
        };
        Plan {
            pieces: vec![piece],
            windows: vec![window],
            slots: 2,
        }
    }

    #[test]
    fn only_a_quantile_keeps_the_cells_of_histograms() {
        let plan = plan();
        let runs = [
            run("code=\"a\"", &[0.1, 1.0], 40),
            run("code=\"b\"", &[0.5], 60),
        ];
        let of = |query: MetricQuery| {
            let query = query.total();
            let mut evaluation = Evaluation::new(&query, &plan);
            for run in &runs {
                evaluation.add(0, run);
            }
            let kept = evaluation.groups.iter().flat_map(|it| &it.histograms);
            let kept = kept.flat_map(|it| it.slots.iter().flatten()).count();
            let result = evaluation.finish();
            (result[0].points[0].value, kept)
        };
        let name = "took_seconds";
        // Three steps have values.
        assert_eq!(of(MetricQuery::increase(name)), (300.0, 0));
        assert_eq!(of(MetricQuery::rate(name)), (7.5, 0));
        assert_eq!(of(MetricQuery::sum_increase(name)), (3.0, 0));
        assert_eq!(of(MetricQuery::mean(name)), (0.01, 0));
        assert_eq!(of(MetricQuery::quantile(0.5, name)).1, 4);
    }
}
