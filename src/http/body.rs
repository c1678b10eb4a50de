use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::connection::ConnectionRecorder;
use super::poll_guard::PollGuard;
use super::request_guard::{AfterHeaders, RequestGuard};
use super::response_body::PollMode;
use crate::model::{Outcome, Progress, end_on_panic, flag_on_panic};

pin_project! {
    /// The body of an [`EndpointService`](super::EndpointService)'s response: counts its bytes and ends the request. Its frames, its
    /// length and its end are those of the body inside.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end, the request counts as `body_dropped`, unless all bytes were handed over that the body
    /// or `Content-Length` declares.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        // Before `track` and `stream`: what it drops still belongs to the request.
        #[pin]
        inner: B,
        track: Option<RequestGuard>,
        // Lives as long as an event stream does.
        stream: Option<Box<ConnectionRecorder>>,
    }

    impl<B> PinnedDrop for ResponseBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(track) = this.track {
                track.dropping();
            }
            if let Some(stream) = this.stream {
                stream.dropping();
            }
        }
    }
}

impl<B> ResponseBody<B> {
    #[inline]
    pub(super) fn new(inner: B, after: AfterHeaders) -> Self {
        let (track, stream) = match after {
            AfterHeaders::Ended => (None, None),
            AfterHeaders::Body(track) => (track, None),
            AfterHeaders::Stream(stream) => (None, Some(stream)),
        };
        Self {
            inner,
            track,
            stream,
        }
    }

    /// Where a panic is noted of code that is called while the body is shared.
    #[inline]
    fn panic_note(&self) -> Option<&AtomicBool> {
        match &self.track {
            Some(track) => track.panic_note(),
            None => self.stream.as_deref().map(ConnectionRecorder::panic_note),
        }
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
        let polls = match this.track.as_mut().and_then(RequestGuard::active) {
            None => return poll_stream(this.inner, this.stream, cx),
            Some(active) => active.sent.polls(),
        };
        let polled = match polls {
            // A body that knows its length is data, not code: no clock reads, no current request.
            PollMode::Known => end_on_panic(this.track, |_| this.inner.as_mut().poll_frame(cx)),
            PollMode::Open => poll_open(this.inner.as_mut(), this.track, cx),
            PollMode::Read => poll_read(this.inner.as_mut(), this.track, cx),
        };
        let frame = ready!(polled);
        let inner = this.inner.as_ref();
        match end_on_panic(this.track, |_| {
            Progress::of(frame.as_ref(), inner.get_ref())
        }) {
            Progress::Data(bytes) => sent(this.track, bytes),
            Progress::LastData(bytes) => {
                sent(this.track, bytes);
                end(this.track);
            }
            Progress::Trailers => {
                if let Some(active) = this.track.as_mut().and_then(RequestGuard::active)
                    && let Some(Ok(frame)) = &frame
                    && let Some(trailers) = frame.trailers_ref()
                {
                    active.trailers(trailers);
                }
                end(this.track);
            }
            Progress::Ended => end(this.track),
            Progress::Broken => {
                if let Some(track) = this.track.take() {
                    track.finish(Outcome::BodyError);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        flag_on_panic(self.panic_note(), || self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        flag_on_panic(self.panic_note(), || self.inner.size_hint())
    }
}

/// Polls a body that may run the host's code.
fn poll_open<B: Body>(
    inner: Pin<&mut B>,
    track: &mut Option<RequestGuard>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
    if let Some(active) = track.as_mut().and_then(RequestGuard::active) {
        active.poll_begins();
    }
    let polling = PollGuard::enter(track);
    let polled = inner.poll_frame(cx);
    polling.leave();
    if let Some(active) = track.as_mut().and_then(RequestGuard::active) {
        active.poll_pends();
    }
    polled
}

/// Polls a body whose data is read, too.
#[cold]
#[inline(never)]
fn poll_read<B: Body>(
    inner: Pin<&mut B>,
    track: &mut Option<RequestGuard>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
    let polled = poll_open(inner, track, cx);
    if let Poll::Ready(Some(Ok(frame))) = &polled
        && let Some(data) = frame.data_ref()
    {
        end_on_panic(track, |track| {
            if let Some(active) = track.as_mut().and_then(RequestGuard::active) {
                active.read(data);
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
    if stream.is_none() {
        return inner.poll_frame(cx);
    }
    let (frame, progress) = ready!(end_on_panic(stream, |stream| {
        let _current = stream.as_deref_mut().map(ConnectionRecorder::enter);
        let frame = ready!(inner.as_mut().poll_frame(cx));
        let progress = Progress::of(frame.as_ref(), inner.as_ref().get_ref());
        Poll::Ready((frame, progress))
    }));
    if let Progress::Data(bytes) | Progress::LastData(bytes) = progress
        && let Some(stream) = stream
    {
        stream.sent(bytes);
    }
    let outcome = match progress {
        Progress::Data(_) => None,
        Progress::LastData(_) | Progress::Trailers | Progress::Ended => Some(Outcome::Completed),
        Progress::Broken => Some(Outcome::BodyError),
    };
    if let Some(outcome) = outcome
        && let Some(stream) = stream.take()
    {
        stream.end(outcome);
    }
    Poll::Ready(frame)
}

#[inline]
fn sent(track: &mut Option<RequestGuard>, bytes: usize) {
    if let Some(active) = track.as_mut().and_then(RequestGuard::active) {
        active.sent.add(bytes);
    }
}

#[inline]
fn end(track: &mut Option<RequestGuard>) {
    if let Some(track) = track.take() {
        track.body_ended();
    }
}
