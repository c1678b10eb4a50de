//! Whether the service is well: alerts first, then readiness, checks, sinks and the disk.

use super::alert_figures::{AlertReading, AlertRow};
use super::anomaly_figures::AnomalyRow;
use super::cards::{kind_of, state_of};
use super::figures::{CardSeverity, Reason, SlowRoute};
use super::sections;
use crate::health::{HealthEntry, HealthStatus};

/// An anomaly belongs to an alert on the same figure if it began at most this long before it, in milliseconds.
const BEFORE_ALERT: u64 = 15 * 60_000;

/// The maximum number of reasons that are listed.
const MAX_REASONS: usize = 20;

/// What the verdict is made of.
pub(super) struct VerdictInput<'a> {
    pub(super) alerts: &'a AlertReading,
    pub(super) anomalies: &'a [AnomalyRow],
    pub(super) checks: &'a [HealthEntry],
    pub(super) is_ready: bool,
    pub(super) readiness: &'static str,
}

/// When the state of the verdict began, as far as somebody has looked.
#[derive(Debug, Default)]
pub(super) struct VerdictBegin {
    /// The state, and when it was first seen after another one.
    last: Option<(Option<CardSeverity>, Option<u64>)>,
}

impl VerdictBegin {
    /// Notes the state at a time, and returns when it began. `of_alerts` is when the first alert that makes it began.
    /// `earlier_end` is when the last alert ended, which says how long a service is well that nobody has looked at.
    pub(super) fn update(
        &mut self,
        state: Option<CardSeverity>,
        of_alerts: Option<u64>,
        earlier_end: Option<u64>,
        now: u64,
    ) -> Option<u64> {
        let seen = match self.last {
            Some((before, seen)) if before == state => seen,
            Some(_) => Some(now),
            None => earlier_end.filter(|_| state == Some(CardSeverity::Ok)),
        };
        self.last = Some((state, seen));
        // A check may have failed before the alert fired, and the condition of an alert may have held before that.
        of_alerts.into_iter().chain(seen).min()
    }
}

/// The worst of all that is known.
pub(super) struct Judgment {
    pub(super) state: CardSeverity,
    /// The worst first; of equal ones, alerts first. At most [`MAX_REASONS`].
    pub(super) reasons: Vec<Reason>,
    /// The number of all reasons.
    pub(super) reason_count: usize,
    /// When it began, in milliseconds since the Unix epoch, where an alert says so.
    pub(super) began: Option<u64>,
}

pub(super) fn judge(input: &VerdictInput<'_>) -> Judgment {
    let mut reasons: Vec<Reason> = input
        .alerts
        .of_verdict()
        .map(|(alert, state)| Reason {
            kind: "alert",
            name: alert.rule.clone(),
            state,
            text: alert.summary.clone(),
            alert: Some((alert.id.clone(), alert.card)),
        })
        .collect();
    let of_alerts = reasons.iter().map(|reason| reason.state).max();
    let other = other_reasons(input);
    let state =
        sections::overall(input.is_ready, other.len()).max(of_alerts.unwrap_or(CardSeverity::Ok));
    reasons.extend(other);
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.state));
    let reason_count = reasons.len();
    reasons.truncate(MAX_REASONS);
    // What began first of the worst is what it began with.
    let worst = input.alerts.of_verdict().filter(|(_, it)| *it == state);
    let began = worst.map(|(alert, _)| began(alert, input.anomalies)).min();
    Judgment {
        state,
        reasons,
        reason_count,
        began,
    }
}

fn other_reasons(input: &VerdictInput<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if !input.is_ready {
        reasons.push(Reason {
            kind: "readiness",
            name: "ready".to_owned(),
            state: CardSeverity::Critical,
            text: input.readiness.to_owned(),
            alert: None,
        });
    }
    let checks = input.checks.iter();
    let failing = checks.filter(|check| check.status != Some(HealthStatus::Pass));
    reasons.extend(failing.filter_map(|check| {
        Some(Reason {
            kind: kind_of(check),
            name: check.name.clone(),
            state: state_of(check)?,
            text: check.output.clone(),
            alert: None,
        })
    }));
    reasons
}

/// When the condition of an alert began to hold, or when its figure left its normal range shortly before.
fn began(alert: &AlertRow, anomalies: &[AnomalyRow]) -> u64 {
    let is_before = |row: &&AnomalyRow| {
        let is_of_figure = row.card.is_some() && row.card == alert.card;
        is_of_figure
            && row.from <= alert.began
            && alert.began - row.from <= BEFORE_ALERT
            && row.to.is_none_or(|to| to >= alert.began)
    };
    let anomalies = anomalies.iter().filter(is_before);
    anomalies.map(|row| row.from).min().unwrap_or(alert.began)
}

/// The route whose response times are odd the most.
pub(super) fn slow_route(anomalies: &[AnomalyRow]) -> Option<SlowRoute> {
    let is_slow = |row: &&AnomalyRow| row.is_slow && row.to.is_none() && row.route.is_some();
    let slow = anomalies.iter().filter(is_slow);
    let worst = slow.max_by(|one, other| one.score.total_cmp(&other.score))?;
    let (method, route) = worst.route.clone()?;
    Some(SlowRoute {
        method,
        route,
        p95: worst.value,
    })
}

