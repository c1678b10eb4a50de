//! Reads the figures of routes from the history.

use std::collections::BTreeMap;
use std::time::Duration;

use super::live_window::{ClassCounts, REQUESTS};
use super::past::{
    METHOD, OUTCOME, ROUTE, STATUS, counts_of, finished, label, put_points, time, whole, window,
};
use crate::history::{History, MetricQuery, ResultSeries};
use crate::http::class_of_labels;

/// A route with its method.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RouteName {
    pub(super) route: String,
    pub(super) method: String,
}

/// A period, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RoutePeriod {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// What the requests of a route were like in a period.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct RouteFigures {
    pub(super) counts: ClassCounts,
    /// Requests per second of the time that the history covers.
    pub(super) rate: Option<f64>,
    /// Seconds.
    pub(super) p50: Option<f64>,
    pub(super) p95: Option<f64>,
    pub(super) p99: Option<f64>,
    /// The seconds of all requests together.
    pub(super) seconds: f64,
}

/// The curves of a route, with a value for each step.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RouteCurves {
    pub(super) p50: Vec<Option<f64>>,
    pub(super) p95: Vec<Option<f64>>,
    pub(super) p99: Vec<Option<f64>>,
    /// Requests per second, in the order of [`ANSWERS`].
    pub(super) answers: [Vec<Option<f64>>; 4],
}

/// How requests end, as a chart tells them apart.
pub(super) const ANSWERS: [&str; 4] = ["errors", "cancelled", "client_errors", "others"];

/// How many requests had a status and an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatusCount {
    pub(super) status: String,
    pub(super) outcome: String,
    pub(super) count: u64,
}

impl RoutePeriod {
    pub(super) fn window(self) -> Duration {
        Duration::from_millis(self.to.saturating_sub(self.from).max(1))
    }

    /// The period of the same length before this one.
    fn before(self) -> Option<Self> {
        let from = self.from.checked_sub(self.to.saturating_sub(self.from))?;
        Some(Self {
            from,
            to: self.from,
        })
    }

    /// The seconds of the period that the history covers.
    pub(super) fn covered(self, history: &History) -> f64 {
        let covered = history.covered(time(self.from), time(self.to));
        covered.as_secs_f64()
    }

    /// Whether the history covers the whole period. Two snapshots may be missing at its edges.
    fn is_covered(self, history: &History) -> bool {
        let missing = history.interval() * 2;
        history.covered(time(self.from), time(self.to)) + missing >= self.window()
    }
}

/// The period before another one, if the history has it.
pub(super) fn before(history: &History, period: RoutePeriod) -> Option<RoutePeriod> {
    period.before().filter(|before| before.is_covered(history))
}

/// The figures of one route, or of all.
pub(super) fn figures(
    history: &History,
    only: Option<&RouteName>,
    period: RoutePeriod,
) -> Result<BTreeMap<RouteName, RouteFigures>, String> {
    let mut routes = BTreeMap::<RouteName, RouteFigures>::new();
    let read = |query: MetricQuery| read(history, &query.window(period.window()), period.to);
    let classes = of(MetricQuery::increase(REQUESTS), only);
    for (series, value) in read(classes.by([ROUTE, METHOD, OUTCOME, STATUS]))? {
        let figures = routes.entry(name_of(&series)).or_default();
        figures.counts.add(counts_of(&series, value));
    }
    // A series of a route that had no request in the period is none of it.
    routes.retain(|_, figures| figures.counts.count > 0);
    let seconds = of(MetricQuery::sum_increase(REQUESTS), only);
    for (series, value) in read(seconds.by([ROUTE, METHOD]))? {
        if let Some(figures) = routes.get_mut(&name_of(&series)) {
            figures.seconds = value;
        }
    }
    let ranks: [(f64, fn(&mut RouteFigures) -> &mut Option<f64>); 3] = [
        (0.5, |it| &mut it.p50),
        (0.95, |it| &mut it.p95),
        (0.99, |it| &mut it.p99),
    ];
    for (rank, place) in ranks {
        let quantile = of(MetricQuery::quantile(rank, REQUESTS), only);
        for (series, value) in read(quantile.by([ROUTE, METHOD]))? {
            if let Some(figures) = routes.get_mut(&name_of(&series)) {
                *place(figures) = Some(value);
            }
        }
    }
    let covered = period.covered(history);
    for figures in routes.values_mut() {
        figures.rate = (covered > 0.0).then(|| figures.counts.count as f64 / covered);
    }
    Ok(routes)
}

