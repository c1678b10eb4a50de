use tracing::Level;

use super::super::error_formatter::tracing_level;
use super::super::keys;
use crate::model::codec::Reader;
use crate::model::{RecordKind, TraceId};
use crate::record::{ErrorRecord, RequestRecord};
use crate::trace::{callsites, event, log_event};

/// What is known of a record without formatting it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordFacts {
    pub(super) level: Level,
    pub(super) trace_id: TraceId,
    /// `None` if the record has its own target, which its line shows.
    pub(super) target: Option<&'static str>,
}

impl RecordFacts {
    /// Reads the facts of a record; `None` if it is malformed.
    pub(super) fn read(kind: RecordKind, body: &[u8]) -> Option<Self> {
        match kind {
            RecordKind::Request => {
                let request = RequestRecord::read(body)?;
                Some(Self {
                    level: if request.failed {
                        Level::ERROR
                    } else {
                        Level::INFO
                    },
                    trace_id: request.trace,
                    target: Some(""),
                })
            }
            RecordKind::Error => {
                let error = ErrorRecord::read(body)?;
                Some(Self {
                    level: tracing_level(error.level),
                    trace_id: error.trace,
                    target: Some(""),
                })
            }
            RecordKind::Log => {
                let mut reader = Reader::new(body);
                let callsite = reader.u32()? & !event::SHORTENED;
                let trace_id = TraceId::from_u128(reader.u128()?);
                let metadata = callsites::metadata(callsite)?;
                Some(Self {
                    level: *metadata.level(),
                    trace_id,
                    target: (!log_event::is_log(metadata)).then(|| metadata.target()),
                })
            }
            _ => Some(Self {
                level: Level::WARN,
                trace_id: TraceId::NIL,
                target: Some(keys::OWN_TARGET),
            }),
        }
    }
}
