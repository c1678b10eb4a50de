use std::sync::Arc;

use tracing::field::Value;
use tracing::{Event, Metadata};

use crate::context::Requests;
use crate::model::{LevelDirectives, RecordKind};
use crate::trace::{callsites, event};
use crate::worker::RecordQueue;

/// Writes log records about what the monitor has found, such as an alert. They go to the log of this monitor alone, and
/// not through `tracing`: another layer would take them for events of the host.
#[derive(Debug, Clone)]
pub(crate) struct OwnLog {
    pub(crate) record_queue: Arc<RecordQueue>,
    pub(crate) requests: Arc<Requests>,
    /// The levels that are recorded. `None` records all.
    pub(crate) levels: Option<Arc<LevelDirectives>>,
}

impl OwnLog {
    /// Writes a record with the fields of `metadata`, if the level of its target wants it. A field without a value is left
    /// out.
    pub(crate) fn push(&self, metadata: &'static Metadata<'static>, values: &[Option<&dyn Value>]) {
        let is_wanted =
            |levels: &Arc<LevelDirectives>| *metadata.level() <= levels.level_of(metadata.target());
        if !self.levels.as_ref().is_none_or(is_wanted) {
            return;
        }
        let values = metadata.fields().value_set_all(values);
        let mut callsite = callsites::number(metadata);
        // Not of a request: no IDs and no route.
        let mut fields = Vec::new();
        if !event::put_fields(&mut fields, &Event::new(metadata, &values)) {
            callsite |= event::SHORTENED;
        }
        let at = self.requests.clock().now();
        self.record_queue
            .push_from(RecordKind::Log, callsite, at, |out| {
                out.extend_from_slice(&callsite.to_le_bytes());
                out.extend_from_slice(&0_u128.to_le_bytes());
                out.extend_from_slice(&0_u64.to_le_bytes());
                out.extend_from_slice(&0_u32.to_le_bytes());
                out.extend_from_slice(&fields);
            });
    }
}
