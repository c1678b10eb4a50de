use opentelemetry_sdk::Resource;

use super::{DecodeSpans, OtlpConfig};
use crate::model::Diagnostics;
use crate::worker::RemoteSetup;

/// Reports that this build cannot send traces, if an endpoint is set.
pub(crate) fn remote(
    config: &OtlpConfig,
    _resource: &Resource,
    _decode: Box<dyn DecodeSpans>,
    diagnostics: &Diagnostics,
) -> Option<RemoteSetup> {
    if config.traces().is_some() {
        diagnostics.report(
            "an OTLP endpoint is set, and this build cannot send to it: build watchpost with the feature `otlp`",
        );
    }
    None
}
