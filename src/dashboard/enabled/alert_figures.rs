//! The alerts and rules that the pages show, in a build with alerts or without.

use super::severity::CardSeverity;
use crate::dashboard::DashboardCard;

/// The state of an alert that is not inactive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "alerts"),
    expect(dead_code, reason = "there are no alerts in that build")
)]
pub(super) enum AlertPhase {
    Pending,
    Firing,
    /// It fires until its condition has not held for some time.
    Recovering,
    Resolved,
}

impl AlertPhase {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Recovering => "recovering",
            Self::Resolved => "resolved",
        }
    }
}

/// Who takes care of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AcknowledgedBy {
    pub(super) by: String,
    pub(super) comment: String,
    pub(super) at: u64,
    pub(super) until: Option<u64>,
}

/// An alert. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AlertRow {
    /// The fingerprint in hexadecimal digits.
    pub(super) id: String,
    pub(super) rule: String,
    /// The card that shows the figure of its rule.
    pub(super) card: Option<DashboardCard>,
    pub(super) phase: AlertPhase,
    /// `None` for an alert that colours nothing.
    pub(super) severity: Option<CardSeverity>,
    /// When its condition began to hold.
    pub(super) began: u64,
    /// When its state began.
    pub(super) since: u64,
    pub(super) fired_at: Option<u64>,
    /// When a pending alert fires if its condition goes on.
    pub(super) fires_at: Option<u64>,
    pub(super) resolved_at: Option<u64>,
    pub(super) value: Option<f64>,
    /// Such as `> 0.05`.
    pub(super) bound: String,
    pub(super) summary: String,
    /// Those of the series.
    pub(super) labels: Vec<(String, String)>,
    /// All of them as matchers, for a silence.
    pub(super) matchers: Vec<String>,
    pub(super) acknowledged: Option<AcknowledgedBy>,
    pub(super) silenced_by: Vec<u64>,
    pub(super) inhibited_by: Option<String>,
    pub(super) has_no_data: bool,
    pub(super) has_failed: bool,
    pub(super) runbook: Option<String>,
}

impl AlertRow {
    /// Whether it fires now, which includes the time until it is over for good.
    pub(super) fn fires(&self) -> bool {
        matches!(self.phase, AlertPhase::Firing | AlertPhase::Recovering)
    }

    /// Whether a silence or another alert hides it.
    pub(super) fn is_hidden(&self) -> bool {
        !self.silenced_by.is_empty() || self.inhibited_by.is_some()
    }

    /// Whether it fires and nobody has acknowledged or silenced it.
    pub(super) fn is_open(&self) -> bool {
        self.fires() && !self.is_hidden() && self.acknowledged.is_none() && self.severity.is_some()
    }

    /// What it says about the health of the service. A warning that somebody takes care of says nothing more; a critical
    /// alert does until it ends.
    pub(super) fn verdict(&self) -> Option<CardSeverity> {
        let severity = self
            .severity
            .filter(|_| self.fires() && !self.is_hidden())?;
        let is_handled = self.acknowledged.is_some() && severity < CardSeverity::Critical;
        (!is_handled).then_some(severity)
    }
}

/// A time for which the condition of a rule held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AlertSpan {
    pub(super) rule: String,
    pub(super) card: Option<DashboardCard>,
    pub(super) severity: Option<CardSeverity>,
    /// Whether the alert fired. Otherwise it waited.
    pub(super) is_firing: bool,
    pub(super) from: u64,
    /// `None` while it lasts.
    pub(super) to: Option<u64>,
}

/// The limit of a rule in the unit of a card.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RuleLine {
    pub(super) card: DashboardCard,
    pub(super) rule: String,
    pub(super) severity: CardSeverity,
    /// Of connections, the share of the maximum.
    pub(super) limit: f64,
    /// For how long the condition has to hold, in milliseconds.
    pub(super) hold: u64,
}

/// The maximum number of alerts in the live state.
pub(super) const MAX_SHOWN: usize = 20;

