//! Rows that come one by one.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::guard::QueryGuard;

/// How a query ends by an error.
pub(super) type Fail<E> = fn(QueryGuard, &E);

pin_project! {
    /// A stream of rows in a query, which ends with it: completed after the last, failed with an error. Dropped
    /// before, the stream is dropped in the query, and the query with it.
    pub(super) struct Rows<S, E> {
        #[pin]
        stream: Option<S>,
        guard: Option<QueryGuard>,
        seen: u64,
        fail: Fail<E>,
    }

    impl<S, E> PinnedDrop for Rows<S, E> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(guard) = this.guard {
                guard.inside(|| this.stream.set(None));
            }
        }
    }
}

impl<S, E> Rows<S, E> {
    /// Begins inside of the query: `make` may do more than to make the stream.
    pub(super) fn new(mut guard: QueryGuard, make: impl FnOnce() -> S, fail: Fail<E>) -> Self {
        Self {
            stream: Some(guard.inside(make)),
            guard: Some(guard),
            seen: 0,
            fail,
        }
    }
}

/// What comes with a stream: some of it are rows.
pub(super) trait IsRow {
    fn is_row(&self) -> bool;
}

impl<S, T, E> Stream for Rows<S, E>
where
    S: Stream<Item = Result<T, E>>,
    T: IsRow,
{
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        let Some(stream) = this.stream.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let item = ready!(match this.guard {
            Some(guard) => guard.inside(|| stream.poll_next(cx)),
            None => stream.poll_next(cx),
        });
        let is_over = match &item {
            Some(Ok(item)) => {
                *this.seen += u64::from(item.is_row());
                false
            }
            Some(Err(_)) | None => true,
        };
        if is_over && let Some(mut guard) = this.guard.take() {
            // What the stream says while it goes still belongs to the query.
            guard.inside(|| this.stream.set(None));
            match &item {
                Some(Err(error)) => (this.fail)(guard, error),
                _ => guard.rows(*this.seen).finish(),
            }
        }
        Poll::Ready(item)
    }
}
