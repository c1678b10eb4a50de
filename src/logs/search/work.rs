//! Work for which a caller waits, on the worker's blocking pool.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::error::{Error, Result};
use crate::model::{catch_panic, is_forked_from, lock};
use crate::worker::{Completion, CompletionFuture, Deadlines, Pending};

/// Searches that run at the same time.
const MAX_RUNNING: usize = 2;
/// Searches that wait.
const MAX_WAITING: usize = 16;
/// How long a caller waits in addition to the time limit of its search: for searches before it, and a disk that hangs.
const PATIENCE: Duration = Duration::from_secs(10);

const CLOSED: &str = "the log records cannot be searched: the monitor has ended, or this process is a child made by `fork`";

/// The queue of the work.
#[derive(Clone)]
pub(super) struct WorkQueue(Arc<QueueShared>);

struct QueueShared {
    handle: Handle,
    deadlines: Deadlines,
    process: u32,
    state: Mutex<QueueState>,
}

#[derive(Default)]
struct QueueState {
    running: usize,
    waiting: VecDeque<QueuedJob>,
}

/// The result of work. If the future is dropped, the work ends.
pub(super) type WorkFuture<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

type QueuedJob = Box<dyn FnOnce() + Send>;

impl WorkQueue {
    pub(super) fn new(handle: Handle, deadlines: Deadlines) -> Self {
        Self(Arc::new(QueueShared {
            handle,
            deadlines,
            process: std::process::id(),
            state: Mutex::default(),
        }))
    }

    /// Runs work on the blocking pool. It gets a function that tells whether nobody waits for it any more.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        limit: Duration,
        run: impl FnOnce(&dyn Fn() -> bool) -> Result<T> + Send + 'static,
    ) -> WorkFuture<T> {
        let work = Arc::new(PendingWork::default());
        let waiting = WorkGuard(Arc::clone(&work));
        // A child has no worker. Its locks may be held by threads that it does not have.
        if is_forked_from(self.0.process) {
            work.end(Err(Error::reader(CLOSED)));
        } else {
            // Ends the work also if the pool drops it, at the end of the monitor.
            let ended = WorkGuard(Arc::clone(&work));
            let job: QueuedJob = Box::new(move || {
                let work = &ended.0;
                if work.is_settled() {
                    return;
                }
                let is_cancelled = || work.is_settled();
                work.end(catch_panic(|| run(&is_cancelled)).unwrap_or_else(|| {
                    Err(Error::reader(
                        "the log records cannot be searched: the search panicked",
                    ))
                }));
            });
            if self.queue(job) {
                let patience = limit.saturating_add(PATIENCE);
                self.0.deadlines.add_after(patience, Arc::clone(&work) as _);
            } else {
                work.end(Err(Error::reader(
                    "the log records cannot be searched now: too many searches wait",
                )));
            }
        }
        Box::pin(async move {
            CompletionFuture(Arc::clone(&waiting.0.done)).await;
            let result = lock(&waiting.0.result).take();
            result.unwrap_or_else(|| Err(Error::reader(CLOSED)))
        })
    }

    /// Queues a job. Returns false if too many wait.
    fn queue(&self, job: QueuedJob) -> bool {
        {
            let mut state = lock(&self.0.state);
            if state.running == MAX_RUNNING {
                let has_room = state.waiting.len() < MAX_WAITING;
                if has_room {
                    state.waiting.push_back(job);
                }
                return has_room;
            }
            state.running += 1;
        }
        let mut slot = RunningSlot(Some(Arc::clone(&self.0)));
        let run = move || {
            let mut next = Some(job);
            while let Some(job) = next {
                job();
                next = slot.next();
            }
        };
        // Tokio panics if it cannot start a thread. Then the job is dropped, which ends its work.
        catch_panic(|| drop(self.0.handle.spawn_blocking(run)));
        true
    }
}

/// One of the searches that may run at the same time; `None` once it is given back.
struct RunningSlot(Option<Arc<QueueShared>>);

impl RunningSlot {
    /// The next job, or gives the slot back if none waits.
    fn next(&mut self) -> Option<QueuedJob> {
        let shared = self.0.as_ref()?;
        let mut state = lock(&shared.state);
        let job = state.waiting.pop_front();
        if job.is_none() {
            state.running -= 1;
            drop(state);
            self.0 = None;
        }
        job
    }
}

impl Drop for RunningSlot {
    fn drop(&mut self) {
        // The pool has ended, and runs nothing more.
        if let Some(shared) = self.0.take() {
            let left = {
                let mut state = lock(&shared.state);
                state.running -= 1;
                std::mem::take(&mut state.waiting)
            };
            // Not under the lock: it wakes tasks of the host.
            drop(left);
        }
    }
}

/// Work for which a caller waits.
struct PendingWork<T> {
    result: Mutex<Option<Result<T>>>,
    done: Arc<Completion<()>>,
}

impl<T> Default for PendingWork<T> {
    fn default() -> Self {
        Self {
            result: Mutex::new(None),
            done: Arc::default(),
        }
    }
}

impl<T> PendingWork<T> {
    /// Ends it with the first result.
    fn end(&self, result: Result<T>) {
        if self.done.value().is_none() {
            lock(&self.result).get_or_insert(result);
            self.done.complete(());
        }
    }
}

impl<T: Send> Pending for PendingWork<T> {
    fn is_settled(&self) -> bool {
        self.done.value().is_some()
    }

    fn expire(&self) {
        self.end(Err(Error::reader(
            "the log records cannot be searched: the disk does not respond, or other searches take too long",
        )));
    }
}

/// Ends work that nobody waits for, or that nobody does.
struct WorkGuard<T>(Arc<PendingWork<T>>);

impl<T> Drop for WorkGuard<T> {
    fn drop(&mut self) {
        self.0.end(Err(Error::reader(CLOSED)));
    }
}
