//! The list of services and dependencies.

use super::figures::{CardSeverity, PoolReport, ServiceRow};
use super::json;
use super::live_window::{GroupFigures, LiveWindow};
use super::sections;
use super::setup::DashboardSetup;
use crate::dashboard::DashboardCard;
use crate::external::{Dependency, DependencyState};
use crate::health::{HealthEntry, HealthStatus};
use crate::worker::SinkStatus;

/// The maximum number of services.
const MAX_SERVICES: usize = 24;

/// What is known of the service itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnState {
    pub(super) is_ready: bool,
    /// The worst alert on requests: the card with their figure, and how bad it is.
    pub(super) of_requests: Option<(DashboardCard, CardSeverity)>,
}

impl OwnState {
    fn state(self) -> CardSeverity {
        let of_requests = self.of_requests.map(|(_, severity)| severity);
        sections::overall(self.is_ready, 0).max(of_requests.unwrap_or(CardSeverity::Ok))
    }

    /// What is wrong, however bad it is.
    fn word(self) -> &'static str {
        match self.of_requests {
            _ if !self.is_ready => "failing",
            None | Some((_, CardSeverity::Ok)) => "up",
            Some((DashboardCard::ErrorRate, _)) => "failing",
            Some((DashboardCard::ResponseTime, _)) => "slow",
            Some(_) => "unusual",
        }
    }
}

/// Collects the services: this one first, then pools or databases, called services, and sinks.
pub(super) fn collect(
    setup: &DashboardSetup,
    window: &LiveWindow,
    own: OwnState,
    pools: &[PoolReport],
    checks: &[HealthEntry],
) -> Vec<ServiceRow> {
    let mut rows = vec![with_figures(
        ServiceRow {
            name: setup.service.clone(),
            kind: "self",
            state: Some(own.state()),
            word: own.word(),
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
        DependencyState::Degraded if dependency.is_backing_off() => {
            (Some(CardSeverity::Warning), "backing_off")
        }
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

#[cfg(test)]
mod tests {
    use super::super::alert_figures::{AlertPhase, AlertReading, AlertRow};
    use super::*;

    #[test]
    fn the_word_says_what_is_wrong_and_the_state_how_bad_it_is() {
        use DashboardCard::{ErrorRate, Memory, Requests, ResponseTime};

        let (warning, critical) = (CardSeverity::Warning, CardSeverity::Critical);
        let of = |is_ready, alerts: &[(DashboardCard, CardSeverity)]| {
            let alerts = alerts.iter().map(|(card, severity)| AlertRow {
                card: Some(*card),
                ..AlertRow::for_test("r", AlertPhase::Firing, Some(*severity), 1)
            });
            let reading = AlertReading {
                alerts: alerts.collect(),
                ..AlertReading::default()
            };
            let own = OwnState {
                is_ready,
                of_requests: reading.of_requests(),
            };
            (own.word(), own.state())
        };
        assert_eq!(of(true, &[]), ("up", CardSeverity::Ok));
        assert_eq!(of(true, &[(Memory, critical)]), ("up", CardSeverity::Ok));
        assert_eq!(of(true, &[(ResponseTime, critical)]), ("slow", critical));
        assert_eq!(of(true, &[(ErrorRate, warning)]), ("failing", warning));
        assert_eq!(of(true, &[(Requests, warning)]), ("unusual", warning));
        let both = [(ErrorRate, warning), (ResponseTime, warning)];
        assert_eq!(of(true, &both), ("failing", warning));
        let slower = [(ErrorRate, warning), (ResponseTime, critical)];
        assert_eq!(of(true, &slower), ("slow", critical));
        assert_eq!(of(false, &[]), ("failing", critical));
    }
}
