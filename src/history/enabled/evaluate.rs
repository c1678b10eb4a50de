//! The evaluation of a query over series that were read from a store.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::column::Column;
use super::metric_query::{Aggregation, Function, Grouping, MetricQuery, Point, ResultSeries};
use super::numbers::is_missing;
use super::store::{SeriesData, SeriesKind};
use super::time_range::time_of;
use super::timeline::{Tick, TickTime};
use crate::metrics::{HistogramSum, HistogramValues, label_pairs};

/// The labels of a group.
type Labels = Vec<(String, String)>;

/// The ticks of one window, and the time that they cover.
struct Window {
    at: i64,
    /// Ranges of consecutive ticks: one, unless the wall clock was set back.
    ticks: Vec<Range<Tick>>,
    seconds: f64,
}

/// The labels of a series, unescaped.
pub(super) fn labels_of(canonical: &str) -> Labels {
    label_pairs(canonical)
        .map(|(label, value)| (label.to_owned(), value))
        .collect()
}

/// Evaluates a query at each of the times, which are in milliseconds since the Unix epoch. `ticks` contains all ticks of
/// the windows.
pub(super) fn evaluate(
    query: &MetricQuery,
    series: &[SeriesData],
    ticks: &[(Tick, TickTime)],
    times: &[i64],
) -> Vec<ResultSeries> {
    let is_sorted = ticks.is_sorted_by_key(|(_, time)| time.wall);
    let windows: Vec<Window> = times
        .iter()
        .map(|at| window(ticks, is_sorted, *at, query.window))
        .collect();
    let mut groups: BTreeMap<Labels, Vec<&SeriesData>> = BTreeMap::new();
    for data in series {
        let labels = group_of(&query.grouping, labels_of(&data.key.labels));
        groups.entry(labels).or_default().push(data);
    }
    let results = groups.into_iter().map(|(labels, series)| ResultSeries {
        labels,
        points: points(query, &series, &windows),
    });
    results.filter(|result| !result.points.is_empty()).collect()
}

fn window(ticks: &[(Tick, TickTime)], is_sorted: bool, at: i64, length: Duration) -> Window {
    let length = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    let after = at.saturating_sub(length);
    // The wall times are in order, unless the clock was set back.
    let candidates = if is_sorted {
        let first = ticks.partition_point(|(_, time)| time.wall <= after);
        let end = ticks.partition_point(|(_, time)| time.wall <= at);
        ticks.get(first..end).unwrap_or_default()
    } else {
        ticks
    };
    let mut ranges: Vec<Range<Tick>> = Vec::new();
    let mut millis = 0_i64;
    for (tick, time) in candidates {
        if time.wall <= after || time.wall > at {
            continue;
        }
        millis = millis.saturating_add(time.length);
        match ranges.last_mut() {
            Some(range) if range.end == *tick => range.end += 1,
            _ => ranges.push(*tick..tick + 1),
        }
    }
    Window {
        at,
        ticks: ranges,
        seconds: Duration::from_millis(millis.unsigned_abs()).as_secs_f64(),
    }
}

fn group_of(grouping: &Grouping, labels: Labels) -> Labels {
    match grouping {
        Grouping::Each => labels,
        Grouping::By(wanted) => {
            let is_wanted = |(label, _): &(String, String)| wanted.contains(label);
            labels.into_iter().filter(is_wanted).collect()
        }
    }
}

/// The values of one group at the end of each window.
fn points(query: &MetricQuery, series: &[&SeriesData], windows: &[Window]) -> Vec<Point> {
    let columns: Vec<_> = series
        .iter()
        .map(|data| (data.kind, data.columns().collect::<Vec<_>>()))
        .collect();
    let values = windows.iter().map(|window| {
        let mut group = Group::default();
        for (kind, columns) in &columns {
            group.add(*kind, columns, window);
        }
        Some((window.at, group.value(query, window)?))
    });
    values
        .flatten()
        .map(|(at, value)| Point {
            at: time_of(at),
            value,
        })
        .collect()
}

