use super::PushSetup;
use crate::metrics::MetricsExporter;
use crate::worker::RemoteSetup;

/// Reports that this build cannot push metrics, if the settings ask for it.
pub(crate) fn remote(setup: &PushSetup<'_>) -> Option<RemoteSetup> {
    if setup.config.exporter == MetricsExporter::Otlp {
        setup.diagnostics.report(
            "`metrics.exporter` is `otlp`, and this build cannot push metrics: build watchpost with the feature `otlp`",
        );
    }
    None
}
