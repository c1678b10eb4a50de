//! What the requests of one mounted dashboard share.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::guard::Guard;
use super::publisher::Dashboard;
use crate::model::suppressed;

/// A mounted dashboard.
pub(super) struct PageServer {
    pub(super) dashboard: Arc<Dashboard>,
    pub(super) guard: Arc<Guard>,
    pub(super) mount: String,
}

/// Runs a live connection on the runtime of the request.
pub(super) fn spawn(connection: impl Future<Output = ()> + Send + 'static) {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(Suppressed::new(connection))),
        // The connection ends here.
        Err(_) => drop(connection),
    }
}

/// A future of our own: what it logs is not recorded.
pub(super) struct Suppressed<F>(Pin<Box<F>>);

impl<F> Suppressed<F> {
    pub(super) fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<F: Future> Future for Suppressed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        suppressed(|| self.0.as_mut().poll(context))
    }
}
