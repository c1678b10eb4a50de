//! Composes the live state and the document of the overview.

use std::sync::Arc;
use std::time::Duration;

use super::alert_figures::AlertReading;
use super::anomaly_figures::{self, AnomalyRow, CardBands};
use super::cards::{self, CardInput};
use super::changes::{self, CheckChanges};
use super::error_groups;
use super::figures::{
    CardSeverity, EarlierFigures, FailingRoute, LiveFigures, PoolReport, SignalFigures,
    VerdictFigures,
};
use super::host_facts::HostFacts;
use super::json;
use super::last_lines::LastLines;
use super::live_state::{LiveState, Section};
use super::live_window::LiveWindow;
use super::past;
use super::sections::{self, SetupInput};
use super::services::{self, OwnState};
use super::setup::DashboardSetup;
use super::times::two_snapshots;
use super::verdict::{self, Judgment, VerdictBegin, VerdictInput};
use crate::errors::ErrorGroup;
use crate::health::HealthEntry;
use crate::history::Marker;
use crate::model::{KeepReason, TraceId};
use crate::system::SystemFigures;

/// The number of steps in `points`.
const POINTS: usize = 12;
/// The steps of the day.
const DAY_STEP: Duration = Duration::from_secs(300);
const DAY_STEPS: usize = 288;
/// The figures of an earlier time and of the day are read again after this time, in milliseconds.
const EARLIER_EVERY: u64 = 60_000;
/// The time of the latest figures, in milliseconds, unless snapshots are rarer.
const LATEST_LENGTH: u64 = 30_000;
/// How many markers are looked at.
const MAX_MARKERS: usize = 200;

/// Composes states, and keeps what need not be read each second.
pub(super) struct Composer {
    window: LiveWindow,
    host: HostFacts,
    checks: CheckChanges,
    verdict: VerdictBegin,
    of_tick: TickParts,
    alerts: Arc<AlertReading>,
    anomalies: Vec<AnomalyRow>,
    bands: CardBands,
    earlier: Option<EarlierFigures>,
    earlier_at: u64,
    /// The begin of the day, and its load.
    day: (u64, Vec<Option<f64>>),
    day_at: u64,
    latest_traces: Vec<TraceId>,
    traces: String,
    lines: LastLines,
}

/// What is read again after each snapshot of the history.
#[derive(Default)]
struct TickParts {
    tick: Option<i64>,
    points: String,
    failing_route: Option<FailingRoute>,
    /// The figures of the latest snapshots.
    figures: SignalFigures,
}

impl Composer {
    pub(super) fn new(setup: &DashboardSetup) -> Self {
        Self {
            window: LiveWindow::new(&setup.metrics),
            host: HostFacts::new(&setup.metrics),
            checks: CheckChanges::default(),
            verdict: VerdictBegin::default(),
            of_tick: TickParts::default(),
            alerts: Arc::default(),
            anomalies: Vec::new(),
            bands: CardBands::default(),
            earlier: None,
            earlier_at: 0,
            day: (0, Vec::new()),
            day_at: 0,
            latest_traces: Vec::new(),
            traces: "[]".to_owned(),
            lines: LastLines::new(),
        }
    }

