//! Futures that run in a query.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::guard::QueryGuard;

pin_project! {
    /// Runs a future in a query and gives both back. Dropped before that, the future is dropped in the query, and
    /// the query with it.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub(super) struct InQuery<F> {
        #[pin]
        future: Option<F>,
        guard: Option<QueryGuard>,
    }

    impl<F> PinnedDrop for InQuery<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(guard) = this.guard {
                guard.inside(|| this.future.set(None));
            }
        }
    }
}

impl<F> InQuery<F> {
    pub(super) fn new(guard: QueryGuard, future: F) -> Self {
        Self {
            future: Some(future),
            guard: Some(guard),
        }
    }
}

impl<F: Future> Future for InQuery<F> {
    type Output = (QueryGuard, F::Output);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (Some(guard), Some(future)) = (&mut this.guard, this.future.as_mut().as_pin_mut())
        else {
            // It was polled again after its end, which is the caller's fault: it never ends.
            return Poll::Pending;
        };
        let output = ready!(guard.inside(|| future.poll(cx)));
        match this.guard.take() {
            Some(guard) => Poll::Ready((guard, output)),
            None => Poll::Pending,
        }
    }
}

pin_project! {
    /// The future of [`QueryGuard::run`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct RunQuery<F> {
        #[pin]
        inner: InQuery<F>,
    }
}

impl<F> RunQuery<F> {
    pub(super) fn new(guard: QueryGuard, future: F) -> Self {
        Self {
            inner: InQuery::new(guard, future),
        }
    }
}

impl<F: Future> Future for RunQuery<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let (guard, output) = ready!(self.project().inner.poll(cx));
        guard.finish();
        Poll::Ready(output)
    }
}

pin_project! {
    /// The future of [`QueryGuard::try_run`] and [`QueryGuard::try_run_with`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct TryRunQuery<F, C> {
        #[pin]
        inner: InQuery<F>,
        code: Option<C>,
    }
}

impl<F, C> TryRunQuery<F, C> {
    pub(super) fn new(guard: QueryGuard, future: F, code: C) -> Self {
        Self {
            inner: InQuery::new(guard, future),
            code: Some(code),
        }
    }
}

impl<F, T, E, C> Future for TryRunQuery<F, C>
where
    F: Future<Output = Result<T, E>>,
    C: FnOnce(&E) -> Option<String>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let (mut guard, done) = ready!(this.inner.poll(cx));
        if let Err(error) = &done
            && let Some(code) = this.code.take()
            && let Some(code) = crate::model::caught(|| code(error)).flatten()
        {
            guard = guard.code(code);
        }
        guard.done(&done);
        Poll::Ready(done)
    }
}

impl<F: fmt::Debug, C> fmt::Debug for TryRunQuery<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryRunQuery")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
