//! What is sent elsewhere.

use crate::config::Config;
use crate::model::Notices;
use crate::trace::otlp::{self, Decode};
use crate::trace::{Exporter, Origin, resource};
use crate::worker::RemoteSetup;

/// The receivers that the settings name, for the records that `decode` makes spans of.
pub(super) fn remotes(
    config: &Config,
    decode: Option<Box<dyn Decode>>,
    notices: &Notices,
) -> Vec<RemoteSetup> {
    let sends = !config.trace.disabled && config.trace.exporter == Exporter::Otlp;
    let Some(decode) = decode.filter(|_| sends) else {
        return Vec::new();
    };
    let service = &config.service;
    let resource = resource(&Origin {
        name: &service.name,
        version: service.version.as_deref(),
        environment: service.environment.as_deref(),
        instance: service.instance.as_deref(),
        attributes: &service.attributes,
    });
    let traces = otlp::remote(&config.otlp, &resource, decode, notices);
    traces.into_iter().collect()
}
