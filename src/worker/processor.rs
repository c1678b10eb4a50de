use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::runtime::Handle;

use super::Record;
use crate::clock::Nanos;
use crate::model::RecordKind;
use crate::model::catch_panic;

/// Reads the records of one signal on the worker's thread, before the sinks get them. What it does must be
/// short.
pub(crate) trait RecordProcessor: Send {
    /// The signal that it reads.
    fn signal(&self) -> RecordKind;

    /// Reads a record.
    fn take(&mut self, record: &Record<'_>, jobs: &BlockingPool<'_>);

    /// Does what is due, after the records of a round.
    fn round(&mut self, _: &BlockingPool<'_>) {}

    /// When [`round`](Self::round) has something to do that nothing announces.
    fn due(&self) -> Option<Nanos> {
        None
    }

    /// The number of what it took last.
    fn mark(&self) -> u64 {
        0
    }

    /// Whether all that it took up to this mark is where it was to go, or cannot get there now.
    fn is_settled(&self, _mark: u64) -> bool {
        true
    }

    /// Asked at the end, again and again: whether nothing is left to be done.
    fn ends(&mut self) -> bool {
        true
    }
}

/// Where a tap leaves what takes longer.
pub(crate) struct BlockingPool<'a>(pub(super) &'a Handle);

impl BlockingPool<'_> {
    /// Runs a job on the blocking pool, some time; whether it will.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> bool {
        // The pool panics where no thread can be had.
        catch_panic(|| drop(self.0.spawn_blocking(job))).is_some()
    }
}

/// Has a tap do what is due; `panics` counts.
pub(super) fn run_due(tap: &mut dyn RecordProcessor, pool: &Handle, panics: &AtomicU64) {
    if catch_panic(|| tap.round(&BlockingPool(pool))).is_none() {
        panics.fetch_add(1, Relaxed);
    }
}

/// Shows a batch to a tap. A record at which it panics is passed over; `panics` counts. How many
/// items it took.
pub(super) fn process_batch(
    tap: &mut dyn RecordProcessor,
    records: &[Record<'_>],
    pool: &Handle,
    panics: &AtomicU64,
) -> u64 {
    let (signal, jobs) = (tap.signal(), BlockingPool(pool));
    let mut taken = 0;
    for record in records.iter().filter(|record| record.signal == signal) {
        match catch_panic(|| tap.take(record, &jobs)) {
            Some(()) => taken += u64::from(record.items),
            None => {
                panics.fetch_add(1, Relaxed);
            }
        }
    }
    taken
}
