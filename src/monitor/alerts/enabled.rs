use std::path::Path;
use std::sync::Arc;

use crate::alerts::{AlertFigures, Alerts, AlertsConfig, AlertsSetup};
use crate::clock::Clock;
use crate::context::Requests;
use crate::logs::OwnLog;
use crate::metrics::{InstrumentKind, Metrics, Observer};
use crate::model::{Diagnostics, LevelDirectives};
use crate::monitor::history::HistoryState;
use crate::worker::{PeriodicTask, RecordQueue};

/// The alerts of a monitor.
#[derive(Debug)]
pub(in crate::monitor) struct AlertsHandle(pub(in crate::monitor) Alerts);

/// Adds the values of a metric.
type RecordValue<'a> = &'a mut dyn FnMut(&[(&str, &str)], f64);

impl AlertsHandle {
    /// Creates the alerts, and the tasks that evaluate their rules. They are kept in the data directory, if there is one.
    pub(in crate::monitor) fn new(
        config: &AlertsConfig,
        service: (&str, Option<&str>),
        history: &HistoryState,
        data_dir: Option<&Path>,
        clock: &Clock,
        diagnostics: &Arc<Diagnostics>,
        (levels, record_queue, requests): (
            &Arc<LevelDirectives>,
            &Arc<RecordQueue>,
            &Arc<Requests>,
        ),
    ) -> (Self, Vec<PeriodicTask>) {
        let log = OwnLog {
            record_queue: Arc::clone(record_queue),
            requests: Arc::clone(requests),
            levels: Some(Arc::clone(levels)),
        };
        let (alerts, tasks) = Alerts::new(&AlertsSetup {
            config,
            service,
            history: &history.history,
            directory: data_dir,
            clock,
            diagnostics,
            log,
        });
        (Self(alerts), tasks)
    }

    /// Adds the series about the evaluation of the rules to the metrics.
    pub(in crate::monitor) fn observe(&self, metrics: &Metrics) {
        self.add(
            metrics,
            ("watchpost.alerts.evaluations", ""),
            "Evaluations of all alert rules",
            InstrumentKind::Counter,
            |figures, record| record(&[], figures.rounds as f64),
        );
        self.add(
            metrics,
            ("watchpost.alerts.evaluation.duration", "s"),
            "How long the last evaluation of all alert rules took",
            InstrumentKind::Gauge,
            |figures, record| record(&[], figures.last_round_seconds),
        );
        self.add(
            metrics,
            ("watchpost.alerts.evaluation.lag", "s"),
            "How late the last evaluation of all alert rules began, or how long the next one has been due; 0 if they are in time",
            InstrumentKind::Gauge,
            |figures, record| record(&[], figures.lag_seconds),
        );
        self.add(
            metrics,
            ("watchpost.alerts.failed_rules", ""),
            "Alert rules whose last evaluation failed",
            InstrumentKind::Gauge,
            |figures, record| record(&[], figures.failed_rules as f64),
        );
        self.add(
            metrics,
            ("watchpost.alerts.firing", ""),
            "Alerts that fire, by severity",
            InstrumentKind::Gauge,
            |figures, record| {
                for (severity, count) in figures.firing {
                    record(&[("severity", severity.as_str())], count as f64);
                }
            },
        );
        self.add(
            metrics,
            ("watchpost.alerts.left_out", ""),
            "Label sets that fired and found no room, at each evaluation",
            InstrumentKind::Counter,
            |figures, record| record(&[], figures.left_out as f64),
        );
        self.add(
            metrics,
            ("watchpost.alerts.hook.events", ""),
            "Events for the hooks of alerts: delivered, dropped because the hooks are slow, or disabled, as all hooks are",
            InstrumentKind::Counter,
            |figures, record| {
                record(&[("result", "delivered")], figures.hooks.delivered as f64);
                record(&[("result", "disabled")], figures.hooks.disabled as f64);
                record(&[("result", "dropped")], figures.hooks.dropped as f64);
            },
        );
        self.add(
            metrics,
            ("watchpost.alerts.hook.panics", ""),
            "Calls of hooks of alerts that panicked",
            InstrumentKind::Counter,
            |figures, record| record(&[], figures.hooks.panics as f64),
        );
        self.observe_jobs(metrics);
        self.observe_channels(metrics);
    }