/// All that the overview knows of the alerts.
#[derive(Debug, Default, PartialEq)]
pub(super) struct AlertReading {
    /// All of them, since the verdict and the counts are of all; the document has the first [`MAX_SHOWN`]. Firing ones first,
    /// and among these the critical ones.
    pub(super) alerts: Vec<AlertRow>,
    /// The oldest first.
    pub(super) spans: Vec<AlertSpan>,
    pub(super) lines: Vec<RuleLine>,
    /// The cards with a rule.
    pub(super) cards: Vec<DashboardCard>,
    pub(super) rules: usize,
}

#[cfg(feature = "alerts")]
impl AlertReading {
    /// The maximum number of spans in the live state.
    const MAX_SPANS: usize = 200;
    /// How long a span is shown, in milliseconds.
    const SHOWN_FOR: u64 = 24 * 3_600_000;

    /// Leaves out the spans that are too old or too many for the live state.
    pub(super) fn trim(&mut self, now: u64) {
        let is_shown = |span: &AlertSpan| {
            let end = span.to.unwrap_or(now);
            now.saturating_sub(end) <= Self::SHOWN_FOR
        };
        self.spans.retain(is_shown);
        let excess = self.spans.len().saturating_sub(Self::MAX_SPANS);
        self.spans.drain(..excess);
    }
}

impl AlertReading {
    /// The number of alerts that are open, of those of them that are critical, and of those that fire and are acknowledged.
    pub(super) fn counts(&self) -> [u64; 3] {
        let count = |is: fn(&AlertRow) -> bool| self.alerts.iter().filter(|it| is(it)).count();
        let counts = [
            count(AlertRow::is_open),
            count(|it| it.is_open() && it.severity == Some(CardSeverity::Critical)),
            count(|it| it.fires() && it.acknowledged.is_some()),
        ];
        counts.map(|count| count as u64)
    }

    /// The alerts that decide about the verdict, the worst first.
    pub(super) fn of_verdict(&self) -> impl Iterator<Item = (&AlertRow, CardSeverity)> {
        let mut all: Vec<_> = self
            .alerts
            .iter()
            .filter_map(|alert| Some((alert, alert.verdict()?)))
            .collect();
        all.sort_by_key(|(alert, severity)| (std::cmp::Reverse(*severity), alert.began));
        all.into_iter()
    }

    /// The worst of the alerts of a card that fire and are not hidden, or else the first one that waits.
    pub(super) fn of_card(&self, card: DashboardCard) -> Option<&AlertRow> {
        let of_card = |alert: &&AlertRow| alert.card == Some(card) && !alert.is_hidden();
        let all = || self.alerts.iter().filter(of_card);
        let firing = all().filter(|alert| alert.fires() && alert.severity.is_some());
        let worst = firing.max_by_key(|alert| alert.severity);
        worst.or_else(|| all().find(|alert| alert.phase == AlertPhase::Pending))
    }

    /// The worst of the alerts on requests: on their failures, their times and their number. Of equally bad ones, the first
    /// in this order.
    pub(super) fn of_requests(&self) -> Option<(DashboardCard, CardSeverity)> {
        use DashboardCard::{ErrorRate, Requests, ResponseTime};

        let worst = |card: DashboardCard| {
            let of_card = self.of_verdict().filter(|(it, _)| it.card == Some(card));
            of_card.map(|(_, severity)| (card, severity)).next()
        };
        let all = [Requests, ResponseTime, ErrorRate].into_iter();
        all.filter_map(worst).max_by_key(|(_, severity)| *severity)
    }

    pub(super) fn has_rule(&self, card: DashboardCard) -> bool {
        self.cards.contains(&card)
    }
}

#[cfg(test)]
impl AlertRow {
    /// An alert on the error rate.
    pub(super) fn for_test(
        rule: &str,
        phase: AlertPhase,
        severity: Option<CardSeverity>,
        began: u64,
    ) -> Self {
        Self {
            id: String::new(),
            rule: rule.to_owned(),
            card: Some(DashboardCard::ErrorRate),
            phase,
            severity,
            began,
            since: began,
            fired_at: None,
            fires_at: None,
            resolved_at: None,
            value: None,
            bound: String::new(),
            summary: String::new(),
            labels: Vec::new(),
            matchers: Vec::new(),
            acknowledged: None,
            silenced_by: Vec::new(),
            inhibited_by: None,
            has_no_data: false,
            has_failed: false,
            runbook: None,
        }
    }
}

