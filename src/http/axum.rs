//! What only axum knows: the matched route, the peer's address, the type of request bodies.

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

/// The notice where no route is seen and the service's axum is another version than this crate's.
pub(super) const OTHER_AXUM: &str = "the endpoint layer sees no route: this service uses another version of axum than this crate (0.8), whose `MatchedPath` is a type of its own; name routes with `monitor.layer().route(|parts| parts.extensions.get::<axum::extract::MatchedPath>().map(|path| path.as_str().to_owned().into()))`, inside the router as `Router::new().route(..).layer(..)`";

/// Whether a body of this type belongs to a version of axum that this crate was not built for.
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
/// axum keeps the pattern for routers inside the service, under a type that it does not export. So this calls a router of
/// one route with the same extensions: the path that it reports as matched begins with the pattern. The call clones the
/// extensions, so it is made only where no route matched.
#[cold]
#[inline(never)]
pub(super) fn nested_path(extensions: &Extensions) -> Option<String> {
    static PROBE: OnceLock<Router> = OnceLock::new();
    if extensions.is_empty() {
        return None;
    }
    let probe = PROBE.get_or_init(|| {
        let respond = async |request: Request<Body>| {
            let mut response = http::Response::new(Body::empty());
            let matched = request.extensions().get::<MatchedPath>().cloned();
            if let Some(matched) = matched {
                response.extensions_mut().insert(matched);
            }
            Ok::<_, Infallible>(response)
        };
        Router::new().route_service("/", tower::service_fn(respond))
    });
    // The values in the extensions are the host's, and so is the code that clones them.
    let response = catch_panic(|| {
        let mut request = Request::new(Body::empty());
        *request.extensions_mut() = extensions.clone();
        let response = pin!(probe.clone().call(request));
        match response.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(response)) => Some(response),
            _ => None,
        }
    });
    let matched = matched_path(response.flatten()?.extensions())?.to_owned();
    // A match of the probe's own route alone is no pattern.
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

/// Wraps a request's body so that it reports to the upload that `upload` makes. `None` if the body is not axum's; `false`
/// if it is empty and not wrapped `always`.
pub(super) fn watch_body<B: 'static>(
    request: &mut Request<B>,
    always: bool,
    upload: impl FnOnce() -> Arc<UploadProgress>,
) -> Option<bool> {
    let body = (request.body_mut() as &mut dyn Any).downcast_mut::<Body>()?;
    // A body that panics here will panic again where it is read.
    if !always && catch_panic(|| body.is_end_stream()).unwrap_or(true) {
        return Some(false);
    }
    let inner = std::mem::take(body);
    *body = Body::new(UploadBody {
        body: inner,
        upload: upload(),
    });
    Some(true)
}

/// A request's body that reports to an upload. Its size hint, its end and its errors are those of the body inside. The
/// errors lose axum's wrapper here, because `Body::new` adds one: code that looks for a cause expects a fixed depth.
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
                        self.upload.add_bytes(data.len());
                        // A reader that asks this does not poll for the end.
                        if self.body.is_end_stream() {
                            self.upload.end();
                        }
                    }
                    None => self.upload.end(),
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                let error = error.into_inner();
                self.upload.fail(&*error);
                Some(Err(error))
            }
            None => {
                self.upload.end();
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
