//! Calls of models: their tokens and what they cost.
//!
//! Source: <https://opentelemetry.io/docs/specs/semconv/gen-ai/>

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustc_hash::FxHashMap;

use super::calls::lock;
use super::end::End;
use crate::context::{NO_REQUEST, RouteId, Routes};
use crate::metrics::{Histogram, HistogramBuilder, Metrics};
use crate::model::lock_for_status;
use crate::model::{cut, within};
use crate::semconv;
use crate::trace::{AttributeBuffer, SpanValue};

/// Bytes of an operation's and of a model's name.
const MAX_NAME: usize = 128;
/// Models told apart, and those among them of one service; the others are `_OTHER`.
const MAX_MODELS: usize = 64;
const MAX_MODELS_OF_ONE: usize = 32;
const OTHER_MODEL: &str = "_OTHER";
/// Operations told apart.
const MAX_OPERATIONS: usize = 8;
/// Rows of the table, and the days that they reach back.
const MAX_ROWS: usize = 2048;
const MAX_DAYS: u64 = 31;
const DAY: u64 = 86_400;

/// A call of a model.
#[derive(Debug)]
pub(super) struct GenAi {
    operation: Cow<'static, str>,
    model: Arc<str>,
    input: Option<u64>,
    output: Option<u64>,
    cost: Option<f64>,
}

/// What was used of a model by a route on a day, as [`Monitor::model_usage`](crate::Monitor::model_usage) tells it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelUsage {
    /// The beginning of the day, in UTC.
    pub day: SystemTime,
    /// The service that was asked.
    pub service: Arc<str>,
    /// The model that was asked for; `_OTHER` for all beyond the first 32 of a service or the first 64 in all.
    pub model: Arc<str>,
    /// The route that asked; empty outside a request.
    pub route: Arc<str>,
    /// Calls that ended, however.
    pub calls: u64,
    /// Those that did not end in an answer below 400.
    pub errors: u64,
    /// Tokens that went in.
    pub input_tokens: u64,
    /// Tokens that came out.
    pub output_tokens: u64,
    /// What they cost, in the currency that the host counts in.
    pub cost: f64,
}

/// A row's name.
type Key = (u64, Arc<str>, Arc<str>, RouteId);

#[derive(Debug, Clone, Copy, Default)]
struct Row {
    calls: u64,
    errors: u64,
    input: u64,
    output: u64,
    cost: f64,
}

/// What was used of models.
#[derive(Debug)]
pub(super) struct Usage {
    metrics: Metrics,
    rows: Mutex<FxHashMap<Key, Row>>,
    names: Mutex<Names>,
}

/// The names that are told apart, in order of their first call.
#[derive(Debug, Default)]
struct Names {
    /// A service and a model of it.
    models: Vec<(Arc<str>, Arc<str>)>,
    operations: Vec<Box<str>>,
}

impl Names {
    fn model(&mut self, service: &Arc<str>, model: &Arc<str>) -> Arc<str> {
        let of_service = self.models.iter().filter(|(of, _)| of == service);
        let (mut known, mut count) = (false, 0);
        for (_, other) in of_service {
            known |= other == model;
            count += 1;
        }
        if !known {
            if self.models.len() >= MAX_MODELS || count >= MAX_MODELS_OF_ONE {
                return OTHER_MODEL.into();
            }
            self.models.push((Arc::clone(service), Arc::clone(model)));
        }
        Arc::clone(model)
    }

    fn operation(&mut self, operation: &str) -> String {
        if !self.operations.iter().any(|it| **it == *operation) {
            if self.operations.len() >= MAX_OPERATIONS {
                return OTHER_MODEL.to_owned();
            }
            self.operations.push(operation.into());
        }
        operation.to_owned()
    }
}

/// The end of a call as the usage needs it.
pub(super) struct Used<'a> {
    pub(super) service: &'a Arc<str>,
    pub(super) route: (RouteId, Arc<str>),
    pub(super) end: &'a End,
    pub(super) seconds: f64,
    /// Since the Unix epoch.
    pub(super) wall: Duration,
}

impl GenAi {
    pub(super) fn new(operation: Cow<'static, str>, model: &str) -> Self {
        Self {
            operation: within(operation, MAX_NAME),
            model: cut(model, MAX_NAME).into(),
            input: None,
            output: None,
            cost: None,
        }
    }

    pub(super) fn tokens(&mut self, input: u64, output: u64) {
        (self.input, self.output) = (Some(input), Some(output));
    }

    pub(super) fn cost(&mut self, cost: f64) {
        self.cost = Some(cost).filter(|cost| cost.is_finite() && *cost >= 0.0);
    }

