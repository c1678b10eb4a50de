use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    Compression, Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use super::gzip;
use crate::model::DropReason;

/// Set so that the environment's is not asked for; nothing is ever sent there.
const ENDPOINT: &str = "http://127.0.0.1/v1/traces";
const TIMEOUT: Duration = Duration::from_secs(1);

/// OpenTelemetry's exporter, as an encoder: of its requests the body is kept, and all else is thrown away.
///
/// Its settings in code go before `OTEL_*` but for two. The variables for headers overrule what is set here:
/// so nothing in a request's head is believed. Those for compression hold where none is set, and there is no
/// setting for none: so the body's own first bytes say what it is, and it is made plain again.
#[derive(Debug)]
pub(super) struct ExporterEncoder {
    inner: SpanExporter,
    capture: BodyCapture,
    max_bytes: usize,
}

impl ExporterEncoder {
    /// `None` if the environment asks for a compression that cannot be undone here, and of which the build
    /// knows no other.
    pub(super) fn new(resource: &Resource, max_bytes: usize) -> Option<Self> {
        [None, Some(Compression::Gzip)]
            .into_iter()
            .find_map(|compression| Self::with(compression, resource, max_bytes))
    }

    fn with(
        compression: Option<Compression>,
        resource: &Resource,
        max_bytes: usize,
    ) -> Option<Self> {
        let capture = BodyCapture::default();
        let mut builder = SpanExporter::builder()
            .with_http()
            .with_http_client(capture.clone())
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(ENDPOINT)
            .with_timeout(TIMEOUT)
            .with_retry_policy(RetryPolicy::disabled())
            .with_max_request_body_size(max_bytes);
        if let Some(compression) = compression {
            builder = builder.with_compression(compression);
        }
        let mut inner = builder.build().ok()?;
        inner.set_resource(resource);
        let exporter = Self {
            inner,
            capture,
            max_bytes,
        };
        // A first body, of no spans, shows whether the others can be read.
        exporter.encode(Vec::new()).ok()?;
        Some(exporter)
    }

    /// The message of these spans, not compressed; else as what they are to be counted.
    pub(super) fn encode(&self, spans: Vec<SpanData>) -> Result<Bytes, DropReason> {
        drop(self.capture.take());
        let export = pin!(self.inner.export(spans));
        // The client answers at once, so there is nothing to wait for.
        match export.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => {}
            // Before a request is made it looks for nothing but the size.
            Poll::Ready(Err(_)) => return Err(DropReason::TooLarge),
            Poll::Pending => return Err(DropReason::Panic),
        }
        let body = self.capture.take().ok_or(DropReason::Panic)?;
        plain(body, self.max_bytes).ok_or(DropReason::Panic)
    }
}

fn plain(body: Bytes, max_bytes: usize) -> Option<Bytes> {
    match body.get(..2) {
        Some([0x1f, 0x8b]) => gzip::decompressed(&body, max_bytes).map(Bytes::from),
        // The message's one field, `resource_spans`, of which there is one at least.
        Some([0x0a, _]) => Some(body),
        _ => None,
    }
}

/// The client of an [`ExporterEncoder`]: it keeps the body and says that all is well.
#[derive(Debug, Clone, Default)]
struct BodyCapture {
    body: Arc<Mutex<Option<Bytes>>>,
}

impl BodyCapture {
    fn take(&self) -> Option<Bytes> {
        self.replace(None)
    }

    fn replace(&self, body: Option<Bytes>) -> Option<Bytes> {
        let mut kept = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut kept, body)
    }
}

impl HttpClient for BodyCapture {
    // What `async fn` is in this trait of boxed futures.
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        drop(self.replace(Some(request.into_body())));
        Box::pin(std::future::ready(Ok(Response::new(Bytes::new()))))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn a_body_says_itself_what_it_is() {
        let message = Bytes::from_static(&[0x0a, 3, 1, 2, 3]);
        assert_eq!(plain(message.clone(), 5), Some(message.clone()));
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&message).unwrap();
        let gzip = Bytes::from(encoder.finish().unwrap());
        assert_eq!(plain(gzip.clone(), 5), Some(message));
        // Too much, cut, of another kind, and nothing at all.
        assert_eq!(plain(gzip.clone(), 4), None);
        assert_eq!(plain(gzip.slice(..gzip.len() - 1), 5), None);
        assert_eq!(
            plain(Bytes::from_static(&[0x28, 0xb5, 0x2f, 0xfd]), 9),
            None
        );
        assert_eq!(plain(Bytes::new(), 9), None);
    }

    #[test]
    fn the_compression_that_is_asked_for_is_undone() {
        let resource = Resource::builder_empty().build();
        let of = |compression| {
            let exporter = ExporterEncoder::with(compression, &resource, 1 << 20).unwrap();
            exporter.encode(Vec::new()).unwrap()
        };
        assert_eq!(of(None), of(Some(Compression::Gzip)));
        // This one is not in the build.
        assert!(ExporterEncoder::with(Some(Compression::Zstd), &resource, 1 << 20).is_none());
    }
}
