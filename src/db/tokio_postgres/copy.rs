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
use super::super::rows::{IsRow, Rows};
use super::error;

pin_project! {
    /// The sink of `COPY .. FROM STDIN`, of [`Client::copy_in`](super::Client::copy_in). Its query ends with
    /// [`finish`](Self::finish) or when the sink is closed; dropped before, the copy is given up and its query cancelled.
    #[must_use = "a copy that is not finished is given up"]
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

    /// Completes the copy; the number of rows that it inserted.
    ///
    /// # Errors
    ///
    /// As of [`tokio_postgres::CopyInSink::finish`].
    pub async fn finish(mut self: Pin<&mut Self>) -> Result<u64, Error> {
        poll_fn(|cx| self.as_mut().poll_finish(cx)).await
    }

    /// As [`finish`](Self::finish), for whoever polls.
    pub fn poll_finish(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<u64, Error>> {
        let mut this = self.project();
        let done = this.inside(|sink| sink.poll_finish(cx));
        if let Poll::Ready(Ok(rows)) = &done
            && let Some(guard) = this.guard.take()
        {
            guard.rows(*rows).finish();
        }
        this.heed(done)
    }
}

impl<T> CopyInProjection<'_, T> {
    fn inside<R>(&mut self, work: impl FnOnce(Pin<&mut tokio_postgres::CopyInSink<T>>) -> R) -> R {
        let sink = self.sink.as_mut();
        match self.guard {
            Some(guard) => guard.inside(|| work(sink)),
            None => work(sink),
        }
    }

    /// Ends the query where it failed.
    fn heed<R>(&mut self, done: Poll<Result<R, Error>>) -> Poll<Result<R, Error>> {
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
        let ready = this.inside(|sink| sink.poll_ready(cx));
        this.heed(ready)
    }

    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), Error> {
        let mut this = self.project();
        let sent = this.inside(|sink| sink.start_send(item));
        match this.heed(Poll::Ready(sent)) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Ok(()),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut this = self.project();
        let flushed = this.inside(|sink| sink.poll_flush(cx));
        this.heed(flushed)
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
    /// The data of `COPY .. TO STDOUT`, of [`Client::copy_out`](super::Client::copy_out). Its query ends with the last of
    /// it.
    #[must_use = "data comes when it is asked for"]
    pub struct CopyOutStream {
        #[pin]
        data: Rows<tokio_postgres::CopyOutStream, Error>,
    }
}

impl CopyOutStream {
    pub(super) fn new(guard: QueryGuard, data: tokio_postgres::CopyOutStream) -> Self {
        Self {
            data: Rows::new(guard, || data, error::fail),
        }
    }
}

/// A piece of data need not be a row.
impl IsRow for Bytes {
    const COUNTS: bool = false;

    fn is_row(&self) -> bool {
        false
    }

    fn changed(&self) -> Option<u64> {
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