#[cfg(test)]
mod tests {
    use super::super::alert_figures::AlertPhase;
    use super::*;
    use crate::dashboard::DashboardCard;

    fn firing(rule: &str, severity: CardSeverity, began: u64) -> AlertRow {
        AlertRow::for_test(rule, AlertPhase::Firing, Some(severity), began)
    }

    fn anomaly(from: u64, to: Option<u64>) -> AnomalyRow {
        AnomalyRow {
            number: 1,
            episode: 1,
            card: Some(DashboardCard::ErrorRate),
            name: "error rate".to_owned(),
            text: String::new(),
            route: Some(("GET".to_owned(), "/a".to_owned())),
            is_slow: true,
            from,
            to,
            value: 0.3,
            low: 0.0,
            high: 0.1,
            score: 2.0,
            also: Vec::new(),
        }
    }

    fn judged(alerts: Vec<AlertRow>, anomalies: &[AnomalyRow], is_ready: bool) -> Judgment {
        let check = |name: &str, status| HealthEntry {
            name: name.to_owned(),
            is_check: false,
            status: Some(status),
            output: "nothing was delivered".to_owned(),
        };
        judge(&VerdictInput {
            alerts: &AlertReading {
                alerts,
                ..AlertReading::default()
            },
            anomalies,
            checks: &[
                check("a", HealthStatus::Pass),
                check("otlp", HealthStatus::Warn),
            ],
            is_ready,
            readiness: "starting",
        })
    }

    #[test]
    fn alerts_come_first_and_the_worst_decides() {
        let (warning, critical) = (CardSeverity::Warning, CardSeverity::Critical);
        let names = |judgment: &Judgment| -> Vec<String> {
            judgment.reasons.iter().map(|it| it.name.clone()).collect()
        };
        let judgment = judged(vec![firing("slow", warning, 50_000)], &[], true);
        assert_eq!((judgment.state, judgment.began), (warning, Some(50_000)));
        assert_eq!(names(&judgment), ["slow", "otlp"]);
        let alerts = vec![
            firing("slow", warning, 1),
            firing("errors", critical, 70_000),
        ];
        let judgment = judged(alerts.clone(), &[], false);
        assert_eq!((judgment.state, judgment.began), (critical, Some(70_000)));
        assert_eq!(names(&judgment), ["errors", "ready", "slow", "otlp"]);
        let judgment = judged(Vec::new(), &[], true);
        assert_eq!((judgment.state, judgment.began), (warning, None));
    }

    #[test]
    fn the_verdict_is_of_all_alerts_and_lists_the_first_reasons() {
        let mut alerts = vec![firing("slow", CardSeverity::Warning, 5); 50];
        alerts.push(firing("errors", CardSeverity::Critical, 9));
        let judgment = judged(alerts, &[], true);
        assert_eq!(
            (judgment.state, judgment.began),
            (CardSeverity::Critical, Some(9))
        );
        assert_eq!(
            (judgment.reasons.len(), judgment.reason_count),
            (MAX_REASONS, 52)
        );
        assert_eq!(judgment.reasons[0].name, "errors");
    }

    #[test]
    fn it_began_when_the_figure_left_its_range() {
        let alerts = || vec![firing("errors", CardSeverity::Critical, 1_000_000)];
        let began = |anomaly| judged(alerts(), &[anomaly], true).began;
        assert_eq!(began(anomaly(900_000, None)), Some(900_000));
        assert_eq!(began(anomaly(900_000, Some(950_000))), Some(1_000_000));
        assert_eq!(began(anomaly(50_000, None)), Some(1_000_000));
        assert_eq!(began(anomaly(1_100_000, None)), Some(1_000_000));
    }

    #[test]
    fn the_state_began_with_the_earlier_of_its_reasons() {
        let mut begin = VerdictBegin::default();
        let (ok, warning) = (Some(CardSeverity::Ok), Some(CardSeverity::Warning));
        assert_eq!(begin.update(ok, None, Some(5), 100), Some(5));
        // A check fails, and then an alert of the same severity fires.
        assert_eq!(begin.update(warning, None, Some(5), 200), Some(200));
        assert_eq!(begin.update(warning, Some(300), Some(5), 300), Some(200));
        // The condition of the alert had held before the check was seen to fail.
        assert_eq!(begin.update(warning, Some(150), Some(5), 310), Some(150));
        let critical = Some(CardSeverity::Critical);
        assert_eq!(begin.update(critical, None, None, 400), Some(400));
        assert_eq!(begin.update(ok, None, Some(480), 500), Some(500));
    }

    #[test]
    fn a_slow_route_is_one_that_is_odd_now() {
        assert_eq!(slow_route(&[anomaly(1, None)]).unwrap().route, "/a");
        assert_eq!(slow_route(&[anomaly(1, Some(2))]), None);
    }
}
