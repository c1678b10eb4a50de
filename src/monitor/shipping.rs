use std::sync::Arc;

use super::log_files::LogFilesState;
use crate::health::ComponentStatus;
use crate::logs::{ElasticsearchConfig, LogFormatter, Shipping, ShippingSetup, ShippingStatus};
use crate::metrics::{InstrumentKind, Metrics};
use crate::model::Diagnostics;
use crate::worker::{PeriodicTask, SinkSetup};

/// What health says of lines that wait in memory.
const BEST_EFFORT: &str = "there are no log files: log records wait in memory, up to 8 MiB, and the end of the process loses them; set `data_dir` or `log.dir`";

/// The shipping of log records to an Elasticsearch.
#[derive(Clone)]
pub(super) struct LogShipping(Shipping);

/// Adds the values of a metric.
type RecordFigure<'a> = &'a mut dyn FnMut(&[(&str, &str)], f64);

impl LogShipping {
    /// `None` if no server is set, or if the settings cannot be used, which is reported.
    pub(super) fn new(
        config: &ElasticsearchConfig,
        files: Option<&LogFilesState>,
        diagnostics: &Arc<Diagnostics>,
    ) -> Option<Self> {
        let setup = ShippingSetup {
            config,
            files: files.map(LogFilesState::files),
            diagnostics,
        };
        let shipping = Shipping::new(&setup)?;
        if files.is_none() {
            diagnostics.report(format!("log records for Elasticsearch: {BEST_EFFORT}"));
        }
        Some(Self(shipping))
    }

    pub(super) fn tasks(&self) -> [PeriodicTask; 2] {
        self.0.tasks()
    }

    /// The sink that takes the lines, if they do not come from files.
    pub(super) fn sink(&self, format: LogFormatter) -> Option<SinkSetup> {
        Some(SinkSetup {
            name: "elasticsearch queue",
            format: Box::new(format),
            writer: self.0.writer()?,
            flush_delay: std::time::Duration::ZERO,
        })
    }

    /// Its component on the health page.
    pub(super) fn component(&self) -> Option<ComponentStatus> {
        let status = self.0.status()?;
        let problem = status
            .problem
            .or_else(|| status.is_best_effort.then(|| BEST_EFFORT.to_owned()));
        let age = status.last_delivery_age;
        Some(ComponentStatus::sink(status.waiting, age, problem))
    }

    /// Adds its series to the metrics page.
    pub(super) fn observe(&self, metrics: &Metrics) {
        self.add(
            metrics,
            "watchpost.elasticsearch.records",
            "Log records for Elasticsearch by result: emitted, delivered, or dropped with the reason",
            InstrumentKind::Counter,
            |status, record| {
                record(&[("result", "emitted")], status.emitted as f64);
                record(&[("result", "delivered")], status.delivered as f64);
                for (reason, count) in status.dropped {
                    record(&[("result", reason)], count as f64);
                }
            },
        );
        self.add(
            metrics,
            "watchpost.elasticsearch.waiting",
            "Log records that Elasticsearch has still to get",
            InstrumentKind::Gauge,
            |status, record| record(&[], status.spooled as f64),
        );
        self.add(
            metrics,
            "watchpost.elasticsearch.repeated",
            "Delivered log records that Elasticsearch had already",
            InstrumentKind::Counter,
            |status, record| record(&[], status.repeated as f64),
        );
        self.add(
            metrics,
            "watchpost.elasticsearch.failed_requests",
            "Requests to Elasticsearch that failed or were refused, and those after which some log records have to be sent again",
            InstrumentKind::Counter,
            |status, record| record(&[], status.failed_requests as f64),
        );
    }

    fn add(
        &self,
        metrics: &Metrics,
        name: &'static str,
        description: &'static str,
        kind: InstrumentKind,
        read: fn(&ShippingStatus, RecordFigure<'_>),
    ) {
        // The shipping holds no registry, so there is no reference cycle.
        let shipping = self.0.clone();
        let observer = Arc::new(move |record: RecordFigure<'_>| {
            if let Some(status) = shipping.status() {
                read(&status, record);
            }
        });
        metrics.observe_own(name, "", description, kind, observer);
    }
}