/// The values of several series in one window.
#[derive(Default)]
struct Group {
    histogram: Option<HistogramSum>,
    increase: Option<f64>,
    gauges: Vec<GaugeValues>,
}

/// The values of a gauge in one window.
struct GaugeValues {
    last: f64,
    sum: f64,
    count: u32,
    min: f64,
    max: f64,
}

impl Group {
    /// Adds the values that a series has in the window.
    fn add(&mut self, kind: SeriesKind, columns: &[(Tick, Column)], window: &Window) {
        let mut gauge: Option<GaugeValues> = None;
        for (first, column) in columns {
            match column {
                Column::Numbers(values) => {
                    let values = steps(window, *first, values).copied();
                    for value in values.filter(|value| !is_missing(*value)) {
                        if kind == SeriesKind::Gauge {
                            gauge = Some(GaugeValues::with(gauge, value));
                        } else {
                            self.increase = Some(self.increase.unwrap_or(0.0) + value);
                        }
                    }
                }
                Column::Histograms { empty, steps: all } => {
                    for values in steps(window, *first, all).flatten() {
                        self.histogram
                            .get_or_insert_with(|| HistogramSum::with_bounds_of(empty))
                            .add(values);
                    }
                }
                Column::Gauges(_) => {}
            }
        }
        self.gauges.extend(gauge);
    }

    /// The result of the query. `None` if no series has a value that the function applies to.
    fn value(&self, query: &MetricQuery, window: &Window) -> Option<f64> {
        if let Some(sum) = &self.histogram {
            return of_histogram(query.function, &sum.values(), window);
        }
        let gauges = || self.gauges.iter();
        match (query.function, self.increase) {
            (Function::Increase, increase) => increase,
            (Function::Rate, Some(increase)) => per_second(increase, window),
            (Function::Last, _) => aggregate(query.aggregation, gauges().map(|it| it.last)),
            (Function::Mean, _) => {
                let mean = |gauge: &GaugeValues| gauge.sum / f64::from(gauge.count);
                aggregate(query.aggregation, gauges().map(mean))
            }
            (Function::Min, _) => aggregate(query.aggregation, gauges().map(|it| it.min)),
            (Function::Max, _) => aggregate(query.aggregation, gauges().map(|it| it.max)),
            (Function::Rate | Function::SumIncrease | Function::Quantile(_), _) => None,
        }
    }
}

impl GaugeValues {
    fn with(before: Option<Self>, value: f64) -> Self {
        match before {
            None => Self {
                last: value,
                sum: value,
                count: 1,
                min: value,
                max: value,
            },
            Some(before) => Self {
                last: value,
                sum: before.sum + value,
                count: before.count.saturating_add(1),
                min: before.min.min(value),
                max: before.max.max(value),
            },
        }
    }
}

/// The values of a column at the ticks of a window.
fn steps<'a, T>(window: &'a Window, first: Tick, values: &'a [T]) -> impl Iterator<Item = &'a T> {
    let index = move |tick: Tick| usize::try_from(tick.saturating_sub(first)).unwrap_or(usize::MAX);
    let inside = move |range: &Range<Tick>| {
        let end = index(range.end).min(values.len());
        values.get(index(range.start)..end).unwrap_or_default()
    };
    window.ticks.iter().flat_map(inside)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts above 2^53 may be rounded"
)]
fn of_histogram(function: Function, values: &HistogramValues, window: &Window) -> Option<f64> {
    let count = values.count() as f64;
    match function {
        Function::Increase => Some(count),
        Function::Rate => per_second(count, window),
        Function::SumIncrease => Some(values.sum()),
        Function::Mean => (count > 0.0).then(|| values.sum() / count),
        Function::Quantile(rank) => {
            let values = values.distribution();
            values.quantile(rank)
        }
        Function::Last | Function::Min | Function::Max => None,
    }
}

fn per_second(increase: f64, window: &Window) -> Option<f64> {
    (window.seconds > 0.0).then(|| increase / window.seconds)
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
