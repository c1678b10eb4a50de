use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use futures_sink::Sink;
use pin_project_lite::pin_project;
use tokio_postgres::Error;

use super::super::guard::QueryGuard;
use super::super::rows::{QueryRows, StreamItem};
use super::error;

pin_project! {
    /// The sink of `COPY .. FROM STDIN`. Made by [`Client::copy_in`](super::Client::copy_in).
    ///
    /// The query ends when [`finish`](Self::finish) returns or the sink is closed. Dropped before that, the copy is
    /// aborted and the query counts as cancelled.
    #[must_use = "a copy that is not finished is aborted"]
    #[project = CopyInProjection]
    pub struct CopyInSink<T> {
        #[pin]
        sink: tokio_postgres::CopyInSink<T>,
        guard: Option<QueryGuard>,
    }
}

impl<T: Buf + Send + 'static> CopyInSink<T> {
    pub(super) fn new(guard: QueryGuard, sink: tokio_postgres::CopyInSink<T>) -> Self {
        Self {
            sink,
            guard: Some(guard),
        }
    }

    /// Completes the copy. Returns the number of rows that it inserted.
    ///
    /// # Errors
    ///
    /// Same as for [`tokio_postgres::CopyInSink::finish`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the copy is still open, and `finish` can be called again.
    pub async fn finish(mut self: Pin<&mut Self>) -> Result<u64, Error> {
        poll_fn(|cx| self.as_mut().poll_finish(cx)).await
    }

    /// The poll function of [`finish`](Self::finish).
    pub fn poll_finish(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<u64, Error>> {
        let mut this = self.project();
        let done = this.scope(|sink| sink.poll_finish(cx));
        // Only the completed copy is a success. The guard stays until then, so a dropped sink counts as cancelled.
        if let Poll::Ready(Ok(rows)) = &done
            && let Some(guard) = this.guard.take()
        {
            guard.rows(*rows).finish();
        }
        this.end_on_error(done)
    }
}

impl<T> CopyInProjection<'_, T> {
    fn scope<R>(&mut self, work: impl FnOnce(Pin<&mut tokio_postgres::CopyInSink<T>>) -> R) -> R {
        let sink = self.sink.as_mut();
        match self.guard {
            Some(guard) => guard.scope(|| work(sink)),
            None => work(sink),
        }
    }

    /// Ends the query if a step has failed.
    fn end_on_error<R>(&mut self, done: Poll<Result<R, Error>>) -> Poll<Result<R, Error>> {
        if let Poll::Ready(Err(error)) = &done
            && let Some(guard) = self.guard.take()
        {
            error::fail(guard, error);
        }
        done
    }
}

impl<T: Buf + Send + 'static> Sink<T> for CopyInSink<T> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut this = self.project();
        let ready = this.scope(|sink| sink.poll_ready(cx));
        this.end_on_error(ready)
    }

    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), Error> {
        let mut this = self.project();
        let sent = this.scope(|sink| sink.start_send(item));
        match this.end_on_error(Poll::Ready(sent)) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Ok(()),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut this = self.project();
        let flushed = this.scope(|sink| sink.poll_flush(cx));
        this.end_on_error(flushed)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_finish(cx).map_ok(|_| ())
    }
}

impl<T> fmt::Debug for CopyInSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyInSink").finish_non_exhaustive()
    }
}

pin_project! {
    /// The data of `COPY .. TO STDOUT`. Made by [`Client::copy_out`](super::Client::copy_out). The query ends with the
    /// last piece of data; dropped before that, it counts as cancelled.
    #[must_use = "streams do nothing unless polled"]
    pub struct CopyOutStream {
        #[pin]
        data: QueryRows<tokio_postgres::CopyOutStream, Error>,
    }
}

impl CopyOutStream {
    pub(super) fn new(guard: QueryGuard, data: tokio_postgres::CopyOutStream) -> Self {
        Self {
            data: QueryRows::new(guard, || data, error::fail),
        }
    }
}

/// A piece of data may hold any part of the rows.
impl StreamItem for Bytes {
    const COUNTS_ROWS: bool = false;

    fn is_row(&self) -> bool {
        false
    }

    fn affected_rows(&self) -> Option<u64> {
        None
    }
}

impl Stream for CopyOutStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project().data.poll_next(cx)
    }
}

impl fmt::Debug for CopyOutStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyOutStream").finish_non_exhaustive()
    }
}
