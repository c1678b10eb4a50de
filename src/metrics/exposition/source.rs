use std::fmt;
use std::task::Poll;

use bytes::Bytes;

/// The maximum size of one frame, in bytes.
pub(super) const MAX_FRAME: usize = 64 * 1024;
/// A frame is sent once it has this size, so that one more series usually fits into [`MAX_FRAME`].
pub(super) const FULL_FRAME: usize = 56 * 1024;

/// An exposition in one format, which is written while it is sent.
pub(super) trait FrameSource: fmt::Debug + Send + Sync {
    /// The value of the header `content-type`.
    fn content_type(&self) -> &'static str;

    /// The next frame, of 1 to [`MAX_FRAME`] bytes; `None` at the end.
    ///
    /// It takes a short time. If no frame is ready after that, the result is `Pending`, and the caller calls again once
    /// other tasks had their turn.
    fn poll_frame(&mut self) -> Poll<Option<Bytes>>;

    /// Whether everything is written and sent.
    fn is_at_end(&self) -> bool;
}

/// Splits the next frame off what is written; `None` if nothing is.
pub(super) fn split_frame(written: &mut Bytes) -> Option<Bytes> {
    let size = written.len().min(MAX_FRAME);
    (size > 0).then(|| written.split_to(size))
}
