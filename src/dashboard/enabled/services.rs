//! The list of services and dependencies.

use super::figures::{CardSeverity, PoolReport, ServiceRow};
use super::json;
use super::live_window::{GroupFigures, LiveWindow};
use super::setup::DashboardSetup;
use crate::external::{Dependency, DependencyState};
use crate::health::{HealthEntry, HealthStatus};
use crate::worker::SinkStatus;

/// The maximum number of services.
const MAX_SERVICES: usize = 24;

/// Collects the services: this one first, then pools or databases, called services, and sinks.
pub(super) fn collect(
    setup: &DashboardSetup,
    window: &LiveWindow,
    own: CardSeverity,
    pools: &[PoolReport],
    checks: &[HealthEntry],
) -> Vec<ServiceRow> {
    let mut rows = vec![with_figures(
        ServiceRow {
            name: setup.service.clone(),
            kind: "self",
            state: Some(own),
            word: match own {
                CardSeverity::Critical => "failing",
                CardSeverity::Warning => "slow",
                CardSeverity::Ok => "up",
            },
            ..ServiceRow::default()
        },
        window.of_requests(),
    )];
    rows.extend(pools.iter().map(|pool| of_pool(pool, window)));
    if pools.is_empty() {
        rows.extend(window.databases().iter().map(|database| {
            let row = ServiceRow {
                name: database.to_string(),
                kind: "database",
                word: "unknown",
                ..ServiceRow::default()
            };
            with_figures(row, window.of_database(database))
        }));
    }
    rows.extend(setup.calls.dependencies().iter().map(of_dependency));
    let now = setup.now();
    let sinks = setup.sinks.sinks();
    rows.extend(sinks.iter().map(|sink| of_sink(sink, checks, now)));
    rows.truncate(MAX_SERVICES);
    rows
}

fn with_figures(row: ServiceRow, figures: GroupFigures) -> ServiceRow {
    ServiceRow {
        rate: figures.rate,
        p95: figures.p95,
        error_rate: figures.error_rate,
        ..row
    }
}

fn of_pool(pool: &PoolReport, window: &LiveWindow) -> ServiceRow {
    let is_exhausted = pool.waiting > 0.0 && pool.max.is_some_and(|max| pool.used >= max);
    let (state, word, text) = if is_exhausted {
        let text = format!(
            "all connections are in use, and {} requests wait",
            pool.waiting
        );
        (CardSeverity::Warning, "limited", text)
    } else {
        (CardSeverity::Ok, "up", String::new())
    };
    let row = ServiceRow {
        name: pool.name.to_string(),
        kind: "pool",
        state: Some(state),
        word,
        text,
        used: Some(pool.used),
        max: pool.max,
        ..ServiceRow::default()
    };
    // The histogram of waits does not tell how they ended.
    ServiceRow {
        error_rate: None,
        ..with_figures(row, window.of_pool(&pool.name))
    }
}

fn of_dependency(dependency: &Dependency) -> ServiceRow {
    let is_used = dependency.rate > 0.0;
    let (state, word) = match dependency.state {
        DependencyState::Up if !is_used => (None, "unknown"),
        DependencyState::Up => (Some(CardSeverity::Ok), "up"),
        DependencyState::Degraded => (Some(CardSeverity::Warning), "failing"),
        DependencyState::Down => (Some(CardSeverity::Critical), "failing"),
    };
    let highest = dependency
        .limits
        .iter()
        .filter_map(|limit| Some((limit.used_ratio?, limit)))
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    ServiceRow {
        name: dependency.service.to_string(),
        kind: "external",
        state,
        word,
        text: dependency.reason.clone(),
        rate: Some(dependency.rate),
        p95: is_used.then_some(dependency.p95.as_secs_f64()),
        error_rate: is_used.then_some(dependency.error_rate),
        limit_used: highest.map(|(used, _)| used),
        limit: highest.map(|(_, limit)| limit.window.to_string()),
        ..ServiceRow::default()
    }
}

fn of_sink(sink: &SinkStatus, checks: &[HealthEntry], now: u64) -> ServiceRow {
    let check = checks
        .iter()
        .find(|check| !check.is_check && check.name == sink.name);
    let is_well = check.is_none_or(|check| check.status == Some(HealthStatus::Pass));
    let age = sink
        .last_delivery_age
        .map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    ServiceRow {
        name: sink.name.to_owned(),
        kind: "sink",
        state: Some(if is_well {
            CardSeverity::Ok
        } else {
            CardSeverity::Warning
        }),
        word: match (is_well, sink.error.is_some()) {
            (true, _) => "up",
            (false, true) => "failing",
            (false, false) => "stalled",
        },
        text: check.map(|check| check.output.clone()).unwrap_or_default(),
        // In whole seconds, so that an idle sink does not change.
        delivered_at: age.map(|age| now.saturating_sub(age) / 1000 * 1000),
        queued: Some(sink.queued_bytes as u64),
        ..ServiceRow::default()
    }
}

pub(super) fn write(rows: &[ServiceRow]) -> String {
    json::list(|list| {
        for row in rows {
            list.object(|it| {
                it.text("name", &row.name);
                it.text("kind", row.kind);
                it.optional_text("state", row.state.map(CardSeverity::as_str));
                it.text("word", row.word);
                it.text("text", &row.text);
                it.number("rate", row.rate);
                it.number("p95", row.p95);
                it.number("error_rate", row.error_rate);
                it.number("used", row.used);
                it.number("max", row.max);
                it.number("limit_used", row.limit_used);
                it.optional_text("limit", row.limit.as_deref());
                it.integer("delivered_at", row.delivered_at);
                it.integer("queued", row.queued);
                it.raw("dropped", "null");
                it.raw("strip", "null");
            });
        }
    })
}
