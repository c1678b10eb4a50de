//! Futures that run in a query.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::guard::QueryGuard;
use crate::model::catch_panic;

impl QueryGuard {
    /// Runs a future in the query. The query ends as completed when the future is ready.
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as `future`. If the returned future is dropped before it is ready, the query counts as cancelled.
    pub fn run<F: Future>(self, future: F) -> RunQuery<F> {
        RunQuery {
            inner: GuardedFuture::new(self, future),
        }
    }

    /// Runs a future in the query. `Ok` ends the query as completed, `Err` as [failed](Self::fail).
    ///
    /// # Cancel safety
    ///
    /// As of [`run`](Self::run).
    pub fn try_run<F, T, E>(self, future: F) -> TryRunQuery<F, fn(&E) -> Option<String>>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.try_run_with(future, |_| None)
    }

    /// Like [`try_run`](Self::try_run), with a function that reads the database's [`code`](Self::code) from an error. A
    /// panic of that function is caught; the query then has no code.
    ///
    /// # Cancel safety
    ///
    /// As of [`run`](Self::run).
    pub fn try_run_with<F, T, E, C>(self, future: F, code: C) -> TryRunQuery<F, C>
    where
        F: Future<Output = Result<T, E>>,
        C: FnOnce(&E) -> Option<String>,
    {
        TryRunQuery {
            inner: GuardedFuture::new(self, future),
            code: Some(code),
        }
    }
}

pin_project! {
    /// Runs a future in a query and returns the guard with the output. Dropped before that, it drops the future in the
    /// query and then the query.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub(super) struct GuardedFuture<F> {
        #[pin]
        future: Option<F>,
        guard: Option<QueryGuard>,
    }

    impl<F> PinnedDrop for GuardedFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(guard) = this.guard {
                // The future is dropped inside its query: what it does while it is dropped belongs to the query, and a
                // panic ends it as panicked.
                guard.scope(|| this.future.set(None));
            }
        }
    }
}

impl<F> GuardedFuture<F> {
    pub(super) fn new(guard: QueryGuard, future: F) -> Self {
        Self {
            future: Some(future),
            guard: Some(guard),
        }
    }
}

impl<F: Future> Future for GuardedFuture<F> {
    type Output = (QueryGuard, F::Output);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (Some(guard), Some(future)) = (&mut this.guard, this.future.as_mut().as_pin_mut())
        else {
            // The caller polled it after it was ready. It stays pending: the library does not panic.
            return Poll::Pending;
        };
        let output = ready!(guard.scope(|| future.poll(cx)));
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
        inner: GuardedFuture<F>,
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
        inner: GuardedFuture<F>,
        code: Option<C>,
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
        let (mut guard, result) = ready!(this.inner.poll(cx));
        if let Err(error) = &result
            && let Some(code) = this.code.take()
            // The host's function runs after the query. If it panics, the query has no code and the result is still
            // returned.
            && let Some(code) = catch_panic(|| code(error)).flatten()
        {
            guard = guard.code(code);
        }
        guard.end_with(&result);
        Poll::Ready(result)
    }
}

impl<F: fmt::Debug, C> fmt::Debug for TryRunQuery<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryRunQuery")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
