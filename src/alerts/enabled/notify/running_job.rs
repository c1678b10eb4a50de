use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::model::{lock, recover};

/// A place for one job at a time.
#[derive(Debug, Clone, Default)]
pub(super) struct JobSlot(Arc<JobSlotState>);

#[derive(Debug, Default)]
struct JobSlotState {
    is_taken: Mutex<bool>,
    freed: Condvar,
}

/// A job that runs, or waits for a thread. Dropping it frees its place.
#[derive(Debug)]
pub(super) struct RunningJob(JobSlot);

impl JobSlot {
    /// Takes the place. `None` if it is taken.
    pub(super) fn begin(&self) -> Option<RunningJob> {
        let was_taken = std::mem::replace(&mut *lock(&self.0.is_taken), true);
        (!was_taken).then(|| RunningJob(self.clone()))
    }

    /// Waits until the place is free. Returns whether it is.
    pub(super) fn wait(&self, timeout: Duration) -> bool {
        let is_taken = lock(&self.0.is_taken);
        let waited = self
            .0
            .freed
            .wait_timeout_while(is_taken, timeout, |is_taken| *is_taken);
        !*recover(waited).0
    }
}

impl Drop for RunningJob {
    fn drop(&mut self) {
        *lock(&self.0.0.is_taken) = false;
        self.0.0.freed.notify_all();
    }
}
