use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::runtime::Handle;

use super::processor::BlockingPool;
use super::shared::WorkerShared;
use crate::model::{catch_panic, lock};

/// Work that the worker repeats. A task that panics runs again after its period.
pub(crate) struct PeriodicTask {
    pub(super) period: Duration,
    run: TaskRun,
}

enum TaskRun {
    /// On the worker's thread.
    OnWorker(Box<dyn FnMut() + Send>),
    /// On the blocking pool.
    OnPool(Arc<PoolTask>),
    /// Once, on the blocking pool, when the worker shuts down.
    AtEnd {
        /// What it stores.
        what: &'static str,
        run: Option<Box<dyn FnOnce() -> bool + Send>>,
        is_done: Arc<AtomicBool>,
    },
}

struct PoolTask {
    run: Box<dyn Fn() + Send + Sync>,
    is_running: AtomicBool,
}

impl PeriodicTask {
    /// A task that runs on the worker's thread. It must be short, because it blocks the worker.
    pub(crate) fn new(period: Duration, run: impl FnMut() + Send + 'static) -> Self {
        Self {
            period,
            run: TaskRun::OnWorker(Box::new(run)),
        }
    }

    /// A task that runs on the blocking pool, for work that is long or that calls the host's code. A run that is due while
    /// the last one has not ended is left out.
    pub(crate) fn on_pool(period: Duration, run: impl Fn() + Send + Sync + 'static) -> Self {
        let task = PoolTask {
            run: Box::new(run),
            is_running: AtomicBool::new(false),
        };
        Self {
            period,
            run: TaskRun::OnPool(Arc::new(task)),
        }
    }

    /// Work for the end of the worker: it stores `what`, and returns whether it has. It runs once, on the blocking pool, when
    /// a shutdown is requested. The shutdown waits for it until its deadline, and its report says what is not stored.
    pub(crate) fn at_end(what: &'static str, run: impl FnOnce() -> bool + Send + 'static) -> Self {
        Self {
            period: Duration::MAX,
            run: TaskRun::AtEnd {
                what,
                run: Some(Box::new(run)),
                is_done: Arc::default(),
            },
        }
    }

    /// Keeps a value until the worker's loop has ended, also by a deadline. It is dropped on the worker's thread, before the
    /// worker's runtime.
    #[cfg(feature = "alerts")]
    pub(crate) fn while_running(value: impl Send + 'static) -> Self {
        Self::new(Duration::MAX, move || {
            let _kept = &value;
        })
    }

    /// What this task stores at the end of the worker, if it is such a task.
    pub(super) fn stores(&self) -> Option<&'static str> {
        match self.run {
            TaskRun::AtEnd { what, .. } => Some(what),
            _ => None,
        }
    }

    /// Begins the work for the end of the worker, if this is such a task. Returns whether it is done.
    pub(super) fn finish(&mut self, pool: &Handle, shared: &Arc<WorkerShared>) -> bool {
        let TaskRun::AtEnd { what, run, is_done } = &mut self.run else {
            return true;
        };
        if let Some(run) = run.take() {
            let (what, done, shared) = (*what, Arc::clone(is_done), Arc::clone(shared));
            let is_queued = BlockingPool(pool).spawn(move || {
                match catch_panic(run) {
                    Some(true) => lock(&shared.unstored).retain(|other| *other != what),
                    Some(false) => {}
                    None => {
                        shared.panics.fetch_add(1, Relaxed);
                    }
                }
                done.store(true, Relaxed);
                shared.record_queue.wake();
            });
            if !is_queued {
                is_done.store(true, Relaxed);
            }
        }
        is_done.load(Relaxed)
    }

    /// Runs the task, or queues it on the pool. Counts a panic.
    pub(super) fn run(&mut self, pool: &Handle, shared: &Arc<WorkerShared>) {
        match &mut self.run {
            TaskRun::OnWorker(run) => {
                if catch_panic(run).is_none() {
                    shared.panics.fetch_add(1, Relaxed);
                }
            }
            TaskRun::OnPool(task) => {
                if task.is_running.swap(true, Relaxed) {
                    return;
                }
                let (running, shared) = (Arc::clone(task), Arc::clone(shared));
                let is_queued = BlockingPool(pool).spawn(move || {
                    if catch_panic(|| (running.run)()).is_none() {
                        shared.panics.fetch_add(1, Relaxed);
                    }
                    running.is_running.store(false, Relaxed);
                });
                if !is_queued {
                    task.is_running.store(false, Relaxed);
                }
            }
            TaskRun::AtEnd { .. } => {}
        }
    }
}
