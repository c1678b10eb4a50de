use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::runtime::Handle;

use super::Record;
use crate::clock::Nanos;
use crate::model::{RecordKind, catch_panic};

/// Processes the records of one kind inside the process, before the sinks get them.
///
/// It runs on the worker's thread and blocks it: longer work belongs on the [`BlockingPool`].
pub(crate) trait RecordProcessor: Send {
    /// The kind of its records.
    fn kind(&self) -> RecordKind;

    /// Processes a record.
    fn process(&mut self, record: &Record<'_>, pool: &BlockingPool<'_>);

    /// Does the work that is due. Called once a round, after the records.
    fn run_due(&mut self, _: &BlockingPool<'_>) {}

    /// When [`run_due`](Self::run_due) must be called, unless a record or a wake-up arrives earlier.
    fn due(&self) -> Option<Nanos> {
        None
    }

    /// The position of the last record that it has processed, for [`is_settled`](Self::is_settled).
    fn position(&self) -> u64 {
        0
    }

    /// Whether everything up to this position is delivered, or cannot be delivered now. A flush waits for it.
    fn is_settled(&self, _position: u64) -> bool {
        true
    }

    /// Finishes for a shutdown. Returns whether nothing is left to do. Called once a round until it returns true.
    fn finish(&mut self) -> bool {
        true
    }
}

/// The blocking pool of the worker's runtime, for work that takes longer.
pub(crate) struct BlockingPool<'a>(pub(super) &'a Handle);

impl BlockingPool<'_> {
    /// Queues a job; `false` if it will not run.
    pub(crate) fn spawn(&self, job: impl FnOnce() + Send + 'static) -> bool {
        // Tokio panics if it cannot start a thread.
        catch_panic(|| drop(self.0.spawn_blocking(job))).is_some()
    }
}

/// Calls [`RecordProcessor::run_due`] and counts a panic in `panics`.
pub(super) fn run_due(processor: &mut dyn RecordProcessor, pool: &Handle, panics: &AtomicU64) {
    if catch_panic(|| processor.run_due(&BlockingPool(pool))).is_none() {
        panics.fetch_add(1, Relaxed);
    }
}

/// Hands the records of its kind to a processor and returns the number of items that it processed. A record for which
/// it panics is skipped and counted in `panics`.
pub(super) fn process_batch(
    processor: &mut dyn RecordProcessor,
    records: &[Record<'_>],
    pool: &Handle,
    panics: &AtomicU64,
) -> u64 {
    let (kind, pool) = (processor.kind(), BlockingPool(pool));
    let mut processed = 0;
    for record in records.iter().filter(|record| record.kind == kind) {
        match catch_panic(|| processor.process(record, &pool)) {
            Some(()) => processed += u64::from(record.items),
            None => {
                panics.fetch_add(1, Relaxed);
            }
        }
    }
    processed
}
