//! Context propagation across tasks and threads.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::task::JoinHandle;

use super::otel_context::OtelContext;
use crate::context::{self, Slot};
use crate::model::SpanId;

/// The calling thread's current operations, of every monitor, and its OpenTelemetry context.
#[derive(Debug, Clone)]
struct CapturedContext {
    operations: Vec<(Arc<Slot>, SpanId)>,
}

impl CapturedContext {
    fn take() -> Self {
        Self {
            operations: context::current_stack(),
        }
    }

    /// Makes the operations the thread's current ones until the value is dropped.
    fn enter(&self) -> OperationGuard<'_> {
        for (slot, span) in &self.operations {
            // On a thread that is ending, `enter` returns the slot and has no effect.
            drop(context::enter(Arc::clone(slot), *span));
        }
        OperationGuard(self)
    }
}

struct OperationGuard<'a>(&'a CapturedContext);

impl Drop for OperationGuard<'_> {
    fn drop(&mut self) {
        for (_, span) in self.0.operations.iter().rev() {
            context::leave(*span);
        }
    }
}

/// Runs a future in the trace that is current at this call, wherever the future is polled.
///
/// Its spans, events and captured errors belong to the request or span in which this function was called, even after
/// that has ended. Without a current operation, the future runs unchanged.
///
/// ```
/// # async fn handler() {
/// tokio::spawn(watchpost::in_current_trace(async { /* still in the request's trace */ }));
/// # }
/// ```
///
/// # Cancel safety
///
/// The returned future is as cancel safe as `future`.
pub fn in_current_trace<F: Future>(future: F) -> InTrace<F> {
    InTrace {
        captured: CapturedContext::take(),
        future,
        context: OtelContext::current(),
    }
}

pin_project! {
    /// The future of [`in_current_trace`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct InTrace<F> {
        #[pin]
        future: F,
        context: OtelContext,
        captured: CapturedContext,
    }
}

impl<F: Future> Future for InTrace<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _attached = this.context.attach();
        let _entered = this.captured.enter();
        this.future.poll(cx)
    }
}

/// Spawns a task in the current trace, with [`tokio::spawn`].
///
/// # Panics
///
/// Panics if called outside a tokio runtime, like `tokio::spawn`.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(in_current_trace(future))
}

/// Runs a closure in the current trace, with [`tokio::task::spawn_blocking`].
///
/// # Panics
///
/// Panics if called outside a tokio runtime, like `spawn_blocking`.
pub fn spawn_blocking<F, R>(work: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let (captured, context) = (CapturedContext::take(), OtelContext::current());
    tokio::task::spawn_blocking(move || {
        let _attached = context.attach();
        let _entered = captured.enter();
        work()
    })
}
