use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body, Frame, SizeHint};

use super::{MAX_FRAME, Page};

/// The body of a metrics page: written while it is sent, in frames of at most 64 KiB.
///
/// # Cancel safety
///
/// A body that is dropped half-way holds nothing up: it keeps no lock between two frames.
#[derive(Debug)]
pub struct PageBody(State);

#[derive(Debug)]
enum State {
    Text(&'static str),
    Plain(Box<Page>),
    Gzip(Box<Gzip>),
}

#[derive(Debug)]
struct Gzip {
    page: Page,
    /// `None` when the page is at its end.
    encoder: Option<GzEncoder<Vec<u8>>>,
    rest: Bytes,
}

impl PageBody {
    pub(super) fn text(text: &'static str) -> Self {
        Self(State::Text(text))
    }

    pub(super) fn plain(page: Page) -> Self {
        Self(State::Plain(Box::new(page)))
    }

    pub(super) fn gzip(page: Page) -> Self {
        // The quickest level: it is the host's thread, and the page shrinks to a tenth all the same.
        let encoder = GzEncoder::new(Vec::new(), Compression::fast());
        Self(State::Gzip(Box::new(Gzip {
            page,
            encoder: Some(encoder),
            rest: Bytes::new(),
        })))
    }

    fn next(&mut self) -> Option<Bytes> {
        match &mut self.0 {
            State::Text(text) => match std::mem::take(text) {
                "" => None,
                text => Some(Bytes::from_static(text.as_bytes())),
            },
            State::Plain(page) => page.frame(),
            State::Gzip(gzip) => gzip.frame(),
        }
    }
}

impl Gzip {
    /// One frame of the page, packed and flushed, so that no frame waits for the next.
    fn frame(&mut self) -> Option<Bytes> {
        while self.rest.is_empty() {
            let Some(encoder) = &mut self.encoder else {
                break;
            };
            let packed = match self.page.frame() {
                Some(frame) => {
                    let packed = encoder.write_all(&frame).and_then(|()| encoder.flush());
                    packed.map(|()| std::mem::take(encoder.get_mut()))
                }
                None => match self.encoder.take() {
                    Some(encoder) => encoder.finish(),
                    None => break,
                },
            };
            // Writing to memory does not fail.
            self.rest = packed.unwrap_or_default().into();
        }
        let size = self.rest.len().min(MAX_FRAME);
        (size > 0).then(|| self.rest.split_to(size))
    }
}

impl Body for PageBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.next().map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            State::Text(text) => text.is_empty(),
            State::Plain(page) => page.is_at_end(),
            State::Gzip(gzip) => gzip.encoder.is_none() && gzip.rest.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            State::Text(text) => {
                SizeHint::with_exact(u64::try_from(text.len()).unwrap_or(u64::MAX))
            }
            _ => SizeHint::default(),
        }
    }
}
