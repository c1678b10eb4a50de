use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio_postgres::{Error, Row};

use super::super::guard::QueryGuard;
use super::super::rows::{QueryRows, StreamItem};
use super::error;

pin_project! {
    /// A stream of rows. Made by [`Client::query_raw`](super::Client::query_raw). The query ends with the last row;
    /// dropped before that, it counts as cancelled.
    #[must_use = "streams do nothing unless polled"]
    pub struct RowStream {
        #[pin]
        rows: QueryRows<tokio_postgres::RowStream, Error>,
    }
}

impl RowStream {
    pub(super) fn new(guard: QueryGuard, rows: tokio_postgres::RowStream) -> Self {
        Self {
            rows: QueryRows::new(guard, || rows, error::fail),
        }
    }
}

impl StreamItem for Row {
    fn is_row(&self) -> bool {
        true
    }

    fn affected_rows(&self) -> Option<u64> {
        None
    }
}

impl Stream for RowStream {
    type Item = Result<Row, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project().rows.poll_next(cx)
    }
}

impl fmt::Debug for RowStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowStream").finish_non_exhaustive()
    }
}
