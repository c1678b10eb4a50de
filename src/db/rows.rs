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
        changed: Changed,
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
            changed: Changed::default(),
            fail,
        }
    }
}

/// What the results of a stream's statements name as changed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Changed {
    /// The rows of all of them; `None` where one does not name them.
    rows: Option<u64>,
    results: u64,
}

/// What comes with a stream: some of it are rows, others results of statements.
pub(super) trait IsRow {
    /// Whether rows can be told apart.
    const COUNTS: bool = true;

    fn is_row(&self) -> bool;

    /// The rows that the result of a statement names as changed.
    fn changed(&self) -> Option<u64>;
}

impl Changed {
    fn add(&mut self, rows: Option<u64>) {
        let before = if self.results == 0 {
            Some(0)
        } else {
            self.rows
        };
        self.rows = before.and_then(|before| Some(before.saturating_add(rows?)));
        self.results += 1;
    }
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
                match item.is_row() {
                    true => *this.seen += 1,
                    false => this.changed.add(item.changed()),
                }
                false
            }
            Some(Err(_)) | None => true,
        };
        if is_over && let Some(mut guard) = this.guard.take() {
            // What the stream says while it goes still belongs to the query.
            guard.inside(|| this.stream.set(None));
            match &item {
                Some(Err(error)) => (this.fail)(guard, error),
                _ if !T::COUNTS => guard.finish(),
                _ => guard.all_rows(*this.seen, *this.changed).finish(),
            }
        }
        Poll::Ready(item)
    }
}

impl QueryGuard {
    /// Sets the rows that came, or those that the results name as changed where none came.
    fn all_rows(self, seen: u64, changed: Changed) -> Self {
        if seen > 0 || changed.results == 0 || !self.changes_rows() {
            return self.rows(seen);
        }
        // Of several statements together one may have repeated what the one before had changed.
        match changed.rows {
            Some(rows) if changed.results == 1 => self.rows(rows),
            _ => self,
        }
    }
}
