use std::future::poll_fn;

use hyper::rt::Executor;

use crate::model::suppressed;

/// Runs the tasks of connections with telemetry suppressed, also on threads of the host.
#[derive(Debug, Clone, Copy)]
pub(super) struct SuppressedExecutor;

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for SuppressedExecutor {
    fn execute(&self, task: F) {
        let mut task = Box::pin(task);
        tokio::spawn(poll_fn(move |cx| suppressed(|| task.as_mut().poll(cx))));
    }
}
