//! Statements: the list of all, and one of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::super::documents::OverviewRange;
use super::super::json::{self, ListWriter, ObjectWriter};
use super::super::operations::{
    self, CurveSteps, LabelValues, OperationEnd, OperationFigures, OperationSource, RouteMethods,
};
use super::super::past::{OUTCOME, label, time};
use super::super::periods::{end_of_traces, period_of, put_period, share, step_millis, step_of};
use super::super::route_figures;
use super::super::sections;
use super::super::setup::DashboardSetup;
use super::loops::{self, StatementLoop};
use crate::db::{QueryStats, summary_label};
use crate::history::{MetricQuery, ResultSeries};
use crate::model::TraceId;
use crate::semconv;
use crate::trace::{SpanRecord, SpanValue, attributes_of};

/// The maximum number of statements in the list: those with most time.
const MAX_STATEMENTS: usize = 300;
/// The maximum number of texts of one statement.
const MAX_TEXTS: usize = 20;
/// The maximum number of callers of one statement.
const MAX_CALLERS: usize = 8;
const MAX_STEPS: u64 = 180;
/// How many markers are looked at.
const MAX_MARKERS: usize = 200;
/// What stands for statements without series of their own.
const OTHER: &str = "_other";

const SYSTEM: &str = "db_system_name";
const NAMESPACE: &str = "db_namespace";
const SUMMARY: &str = "db_query_summary";

const QUERIES: OperationSource = OperationSource {
    metric: "db_client_operation_duration_seconds",
    class_labels: &[OUTCOME],
    class: end_of,
};

fn end_of(series: &ResultSeries) -> OperationEnd {
    match label(series, OUTCOME) {
        "failed" | "panicked" => OperationEnd::Failed,
        "cancelled" => OperationEnd::Cancelled,
        _ => OperationEnd::Completed,
    }
}

/// What tells statements apart in the history: texts with the same summary in one database are one statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::dashboard::enabled) struct StatementName {
    pub(in crate::dashboard::enabled) system: String,
    pub(in crate::dashboard::enabled) namespace: String,
    pub(in crate::dashboard::enabled) summary: String,
}

impl StatementName {
    fn of_key(key: &LabelValues) -> Option<Self> {
        let [system, namespace, summary] = key.as_slice() else {
            return None;
        };
        Some(Self {
            system: system.clone(),
            namespace: namespace.clone(),
            summary: summary.clone(),
        })
    }

    fn of_stats(stats: &QueryStats) -> Self {
        Self {
            system: stats.system.as_str().to_owned(),
            namespace: stats.namespace.as_deref().unwrap_or_default().to_owned(),
            summary: summary_label(&stats.summary),
        }
    }
}

/// What is known of the texts of a statement since the start.
#[derive(Default)]
struct StatementTexts<'a> {
    texts: Vec<&'a QueryStats>,
}

impl StatementTexts<'_> {
    fn calls(&self) -> u64 {
        self.texts.iter().map(|it| it.calls).sum()
    }

    fn rows(&self) -> u64 {
        self.texts.iter().map(|it| it.rows).sum()
    }

    /// The routes that ran any of the texts, with their calls, and the calls of further routes.
    fn callers(&self) -> (Vec<(&str, u64)>, u64) {
        let mut callers = BTreeMap::<&str, u64>::new();
        let mut others = 0;
        for text in &self.texts {
            others += text.other_callers;
            for caller in &text.callers {
                *callers.entry(&caller.route).or_default() += caller.calls;
            }
        }
        let mut callers: Vec<_> = callers.into_iter().collect();
        callers.sort_by_key(|(_, calls)| Reverse(*calls));
        let further = callers.iter().skip(MAX_CALLERS);
        others += further.map(|(_, calls)| calls).sum::<u64>();
        callers.truncate(MAX_CALLERS);
        (callers, others)
    }
}

fn by_name(stats: &[QueryStats]) -> BTreeMap<StatementName, StatementTexts<'_>> {
    let mut names = BTreeMap::<StatementName, StatementTexts<'_>>::new();
    for of_text in stats {
        let name = StatementName::of_stats(of_text);
        names.entry(name).or_default().texts.push(of_text);
    }
    names
}

/// Writes the list of all statements, and the routes that run one in a loop. It reads the history, so it belongs on the
/// blocking pool.
pub(in crate::dashboard::enabled) fn statements(
    setup: &DashboardSetup,
    range: OverviewRange,
) -> String {
    let period = period_of(setup, range);
    let labels = [SYSTEM, NAMESPACE, SUMMARY];
    let read = operations::figures(&setup.history, &QUERIES, &labels, period, &|query| query);
    let failed = read.as_ref().err().cloned();
    let mut found: Vec<(StatementName, OperationFigures)> = read
        .unwrap_or_default()
        .iter()
        .filter_map(|(key, figures)| Some((StatementName::of_key(key)?, *figures)))
        .collect();
    found.sort_by(|(_, one), (_, other)| other.seconds.total_cmp(&one.seconds));
    let seconds: f64 = found.iter().map(|(_, it)| it.seconds).sum();
    let stats = setup.queries.stats();
    let texts = by_name(&stats);
    let loops = loops::read(setup, period);
    let methods = RouteMethods::read(&setup.history, period);
    json::object(|it| {
        put_period(it, setup, range, period);
        it.integer("count", found.len() as u64);
        it.number("total", Some(seconds));
        it.list("statements", |list| {
            for (name, figures) in found.iter().take(MAX_STATEMENTS) {
                list.object(|it| {
                    put_name(it, name);
                    operations::put_figures(it, figures);
                    it.number("time_share", share(figures.seconds, seconds));
                    put_known(it, texts.get(name), &methods, is_in_loop(&loops, name));
                });
            }
        });
        it.raw("loops", &loops::write(&loops));
        it.optional_text("failed", failed.as_deref());
    })
}

