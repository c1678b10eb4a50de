use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio_postgres::{Error, Row};

use super::super::guard::QueryGuard;
use super::super::rows::{IsRow, Rows};
use super::error;

pin_project! {
    /// Rows that come one by one, of [`Client::query_raw`](super::Client::query_raw). Its query ends with the last.
    #[must_use = "rows come when they are asked for"]
    pub struct RowStream {
        #[pin]
        rows: Rows<tokio_postgres::RowStream, Error>,
    }
}

impl RowStream {
    pub(super) fn new(guard: QueryGuard, rows: tokio_postgres::RowStream) -> Self {
        Self {
            rows: Rows::new(guard, || rows, error::fail),
        }
    }
}

impl IsRow for Row {
    fn is_row(&self) -> bool {
        true
    }

    fn changed(&self) -> Option<u64> {
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