    /// The span's name.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.operation, self.model)
    }

    pub(super) fn attributes(&self, service: &str, out: &mut AttributeBuffer) {
        out.text(semconv::GEN_AI_OPERATION_NAME, &self.operation);
        out.text(semconv::GEN_AI_REQUEST_MODEL, &self.model);
        out.text(semconv::GEN_AI_PROVIDER_NAME, service);
        let tokens = [
            (semconv::GEN_AI_USAGE_INPUT_TOKENS, self.input),
            (semconv::GEN_AI_USAGE_OUTPUT_TOKENS, self.output),
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

impl Usage {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self {
            metrics: metrics.clone(),
            rows: Mutex::default(),
            names: Mutex::default(),
        }
    }

    /// A call of a model ended.
    pub(super) fn record(&self, gen_ai: &GenAi, used: &Used<'_>) {
        let (operation, model) = {
            let mut names = lock(&self.names);
            let model = names.model(used.service, &gen_ai.model);
            (names.operation(&gen_ai.operation), model)
        };
        let labels = || {
            vec![
                (semconv::GEN_AI_OPERATION_NAME, operation.clone()),
                (semconv::GEN_AI_REQUEST_MODEL, model.to_string()),
                (semconv::GEN_AI_PROVIDER_NAME, used.service.to_string()),
            ]
        };
        let mut with_error = labels();
        let error = used.end.error_type.as_ref().map(ToString::to_string);
        with_error.extend(error.map(|error| (semconv::ERROR_TYPE, error)));
        self.duration().with(with_error).record_alone(used.seconds);
        for (kind, tokens) in [("input", gen_ai.input), ("output", gen_ai.output)] {
            if let Some(tokens) = tokens {
                let mut labels = labels();
                labels.push((semconv::GEN_AI_TOKEN_TYPE, kind.to_owned()));
                labels.push((semconv::HTTP_ROUTE, used.route.1.to_string()));
                self.tokens().with(labels).record_alone(tokens as f64);
            }
        }
        if let Some(cost) = gen_ai.cost {
            let mut labels = labels();
            labels.push((semconv::HTTP_ROUTE, used.route.1.to_string()));
            self.cost().with(labels).record_alone(cost);
        }
        self.add(gen_ai, model, used);
    }

    fn histogram(&self, name: &'static str, what: &'static str) -> HistogramBuilder {
        self.metrics.histogram(name).description(what)
    }

    fn duration(&self) -> Histogram {
        self.histogram(
            semconv::GEN_AI_CLIENT_OPERATION_DURATION,
            "Duration of calls of models",
        )
        .unit("s")
        .bounds(semconv::GEN_AI_DURATION_BOUNDS)
        .build()
    }

    fn tokens(&self) -> Histogram {
        self.histogram(
            semconv::GEN_AI_CLIENT_TOKEN_USAGE,
            "Tokens of calls of models, by kind and route",
        )
        .bounds(semconv::GEN_AI_TOKEN_BOUNDS)
        .build()
    }

    fn cost(&self) -> Histogram {
        self.histogram(
            semconv::GEN_AI_COST,
            "What calls of models cost, by route, in the currency that the host counts in",
        )
        .bounds(semconv::GEN_AI_COST_BOUNDS)
        .build()
    }

    fn add(&self, gen_ai: &GenAi, model: Arc<str>, used: &Used<'_>) {
        let day = used.wall.as_secs() / DAY;
        let mut key = (day, Arc::clone(used.service), model, used.route.0);
        let mut rows = lock(&self.rows);
        if rows.len() >= MAX_ROWS && !rows.contains_key(&key) {
            rows.retain(|(of, ..), _| of + MAX_DAYS > day);
            if rows.len() >= MAX_ROWS {
                // One row for each service, which are bounded.
                (key.2, key.3) = (OTHER_MODEL.into(), NO_REQUEST);
            }
        }
        let row = rows.entry(key).or_default();
        row.calls += 1;
        row.errors += u64::from(used.end.error_type.is_some());
        row.input = row.input.saturating_add(gen_ai.input.unwrap_or(0));
        row.output = row.output.saturating_add(gen_ai.output.unwrap_or(0));
        row.cost += gen_ai.cost.unwrap_or(0.0);
    }

    /// The rows of the last 31 days, the newest day first.
    pub(super) fn read(&self, routes: &Routes, wall: Duration) -> Vec<ModelUsage> {
        let today = wall.as_secs() / DAY;
        let rows: Vec<_> = {
            let Some(rows) = lock_for_status(&self.rows) else {
                return Vec::new();
            };
            let recent = rows.iter().filter(|((day, ..), _)| day + MAX_DAYS > today);
            recent.map(|(key, row)| (key.clone(), *row)).collect()
        };
        let read = rows
            .into_iter()
            .map(|((day, service, model, route), row)| ModelUsage {
                day: UNIX_EPOCH + Duration::from_secs(day * DAY),
                service,
                model,
                route: routes.name(route),
                calls: row.calls,
                errors: row.errors,
                input_tokens: row.input,
                output_tokens: row.output,
                cost: row.cost,
            });
        let mut read: Vec<_> = read.collect();
        read.sort_by(|one, other| {
            let newest = other.day.cmp(&one.day);
            newest.then_with(|| {
                (&one.service, &one.model, &one.route).cmp(&(
                    &other.service,
                    &other.model,
                    &other.route,
                ))
            })
        });
        read
    }
}
