use opentelemetry_sdk::Resource;

use super::{DecodeSpans, OtlpCompression, OtlpConfig};
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
use self::deliver::TraceTransport;

/// The maximum total size, in bytes, of the requests that wait for the receiver.
const MAX_BYTES: usize = 8 << 20;

/// Returns the sink for kept traces. Returns `None` if no endpoint is set, or if its certificates cannot be used,
/// which a notice reports.
pub(crate) fn remote(
    config: &OtlpConfig,
    resource: &Resource,
    decode: Box<dyn DecodeSpans>,
    diagnostics: &Diagnostics,
) -> Option<RemoteSetup> {
    let url = config.traces_url()?;
    let trust = TlsRoots {
        authorities: config.certificate.clone(),
    };
    let client = match HttpClient::new(&trust) {
        Ok(client) => client,
        Err(problem) => {
            diagnostics.report(format!(
                "traces are not sent: {problem}; correct the setting `otlp.certificate`"
            ));
            return None;
        }
    };
    let gzip = config.compression == OtlpCompression::Gzip;
    let encoder = BodyEncoder::new(resource, gzip, body::MAX_BODY);
    Some(RemoteSetup {
        name: "otlp",
        max_bytes: MAX_BYTES,
        max_items: u64::from(config.max_queue_size),
        timeout: config.timeout.min(config.export_timeout),
        client,
        encode: Box::new(SpanBatcher::new(config, encoder, decode)),
        deliver: Box::new(TraceTransport::new(url, &config.headers, gzip)),
    })
}
