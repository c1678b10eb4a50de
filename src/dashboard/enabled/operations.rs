//! Reads the figures of queries and of outgoing calls from the history.

use std::collections::BTreeMap;
use std::time::Duration;

use super::json::ObjectWriter;
use super::live_window::REQUESTS;
use super::past::{METHOD, ROUTE, finished, label, put_points, whole};
use super::periods::{step_millis, steps_of};
use super::route_figures::{RoutePeriod, read, read_range, start};
use crate::history::{History, MetricQuery, ResultSeries};

/// A histogram of durations, and how it is read.
pub(super) struct OperationSource {
    pub(super) metric: &'static str,
    /// The labels that tell the ends of operations apart.
    pub(super) class_labels: &'static [&'static str],
    pub(super) class: fn(&ResultSeries) -> OperationEnd,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OperationEnd {
    Completed,
    Failed,
    Cancelled,
}

/// What the operations of a group were like in a period.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct OperationFigures {
    pub(super) count: u64,
    pub(super) errors: u64,
    pub(super) cancelled: u64,
    /// Operations per second of the time that the history covers.
    pub(super) rate: Option<f64>,
    /// The seconds of all operations together.
    pub(super) seconds: f64,
    pub(super) p50: Option<f64>,
    pub(super) p95: Option<f64>,
    pub(super) p99: Option<f64>,
}

/// The curves of a group, with a value for each step.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct OperationCurves {
    pub(super) p50: Vec<Option<f64>>,
    pub(super) p95: Vec<Option<f64>>,
    pub(super) p99: Vec<Option<f64>>,
    /// Operations per second that failed, were cancelled, and all others.
    pub(super) ends: [Vec<Option<f64>>; 3],
}

/// The steps of curves: `count` steps that end at `end`, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct CurveSteps {
    pub(super) end: u64,
    pub(super) length: Duration,
    pub(super) count: usize,
}

impl CurveSteps {
    /// The steps of this length in a period.
    pub(super) fn of(period: RoutePeriod, length: Duration) -> Self {
        Self {
            end: period.to,
            length,
            count: steps_of(period, length),
        }
    }

    /// The begin of the first step.
    pub(super) fn start(self) -> u64 {
        start(self.end, self.length, self.count)
    }

    fn millis(self) -> u64 {
        step_millis(self.length)
    }
}

/// The values of the labels of a group, in the order in which they were asked for.
pub(super) type LabelValues = Vec<String>;

fn key_of(series: &ResultSeries, labels: &[&str]) -> LabelValues {
    let values = labels.iter().map(|name| label(series, name).to_owned());
    values.collect()
}

/// The figures of each group with operations in a period. `select` narrows the query.
pub(super) fn figures(
    history: &History,
    source: &OperationSource,
    labels: &[&str],
    period: RoutePeriod,
    select: &dyn Fn(MetricQuery) -> MetricQuery,
) -> Result<BTreeMap<LabelValues, OperationFigures>, String> {
    let mut groups = BTreeMap::<LabelValues, OperationFigures>::new();
    let window = period.window();
    let read = |query: MetricQuery| read(history, &select(query).window(window), period.to);
    let with_class: Vec<&str> = [labels, source.class_labels].concat();
    for (series, value) in read(MetricQuery::increase(source.metric).by(with_class))? {
        let figures = groups.entry(key_of(&series, labels)).or_default();
        let count = whole(value);
        figures.count += count;
        match (source.class)(&series) {
            OperationEnd::Completed => {}
            OperationEnd::Failed => figures.errors += count,
            OperationEnd::Cancelled => figures.cancelled += count,
        }
    }
    groups.retain(|_, figures| figures.count > 0);
    let labels_of = || labels.iter().copied();
    for (series, value) in read(MetricQuery::sum_increase(source.metric).by(labels_of()))? {
        if let Some(figures) = groups.get_mut(&key_of(&series, labels)) {
            figures.seconds = value;
        }
    }
    let ranks: [(f64, fn(&mut OperationFigures) -> &mut Option<f64>); 3] = [
        (0.5, |it| &mut it.p50),
        (0.95, |it| &mut it.p95),
        (0.99, |it| &mut it.p99),
    ];
    for (rank, place) in ranks {
        for (series, value) in read(MetricQuery::quantile(rank, source.metric).by(labels_of()))? {
            if let Some(figures) = groups.get_mut(&key_of(&series, labels)) {
                *place(figures) = Some(value);
            }
        }
    }
    let covered = period.covered(history);
    for figures in groups.values_mut() {
        figures.rate = (covered > 0.0).then(|| figures.count as f64 / covered);
    }
    Ok(groups)
}

