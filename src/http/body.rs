use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::connection::Stream;
use super::polling::Polling;
use super::track::{AfterHeaders, Track};
use crate::model::Outcome;

pin_project! {
    /// The body of an [`Endpoint`](super::Endpoint)'s answer: counts its bytes and ends the request.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end, the request counts as `body_dropped`.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        inner: B,
        track: Option<Track>,
        // Lives as long as an event stream does.
        stream: Option<Box<Stream>>,
    }
}

impl<B> ResponseBody<B> {
    #[inline]
    pub(super) fn new(inner: B, after: AfterHeaders) -> Self {
        let (track, stream) = match after {
            AfterHeaders::Ended => (None, None),
            AfterHeaders::Body(track) => (Some(track), None),
            AfterHeaders::Stream(stream) => (None, Some(stream)),
        };
        Self {
            inner,
            track,
            stream,
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
        let open = match this.track.as_mut().and_then(Track::active) {
            None => {
                let _current = this.stream.as_deref_mut().map(Stream::enter);
                return this.inner.poll_frame(cx);
            }
            Some(active) => active.body_is_open(),
        };
        let polled = if open {
            poll_open(this.inner.as_mut(), this.track, cx)
        } else {
            // A body that knows its length is data, not code: no clock reads, no current request.
            this.inner.as_mut().poll_frame(cx)
        };
        let frame = ready!(polled);
        match &frame {
            None => end(this.track),
            Some(Err(_)) => {
                if let Some(track) = this.track.take() {
                    track.finish(Outcome::BodyError);
                }
            }
            Some(Ok(frame)) => {
                if let Some(active) = this.track.as_mut().and_then(Track::active) {
                    if let Some(data) = frame.data_ref() {
                        active.sent(data.remaining());
                    } else if let Some(trailers) = frame.trailers_ref() {
                        active.trailers(trailers);
                    }
                }
                // The server may not ask again.
                if this.inner.is_end_stream() {
                    end(this.track);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Polls a body that may run the host's code.
fn poll_open<B: Body>(
    inner: Pin<&mut B>,
    track: &mut Option<Track>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
    if let Some(active) = track.as_mut().and_then(Track::active) {
        active.poll_begins();
    }
    let polling = Polling::enter(track);
    let polled = inner.poll_frame(cx);
    polling.leave();
    if let Some(active) = track.as_mut().and_then(Track::active) {
        active.poll_pends();
    }
    polled
}

#[inline]
fn end(track: &mut Option<Track>) {
    if let Some(track) = track.take() {
        track.body_ended();
    }
}
