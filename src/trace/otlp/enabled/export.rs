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

/// A placeholder endpoint, so that the exporter does not read one from the environment. Nothing is sent to it.
const ENDPOINT: &str = "http://127.0.0.1/v1/traces";
const TIMEOUT: Duration = Duration::from_secs(1);

/// OpenTelemetry's exporter, used as an encoder: it keeps the body of each request and discards the rest.
///
/// The exporter's settings in code take precedence over `OTEL_*`, with two exceptions. The variables for headers
/// override the settings in code, so the headers of a request are ignored. The variables for compression apply if the
/// code selects no algorithm, and the code cannot disable compression. So the first bytes of the body determine its
/// format, and it is decompressed if necessary.
#[derive(Debug)]
pub(super) struct ExporterEncoder {
    inner: SpanExporter,
    capture: BodyCapture,
    max_bytes: usize,
}

impl ExporterEncoder {
    /// Creates the encoder. Returns `None` if the environment selects a compression that cannot be decoded here, and
    /// the build supports no other.
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
        // A test body without spans shows whether bodies can be decoded.
        exporter.encode(Vec::new()).ok()?;
        Some(exporter)
    }

    /// Returns the uncompressed message with these spans, or the reason for which they are dropped.
    pub(super) fn encode(&self, spans: Vec<SpanData>) -> Result<Bytes, DropReason> {
        drop(self.capture.take());
        let export = pin!(self.inner.export(spans));
        // The client responds at once, so the future never waits.
        match export.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => {}
            // Before sending a request, the exporter checks only the size.
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
        // The only field of the message, `resource_spans`, which occurs at least once.
        Some([0x0a, _]) => Some(body),
        _ => None,
    }
}

/// The HTTP client of an [`ExporterEncoder`]: it keeps the body and returns success.
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
    // The desugared form of `async fn` in a trait with boxed futures.
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
        // Too large, truncated, of another format, and empty.
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
        // The build does not include this compression.
        assert!(ExporterEncoder::with(Some(Compression::Zstd), &resource, 1 << 20).is_none());
    }
}
