use std::convert::Infallible;
use std::future::{Ready as Done, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tower::Service;

use super::document::{self, Readiness};
use super::{Health, HealthBody, HealthStatus};
use crate::access::Access;
use crate::model::{OwnResponse, suppressed};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/health+json");

/// One health page as a tower service: for a router's `route_service`, or for anything else that serves
/// `http` requests, whatever their body.
///
/// It answers `GET` and `HEAD`, without reading the request's body, without running a check and without
/// waiting for one. Its answers appear neither in the monitor's series nor in its lines.
#[derive(Debug, Clone)]
pub struct HealthService {
    health: Health,
    page: HealthPage,
}

#[derive(Debug, Clone)]
pub(super) enum HealthPage {
    Live,
    Ready,
    Details(Access),
}

impl HealthService {
    pub(super) fn new(health: &Health, page: HealthPage) -> Self {
        Self {
            health: health.clone(),
            page,
        }
    }

    /// The answer to a request of this head.
    fn answer(&self, method: &Method, headers: &HeaderMap) -> Response<HealthBody> {
        if method != Method::GET && method != Method::HEAD {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".into());
            let allowed = HeaderValue::from_static("GET, HEAD");
            refused.headers_mut().insert(ALLOW, allowed);
            return refused;
        }
        let mut answer = match &self.page {
            HealthPage::Live => text(StatusCode::OK, Readiness::Yes.word().into()),
            HealthPage::Ready => {
                self.health.note_ready_asked();
                let ready = self.health.ready();
                text(status(ready != Readiness::Yes), ready.word().into())
            }
            HealthPage::Details(access) => {
                let (overall, json) = document::write(&self.health, access.allows(headers));
                with_type(status(overall == HealthStatus::Fail), JSON, json.into())
            }
        };
        if method == Method::HEAD {
            *answer.body_mut() = HealthBody::default();
        }
        answer
    }
}

fn status(unavailable: bool) -> StatusCode {
    if unavailable {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    }
}

fn text(status: StatusCode, text: Bytes) -> Response<HealthBody> {
    with_type(status, TEXT, text)
}

fn with_type(status: StatusCode, content_type: HeaderValue, text: Bytes) -> Response<HealthBody> {
    let length = HeaderValue::from(text.len());
    let mut response = Response::new(HealthBody::new(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.extensions_mut().insert(OwnResponse);
    response
}

impl<B> Service<Request<B>> for HealthService {
    type Response = Response<HealthBody>;
    type Error = Infallible;
    type Future = Done<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(suppressed(|| {
            let answer = self.answer(request.method(), request.headers());
            // Its body may log when it is dropped.
            drop(request);
            answer
        })))
    }
}

#[cfg(test)]
mod tests;