    /// Computes the state that follows `before`. `mount` is where the pages are, and `clients` the number of live
    /// connections.
    pub(super) fn next_state(
        &mut self,
        setup: &Arc<DashboardSetup>,
        before: &LiveState,
        mount: &str,
        clients: usize,
    ) -> LiveState {
        let now = setup.now();
        let is_asked = self.host.ask(setup);
        self.window.read(&setup.history);
        let system = setup.system.figures();
        let has_passed = self.read_tick(setup);
        self.read_earlier(setup, now);
        if is_asked {
            self.host.wait_for_answer();
        }
        let pools = self.host.pools();
        let signals = self.signals(setup, &system, pools.as_deref());
        self.alerts = Arc::new(setup.alerts.read(now));
        if has_passed {
            self.read_anomalies(setup, only_pool_max(pools.as_deref()), now);
        }
        let checks = setup.health.entries();
        self.checks.update(&checks, now);
        let (is_ready, readiness) = setup.health.readiness_word();
        let verdict = self.verdict(&checks, (is_ready, readiness), &system, now);
        let errors = setup.errors.groups();
        let in_flight = setup.requests.in_flight();
        let own = OwnState {
            is_ready,
            of_requests: self.alerts.of_requests(),
        };
        let pools = pools.unwrap_or_default();
        let services = services::collect(setup, &self.window, own, &pools, &checks);
        self.read_traces(setup);
        self.lines.read(&setup.logs);
        let markers = setup.history.latest_markers(MAX_MARKERS);
        let cards = cards::write(&CardInput {
            config: &setup.config,
            figures: &signals,
            earlier: self.earlier.as_ref(),
            has_requests: self.window.has_requests(),
            has_pools: !pools.is_empty(),
            is_ready,
            readiness,
            checks: &checks,
            system: &system,
            alerts: &self.alerts,
            anomalies: &self.anomalies,
            bands: &self.bands,
            now: Some(now),
        });
        let day = sections::day(self.day.0, DAY_STEP, &self.day.1, &self.alerts.spans);
        let written = vec![
            verdict_section(&verdict),
            section("cards", cards),
            section("points", self.of_tick.points.clone()),
            section("alerts", sections::alerts(&self.alerts)),
            section("day", day),
            section("changes", self.changes(&markers, &errors, now)),
            section("services", services::write(&services)),
            section("running", sections::running(&in_flight)),
            section("traces", self.traces.clone()),
            section("errors", sections::errors(&errors, now)),
            section("groups", error_groups::counts(&errors)),
            section("logs", self.lines.text().to_owned()),
            section("anomalies", sections::anomalies(&self.anomalies)),
            section("markers", sections::markers(&markers, now)),
            section("cost", sections::cost(setup, clients)),
            section("setup", self.setup(setup, mount, &signals, &pools)),
        ];
        let figures = LiveFigures {
            signals,
            verdict,
            checks,
            services,
            errors: errors
                .iter()
                .take(sections::MAX_ROWS)
                .map(error_line)
                .collect(),
            in_flight: in_flight.len(),
            alerts: Arc::clone(&self.alerts),
        };
        before.next(now, written, figures)
    }

    /// Reads what follows the snapshots of the history. Returns whether there is a new one.
    fn read_tick(&mut self, setup: &DashboardSetup) -> bool {
        let tick = setup.history.latest();
        if tick == self.of_tick.tick && !self.of_tick.points.is_empty() {
            return false;
        }
        let end = tick.map_or_else(|| setup.now(), |tick| tick.max(0).unsigned_abs());
        let step = setup.history.interval();
        let length = two_snapshots(step).max(LATEST_LENGTH);
        let curves = past::curves(&setup.history, end, step, POINTS);
        self.of_tick = TickParts {
            tick,
            points: curves.map_or_else(|_| "null".to_owned(), |it| sections::curves(&it)),
            failing_route: past::failing_route(&setup.history, end),
            figures: past::figures(&setup.history, end.saturating_sub(length), end),
        };
        true
    }

    /// Reads the anomalies, which change with snapshots alone.
    fn read_anomalies(&mut self, setup: &DashboardSetup, pool_max: Option<f64>, now: u64) {
        self.anomalies = anomaly_figures::rows(&setup.anomalies.episodes(), pool_max, now);
        self.bands = CardBands::new(&setup.anomalies.bands(), pool_max, setup.history.interval());
    }