/// The curves of all operations that `select` leaves.
pub(super) fn curves(
    history: &History,
    source: &OperationSource,
    steps: CurveSteps,
    select: &dyn Fn(MetricQuery) -> MetricQuery,
) -> Result<OperationCurves, String> {
    let (begin, step_ms) = (steps.start(), steps.millis());
    let range = |query: MetricQuery| {
        read_range(history, select(query), steps.end, steps.length, steps.count)
    };
    let quantile = |rank| {
        let mut curve = vec![None; steps.count];
        for series in range(MetricQuery::quantile(rank, source.metric).total())? {
            put_points(&mut curve, &series, begin, step_ms, |_, value| Some(value));
        }
        Ok::<_, String>(curve)
    };
    let mut ends: [Vec<Option<f64>>; 3] = std::array::from_fn(|_| vec![None; steps.count]);
    for series in range(MetricQuery::rate(source.metric).by(source.class_labels.iter().copied()))? {
        let place = match (source.class)(&series) {
            OperationEnd::Failed => 0,
            OperationEnd::Cancelled => 1,
            OperationEnd::Completed => 2,
        };
        if let Some(curve) = ends.get_mut(place) {
            let add = |before: Option<f64>, value: f64| Some(before.unwrap_or(0.0) + value);
            put_points(curve, &series, begin, step_ms, add);
        }
    }
    Ok(OperationCurves {
        p50: quantile(0.5)?,
        p95: quantile(0.95)?,
        p99: quantile(0.99)?,
        ends,
    })
}

/// The curves of a gauge or a quantile, by the value of one label.
pub(super) fn curves_by(
    history: &History,
    query: MetricQuery,
    by: &str,
    steps: CurveSteps,
) -> BTreeMap<String, Vec<Option<f64>>> {
    let (begin, step_ms) = (steps.start(), steps.millis());
    let read = read_range(
        history,
        query.by([by]),
        steps.end,
        steps.length,
        steps.count,
    );
    let mut curves = BTreeMap::new();
    for series in read.unwrap_or_default() {
        let mut curve = vec![None; steps.count];
        put_points(&mut curve, &series, begin, step_ms, |_, value| Some(value));
        curves.insert(label(&series, by).to_owned(), curve);
    }
    curves
}

/// The value of each group of a query at the end of a period. A group that cannot be read is left out.
pub(super) fn values_by<const N: usize>(
    history: &History,
    query: MetricQuery,
    by: [&str; N],
    period: RoutePeriod,
) -> BTreeMap<[String; N], f64> {
    let query = query.by(by).window(period.window());
    let found = read(history, &query, period.to).unwrap_or_default();
    let named = found
        .into_iter()
        .map(|(series, value)| (by.map(|name| label(&series, name).to_owned()), value));
    named.collect()
}

pub(super) fn put_figures(it: &mut ObjectWriter<'_>, figures: &OperationFigures) {
    let share = |part: u64| (figures.count > 0).then(|| part as f64 / figures.count as f64);
    it.integer("count", figures.count);
    it.number("rate", figures.rate);
    it.integer("errors", figures.errors);
    it.number("error_rate", share(figures.errors));
    it.integer("cancelled", figures.cancelled);
    it.number("total", Some(figures.seconds));
    let mean = (figures.count > 0).then(|| figures.seconds / figures.count as f64);
    it.number("mean", mean);
    it.number("p50", figures.p50);
    it.number("p95", figures.p95);
    it.number("p99", figures.p99);
}

pub(super) fn put_curves(it: &mut ObjectWriter<'_>, curves: &OperationCurves) {
    it.numbers("p50", &curves.p50);
    it.numbers("p95", &curves.p95);
    it.numbers("p99", &curves.p99);
    it.object("ends", |it| {
        for (name, curve) in ["errors", "cancelled", "others"].iter().zip(&curves.ends) {
            it.numbers(name, curve);
        }
    });
}

/// The method with most requests of each route in a period, for links to its page.
pub(super) struct RouteMethods(BTreeMap<String, (f64, String)>);

impl RouteMethods {
    pub(super) fn read(history: &History, period: RoutePeriod) -> Self {
        let requests = finished(MetricQuery::increase(REQUESTS));
        let mut methods = BTreeMap::<String, (f64, String)>::new();
        for ([route, method], count) in values_by(history, requests, [ROUTE, METHOD], period) {
            let most = methods.entry(route).or_default();
            if count > most.0 {
                *most = (count, method);
            }
        }
        Self(methods)
    }

    fn of(&self, route: &str) -> Option<&str> {
        let (_, method) = self.0.get(route)?;
        (!method.is_empty()).then_some(method)
    }

    /// Writes a route that runs queries or makes calls.
    pub(super) fn put_caller(&self, it: &mut ObjectWriter<'_>, route: &str, calls: u64) {
        it.text("route", route);
        it.optional_text("method", self.of(route));
        it.integer("calls", calls);
    }
}
