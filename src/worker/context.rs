use std::sync::Arc;

use super::RecordQueue;
use crate::clock::Clock;
use crate::model::{Diagnostics, RecordCounters};

/// The state that the parts of one worker share.
#[derive(Clone)]
pub(super) struct WorkerContext {
    /// The host's clock, which a test may drive: records and notices carry its times.
    pub(super) clock: Clock,
    /// The machine's monotonic clock: waits, back-off and deadlines use it.
    pub(super) monotonic: Clock,
    pub(super) record_queue: Arc<RecordQueue>,
    pub(super) counters: Arc<RecordCounters>,
    pub(super) diagnostics: Arc<Diagnostics>,
}