    /// Adds the series about notifications.
    fn observe_channels(&self, metrics: &Metrics) {
        self.add(
            metrics,
            ("watchpost.alerts.notifications", ""),
            "Announcements of alerts by channel and result: delivered, or dropped with the reason",
            InstrumentKind::Counter,
            |figures, record| {
                for channel in &figures.channels {
                    let name = ("channel", &*channel.name);
                    record(&[name, ("result", "emitted")], channel.emitted as f64);
                    record(&[name, ("result", "delivered")], channel.delivered as f64);
                    for (reason, count) in &channel.dropped {
                        record(&[name, ("result", reason)], *count as f64);
                    }
                }
            },
        );
        self.add(
            metrics,
            ("watchpost.alerts.notifications.waiting", ""),
            "Announcements of alerts that a channel has still to deliver",
            InstrumentKind::Gauge,
            |figures, record| {
                for channel in &figures.channels {
                    record(&[("channel", &*channel.name)], channel.spooled as f64);
                }
            },
        );
        self.add(
            metrics,
            ("watchpost.alerts.recipients.refused", ""),
            "Recipients that did not get a notification although others did, or that were refused with all others",
            InstrumentKind::Counter,
            |figures, record| {
                for channel in &figures.channels {
                    let count = channel.refused_recipients.count;
                    if count > 0 {
                        record(&[("channel", &*channel.name)], count as f64);
                    }
                }
            },
        );
        self.add(
            metrics,
            ("watchpost.alerts.channel.failing", "s"),
            "For how long a channel has not been able to deliver; 0 if it can",
            InstrumentKind::Gauge,
            |figures, record| {
                for (channel, seconds) in &figures.failing {
                    record(&[("channel", channel)], *seconds);
                }
            },
        );
        self.add(
            metrics,
            ("watchpost.alerts.heartbeats", ""),
            "Heartbeats: delivered, or failed",
            InstrumentKind::Counter,
            |figures, record| {
                if let Some((delivered, failed)) = figures.heartbeats {
                    record(&[("result", "delivered")], delivered as f64);
                    record(&[("result", "failed")], failed as f64);
                }
            },
        );
    }

    /// Adds the series about background jobs.
    fn observe_jobs(&self, metrics: &Metrics) {
        self.add(
            metrics,
            ("watchpost.job.runs", ""),
            "Runs of background jobs that ended: succeeded or failed",
            InstrumentKind::Counter,
            |figures, record| {
                for job in &figures.jobs {
                    let labels = |result| [("job_name", &*job.name), ("result", result)];
                    record(&labels("succeeded"), job.succeeded as f64);
                    record(&labels("failed"), job.failed as f64);
                }
            },
        );
        self.add(
            metrics,
            ("watchpost.job.overdue", "s"),
            "The time since a background job should have succeeded; 0 if it is not due",
            InstrumentKind::Gauge,
            |figures, record| {
                for job in &figures.jobs {
                    record(&[("job_name", &*job.name)], job.overdue);
                }
            },
        );
    }

    fn add(
        &self,
        metrics: &Metrics,
        (name, unit): (&'static str, &'static str),
        description: &'static str,
        kind: InstrumentKind,
        read: fn(&AlertFigures, RecordValue<'_>),
    ) {
        // Weak, since the alerts hold the history, which holds the registry.
        let figures = self.0.figures_reader();
        let observer: Observer = Arc::new(move |record| {
            if let Some(figures) = figures() {
                read(&figures, record);
            }
        });
        metrics.observe_own(name, unit, description, kind, observer);
    }
}
