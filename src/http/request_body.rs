use std::sync::Arc;

use http::Request;

use super::framework;
use super::known_headers::KnownHeaders;
use super::layer_state::LayerState;
use super::upload::UploadProgress;
use crate::record::Method;

/// What is known of a request's body.
#[derive(Debug, Default)]
pub(super) struct RequestBodyState {
    /// Whether there may be one.
    may_come: bool,
    /// Whether what comes of it is noted in `upload`, which stays for the next request.
    is_watched: bool,
    upload: Option<Arc<UploadProgress>>,
}

/// What came of a request's body.
#[derive(Debug, Clone, Copy)]
pub(super) struct UploadSummary {
    pub(super) bytes: u64,
    /// It was read to its end.
    pub(super) ended: bool,
    /// The client left before its end.
    pub(super) aborted: bool,
}

impl RequestBodyState {
    /// A request begins; its body is watched `anyway`, or if there may be one.
    #[inline]
    pub(super) fn begin(&mut self, seen: &KnownHeaders<'_>, method: Method, anyway: bool) {
        self.may_come =
            anyway | seen.content_length.is_some() | seen.is_chunked | method.sends_content();
        self.is_watched = false;
    }

    /// Whether there may be a body. Nothing is done for a request that has none.
    #[inline]
    pub(super) fn may_come(&self) -> bool {
        self.may_come
    }

    /// Wraps the request's body, where there is one and it can be wrapped.
    #[inline(never)]
    pub(super) fn watch<B: 'static>(&mut self, request: &mut Request<B>, shared: &LayerState) {
        let anyway = shared.count_request_body;
        let kept = &mut self.upload;
        let upload = || {
            let next = UploadProgress::next(kept.take());
            Arc::clone(kept.insert(next))
        };
        match framework::watch_body(request, anyway, upload) {
            Some(watched) => self.is_watched = watched,
            None if anyway => shared.diagnostics.report(
                "`.count_request_body()` counts bodies of axum's `Body` type only, and this service's is another: `Content-Length` is recorded instead; remove the call",
            ),
            None => {}
        }
    }

    #[inline]
    pub(super) fn is_watched(&self) -> bool {
        self.is_watched
    }

    /// What came of the body that was watched.
    pub(super) fn came(&self) -> UploadSummary {
        let upload = self.upload.as_deref();
        UploadSummary {
            ended: upload.is_some_and(UploadProgress::is_ended),
            aborted: upload.is_some_and(UploadProgress::is_aborted),
            // Read after the end, which the wrapper notes last.
            bytes: upload.map_or(0, UploadProgress::bytes),
        }
    }
}
