use std::sync::Arc;

use http::Request;

use super::framework;
use super::known_headers::KnownHeaders;
use super::layer_state::LayerState;
use super::upload::UploadProgress;
use crate::record::Method;

/// Whether a request has a body, and whether the layer watches it.
#[derive(Debug, Default)]
pub(super) struct RequestBodyState {
    /// Whether there may be a body.
    may_come: bool,
    /// Whether the body is wrapped, so that it reports to `upload`.
    is_watched: bool,
    /// Stays for the next request of this state.
    upload: Option<Arc<UploadProgress>>,
}

/// What came of a request's body.
#[derive(Debug, Clone, Copy)]
pub(super) struct UploadSummary {
    pub(super) bytes: u64,
    /// Whether it was read to its end.
    pub(super) ended: bool,
    /// Whether the client left before its end.
    pub(super) aborted: bool,
}

impl RequestBodyState {
    /// Starts a request, whose body is watched `always`, or if there may be one.
    #[inline]
    pub(super) fn start(&mut self, known: &KnownHeaders<'_>, method: Method, always: bool) {
        self.may_come =
            always | known.content_length.is_some() | known.is_chunked | method.sends_content();
        self.is_watched = false;
    }

    /// Whether there may be a body. A request without one costs nothing here.
    #[inline]
    pub(super) fn may_come(&self) -> bool {
        self.may_come
    }

    /// Wraps the request's body, if there is one and it can be wrapped.
    #[inline(never)]
    pub(super) fn watch<B: 'static>(&mut self, request: &mut Request<B>, layer: &LayerState) {
        let always = layer.count_request_body;
        let last = &mut self.upload;
        let upload = || {
            let next = UploadProgress::next(last.take());
            Arc::clone(last.insert(next))
        };
        match framework::watch_body(request, always, upload) {
            Some(is_watched) => self.is_watched = is_watched,
            None if always => layer.diagnostics.report(
                "`.count_request_body()` counts bodies of axum's `Body` type only, and this service's is another: `Content-Length` is recorded instead; remove the call",
            ),
            None => {}
        }
    }

    #[inline]
    pub(super) fn is_watched(&self) -> bool {
        self.is_watched
    }

    /// What came of the body.
    pub(super) fn summary(&self) -> UploadSummary {
        let upload = self.upload.as_deref();
        UploadSummary {
            ended: upload.is_some_and(UploadProgress::is_ended),
            aborted: upload.is_some_and(UploadProgress::is_aborted),
            // After the end: the wrapper stores the end last.
            bytes: upload.map_or(0, UploadProgress::bytes),
        }
    }
}
