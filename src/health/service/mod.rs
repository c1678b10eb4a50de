use std::convert::Infallible;
use std::future::{Ready as Done, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tower::Service;

use super::body::HealthBody;
use super::checks::Health;
use super::document;
use super::readiness::Readiness;
use super::status::HealthStatus;
use crate::access::Access;
use crate::model::{OwnResponse, suppressed};

/// The content type of `/livez` and `/readyz`.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// The content type of `/health`.
const JSON: HeaderValue = HeaderValue::from_static("application/health+json");

/// One health endpoint as a tower [`Service`]: for a router's `route_service`, or for any other server of `http`
/// requests, with any request body.
///
/// Made by [`Health::livez`], [`Health::readyz`] and [`Health::details`]. It responds to `GET` and `HEAD`, and to other
/// methods with 405. It does not read the request's body, run a check or wait for one. Its requests are left out of the
/// monitor's metrics, log records and traces.
///
/// ```
/// # fn main() -> watchpost::Result<()> {
/// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
/// # #[cfg(feature = "axum")]
/// let app: axum::Router = axum::Router::new()
///     .route_service("/livez", monitor.health().livez())
///     .route_service("/readyz", monitor.health().readyz());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct HealthService {
    health: Health,
    page: HealthPage,
}

/// The endpoint that a service is.
#[derive(Debug, Clone)]
enum HealthPage {
    Live,
    Ready,
    Details(Access),
}

impl HealthService {
    fn new(health: &Health, page: HealthPage) -> Self {
        Self {
            health: health.clone(),
            page,
        }
    }

    /// The response to a request.
    fn respond(&self, request: &Parts) -> Response<HealthBody> {
        let method = &request.method;
        if method != Method::GET && method != Method::HEAD {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".into());
            let allowed = HeaderValue::from_static("GET, HEAD");
            refused.headers_mut().insert(ALLOW, allowed);
            return refused;
        }
        let mut response = match &self.page {
            HealthPage::Live => text(StatusCode::OK, Readiness::Yes.word().into()),
            HealthPage::Ready => {
                self.health.note_ready_request();
                let readiness = self.health.readiness();
                text(status(readiness != Readiness::Yes), readiness.word().into())
            }
            HealthPage::Details(access) => {
                let (overall, json) = document::write(&self.health, access.allows(request));
                with_type(status(overall == HealthStatus::Fail), JSON, json.into())
            }
        };
        if method == Method::HEAD {
            *response.body_mut() = HealthBody::default();
        }
        response
    }
}

impl Health {
    /// Returns the endpoint `/livez`: 200 and `ok` for as long as the process responds, regardless of the checks.
    pub fn livez(&self) -> HealthService {
        HealthService::new(self, HealthPage::Live)
    }

    /// Returns the endpoint `/readyz`: 200 and `ok`, or 503 and `starting`, `draining` or `not ready`. It has no details,
    /// so it can be open to anyone.
    pub fn readyz(&self) -> HealthService {
        HealthService::new(self, HealthPage::Ready)
    }

    /// Returns the endpoint `/health` for people and dashboards, in `application/health+json`: the overall status for
    /// anyone, and all checks and components for clients that `access` admits.
    pub fn details(&self, access: Access) -> HealthService {
        self.0.setup.keys.resolve(&access);
        HealthService::new(self, HealthPage::Details(access))
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
            let (parts, body) = request.into_parts();
            let response = self.respond(&parts);
            // Within `suppressed`, because the request's body may log when it is dropped.
            drop((parts, body));
            response
        })))
    }
}

#[cfg(test)]
mod tests;
