//! What axum tells: the matched route, the peer's address, the request's body.

use std::any::{Any, TypeId, type_name};
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker, ready};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, MatchedPath, NestedPath};
use axum::{BoxError, Router};
use http::{Extensions, Request};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tower::Service;

use crate::model::catch_panic;

use super::upload::UploadProgress;

/// What is reported where no route is seen and the service's axum is not this crate's.
pub(super) const OTHER_AXUM: &str = "the endpoint layer sees no route: this service uses another version of axum than this crate (0.8), whose `MatchedPath` is a type of its own; name routes with `monitor.layer().route(|parts| parts.extensions.get::<axum::extract::MatchedPath>().map(|path| path.as_str().to_owned().into()))`, inside the router as `Router::new().route(..).layer(..)`";

/// Whether a body of this type is that of an axum that this crate was not built for.
#[inline]
pub(super) fn is_other_axum<B: 'static>() -> bool {
    TypeId::of::<B>() != TypeId::of::<Body>() && type_name::<B>() == type_name::<Body>()
}

/// The pattern of the route that matched.
#[inline]
pub(super) fn matched_path(extensions: &Extensions) -> Option<&str> {
    extensions.get::<MatchedPath>().map(MatchedPath::as_str)
}

/// The pattern of a nested service that matched, such as `/static/*`.
///
/// axum keeps it where routers inside the service find it, under a type that it does not export. So a router of one
/// route is called with the same extensions: what it shows as matched begins with the pattern. The call copies the
/// extensions, and is made only where no route matched.
#[cold]
#[inline(never)]
pub(super) fn nested_path(extensions: &Extensions) -> Option<String> {
    static PROBE: OnceLock<Router> = OnceLock::new();
    if extensions.is_empty() {
        return None;
    }
    let probe = PROBE.get_or_init(|| {
        let answer = async |request: Request<Body>| {
            let mut response = http::Response::new(Body::empty());
            let matched = request.extensions().get::<MatchedPath>().cloned();
            if let Some(matched) = matched {
                response.extensions_mut().insert(matched);
            }
            Ok::<_, Infallible>(response)
        };
        Router::new().route_service("/", tower::service_fn(answer))
    });
    // The values in the extensions are the host's, and so is the code that copies them.
    let response = catch_panic(|| {
        let mut request = Request::new(Body::empty());
        *request.extensions_mut() = extensions.clone();
        let answer = pin!(probe.clone().call(request));
        match answer.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(response)) => Some(response),
            _ => None,
        }
    });
    let matched = matched_path(response.flatten()?.extensions())?.to_owned();
    // Of nothing but the probe's own route there is no pattern.
    (matched.len() > 1 && matched.ends_with('/')).then(|| matched + "*")
}

/// The pattern of the nested service that the request is in.
pub(super) fn nested_service(extensions: &Extensions) -> Option<String> {
    let nested = extensions.get::<NestedPath>()?.as_str();
    Some(format!("{}/*", nested.trim_end_matches('/')))
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
    upload: impl FnOnce() -> Arc<UploadProgress>,
) -> Option<bool> {
    let body = (request.body_mut() as &mut dyn Any).downcast_mut::<Body>()?;
    // A body that panics here is left to who reads it.
    if !anyway && catch_panic(|| body.is_end_stream()).unwrap_or(true) {
        return Some(false);
    }
    let inner = std::mem::take(body);
    *body = Body::new(UploadBody {
        body: inner,
        upload: upload(),
    });
    Some(true)
}

/// A request's body. Its length and its end are those of the body inside; its errors too, without axum's wrapper,
/// which `Body::new` puts around them again: what looks for a cause in them looks two wrappers deep.
#[derive(Debug)]
struct UploadBody {
    body: Body,
    upload: Arc<UploadProgress>,
}

impl HttpBody for UploadBody {
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
                    Some(data) => {
                        self.upload.received(data.len());
                        // Who asks this does not poll for the end.
                        if self.body.is_end_stream() {
                            self.upload.ended();
                        }
                    }
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
