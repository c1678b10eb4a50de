//! Streams of rows that end their query.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::guard::QueryGuard;

/// Ends a query as failed by a driver's error.
pub(super) type FailQuery<E> = fn(QueryGuard, &E);

pin_project! {
    /// A stream of rows in a query. The query ends as completed after the last row, or as failed with an error. Dropped
    /// before that, it drops the driver's stream in the query and then the query.
    pub(super) struct QueryRows<S, E> {
        #[pin]
        stream: Option<S>,
        guard: Option<QueryGuard>,
        returned: u64,
        affected: AffectedRows,
        fail: FailQuery<E>,
    }

    impl<S, E> PinnedDrop for QueryRows<S, E> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(guard) = this.guard {
                guard.scope(|| this.stream.set(None));
            }
        }
    }
}

impl<S, E> QueryRows<S, E> {
    /// Makes the stream in the query: `make` may already run code of the driver.
    pub(super) fn new(mut guard: QueryGuard, make: impl FnOnce() -> S, fail: FailQuery<E>) -> Self {
        Self {
            stream: Some(guard.scope(make)),
            guard: Some(guard),
            returned: 0,
            affected: AffectedRows::default(),
            fail,
        }
    }
}

/// The rows that the results of a stream's statements report as changed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AffectedRows {
    /// The sum over all results; `None` if one of them does not report a number.
    rows: Option<u64>,
    results: u64,
}

/// An item of a stream: a row, or the result of a statement.
pub(super) trait StreamItem {
    /// Whether the number of rows can be counted.
    const COUNTS_ROWS: bool = true;

    fn is_row(&self) -> bool;

    /// The rows that the result of a statement reports as changed.
    fn affected_rows(&self) -> Option<u64>;
}

impl AffectedRows {
    fn add(&mut self, rows: Option<u64>) {
        let sum = if self.results == 0 {
            Some(0)
        } else {
            self.rows
        };
        self.rows = sum.and_then(|sum| Some(sum.saturating_add(rows?)));
        self.results += 1;
    }
}

impl<S, T, E> Stream for QueryRows<S, E>
where
    S: Stream<Item = Result<T, E>>,
    T: StreamItem,
{
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        let Some(stream) = this.stream.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let item = ready!(match this.guard {
            Some(guard) => guard.scope(|| stream.poll_next(cx)),
            None => stream.poll_next(cx),
        });
        let is_last = match &item {
            Some(Ok(item)) => {
                match item.is_row() {
                    true => *this.returned += 1,
                    false => this.affected.add(item.affected_rows()),
                }
                false
            }
            Some(Err(_)) | None => true,
        };
        if is_last && let Some(mut guard) = this.guard.take() {
            // Events that the driver emits when its stream is dropped still belong to the query.
            guard.scope(|| this.stream.set(None));
            match &item {
                Some(Err(error)) => (this.fail)(guard, error),
                _ if !T::COUNTS_ROWS => guard.finish(),
                _ => guard
                    .rows_of_stream(*this.returned, *this.affected)
                    .finish(),
            }
        }
        Poll::Ready(item)
    }
}

impl QueryGuard {
    /// Sets the rows returned or, if none were, the rows reported as changed.
    fn rows_of_stream(self, returned: u64, affected: AffectedRows) -> Self {
        if returned > 0 || affected.results == 0 || !self.changes_rows() {
            return self.rows(returned);
        }
        // With several statements in one text, each may have repeated the number of the previous one, so no sum is
        // correct.
        match affected.rows {
            Some(rows) if affected.results == 1 => self.rows(rows),
            _ => self,
        }
    }
}
