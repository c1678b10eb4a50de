//! Calls of generative AI models: their tokens and their cost, by model and by route.

use std::collections::BTreeMap;

use super::super::json::{self, ObjectWriter};
use super::super::operations::{
    self, OperationEnd, OperationFigures, OperationSource, RouteMethods, values_by,
};
use super::super::past::{ROUTE, label, whole};
use super::super::route_figures::RoutePeriod;
use super::super::setup::DashboardSetup;
use crate::history::{MetricQuery, ResultSeries};

/// The maximum number of models, and of routes of one model.
const MAX_MODELS: usize = 64;
const MAX_ROUTES: usize = 50;

const SERVICE: &str = "gen_ai_provider_name";
const MODEL: &str = "gen_ai_request_model";
const TOKEN_TYPE: &str = "gen_ai_token_type";
const ERROR_TYPE: &str = "error_type";
const TOKENS: &str = "gen_ai_client_token_usage";
const COST: &str = "watchpost_gen_ai_cost";

const MODELS: OperationSource = OperationSource {
    metric: "gen_ai_client_operation_duration_seconds",
    class_labels: &[ERROR_TYPE],
    class: end_of,
};

fn end_of(series: &ResultSeries) -> OperationEnd {
    match label(series, ERROR_TYPE) {
        "" => OperationEnd::Completed,
        _ => OperationEnd::Failed,
    }
}

/// Tokens and cost of a period.
#[derive(Debug, Clone, Copy, Default)]
struct UsageFigures {
    /// Calls that reported their tokens.
    calls: u64,
    input: u64,
    output: u64,
    /// `None` if no call has reported a cost.
    cost: Option<f64>,
}

impl UsageFigures {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        let cost = |sum: f64| sum + self.cost.unwrap_or(0.0);
        self.cost = other.cost.map(cost).or(self.cost);
    }
}

/// A service and a model.
type ModelKey = (String, String);

/// Writes the models of a period, those with the highest cost first.
pub(super) fn write(setup: &DashboardSetup, period: RoutePeriod) -> String {
    let labels = [SERVICE, MODEL];
    let read = operations::figures(&setup.history, &MODELS, &labels, period, &|query| query);
    let usage = usage(setup, period);
    let methods = RouteMethods::read(&setup.history, period);
    let mut models: Vec<(ModelKey, OperationFigures, UsageFigures)> = read
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(key, figures)| {
            let mut labels = key.into_iter();
            let model = (labels.next()?, labels.next()?);
            let mut sum = UsageFigures::default();
            let routes = usage.get(&model);
            routes
                .iter()
                .flat_map(|it| it.values())
                .for_each(|it| sum.add(*it));
            Some((model, figures, sum))
        })
        .collect();
    models.sort_by(|(_, one, of_one), (_, other, of_other)| {
        let cost = |it: &UsageFigures| it.cost.unwrap_or(0.0);
        let by_cost = cost(of_other).total_cmp(&cost(of_one));
        by_cost.then(other.count.cmp(&one.count))
    });
    json::list(|list| {
        for (model, figures, sum) in models.iter().take(MAX_MODELS) {
            list.object(|it| {
                it.text("service", &model.0);
                it.text("model", &model.1);
                it.bool("is_other", model.1 == "_OTHER");
                operations::put_figures(it, figures);
                put_usage(it, sum);
                let mut routes: Vec<_> = usage.get(model).into_iter().flatten().collect();
                routes.sort_by_key(|(_, usage)| std::cmp::Reverse((usage.input, usage.calls)));
                it.list("routes", |list| {
                    for (route, usage) in routes.into_iter().take(MAX_ROUTES) {
                        list.object(|it| {
                            methods.put_caller(it, route, usage.calls);
                            put_usage(it, usage);
                        });
                    }
                });
            });
        }
    })
}

fn put_usage(it: &mut ObjectWriter<'_>, usage: &UsageFigures) {
    it.integer("calls_with_tokens", usage.calls);
    it.integer("input_tokens", usage.input);
    it.integer("output_tokens", usage.output);
    it.number("cost", usage.cost);
}

/// The usage of each model by route.
fn usage(
    setup: &DashboardSetup,
    period: RoutePeriod,
) -> BTreeMap<ModelKey, BTreeMap<String, UsageFigures>> {
    let mut models = BTreeMap::<ModelKey, BTreeMap<String, UsageFigures>>::new();
    let history = &setup.history;
    let mut of = |service: String, model: String, route: String, add: UsageFigures| {
        let routes = models.entry((service, model)).or_default();
        routes.entry(route).or_default().add(add);
    };
    let by_type = [SERVICE, MODEL, ROUTE, TOKEN_TYPE];
    let input = |query: MetricQuery| query.label(TOKEN_TYPE, "input");
    let counts = values_by(
        history,
        input(MetricQuery::increase(TOKENS)),
        by_type,
        period,
    );
    for ([service, model, route, _], count) in counts {
        let usage = UsageFigures {
            calls: whole(count),
            ..UsageFigures::default()
        };
        if usage.calls > 0 {
            of(service, model, route, usage);
        }
    }
    let tokens = values_by(history, MetricQuery::sum_increase(TOKENS), by_type, period);
    for ([service, model, route, kind], sum) in tokens {
        let mut usage = UsageFigures::default();
        match kind.as_str() {
            "input" => usage.input = whole(sum),
            _ => usage.output = whole(sum),
        }
        if sum > 0.0 {
            of(service, model, route, usage);
        }
    }
    let by_route = [SERVICE, MODEL, ROUTE];
    for ([service, model, route], cost) in
        values_by(history, MetricQuery::sum_increase(COST), by_route, period)
    {
        if cost > 0.0 {
            let cost = Some(cost);
            let usage = UsageFigures {
                cost,
                ..UsageFigures::default()
            };
            of(service, model, route, usage);
        }
    }
    models
}
