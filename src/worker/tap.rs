use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::runtime::Handle;

use super::Record;
use super::unwind::caught;
use crate::model::Signal;

/// Reads the records of one signal on the worker's thread, before the sinks get them. What it does must be
/// short.
pub(crate) trait Tap: Send {
    /// The signal that it reads.
    fn signal(&self) -> Signal;

    /// Reads a record.
    fn take(&mut self, record: &Record<'_>, jobs: &Jobs<'_>);
}

/// Where a tap leaves what takes longer.
pub(crate) struct Jobs<'a>(pub(super) &'a Handle);

impl Jobs<'_> {
    /// Runs a job on the blocking pool, some time; whether it will.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> bool {
        // The pool panics where no thread can be had.
        caught(|| drop(self.0.spawn_blocking(job))).is_some()
    }
}

/// Shows a batch to a tap. A record at which it panics is passed over; `panics` counts. How many records it
/// took.
pub(super) fn show(
    tap: &mut dyn Tap,
    records: &[Record<'_>],
    pool: &Handle,
    panics: &AtomicU64,
) -> u64 {
    let (signal, jobs) = (tap.signal(), Jobs(pool));
    let mut taken = 0;
    for record in records.iter().filter(|record| record.signal == signal) {
        match caught(|| tap.take(record, &jobs)) {
            Some(()) => taken += 1,
            None => {
                panics.fetch_add(1, Relaxed);
            }
        }
    }
    taken
}
