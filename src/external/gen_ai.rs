//! Calls of generative AI models: their tokens and their cost.
//!
//! Source: <https://opentelemetry.io/docs/specs/semconv/gen-ai/>

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustc_hash::FxHashMap;

use super::end::CallEnd;
use crate::context::{NO_REQUEST, RouteId, Routes};
use crate::metrics::{Histogram, HistogramBuilder, Metrics};
use crate::model::{cut, lock, lock_for_status, within};
use crate::semconv;
use crate::trace::{AttributeBuffer, SpanValue};

/// The maximum length of the name of an operation or a model, in bytes.
const MAX_NAME: usize = 128;
/// The maximum number of models that have their own series; further ones are `_OTHER`.
const MAX_MODELS: usize = 64;
/// The maximum number of models of one service that have their own series.
const MAX_MODELS_PER_SERVICE: usize = 32;
/// The name of models and operations beyond the limits.
const OTHER: &str = "_OTHER";
/// The maximum number of operations that have their own series.
const MAX_OPERATIONS: usize = 8;
/// The maximum number of rows of the usage table.
const MAX_ROWS: usize = 2048;
/// The number of days that the usage table covers, including today.
const MAX_DAYS: u64 = 31;
/// The seconds of a day.
const DAY: u64 = 86_400;

/// The operation, model and usage of a call of a model.
#[derive(Debug)]
pub(super) struct GenAiCall {
    operation: Cow<'static, str>,
    model: Arc<str>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cost: Option<f64>,
}

/// The usage of a model by one route on one day, returned by [`Monitor::model_usage`](crate::Monitor::model_usage).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelUsage {
    /// The start of the day, in UTC.
    pub day: SystemTime,
    /// The service that was called.
    pub service: Arc<str>,
    /// The requested model; `_OTHER` for models beyond the first 32 of a service or the first 64 in all.
    pub model: Arc<str>,
    /// The route of the request that made the calls; empty outside of a request.
    pub route: Arc<str>,
    /// The number of calls that have ended, with any outcome.
    pub calls: u64,
    /// Calls that ended without a response or with a status from 400 on.
    pub errors: u64,
    /// The number of input tokens.
    pub input_tokens: u64,
    /// The number of output tokens.
    pub output_tokens: u64,
    /// The cost, in the currency that the host uses.
    pub cost: f64,
}

/// The key of a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ModelUsageKey {
    /// Days since the Unix epoch.
    day: u64,
    service: Arc<str>,
    model: Arc<str>,
    route: RouteId,
}

/// The values of a row.
#[derive(Debug, Clone, Copy, Default)]
struct ModelTotals {
    calls: u64,
    errors: u64,
    input_tokens: u64,
    output_tokens: u64,
    cost: f64,
}

/// The usage of models: a row for each day, service, model and route, and the metrics.
#[derive(Debug)]
pub(super) struct ModelUsageTable {
    metrics: Metrics,
    rows: Mutex<FxHashMap<ModelUsageKey, ModelTotals>>,
    names: Mutex<ModelNames>,
}

/// The names that have their own series, in the order of their first call.
#[derive(Debug, Default)]
struct ModelNames {
    /// A service and one of its models.
    models: Vec<(Arc<str>, Arc<str>)>,
    operations: Vec<Box<str>>,
}

impl ModelNames {
    /// The label of a model.
    fn model(&mut self, service: &Arc<str>, model: &Arc<str>) -> Arc<str> {
        let of_service = self.models.iter().filter(|(of, _)| of == service);
        let (mut is_known, mut count) = (false, 0);
        for (_, other) in of_service {
            is_known |= other == model;
            count += 1;
        }
        if !is_known {
            if self.models.len() >= MAX_MODELS || count >= MAX_MODELS_PER_SERVICE {
                return OTHER.into();
            }
            self.models.push((Arc::clone(service), Arc::clone(model)));
        }
        Arc::clone(model)
    }

