//! What axum tells: the matched route, the peer's address, the request's body.

use std::any::Any;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, MatchedPath};
use http::{Extensions, Request};
use http_body::{Body as HttpBody, Frame, SizeHint};

/// The pattern of the route that matched.
#[inline]
pub(super) fn matched_path(extensions: &Extensions) -> Option<&str> {
    extensions.get::<MatchedPath>().map(MatchedPath::as_str)
}

/// The peer's address, where the host serves with connect info.
pub(super) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions
        .get::<ConnectInfo<std::net::SocketAddr>>()
        .map(|info| info.0.ip())
}

/// Wraps a request's body so that its bytes are counted; `false` if the body is not axum's.
pub(super) fn count_body<B: 'static>(request: &mut Request<B>, counted: &Arc<AtomicU64>) -> bool {
    let Some(body) = (request.body_mut() as &mut dyn Any).downcast_mut::<Body>() else {
        return false;
    };
    let inner = std::mem::take(body);
    *body = Body::new(Counted {
        body: inner,
        counted: Arc::clone(counted),
    });
    true
}

#[derive(Debug)]
struct Counted {
    body: Body,
    counted: Arc<AtomicU64>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(data) = frame
            .as_ref()
            .and_then(|frame| frame.as_ref().ok()?.data_ref())
        {
            self.counted.fetch_add(data.len() as u64, Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
