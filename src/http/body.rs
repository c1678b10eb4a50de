use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::connection::ConnectionRecorder;
use super::poll_guard::PollGuard;
use super::request_guard::{AfterHeaders, RequestGuard};
use super::response_body::PollMode;
use crate::model::{BodyProgress, Outcome, end_on_panic, flag_on_panic};

pin_project! {
    /// The body of an [`EndpointService`](super::EndpointService)'s response. It counts the bytes and ends the request.
    /// Its frames, its size hint and its end are those of the body inside.
    ///
    /// # Cancel safety
    ///
    /// If the body is dropped before its end, the request is recorded with the outcome `body_dropped`, unless the server
    /// has taken all bytes that the body or `Content-Length` declares.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        // Before `request` and `stream`: what its drop does still belongs to the request.
        #[pin]
        inner: B,
        request: RequestGuard,
        // The body is an event stream, and its request has ended.
        stream: Option<Box<ConnectionRecorder>>,
    }

    impl<B> PinnedDrop for ResponseBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.request.drop_started();
            if let Some(stream) = this.stream {
                stream.drop_started();
            }
        }
    }
}

impl<B> ResponseBody<B> {
    #[inline]
    pub(super) fn new(inner: B, after: AfterHeaders) -> Self {
        let (request, stream) = match after {
            AfterHeaders::Ended => (RequestGuard::empty(), None),
            AfterHeaders::Body(request) => (request, None),
            AfterHeaders::Stream(stream) => (RequestGuard::empty(), Some(stream)),
        };
        Self {
            inner,
            request,
            stream,
        }
    }

    /// Where a panic is noted of code that runs behind a shared reference.
    #[inline]
    fn panic_flag(&self) -> Option<&AtomicBool> {
        let of_stream = || self.stream.as_deref().map(ConnectionRecorder::panic_flag);
        self.request.panic_flag().or_else(of_stream)
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let mode = match this.request.request() {
            None => return poll_stream(this.inner, this.stream, cx),
            Some(request) => request.response_body.poll_mode(),
        };
        let polled = match mode {
            // A body that knows its length is data, not code: no clock reads, no current request.
            PollMode::Data => this
                .request
                .end_on_panic(|_| this.inner.as_mut().poll_frame(cx)),
            PollMode::Code => poll_code(this.inner.as_mut(), this.request, cx),
            PollMode::Read => poll_and_read(this.inner.as_mut(), this.request, cx),
        };
        // Pending changes nothing: the server polls again, or drops the body, which ends the request then.
        let frame = ready!(polled);
        let inner = this.inner.as_ref();
        // What the frame means is read from the body's own `is_end_stream` and size, which are code of the host.
        let progress = this
            .request
            .end_on_panic(|_| BodyProgress::of(frame.as_ref(), inner.get_ref()));
        match progress {
            BodyProgress::Data(bytes) => add_bytes(this.request, bytes),
            // The server may never poll again after the last data, so the request ends here and not with the body's
            // end.
            BodyProgress::LastData(bytes) => {
                add_bytes(this.request, bytes);
                this.request.body_ended();
            }
            BodyProgress::Trailers => {
                if let Some(request) = this.request.request()
                    && let Some(Ok(frame)) = &frame
                    && let Some(trailers) = frame.trailers_ref()
                {
                    request.trailers(trailers);
                }
                this.request.body_ended();
            }
            BodyProgress::Ended => this.request.body_ended(),
            BodyProgress::Broken => this.request.finish(Outcome::BodyError),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        flag_on_panic(self.panic_flag(), || self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        flag_on_panic(self.panic_flag(), || self.inner.size_hint())
    }
}

/// Polls a body that may run the host's code.
fn poll_code<B: Body>(
    inner: Pin<&mut B>,
    request: &mut RequestGuard,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
    if let Some(request) = request.request() {
        request.poll_started();
    }
    let poll = PollGuard::enter(request);
    let polled = inner.poll_frame(cx);
    poll.leave();
    if let Some(request) = request.request() {
        request.poll_pending();
    }
    polled
}

/// Polls a body that may run the host's code, and reads its data.
#[cold]
#[inline(never)]
fn poll_and_read<B: Body>(
    inner: Pin<&mut B>,
    request: &mut RequestGuard,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
    let polled = poll_code(inner, request, cx);
    if let Poll::Ready(Some(Ok(frame))) = &polled
        && let Some(data) = frame.data_ref()
    {
        // `Buf` is the host's code.
        request.end_on_panic(|request| {
            if let Some(request) = request {
                request.read_data(data);
            }
        });
    }
    polled
}

/// Polls the body of an event stream, or of a request that has ended.
fn poll_stream<B: Body>(
    mut inner: Pin<&mut B>,
    stream: &mut Option<Box<ConnectionRecorder>>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
    // A request that has ended, or that no layer records: the body is passed through.
    if stream.is_none() {
        return inner.poll_frame(cx);
    }
    let (frame, progress) = ready!(end_on_panic(stream, |stream| {
        let _current = stream.as_deref_mut().map(ConnectionRecorder::enter);
        let frame = ready!(inner.as_mut().poll_frame(cx));
        let progress = BodyProgress::of(frame.as_ref(), inner.as_ref().get_ref());
        Poll::Ready((frame, progress))
    }));
    if let BodyProgress::Data(bytes) | BodyProgress::LastData(bytes) = progress
        && let Some(stream) = stream
    {
        stream.add_bytes(bytes);
    }
    let outcome = match progress {
        BodyProgress::Data(_) => None,
        BodyProgress::LastData(_) | BodyProgress::Trailers | BodyProgress::Ended => {
            Some(Outcome::Completed)
        }
        BodyProgress::Broken => Some(Outcome::BodyError),
    };
    if let Some(outcome) = outcome
        && let Some(stream) = stream.take()
    {
        stream.end(outcome);
    }
    Poll::Ready(frame)
}

#[inline]
fn add_bytes(request: &mut RequestGuard, bytes: usize) {
    if let Some(request) = request.request() {
        request.response_body.add_bytes(bytes);
    }
}
