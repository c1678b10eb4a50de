use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Body;

use super::series::ProtocolVersion;
use crate::model::length;

/// How the body is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum PollMode {
    /// It knows its own length: polls run no code of the host's.
    #[default]
    Known,
    /// Polls may run the host's code.
    Open,
    /// As `Open`, and its data is read: the status of a gRPC-Web call is in it.
    Read,
}

/// What a response's body says of its length, and what was handed over of it.
#[derive(Debug, Default)]
pub(super) struct ResponseBodyState {
    bytes: u64,
    /// The length that the body itself knows, else the one that the headers declare.
    declared: Option<u64>,
    polls: PollMode,
    /// Whether the headers declare a length that no server sends and no client reads.
    is_broken: bool,
}

impl ResponseBodyState {
    /// A response begins. Calls the body's code.
    #[inline]
    pub(super) fn begin<B: Body>(&mut self, response: &Response<B>, version: ProtocolVersion) {
        self.bytes = 0;
        self.declared = response.body().size_hint().exact();
        self.polls = match self.declared {
            None => PollMode::Open,
            Some(_) => PollMode::Known,
        };
        self.is_broken = false;
        let mut names = response.headers().keys();
        if names.any(|name| name == header::CONTENT_LENGTH) {
            self.declares(response.headers(), version);
        }
    }

    /// The headers have a `Content-Length`.
    #[inline(never)]
    fn declares(&mut self, headers: &HeaderMap, version: ProtocolVersion) {
        if let Some(known) = self.declared {
            self.is_broken = !agrees(headers, known, version);
        } else {
            self.declared = declared(headers, version);
            self.is_broken = self.declared.is_none();
        }
    }

    /// There is no response yet.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.bytes = 0;
        self.is_broken = false;
    }

    #[inline]
    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// The bytes that were handed over. Over HTTP/1 a server sends none beyond the declared length.
    #[inline]
    pub(super) fn bytes(&self, version: ProtocolVersion) -> u64 {
        match self.declared {
            Some(declared) if version.is_http1() => self.bytes.min(declared),
            _ => self.bytes,
        }
    }

    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.polls == PollMode::Open
    }

    #[inline]
    pub(super) fn polls(&self) -> PollMode {
        self.polls
    }

    /// The body's data is to be read.
    pub(super) fn read(&mut self) {
        self.polls = PollMode::Read;
    }

    /// Whether the headers declare a length that a server refuses to send.
    #[inline]
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether a length is declared, be it a wrong one.
    #[inline]
    pub(super) fn is_declared(&self) -> bool {
        self.declared.is_some() || self.is_broken
    }

    /// Whether the bytes so far are those that were declared; `None` where no length was.
    #[inline]
    pub(super) fn is_whole(&self) -> Option<bool> {
        if self.is_broken {
            return Some(false);
        }
        Some(self.bytes == self.declared?)
    }

    /// Whether the body cannot become whole any more: its length cannot be read, or it has more bytes than declared.
    #[inline]
    pub(super) fn is_wrong(&self) -> bool {
        self.is_broken || self.declared.is_some_and(|declared| self.bytes > declared)
    }
}

/// The length that a server declares for a body which does not know its own; `None` where the headers contradict each
/// other or are no number, so that the server sends nothing.
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

/// Whether clients read the length of a body that knows it. Over HTTP/1 servers send the first `Content-Length` as it is,
/// and clients take a list of one number; over HTTP/2 servers send all of them.
fn agrees(headers: &HeaderMap, known: u64, version: ProtocolVersion) -> bool {
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
