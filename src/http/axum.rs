//! What axum tells: the matched route, the peer's address, the request's body.

use std::any::Any;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::BoxError;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, MatchedPath};
use http::{Extensions, Request};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::upload::Upload;

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

/// Wraps a request's body so that what comes of it is noted in the upload that `upload` makes. `None` if the body is
/// not axum's, `false` if there is nothing to send in it and it is not wrapped `anyway`.
pub(super) fn watch_body<B: 'static>(
    request: &mut Request<B>,
    anyway: bool,
    upload: impl FnOnce() -> Arc<Upload>,
) -> Option<bool> {
    let body = (request.body_mut() as &mut dyn Any).downcast_mut::<Body>()?;
    if !anyway && body.is_end_stream() {
        return Some(false);
    }
    let inner = std::mem::take(body);
    *body = Body::new(Received {
        body: inner,
        upload: upload(),
    });
    Some(true)
}

/// A request's body. Its length and its end are those of the body inside; its errors too, without axum's wrapper,
/// which `Body::new` puts around them again: what looks for a cause in them looks two wrappers deep.
#[derive(Debug)]
struct Received {
    body: Body,
    upload: Arc<Upload>,
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                match frame.data_ref() {
                    Some(data) => self.upload.received(data.len()),
                    None => self.upload.ended(),
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                let error = error.into_inner();
                self.upload.broke(&*error);
                Some(Err(error))
            }
            None => {
                self.upload.ended();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
