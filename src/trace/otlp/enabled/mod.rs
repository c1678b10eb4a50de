use opentelemetry_sdk::Resource;

use super::{DecodeSpans, OtlpCompression, OtlpConfig, OtlpTarget};
use crate::model::Diagnostics;
use crate::worker::{HttpClient, RemoteSetup, TlsRoots};

mod batches;
mod body;
mod deliver;
mod export;
mod gzip;
#[cfg(test)]
mod tests;

use self::batches::SpanBatcher;
use self::body::BodyEncoder;

pub(crate) use self::deliver::{OtlpSignal, OtlpTransport};
pub(crate) use self::gzip::{compressed, decompressed};

/// The maximum total size, in bytes, of the requests that wait for the receiver.
const MAX_BYTES: usize = 8 << 20;

/// Traces, as a signal.
const TRACES: OtlpSignal = OtlpSignal {
    name: "traces",
    path_advice: "check the path of the endpoint; to `otlp.endpoint` is added `/v1/traces`, `otlp.traces_endpoint` is used as it is",
    halve: body::halve,
    rejected: body::rejected,
};

/// Returns the client for requests to a target. If its certificates cannot be used, a notice reports this.
pub(crate) fn http_client(
    target: &OtlpTarget,
    signal: &OtlpSignal,
    diagnostics: &Diagnostics,
) -> Option<HttpClient> {
    let trust = TlsRoots {
        authorities: target.certificate.clone(),
    };
    let client = HttpClient::new(&trust);
    let report = |problem: &_| {
        diagnostics.report(format!(
            "{} are not sent: {problem}; correct the setting `otlp.certificate`",
            signal.name
        ));
    };
    client.inspect_err(report).ok()
}

/// Returns the sink for kept traces. Returns `None` if no endpoint is set, or if its certificates cannot be used,
/// which a notice reports.
pub(crate) fn remote(
    config: &OtlpConfig,
    resource: &Resource,
    decode: Box<dyn DecodeSpans>,
    diagnostics: &Diagnostics,
) -> Option<RemoteSetup> {
    let target = config.traces()?;
    let client = http_client(&target, &TRACES, diagnostics)?;
    let gzip = target.compression == OtlpCompression::Gzip;
    let encoder = BodyEncoder::new(resource, gzip, body::MAX_BODY);
    Some(RemoteSetup {
        name: "otlp",
        max_bytes: MAX_BYTES,
        max_items: u64::from(config.max_queue_size),
        timeout: target.timeout.min(config.export_timeout),
        client,
        encode: Box::new(SpanBatcher::new(config, encoder, decode)),
        deliver: Box::new(OtlpTransport::new(&target, &TRACES)),
    })
}