    /// Reads what changes slowly.
    fn read_earlier(&mut self, setup: &DashboardSetup, now: u64) {
        if self.earlier_at == 0 || now.saturating_sub(self.earlier_at) >= EARLIER_EVERY {
            self.earlier_at = now;
            self.earlier = past::earlier(&setup.history, now);
        }
        let step = u64::try_from(DAY_STEP.as_millis()).unwrap_or(u64::MAX);
        if self.day_at == 0 || now.saturating_sub(self.day_at) >= EARLIER_EVERY {
            self.day_at = now;
            // The steps end at whole five minutes, so that they stay the same while it passes.
            let end = now.div_ceil(step).saturating_mul(step);
            let load = past::load(&setup.history, end, DAY_STEP, DAY_STEPS);
            let start = end.saturating_sub(step.saturating_mul(DAY_STEPS as u64));
            self.day = (start, load);
        }
    }

    fn read_traces(&mut self, setup: &DashboardSetup) {
        let is_wanted = |kept| !matches!(kept, KeepReason::Parent | KeepReason::Head);
        let latest = setup.recent.latest(sections::MAX_ROWS, is_wanted);
        if latest != self.latest_traces {
            self.traces = sections::traces(setup, &latest);
            self.latest_traces = latest;
        }
    }

    /// The figures of now.
    fn signals(
        &self,
        setup: &DashboardSetup,
        system: &SystemFigures,
        pools: Option<&[PoolReport]>,
    ) -> SignalFigures {
        let mut signals = SignalFigures::default();
        if self.window.is_short() {
            signals = self.of_tick.figures;
        } else {
            self.window.put_figures(&mut signals);
        }
        let users = setup.users.active();
        signals.users = users.five_minutes.map(|users| users as f64);
        signals.users_of_day = users.day.map(|users| users as f64);
        put_system(&mut signals, system);
        let pools = pools.filter(|pools| !pools.is_empty());
        let sum = |of: fn(&PoolReport) -> f64| pools.map(|pools| pools.iter().map(of).sum::<f64>());
        signals.connections = sum(|pool| pool.used);
        signals.waiting = sum(|pool| pool.waiting);
        let limits = pools.map(|pools| pools.iter().map(|pool| pool.max));
        signals.max_connections = limits.and_then(Iterator::sum::<Option<f64>>);
        signals
    }

    fn verdict(
        &mut self,
        checks: &[HealthEntry],
        (is_ready, readiness): (bool, &'static str),
        system: &SystemFigures,
        now: u64,
    ) -> VerdictFigures {
        let Judgment {
            state: worst,
            reasons,
            reason_count,
            began,
        } = verdict::judge(&VerdictInput {
            alerts: &self.alerts,
            anomalies: &self.anomalies,
            checks,
            is_ready,
            readiness,
        });
        let is_waiting = worst == CardSeverity::Ok && !self.window.has_requests();
        let state = (!is_waiting).then_some(worst);
        let earlier_end = self.last_alert_end();
        VerdictFigures {
            state,
            since: self.verdict.update(state, began, earlier_end, now),
            uptime: system.uptime.map(|uptime| uptime.as_secs()),
            reasons,
            reason_count,
            failing_route: self.of_tick.failing_route.clone(),
            slow_route: verdict::slow_route(&self.anomalies),
        }
    }

    fn last_alert_end(&self) -> Option<u64> {
        let fired = self
            .alerts
            .spans
            .iter()
            .filter(|span| span.is_firing && span.severity.is_some());
        fired.filter_map(|span| span.to).max()
    }

    fn changes(&self, markers: &[Marker], errors: &[ErrorGroup], now: u64) -> String {
        let alerts = &self.alerts;
        changes::write(
            &self
                .checks
                .with(markers, errors, alerts, &self.anomalies, now),
        )
    }

    fn setup(
        &self,
        setup: &DashboardSetup,
        mount: &str,
        signals: &SignalFigures,
        pools: &[PoolReport],
    ) -> String {
        sections::setup(
            setup,
            &SetupInput {
                has_requests: self.window.has_requests(),
                has_users: signals.users.is_some(),
                has_pools: !pools.is_empty(),
                mount,
                findings: &self.host.findings(),
            },
        )
    }
}

/// The maximum of the pool, if there is one alone.
fn only_pool_max(pools: Option<&[PoolReport]>) -> Option<f64> {
    match pools {
        Some([pool]) => pool.max,
        _ => None,
    }
}

fn section(name: &'static str, text: String) -> Section {
    Section {
        name,
        text,
        compared: None,
    }
}

/// The age of the process alone is no change.
fn verdict_section(verdict: &VerdictFigures) -> Section {
    Section {
        name: "verdict",
        text: sections::verdict(verdict, verdict.uptime),
        compared: Some(sections::verdict(verdict, None)),
    }
}

fn error_line(group: &ErrorGroup) -> String {
    format!("{} {}: {}", group.count, group.error_type, group.message)
}

fn put_system(signals: &mut SignalFigures, system: &SystemFigures) {
    signals.cpu = system.cpu_utilization;
    signals.cores = system.available_cpus;
    signals.memory = system.memory_utilization;
    signals.memory_limit = system.memory_limit;
    signals.memory_used = system.memory_usage.or(system.resident_memory);
}

/// The range of an overview, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OverviewRange {
    /// The time up to now.
    Last(u64),
    Between(u64, u64),
}