#[cfg(all(test, feature = "alerts"))]
mod tests {
    use super::*;

    fn alert(phase: AlertPhase, severity: Option<CardSeverity>) -> AlertRow {
        AlertRow::for_test("r", phase, severity, 1)
    }

    fn acknowledged(severity: CardSeverity) -> AlertRow {
        AlertRow {
            acknowledged: Some(AcknowledgedBy {
                by: "dana".to_owned(),
                comment: String::new(),
                at: 1,
                until: None,
            }),
            ..alert(AlertPhase::Firing, Some(severity))
        }
    }

    #[test]
    fn what_an_alert_says_about_the_service() {
        let (warning, critical) = (CardSeverity::Warning, CardSeverity::Critical);
        let silenced = AlertRow {
            silenced_by: vec![1],
            ..alert(AlertPhase::Firing, Some(critical))
        };
        for (alert, verdict, is_open) in [
            (
                alert(AlertPhase::Firing, Some(warning)),
                Some(warning),
                true,
            ),
            (
                alert(AlertPhase::Recovering, Some(critical)),
                Some(critical),
                true,
            ),
            (alert(AlertPhase::Pending, Some(critical)), None, false),
            (alert(AlertPhase::Resolved, Some(critical)), None, false),
            (alert(AlertPhase::Firing, None), None, false),
            (acknowledged(warning), None, false),
            (acknowledged(critical), Some(critical), false),
            (silenced, None, false),
        ] {
            assert_eq!(
                (alert.verdict(), alert.is_open()),
                (verdict, is_open),
                "{alert:?}"
            );
        }
    }

    #[test]
    fn a_card_shows_its_worst_alert_and_a_pending_one_only_without_others() {
        let pending = alert(AlertPhase::Pending, Some(CardSeverity::Critical));
        let mut reading = AlertReading {
            alerts: vec![pending.clone()],
            ..AlertReading::default()
        };
        assert_eq!(reading.of_card(DashboardCard::ErrorRate), Some(&pending));
        assert_eq!(reading.of_card(DashboardCard::Cpu), None);
        let firing = alert(AlertPhase::Firing, Some(CardSeverity::Warning));
        reading.alerts.push(firing.clone());
        assert_eq!(reading.of_card(DashboardCard::ErrorRate), Some(&firing));
        let info = alert(AlertPhase::Firing, None);
        reading.alerts = vec![info];
        assert_eq!(reading.of_card(DashboardCard::ErrorRate), None);
    }

    #[test]
    fn the_document_lists_twenty_alerts_and_counts_all() {
        let firing = |severity| alert(AlertPhase::Firing, Some(severity));
        let mut alerts = vec![firing(CardSeverity::Critical); 30];
        alerts.extend(vec![firing(CardSeverity::Warning); 40]);
        alerts.extend(vec![acknowledged(CardSeverity::Warning); 50]);
        let mut reading = AlertReading {
            alerts,
            ..AlertReading::default()
        };
        reading.trim(1000);
        assert_eq!(reading.counts(), [70, 30, 50]);
        assert_eq!(reading.of_verdict().count(), 70);
        let document: serde_json::Value =
            serde_json::from_str(&super::super::sections::alerts(&reading)).unwrap();
        assert_eq!(document["alerts"].as_array().unwrap().len(), MAX_SHOWN);
        let counts = ["open", "open_critical", "acknowledged"];
        assert_eq!(
            counts.map(|key| document[key].as_u64().unwrap()),
            [70, 30, 50]
        );
    }

    #[test]
    fn the_live_state_is_bounded() {
        let span = |n: u64| AlertSpan {
            rule: String::new(),
            card: None,
            severity: None,
            is_firing: true,
            from: n,
            to: Some(n),
        };
        let mut reading = AlertReading {
            spans: (0..1000).map(span).collect(),
            ..AlertReading::default()
        };
        reading.trim(1000);
        assert_eq!(reading.spans.len(), AlertReading::MAX_SPANS);
        assert_eq!(reading.spans[0].from, 800, "the newest stay");
        reading.trim(AlertReading::SHOWN_FOR + 10_000);
        assert!(reading.spans.is_empty());
    }
}
