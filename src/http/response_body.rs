use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Body;

use super::labels::ProtocolVersion;
use crate::model::length;

/// How a response's body is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum PollMode {
    /// It knows its own length: a poll runs no code of the host.
    #[default]
    Data,
    /// A poll may run code of the host.
    Code,
    /// As `Code`, and the data is read: it holds the status of a gRPC-Web call, or the first message of a call.
    Read,
}

/// The declared length of a response's body, and the bytes that the server has taken of it.
#[derive(Debug, Default)]
pub(super) struct ResponseBodyState {
    bytes: u64,
    /// The length that the body knows, else the one that the headers declare.
    declared: Option<u64>,
    poll_mode: PollMode,
    /// Whether the headers declare a length that no server sends or no client can read.
    is_broken: bool,
}

impl ResponseBodyState {
    /// Takes over the length of a response's body. Calls the body's code.
    #[inline]
    pub(super) fn start<B: Body>(&mut self, response: &Response<B>, version: ProtocolVersion) {
        self.bytes = 0;
        self.declared = response.body().size_hint().exact();
        self.poll_mode = match self.declared {
            None => PollMode::Code,
            Some(_) => PollMode::Data,
        };
        self.is_broken = false;
        let mut names = response.headers().keys();
        if names.any(|name| name == header::CONTENT_LENGTH) {
            self.read_content_length(response.headers(), version);
        }
    }

    /// Compares `Content-Length` with the length that the body knows, or takes it over.
    #[inline(never)]
    fn read_content_length(&mut self, headers: &HeaderMap, version: ProtocolVersion) {
        if let Some(known) = self.declared {
            self.is_broken = !matches_known(headers, known, version);
        } else {
            self.declared = declared(headers, version);
            self.is_broken = self.declared.is_none();
        }
    }

    /// Forgets the last response.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.bytes = 0;
        self.is_broken = false;
    }

    #[inline]
    /// Counts bytes that the server has taken.
    pub(super) fn add_bytes(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// The bytes that the server has taken. Over HTTP/1 it sends none beyond the declared length.
    #[inline]
    pub(super) fn bytes(&self, version: ProtocolVersion) -> u64 {
        match self.declared {
            Some(declared) if version.is_http1() => self.bytes.min(declared),
            _ => self.bytes,
        }
    }

    #[inline]
    /// Whether the body does not know its length.
    pub(super) fn is_open(&self) -> bool {
        self.poll_mode == PollMode::Code
    }

    #[inline]
    pub(super) fn poll_mode(&self) -> PollMode {
        self.poll_mode
    }

    /// Has the body's data read.
    pub(super) fn read_data(&mut self) {
        self.poll_mode = PollMode::Read;
    }

    /// Whether the headers declare a length that no server sends or no client can read.
    #[inline]
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether a length is declared, right or wrong.
    #[inline]
    pub(super) fn is_declared(&self) -> bool {
        self.declared.is_some() || self.is_broken
    }

    /// Whether the bytes so far are as many as declared; `None` without a declared length.
    #[inline]
    pub(super) fn is_complete(&self) -> Option<bool> {
        if self.is_broken {
            return Some(false);
        }
        Some(self.bytes == self.declared?)
    }

    /// Whether the body can no longer become complete: its length cannot be read, or it has more bytes than declared.
    #[inline]
    pub(super) fn cannot_complete(&self) -> bool {
        self.is_broken || self.declared.is_some_and(|declared| self.bytes > declared)
    }
}

/// The length that a server declares for a body that does not know its own. `None` where the headers contradict each other
/// or are no number: the server then sends no response.
///
/// A list such as `5, 5` is not sent over HTTP/1 and ends the stream over HTTP/2. Over HTTP/1 `Transfer-Encoding` excludes
/// `Content-Length`; HTTP/1.0 leaves it out where it comes first, HTTP/2 always.
fn declared(headers: &HeaderMap, version: ProtocolVersion) -> Option<u64> {
    let (mut declared, mut encoded) = (None, false);
    for (name, value) in headers {
        if name == header::CONTENT_LENGTH {
            let length = length(value)?;
            if encoded || declared.is_some_and(|declared| declared != length) {
                return None;
            }
            declared = Some(length);
        } else if name == header::TRANSFER_ENCODING && version.is_http1() {
            if declared.is_some() {
                return None;
            }
            encoded = version.has_chunks();
        }
    }
    declared
}

/// Whether clients can read the length of a body that knows it. Over HTTP/1 servers send the first `Content-Length` as it is,
/// and clients take a list of one number; over HTTP/2 servers send all of them.
fn matches_known(headers: &HeaderMap, known: u64, version: ProtocolVersion) -> bool {
    if !version.is_http1() {
        let mut all = headers.get_all(header::CONTENT_LENGTH).iter();
        return all.all(|value| length(value) == Some(known));
    }
    let Some(first) = headers.get(header::CONTENT_LENGTH) else {
        return true;
    };
    let is_known = |item: &[u8]| {
        let item = HeaderValue::from_bytes(item.trim_ascii());
        item.is_ok_and(|item| length(&item) == Some(known))
    };
    let items = first.as_bytes().split(|byte| *byte == b',');
    !headers.contains_key(header::TRANSFER_ENCODING) && items.into_iter().all(is_known)
}