/// The value of a name in the query of a URL, as it stands there.
pub(super) fn query_value<'a>(query: &'a str, wanted: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value)
}

/// Decodes the value of a name in the query of a URL. `None` if it is not valid.
pub(super) fn query_text(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (digits, after) = rest.split_first_chunk::<2>()?;
                rest = after;
                let digits = std::str::from_utf8(digits).ok()?;
                let is_hex = digits.bytes().all(|it| it.is_ascii_hexdigit());
                u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The finest number of steps of a range that somebody chose.
const MAX_STEPS: u64 = 360;
/// The longest range.
const MAX_RANGE: u64 = 31 * 24 * 3_600_000;

impl OverviewRange {
    /// Reads the query of a URL. `None` if it is not valid.
    pub(super) fn of_query(query: &str) -> Option<Self> {
        const MINUTE: u64 = 60_000;
        const DAY: u64 = 24 * 60 * MINUTE;
        let value = |wanted| query_value(query, wanted);
        if let Some(range) = value("range") {
            return Some(Self::Last(match range {
                "15m" => 15 * MINUTE,
                "1h" => 60 * MINUTE,
                "6h" => 360 * MINUTE,
                "24h" => DAY,
                "7d" => 7 * DAY,
                "30d" => 30 * DAY,
                _ => return None,
            }));
        }
        let (from, to) = (value("from")?.parse().ok()?, value("to")?.parse().ok()?);
        (from < to && to - from <= MAX_RANGE && to < 1 << 52).then_some(Self::Between(from, to))
    }

    /// The length of a step, given the time between two snapshots.
    fn step(self, interval: Duration) -> Duration {
        const SECOND: u64 = 1000;
        let step = match self {
            Self::Last(length) => match length / (3600 * SECOND) {
                0..=1 => 10 * SECOND,
                2..=6 => 60 * SECOND,
                7..=24 => 240 * SECOND,
                25..=168 => 1800 * SECOND,
                _ => 7200 * SECOND,
            },
            Self::Between(from, to) => {
                let wanted = (to - from).div_ceil(MAX_STEPS);
                wanted.div_ceil(10 * SECOND) * 10 * SECOND
            }
        };
        Duration::from_millis(step).max(interval)
    }
}

/// Writes the document of the overview of a range. It reads the history, so it belongs on the blocking pool.
pub(super) fn overview(
    setup: &DashboardSetup,
    state: &LiveState,
    range: OverviewRange,
    series: &str,
) -> String {
    let (from, to, live) = match range {
        OverviewRange::Last(length) => (state.at.saturating_sub(length), state.at, true),
        OverviewRange::Between(from, to) => (from, to, false),
    };
    json::object(|it| {
        it.text("epoch", &state.epoch);
        it.integer("seq", state.seq);
        it.integer("at", state.at);
        it.object("range", |it| {
            it.integer("from", from);
            it.integer("to", to);
            it.bool("live", live);
        });
        it.object("sections", |it| {
            let cards = (!live).then(|| cards_of_range(setup, state, from, to));
            state.put_sections(it, |_, name| live || name != "cards");
            if let Some(cards) = cards {
                it.raw("cards", &cards);
            }
        });
        it.raw("series", series);
    })
}

/// The cards with the figures of a range that has passed.
fn cards_of_range(setup: &DashboardSetup, state: &LiveState, from: u64, to: u64) -> String {
    let system = setup.system.figures();
    let (is_ready, readiness) = setup.health.readiness_word();
    let figures = SignalFigures {
        cores: system.available_cpus,
        memory_limit: system.memory_limit,
        ..past::figures(&setup.history, from, to)
    };
    cards::write(&CardInput {
        config: &setup.config,
        figures: &figures,
        earlier: past::before(&setup.history, from, to).as_ref(),
        has_requests: true,
        has_pools: figures.max_connections.is_some(),
        is_ready,
        readiness,
        checks: &state.figures.checks,
        system: &system,
        alerts: &state.figures.alerts,
        anomalies: &[],
        bands: &CardBands::default(),
        now: None,
    })
}

/// Writes the curves of a range.
pub(super) fn series(setup: &DashboardSetup, range: OverviewRange) -> String {
    let step = range.step(setup.history.interval());
    let step_ms = u64::try_from(step.as_millis()).unwrap_or(u64::MAX).max(1);
    let (length, end) = match range {
        OverviewRange::Last(length) => {
            let latest = setup
                .history
                .latest()
                .map(|tick| tick.max(0).unsigned_abs());
            (length, latest.unwrap_or_else(|| setup.now()))
        }
        OverviewRange::Between(from, to) => (to - from, to),
    };
    let steps = usize::try_from(length.div_ceil(step_ms))
        .unwrap_or(1)
        .max(1);
    let begins = setup.history.begins_at().map(changes::millis);
    let (curves, failed) = match past::curves(&setup.history, end, step, steps) {
        Ok(curves) => (curves, None),
        Err(error) => (empty_curves(end, step_ms, steps), Some(error)),
    };
    let data_from = begins.filter(|begins| *begins > curves.start);
    let pool_max = past::only_pool_max(&setup.history, end);
    let bands = CardBands::new(&setup.anomalies.bands(), pool_max, setup.history.interval());
    sections::series(&curves, &bands, data_from, failed.as_deref())
}

fn empty_curves(end: u64, step_ms: u64, steps: usize) -> past::Curves {
    past::Curves {
        start: end.saturating_sub(step_ms.saturating_mul(steps as u64)),
        step_ms,
        values: std::array::from_fn(|_| vec![None; steps]),
        gaps: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_pool_is_of_its_own_maximum_and_of_no_other() {
        let pool = |max| PoolReport {
            max,
            ..PoolReport::default()
        };
        assert_eq!(only_pool_max(None), None);
        assert_eq!(only_pool_max(Some(&[pool(Some(10.0))])), Some(10.0));
        let two = [pool(Some(10.0)), pool(Some(30.0))];
        assert_eq!(only_pool_max(Some(&two)), None);
    }

    #[test]
    fn a_value_of_a_query_is_decoded() {
        for (value, text) in [
            ("", Some("")),
            ("%2Forders%2F%7Bid%7D", Some("/orders/{id}")),
            ("a+b%2b", Some("a b+")),
            ("%C3%A9", Some("é")),
            ("%", None),
            ("%2", None),
            ("%+1", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(query_text(value).as_deref(), text, "{value}");
        }
    }
}
