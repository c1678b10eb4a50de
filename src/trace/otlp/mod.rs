//! The export of kept traces over OTLP, and of pushed metrics ([`push`]): protobuf over HTTP.
//!
//! The worker's thread decodes records of [`RecordKind::Span`](crate::model::RecordKind::Span) into spans and batches
//! the spans into requests of at most `max_export_batch_size` spans or 1 MiB. The requests wait in a remote sink until
//! the receiver accepts them.
//!
//! # How responses are handled
//!
//! - 2xx: delivered. Spans that the receiver reports as rejected are dropped as `send_error` and not retried.
//! - 429, 502, 503, 504 and no response: retried, after `Retry-After` if it is present.
//! - 413: split in halves and sent again.
//! - All others: dropped as `send_error`. After 401, 403, 404, 405 and redirects, which would affect the next request
//!   too, nothing is sent for five minutes.

use opentelemetry_sdk::trace::SpanData;

use crate::worker::Record;

mod config;
#[cfg(not(feature = "otlp"))]
mod disabled;
#[cfg(feature = "otlp")]
mod enabled;
pub(crate) mod push;

pub(crate) use self::config::OtlpTarget;
pub use self::config::{OtlpCompression, OtlpConfig, OtlpProtocol};
#[cfg(not(feature = "otlp"))]
pub(crate) use self::disabled::remote;
#[cfg(feature = "otlp")]
pub(crate) use self::enabled::{
    OtlpSignal, OtlpTransport, compressed, decompressed, http_client, remote,
};

/// Decodes records into spans. Runs on the worker's thread and must be quick; it may panic.
pub(crate) trait DecodeSpans: Send {
    /// Appends the spans of a record, one for each item. Items that cannot be decoded are omitted and counted as
    /// dropped.
    #[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "nothing is sent"))]
    fn spans(&mut self, record: &Record<'_>, out: &mut Vec<SpanData>);
}
