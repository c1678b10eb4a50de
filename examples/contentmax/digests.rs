//! A background job, outside of requests: it stores for each user how many contents mention them.

use std::time::Instant;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use watchpost::{Monitor, ResultExt};

use crate::store::{Store, USERS};

/// Runs that may wait.
const MAX_WAITING: usize = 100;

/// Starts runs of the job. Clones start the same job.
#[derive(Debug, Clone)]
pub(crate) struct Digests {
    runs: Sender<()>,
}

impl Digests {
    /// Spawns the task that does the runs one after another, until all clones are dropped.
    pub(crate) fn new(store: Store, monitor: &Monitor) -> Self {
        let (runs, waiting) = channel(MAX_WAITING);
        tokio::spawn(work(store, monitor.clone(), waiting));
        Self { runs }
    }

    /// Requests a run; `false` if too many are waiting.
    pub(crate) fn start(&self) -> bool {
        self.runs.try_send(()).is_ok()
    }
}

async fn work(store: Store, monitor: Monitor, mut waiting: Receiver<()>) {
    while waiting.recv().await.is_some() {
        let begun = Instant::now();
        let mut written = 0_u32;
        for user in 1..=i64::from(USERS) {
            // Outside of a request this is a root span, so the queries of one digest form one trace.
            let writing = monitor.span("write a digest").attr("user.id", user);
            let digest = writing.try_run(store.write_digest(user)).await;
            written += u32::from(digest.capture().is_ok());
        }
        let duration_ms = begun.elapsed().as_secs_f64() * 1000.0;
        tracing::info!(written, duration_ms, "digests written");
    }
}
