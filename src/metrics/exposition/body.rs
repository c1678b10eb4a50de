use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body, Frame, SizeHint};

use super::source::{FrameSource, split_frame};

/// The body of the [`Prometheus`](super::Prometheus) service's responses, in frames of at most 64 KiB.
///
/// The exposition is written while it is sent, and each series is read when it is written.
///
/// # Cancel safety
///
/// The body can be dropped at any time: it holds no lock between two frames.
#[derive(Debug)]
pub struct ExpositionBody(ExpositionState);

#[derive(Debug)]
enum ExpositionState {
    Text(&'static str),
    Plain(Box<dyn FrameSource>),
    Gzip(Box<GzipFrames>),
}

#[derive(Debug)]
struct GzipFrames {
    exposition: Box<dyn FrameSource>,
    /// `None` once the exposition has ended.
    encoder: Option<GzEncoder<Vec<u8>>>,
    rest: Bytes,
}

impl ExpositionBody {
    pub(super) fn text(text: &'static str) -> Self {
        Self(ExpositionState::Text(text))
    }

    pub(super) fn plain(exposition: Box<dyn FrameSource>) -> Self {
        Self(ExpositionState::Plain(exposition))
    }

    pub(super) fn gzip(exposition: Box<dyn FrameSource>) -> Self {
        // The fastest level: compression runs on the host's thread, and still shrinks the text to a tenth.
        let encoder = GzEncoder::new(Vec::new(), Compression::fast());
        Self(ExpositionState::Gzip(Box::new(GzipFrames {
            exposition,
            encoder: Some(encoder),
            rest: Bytes::new(),
        })))
    }

    /// The next frame; `Pending` as in [`FrameSource::poll_frame`].
    fn poll_next(&mut self) -> Poll<Option<Bytes>> {
        match &mut self.0 {
            ExpositionState::Text(text) => Poll::Ready(match std::mem::take(text) {
                "" => None,
                text => Some(Bytes::from_static(text.as_bytes())),
            }),
            ExpositionState::Plain(exposition) => exposition.poll_frame(),
            ExpositionState::Gzip(gzip) => gzip.poll_frame(),
        }
    }
}

impl GzipFrames {
    /// One compressed frame. The encoder is flushed, so that no frame waits for the next.
    fn poll_frame(&mut self) -> Poll<Option<Bytes>> {
        while self.rest.is_empty() {
            let Some(encoder) = &mut self.encoder else {
                break;
            };
            let compressed = match ready!(self.exposition.poll_frame()) {
                Some(frame) => {
                    let flushed = encoder.write_all(&frame).and_then(|()| encoder.flush());
                    flushed.map(|()| std::mem::take(encoder.get_mut()))
                }
                None => match self.encoder.take() {
                    Some(encoder) => encoder.finish(),
                    None => break,
                },
            };
            // Writing to memory does not fail.
            self.rest = compressed.unwrap_or_default().into();
        }
        Poll::Ready(split_frame(&mut self.rest))
    }
}

impl Body for ExpositionBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = self.poll_next();
        if frame.is_pending() {
            // Nothing has to happen before the next call, except that other tasks of the thread run.
            cx.waker().wake_by_ref();
        }
        frame.map(|frame| frame.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            ExpositionState::Text(text) => text.is_empty(),
            ExpositionState::Plain(exposition) => exposition.is_at_end(),
            ExpositionState::Gzip(gzip) => gzip.encoder.is_none() && gzip.rest.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            ExpositionState::Text(text) => {
                SizeHint::with_exact(u64::try_from(text.len()).unwrap_or(u64::MAX))
            }
            _ => SizeHint::default(),
        }
    }
}