/// Writes what is known of one statement. It reads the history, so it belongs on the blocking pool.
pub(in crate::dashboard::enabled) fn statement(
    setup: &DashboardSetup,
    name: &StatementName,
    range: OverviewRange,
) -> String {
    let period = period_of(setup, range);
    let history = &setup.history;
    let select = |query: MetricQuery| {
        query
            .label(SYSTEM, &name.system)
            .label(NAMESPACE, &name.namespace)
            .label(SUMMARY, &name.summary)
    };
    let none: LabelValues = Vec::new();
    let of_all = |groups: Result<BTreeMap<LabelValues, OperationFigures>, String>| {
        let found = groups.ok().and_then(|groups| groups.get(&none).copied());
        found.unwrap_or_default()
    };
    let own = operations::figures(history, &QUERIES, &[], period, &select);
    let failed = own.as_ref().err().cloned();
    let own = of_all(own);
    let seconds = MetricQuery::sum_increase(QUERIES.metric);
    let seconds: f64 = operations::values_by(history, seconds, [], period)
        .into_values()
        .sum();
    let before = route_figures::before(history, period)
        .map(|before| of_all(operations::figures(history, &QUERIES, &[], before, &select)));
    let step = step_of(setup, period, MAX_STEPS);
    let steps = CurveSteps::of(period, step);
    let curves = operations::curves(history, &QUERIES, steps, &select).unwrap_or_default();
    let stats = setup.queries.stats();
    let texts = by_name(&stats);
    let loops = loops::read(setup, period);
    let methods = RouteMethods::read(&setup.history, period);
    let markers = history.latest_markers(MAX_MARKERS);
    json::object(|it| {
        put_period(it, setup, range, period);
        put_name(it, name);
        it.object("figures", |it| operations::put_figures(it, &own));
        it.number("time_share", share(own.seconds, seconds));
        it.optional("before", before.as_ref(), operations::put_figures);
        let known = texts.get(name);
        put_known(it, known, &methods, is_in_loop(&loops, name));
        it.integer("start", steps.start());
        it.integer("step_ms", step_millis(step));
        operations::put_curves(it, &curves);
        it.list("texts", |list| put_texts(list, setup, known));
        let end = end_of_traces(setup, range, period);
        it.raw("traces", &samples(setup, name, (period.from, end)));
        it.raw("markers", &sections::markers(&markers, setup.now()));
        it.optional_text("failed", failed.as_deref());
    })
}

fn is_in_loop(loops: &[StatementLoop], name: &StatementName) -> bool {
    loops.iter().any(|it| it.runs(&name.summary))
}

fn put_name(it: &mut ObjectWriter<'_>, name: &StatementName) {
    it.text("system", &name.system);
    it.text("namespace", &name.namespace);
    it.text("summary", &name.summary);
    it.bool("is_other", name.summary == OTHER);
}

/// What is known since the start: texts, rows and callers.
fn put_known(
    it: &mut ObjectWriter<'_>,
    known: Option<&StatementTexts<'_>>,
    methods: &RouteMethods,
    is_in_loop: bool,
) {
    it.integer("texts_known", known.map_or(0, |it| it.texts.len() as u64));
    it.integer("calls_since_start", known.map(StatementTexts::calls));
    it.integer("rows_since_start", known.map(StatementTexts::rows));
    let (callers, others) = known.map_or_else(Default::default, StatementTexts::callers);
    it.list("callers", |list| {
        for (route, calls) in callers {
            list.object(|it| {
                methods.put_caller(it, route, calls);
            });
        }
    });
    it.integer("other_callers", others);
    it.bool("in_loop", is_in_loop);
}

fn put_texts(
    list: &mut ListWriter<'_>,
    setup: &DashboardSetup,
    known: Option<&StatementTexts<'_>>,
) {
    let texts = known.map_or(&[][..], |known| &known.texts);
    for text in texts.iter().take(MAX_TEXTS) {
        list.object(|it| {
            it.long_text("text", &text.text);
            it.integer("calls", text.calls);
            it.integer("errors", text.errors);
            it.integer("rows", text.rows);
            it.number("total", Some(text.total.as_secs_f64()));
            it.number("p50", Some(text.p50.as_secs_f64()));
            it.number("p95", Some(text.p95.as_secs_f64()));
            it.number("max", Some(text.max.as_secs_f64()));
            // Most traces are not kept.
            let slowest = Some(text.slowest_trace_id).filter(|id| *id != TraceId::NIL);
            let kept = slowest.filter(|id| setup.recent.contains(*id));
            it.optional_text("slowest_trace_id", kept.map(|id| id.to_string()).as_deref());
        });
    }
}

/// The kept traces of a time in which the statement took longest.
fn samples(setup: &DashboardSetup, name: &StatementName, (from, to): (u64, u64)) -> String {
    let times = time(from)..=time(to);
    let found = setup
        .recent
        .with_longest_span(|span, start| times.contains(&start) && is_of(span, name));
    let ids: Vec<TraceId> = found.into_iter().map(|(id, _)| id).collect();
    sections::traces(setup, &ids)
}

/// Whether a span is a query of the statement. Its texts are compared as they are stored, like those of the metrics.
fn is_of(span: &SpanRecord<'_>, name: &StatementName) -> bool {
    let text = |key: &str| {
        let found = attributes_of(span.attributes).find(|(name, _)| *name == key);
        match found {
            Some((_, SpanValue::Str(text))) => text,
            _ => "",
        }
    };
    text(semconv::DB_SYSTEM_NAME) == name.system
        && text(semconv::DB_NAMESPACE) == name.namespace
        && summary_label(text(semconv::DB_QUERY_SUMMARY)) == name.summary
}
