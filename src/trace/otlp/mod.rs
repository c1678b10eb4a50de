//! Kept traces out over OTLP: protobuf by HTTP.
//!
//! Records of [`RecordKind::Span`](crate::model::RecordKind::Span) become spans on the worker's thread, spans
//! become requests of at most `max_export_batch_size` of them or a mebibyte, and these wait in a remote
//! sink until the receiver takes them.
//!
//! # What is done with a response
//!
//! 2xx: delivered, but for what the receiver says it rejected, which is dropped as `send_error` and not
//! sent again. 429, 502, 503, 504 and no response: sent again, after `Retry-After` where there is one. 413:
//! sent in halves. All others: dropped as `send_error`; after 401, 403, 404, 405 and redirects, which will
//! not be better for the next request, nothing is sent for five minutes.

use opentelemetry_sdk::trace::SpanData;

use crate::worker::Record;

mod config;
#[cfg(not(feature = "otlp"))]
mod disabled;
#[cfg(feature = "otlp")]
mod enabled;

pub use self::config::{OtlpCompression, OtlpConfig, OtlpProtocol};
#[cfg(not(feature = "otlp"))]
pub(crate) use self::disabled::remote;
#[cfg(feature = "otlp")]
pub(crate) use self::enabled::remote;

/// Makes spans of a record. Runs on the worker's thread and must be quick; it may panic.
pub(crate) trait DecodeSpans: Send {
    /// Appends the spans of a record, as many as it has items; those that it cannot read are left out and
    /// counted as dropped.
    #[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "nothing is sent"))]
    fn spans(&mut self, record: &Record<'_>, out: &mut Vec<SpanData>);
}
