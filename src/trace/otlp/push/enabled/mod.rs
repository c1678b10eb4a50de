use super::PushSetup;
use crate::metrics::MetricsExporter;
use crate::trace::OtlpCompression;
use crate::trace::otlp::{OtlpSignal, OtlpTransport, http_client};
use crate::worker::RemoteSetup;

mod attributes;
mod body;
mod points;
mod pusher;
mod streams;
#[cfg(test)]
mod tests;

use self::body::PushEncoder;
use self::pusher::MetricPusher;
use self::streams::Streams;

/// The maximum total size, in bytes, of the requests that wait for the receiver.
const MAX_BYTES: usize = 8 << 20;

/// Metrics, as a signal.
const METRICS: OtlpSignal = OtlpSignal {
    name: "metrics",
    path_advice: "check the path of the endpoint; to `otlp.endpoint` is added `/v1/metrics`, `otlp.metrics_endpoint` is used as it is",
    halve: body::halve,
    rejected: body::rejected,
};

/// Returns the sink for metrics. Returns `None` if the settings do not ask for pushes, and if the receiver or its
/// certificates are missing, which a notice reports.
pub(crate) fn remote(setup: &PushSetup<'_>) -> Option<RemoteSetup> {
    let config = setup.config;
    if config.exporter != MetricsExporter::Otlp {
        return None;
    }
    let Some(target) = &setup.target else {
        setup.diagnostics.report(
            "`metrics.exporter` is `otlp`, and metrics are not pushed, because there is no receiver: set `otlp.endpoint`",
        );
        return None;
    };
    let client = http_client(target, &METRICS, setup.diagnostics)?;
    let gzip = target.compression == OtlpCompression::Gzip;
    let streams = Streams::new(config, setup.metrics.wall());
    let encoder = PushEncoder::new(setup.resource, gzip);
    let snapshotter = setup.metrics.exemplar_snapshotter();
    Some(RemoteSetup {
        name: "otlp_metrics",
        max_bytes: MAX_BYTES,
        // The points of one push may be many, so only their bytes are limited.
        max_items: u64::MAX,
        timeout: target.timeout.min(config.export_timeout),
        client,
        encode: Box::new(MetricPusher::new(
            config.export_interval,
            snapshotter,
            streams,
            encoder,
        )),
        deliver: Box::new(OtlpTransport::new(target, &METRICS)),
    })
}