/// The curve of the p95 of each route, with `steps` steps that end at `end`.
pub(super) fn p95_curves(
    history: &History,
    end: u64,
    step: Duration,
    steps: usize,
) -> Result<BTreeMap<RouteName, Vec<Option<f64>>>, String> {
    let query = of(MetricQuery::quantile(0.95, REQUESTS), None);
    let mut curves = BTreeMap::new();
    for series in read_range(history, query.by([ROUTE, METHOD]), end, step, steps)? {
        let mut curve = vec![None; steps];
        put_curve(&mut curve, &series, end, step, |_, value| Some(value));
        curves.insert(name_of(&series), curve);
    }
    Ok(curves)
}

/// The curves of a route, with `steps` steps that end at `end`.
pub(super) fn curves(
    history: &History,
    route: &RouteName,
    end: u64,
    step: Duration,
    steps: usize,
) -> Result<RouteCurves, String> {
    let quantile = |rank| -> Result<Vec<Option<f64>>, String> {
        let query = of(MetricQuery::quantile(rank, REQUESTS), Some(route)).total();
        let mut curve = vec![None; steps];
        for series in read_range(history, query, end, step, steps)? {
            put_curve(&mut curve, &series, end, step, |_, value| Some(value));
        }
        Ok(curve)
    };
    let by_class = of(MetricQuery::rate(REQUESTS), Some(route)).by([OUTCOME, STATUS]);
    let mut answers: [Vec<Option<f64>>; 4] = std::array::from_fn(|_| vec![None; steps]);
    for series in read_range(history, by_class, end, step, steps)? {
        let class = class_of_labels(label(&series, OUTCOME), label(&series, STATUS));
        let place = match class {
            class if class.is_error => 0,
            class if class.is_cancelled => 1,
            class if class.is_client_error => 2,
            _ => 3,
        };
        if let Some(curve) = answers.get_mut(place) {
            let add = |before: Option<f64>, value: f64| Some(before.unwrap_or(0.0) + value);
            put_curve(curve, &series, end, step, add);
        }
    }
    Ok(RouteCurves {
        p50: quantile(0.5)?,
        p95: quantile(0.95)?,
        p99: quantile(0.99)?,
        answers,
    })
}

/// How the requests of a route ended in a period, the most frequent first.
pub(super) fn statuses(
    history: &History,
    route: &RouteName,
    period: RoutePeriod,
) -> Result<Vec<StatusCount>, String> {
    let by_class = of(MetricQuery::increase(REQUESTS), Some(route)).by([OUTCOME, STATUS]);
    let read = read(history, &by_class.window(period.window()), period.to)?;
    let mut statuses: Vec<StatusCount> = read
        .into_iter()
        .map(|(series, value)| StatusCount {
            status: label(&series, STATUS).to_owned(),
            outcome: label(&series, OUTCOME).to_owned(),
            count: whole(value),
        })
        .filter(|status| status.count > 0)
        .collect();
    statuses.sort_by_key(|status| std::cmp::Reverse(status.count));
    Ok(statuses)
}

/// A query of the requests of one route, or of all.
pub(super) fn of(query: MetricQuery, only: Option<&RouteName>) -> MetricQuery {
    let query = finished(query);
    match only {
        Some(name) => query.label(ROUTE, &name.route).label(METHOD, &name.method),
        None => query,
    }
}

/// The values of a query at a time.
pub(super) fn read(
    history: &History,
    query: &MetricQuery,
    at: u64,
) -> Result<Vec<(ResultSeries, f64)>, String> {
    let series = history.at(query, time(at));
    let series = series.map_err(|error| error.to_string())?;
    let with_value = series.into_iter().filter_map(|series| {
        let value = series.points.first()?.value;
        Some((series, value))
    });
    Ok(with_value.collect())
}

pub(super) fn read_range(
    history: &History,
    query: MetricQuery,
    end: u64,
    step: Duration,
    steps: usize,
) -> Result<Vec<ResultSeries>, String> {
    let step_ms = millis(step);
    let first = start(end, step, steps).saturating_add(step_ms);
    let query = query.window(window(history, step));
    let series = history.range(&query, time(first), time(end), step);
    series.map_err(|error| error.to_string())
}

fn put_curve<T: Copy>(
    curve: &mut [Option<T>],
    series: &ResultSeries,
    end: u64,
    step: Duration,
    combine: impl Fn(Option<T>, f64) -> Option<T>,
) {
    let start = start(end, step, curve.len());
    put_points(curve, series, start, millis(step), combine);
}

/// The begin of the first of the steps that end at `end`.
pub(super) fn start(end: u64, step: Duration, steps: usize) -> u64 {
    end.saturating_sub(millis(step).saturating_mul(steps as u64))
}

fn millis(step: Duration) -> u64 {
    u64::try_from(step.as_millis()).unwrap_or(u64::MAX)
}

fn name_of(series: &ResultSeries) -> RouteName {
    RouteName {
        route: label(series, ROUTE).to_owned(),
        method: label(series, METHOD).to_owned(),
    }
}