    /// The label of an operation.
    fn operation(&mut self, operation: &str) -> String {
        if !self.operations.iter().any(|it| **it == *operation) {
            if self.operations.len() >= MAX_OPERATIONS {
                return OTHER.to_owned();
            }
            self.operations.push(operation.into());
        }
        operation.to_owned()
    }
}

/// A call that has ended, and the request that made it.
pub(super) struct FinishedCall<'a> {
    pub(super) service: &'a Arc<str>,
    pub(super) route: RouteId,
    pub(super) route_name: Arc<str>,
    pub(super) end: &'a CallEnd,
    pub(super) seconds: f64,
    /// The time of the end since the Unix epoch.
    pub(super) wall_time: Duration,
}

impl GenAiCall {
    pub(super) fn new(operation: Cow<'static, str>, model: &str) -> Self {
        Self {
            operation: within(operation, MAX_NAME),
            model: cut(model, MAX_NAME).into(),
            input_tokens: None,
            output_tokens: None,
            cost: None,
        }
    }

    pub(super) fn set_tokens(&mut self, input: u64, output: u64) {
        (self.input_tokens, self.output_tokens) = (Some(input), Some(output));
    }

    pub(super) fn set_cost(&mut self, cost: f64) {
        self.cost = Some(cost).filter(|cost| cost.is_finite() && *cost >= 0.0);
    }

    /// The name of the span.
    pub(super) fn span_name(&self) -> String {
        format!("{} {}", self.operation, self.model)
    }

    pub(super) fn add_attributes(&self, service: &str, out: &mut AttributeBuffer) {
        out.text(semconv::GEN_AI_OPERATION_NAME, &self.operation);
        out.text(semconv::GEN_AI_REQUEST_MODEL, &self.model);
        out.text(semconv::GEN_AI_PROVIDER_NAME, service);
        let tokens = [
            (semconv::GEN_AI_USAGE_INPUT_TOKENS, self.input_tokens),
            (semconv::GEN_AI_USAGE_OUTPUT_TOKENS, self.output_tokens),
        ];
        for (key, tokens) in tokens {
            if let Some(tokens) = tokens {
                let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
                out.value(key, SpanValue::I64(tokens));
            }
        }
        if let Some(cost) = self.cost {
            out.value(semconv::GEN_AI_COST, SpanValue::F64(cost));
        }
    }
}

