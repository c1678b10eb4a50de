use http::Response;
use http_body::Body;

use super::series::Version;
use crate::model::declared_length;

/// What a response's body says of its length, and what was handed over of it.
#[derive(Debug, Default)]
pub(super) struct Sent {
    bytes: u64,
    /// The length that the body itself knows, else the one that the headers declare.
    declared: Option<u64>,
    /// Whether the body's polls may run the host's code: it does not know its own length.
    is_open: bool,
}

impl Sent {
    /// A response begins. Calls the body's code.
    #[inline]
    pub(super) fn begin<B: Body>(&mut self, response: &Response<B>) {
        self.bytes = 0;
        self.declared = response.body().size_hint().exact();
        self.is_open = self.declared.is_none();
        if self.is_open {
            self.declared = declared_length(response.headers());
        }
    }

    /// There is no response yet.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.bytes = 0;
    }

    #[inline]
    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    #[inline]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether a length is declared.
    #[inline]
    pub(super) fn is_declared(&self) -> bool {
        self.declared.is_some()
    }

    /// Whether the bytes so far are those that were declared; `None` where no length was.
    #[inline]
    pub(super) fn is_whole(&mut self, version: Version) -> Option<bool> {
        let declared = self.declared?;
        // Over HTTP/1 a server sends no byte beyond the declared length; over HTTP/2 it spoils the response.
        if self.bytes > declared && version.is_http1() {
            self.bytes = declared;
        }
        Some(self.bytes == declared)
    }
}
