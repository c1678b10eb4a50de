//! The figures that the pages show.

use std::sync::Arc;

use super::alert_figures::AlertReading;
use crate::dashboard::DashboardCard;
use crate::health::HealthEntry;

pub(super) use super::severity::CardSeverity;

/// The figures of the cards, now or in a period. `None` is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct SignalFigures {
    /// Per second.
    pub(super) requests: Option<f64>,
    /// Seconds.
    pub(super) p50: Option<f64>,
    pub(super) p95: Option<f64>,
    pub(super) p99: Option<f64>,
    pub(super) error_rate: Option<f64>,
    pub(super) client_errors: Option<f64>,
    pub(super) cancelled: Option<f64>,
    pub(super) users: Option<f64>,
    pub(super) users_of_day: Option<f64>,
    /// The share of the available CPUs.
    pub(super) cpu: Option<f64>,
    pub(super) cores: Option<f64>,
    /// The share of the memory.
    pub(super) memory: Option<f64>,
    /// Bytes.
    pub(super) memory_used: Option<u64>,
    pub(super) memory_limit: Option<u64>,
    pub(super) connections: Option<f64>,
    pub(super) max_connections: Option<f64>,
    pub(super) waiting: Option<f64>,
    /// Seconds.
    pub(super) acquire_p95: Option<f64>,
}

impl SignalFigures {
    /// The number on a card.
    pub(super) fn of(&self, card: DashboardCard) -> Option<f64> {
        match card {
            DashboardCard::Requests => self.requests,
            DashboardCard::ResponseTime => self.p95,
            DashboardCard::ErrorRate => self.error_rate,
            DashboardCard::Users => self.users,
            DashboardCard::Cpu => self.cpu,
            DashboardCard::Memory => self.memory,
            DashboardCard::Connections => self.connections,
        }
    }
}

/// The figures of a card at an earlier time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct EarlierFigures {
    pub(super) figures: SignalFigures,
    /// Milliseconds since the Unix epoch.
    pub(super) from: u64,
    pub(super) to: u64,
}

/// The sentence at the top of the overview, in parts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct VerdictFigures {
    /// `None`: nothing was seen yet.
    pub(super) state: Option<CardSeverity>,
    /// Milliseconds since the Unix epoch.
    pub(super) since: Option<u64>,
    pub(super) uptime: Option<u64>,
    /// The first of them.
    pub(super) reasons: Vec<Reason>,
    /// The number of all.
    pub(super) reason_count: usize,
    pub(super) failing_route: Option<FailingRoute>,
    pub(super) slow_route: Option<SlowRoute>,
}

impl VerdictFigures {
    pub(super) fn word(&self) -> &'static str {
        match self.state {
            None => "waiting",
            Some(CardSeverity::Ok) => "healthy",
            Some(state) => state.as_str(),
        }
    }
}

/// Why the verdict is not `healthy`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reason {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) state: CardSeverity,
    pub(super) text: String,
    /// Of an alert: its ID, and the card that shows its figure.
    pub(super) alert: Option<(String, Option<DashboardCard>)>,
}

/// The route with most failures of the last minutes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FailingRoute {
    pub(super) method: Option<String>,
    pub(super) route: String,
    pub(super) share: f64,
}

/// The route whose response times are odd the most.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SlowRoute {
    pub(super) method: String,
    pub(super) route: String,
    /// Seconds.
    pub(super) p95: f64,
}

/// A row of services.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ServiceRow {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) state: Option<CardSeverity>,
    pub(super) word: &'static str,
    pub(super) text: String,
    pub(super) rate: Option<f64>,
    pub(super) p95: Option<f64>,
    pub(super) error_rate: Option<f64>,
    pub(super) used: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) limit_used: Option<f64>,
    pub(super) limit: Option<String>,
    pub(super) delivered_at: Option<u64>,
    pub(super) queued: Option<u64>,
}

/// A connection pool, as the host's code reports it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct PoolReport {
    pub(super) name: Arc<str>,
    pub(super) used: f64,
    pub(super) max: Option<f64>,
    pub(super) waiting: f64,
}

/// What the page for terminals shows.
#[derive(Debug, Clone, Default)]
pub(super) struct LiveFigures {
    pub(super) signals: SignalFigures,
    pub(super) verdict: VerdictFigures,
    pub(super) checks: Vec<HealthEntry>,
    pub(super) services: Vec<ServiceRow>,
    pub(super) errors: Vec<String>,
    pub(super) in_flight: usize,
    pub(super) alerts: Arc<AlertReading>,
}
