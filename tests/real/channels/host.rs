//! A monitor with one rule, whose clock the checks drive.

use std::time::Duration;

use watchpost::alerts::{
    AlertsConfig, Bound, Channel, ChannelStatus, Delivery, DeliveryOutcome, MissingData, Rule,
    Severity,
};
use watchpost::history::MetricQuery;
use watchpost::testing::Harness;

use crate::AnyError;

/// The time between two evaluations of the rule.
const STEP: Duration = Duration::from_secs(30);
pub(crate) const DASHBOARD: &str = "https://monitoring.example/";
pub(crate) const RUNBOOK: &str = "https://wiki.example/hot?a=b&c";

pub(crate) struct Host {
    pub(crate) harness: Harness,
}

impl Host {
    pub(crate) fn new(channel: impl Channel) -> Result<Self, AnyError> {
        let config = AlertsConfig::default()
            .default_rules(false)
            .group_wait(Duration::ZERO)
            .group_interval(Duration::from_secs(1))
            .dashboard_url(http::Uri::from_static(DASHBOARD));
        let harness = Harness::with(|builder| builder.alerts(config));
        let heat = MetricQuery::last("heat").by(["room"]);
        let rule = Rule::threshold("hot", heat, Bound::above(30.0))
            .severity(Severity::Critical)
            .missing_data(MissingData::Resolve)
            .annotation(
                "summary",
                "It is {{ $value }} degrees in the {{ $labels.room }} & <hotter> than 30 °C",
            )
            .runbook(RUNBOOK);
        harness.alerts().add_rule(rule)?;
        harness.alerts().add_channel(channel)?;
        Ok(Self { harness })
    }

    /// Sets a value, evaluates the rule, and delivers what is due.
    pub(crate) fn heat(&self, room: &str, degrees: f64) {
        let heat = self.harness.metrics().gauge("heat").build();
        heat.with([("room", room.to_owned())]).set(degrees);
        self.harness.advance(STEP);
        self.harness.snapshot();
        self.harness.evaluate_alerts();
        self.harness.deliver_notifications();
    }

    /// Lets time pass, and delivers what is due.
    pub(crate) fn wait(&self, time: Duration) {
        self.harness.advance(time);
        self.harness.deliver_notifications();
    }

    /// The state of the channel, with exact counters.
    pub(crate) fn status(&self) -> Result<ChannelStatus, AnyError> {
        let status = self.harness.alerts().channels().pop();
        let status = status.ok_or("there is no channel")?;
        let dropped: u64 = status.dropped.iter().map(|(_, count)| count).sum();
        if status.emitted != status.delivered + status.spooled + dropped {
            return Err(format!("the counters do not add up: {status:?}").into());
        }
        Ok(status)
    }

    /// What was delivered, by the log.
    pub(crate) fn delivered(&self) -> Vec<Delivery> {
        let log = self.harness.alerts().deliveries();
        let is_delivered = |it: &Delivery| it.outcome == DeliveryOutcome::Delivered;
        log.into_iter().filter(is_delivered).collect()
    }
}
