use std::sync::Arc;

use super::labels::ErrorType;
use crate::clock::Nanos;
use crate::model::codec::put_str;
use crate::model::grpc::Call;
use crate::model::{Outcome, RecordKind};
use crate::record::{RequestRecord, put_fixed};
use crate::worker::RecordQueue;

/// Event streams that last longer get a log record of their end.
const LONG_STREAM: Nanos = 60 * 1_000_000_000;

/// The log record of an event stream's end. It is prepared when the stream's request ends, at the headers.
#[derive(Debug)]
pub(super) struct StreamEndRecord {
    pub(super) record_queue: Arc<RecordQueue>,
    /// Whether only failures get log records.
    pub(super) errors_only: bool,
    /// The fields of the request; the end changes some of them.
    pub(super) record: RequestRecord<'static>,
    /// Route, path, query, user agent, client address and user.
    pub(super) texts: Vec<u8>,
    pub(super) attributes: Vec<u8>,
}

impl StreamEndRecord {
    /// Queues the record, if the stream was long enough and is one to log.
    pub(super) fn queue(&self, outcome: Outcome, life: Nanos, bytes: u64, now: Nanos) {
        let failed = matches!(outcome, Outcome::BodyError | Outcome::Panicked);
        if life <= LONG_STREAM || self.errors_only && !failed {
            return;
        }
        let error = ErrorType::of(None, Call::NONE, outcome, failed);
        let record = RequestRecord {
            duration: life,
            time_to_headers: None,
            response_bytes: Some(bytes),
            outcome,
            failed,
            stream: true,
            ..self.record
        };
        self.record_queue.push(RecordKind::Request, now, |out| {
            put_fixed(out, &record);
            out.extend_from_slice(&self.texts);
            put_str(out, error.text("", outcome));
            out.extend_from_slice(&self.attributes);
        });
    }
}