impl ModelUsageTable {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self {
            metrics: metrics.clone(),
            rows: Mutex::default(),
            names: Mutex::default(),
        }
    }

    /// Records the end of a call of a model.
    pub(super) fn record(&self, gen_ai: &GenAiCall, call: &FinishedCall<'_>) {
        // Names come from callers and become labels, so they are admitted first. The lock ends before the histograms
        // are touched.
        let (operation, model) = {
            let mut names = lock(&self.names);
            let model = names.model(call.service, &gen_ai.model);
            (names.operation(&gen_ai.operation), model)
        };
        let labels = || {
            vec![
                (semconv::GEN_AI_OPERATION_NAME, operation.clone()),
                (semconv::GEN_AI_REQUEST_MODEL, model.to_string()),
                (semconv::GEN_AI_PROVIDER_NAME, call.service.to_string()),
            ]
        };
        // The duration has the labels of the conventions. Tokens and costs also have the route, so that they can be
        // attributed.
        let mut with_error = labels();
        let error = call.end.error_type.as_ref().map(ToString::to_string);
        with_error.extend(error.map(|error| (semconv::ERROR_TYPE, error)));
        self.duration()
            .with(with_error)
            .record_untraced(call.seconds);
        for (kind, tokens) in [
            ("input", gen_ai.input_tokens),
            ("output", gen_ai.output_tokens),
        ] {
            if let Some(tokens) = tokens {
                let mut labels = labels();
                labels.push((semconv::GEN_AI_TOKEN_TYPE, kind.to_owned()));
                labels.push((semconv::HTTP_ROUTE, call.route_name.to_string()));
                self.tokens().with(labels).record_untraced(tokens as f64);
            }
        }
        if let Some(cost) = gen_ai.cost {
            let mut labels = labels();
            labels.push((semconv::HTTP_ROUTE, call.route_name.to_string()));
            self.cost().with(labels).record_untraced(cost);
        }
        self.add(gen_ai, model, call);
    }

    fn histogram(&self, name: &'static str, description: &'static str) -> HistogramBuilder {
        self.metrics.histogram(name).description(description)
    }

    fn duration(&self) -> Histogram {
        self.histogram(
            semconv::GEN_AI_CLIENT_OPERATION_DURATION,
            "Duration of calls of generative AI models",
        )
        .unit("s")
        .bounds(semconv::GEN_AI_DURATION_BOUNDS)
        .build()
    }

    fn tokens(&self) -> Histogram {
        self.histogram(
            semconv::GEN_AI_CLIENT_TOKEN_USAGE,
            "Tokens of calls of generative AI models, by type and route",
        )
        .bounds(semconv::GEN_AI_TOKEN_BOUNDS)
        .build()
    }

    fn cost(&self) -> Histogram {
        self.histogram(
            semconv::GEN_AI_COST,
            "Cost of calls of generative AI models, by route, in the currency that the host uses",
        )
        .bounds(semconv::GEN_AI_COST_BOUNDS)
        .build()
    }

    /// Adds a call to its row.
    fn add(&self, gen_ai: &GenAiCall, model: Arc<str>, call: &FinishedCall<'_>) {
        let day = call.wall_time.as_secs() / DAY;
        let mut key = ModelUsageKey {
            day,
            service: Arc::clone(call.service),
            model,
            route: call.route,
        };
        let mut rows = lock(&self.rows);
        if rows.len() >= MAX_ROWS && !rows.contains_key(&key) {
            rows.retain(|key, _| key.day + MAX_DAYS > day);
            if rows.len() >= MAX_ROWS {
                // The table is full: count the call in one row for each service, whose number is bounded.
                (key.model, key.route) = (OTHER.into(), NO_REQUEST);
            }
        }
        let row = rows.entry(key).or_default();
        row.calls += 1;
        row.errors += u64::from(call.end.error_type.is_some());
        let (input, output) = (gen_ai.input_tokens, gen_ai.output_tokens);
        row.input_tokens = row.input_tokens.saturating_add(input.unwrap_or(0));
        row.output_tokens = row.output_tokens.saturating_add(output.unwrap_or(0));
        row.cost += gen_ai.cost.unwrap_or(0.0);
    }

    /// The rows of the last 31 days, the newest day first.
    pub(super) fn snapshot(&self, routes: &Routes, wall_time: Duration) -> Vec<ModelUsage> {
        let today = wall_time.as_secs() / DAY;
        let rows: Vec<_> = {
            let Some(rows) = lock_for_status(&self.rows) else {
                return Vec::new();
            };
            // Old rows stay in the table until it is full, so they are filtered here.
            let recent = rows.iter().filter(|(key, _)| key.day + MAX_DAYS > today);
            recent.map(|(key, row)| (key.clone(), *row)).collect()
        };
        let usage = rows.into_iter().map(|(key, row)| ModelUsage {
            day: UNIX_EPOCH + Duration::from_secs(key.day * DAY),
            service: key.service,
            model: key.model,
            route: routes.name(key.route),
            calls: row.calls,
            errors: row.errors,
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            cost: row.cost,
        });
        let mut usage: Vec<_> = usage.collect();
        usage.sort_by(|one, other| {
            let newest = other.day.cmp(&one.day);
            newest.then_with(|| {
                (&one.service, &one.model, &one.route).cmp(&(
                    &other.service,
                    &other.model,
                    &other.route,
                ))
            })
        });
        usage
    }
}
