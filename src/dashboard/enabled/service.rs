//! The dashboard as a tower service.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use tower::Service;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use super::api::{self, MAX_BODY, failure, foreign_page, not_available};
use super::guard::Guard;
use super::page_server::{PageServer, Suppressed};
use super::publisher::Dashboard;
use super::routes::MOUNT;
use crate::access::Access;
use crate::context::disown_current;
use crate::model::OwnResponse;

/// How long a response may take. Live connections are longer.
const MAX_TIME: Duration = Duration::from_secs(20);

/// The headers of every response. No page runs code that is not one of its own files, is shown inside another page, or
/// tells another server where it was.
const HEADERS: [(&str, &str); 9] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "geolocation=(), camera=(), microphone=()",
    ),
    ("x-robots-tag", "noindex"),
    ("origin-agent-cluster", "?1"),
];

/// The dashboard as a tower [`Service`], for a router's `nest_service` or any other server of `http` requests.
///
/// Made by [`Monitor::dashboard_service`](crate::Monitor::dashboard_service). It serves the paths below its mount: those
/// that begin with `/monitoring`, or all paths if a router has stripped the mount. Its requests are left out of the
/// monitor's metrics, log records and traces.
#[derive(Clone)]
pub struct DashboardService {
    server: Arc<PageServer>,
    router: axum::Router,
}

impl DashboardService {
    pub(crate) fn new(dashboard: &Arc<Dashboard>, access: Access) -> Self {
        Self::at(dashboard, access, MOUNT)
    }

    fn at(dashboard: &Arc<Dashboard>, access: Access, mount: &str) -> Self {
        let setup = &dashboard.setup;
        setup.keys.resolve(&access);
        let guard = Guard::new(
            access,
            &setup.http,
            &setup.clock,
            &setup.diagnostics,
            &setup.metrics,
        );
        let server = Arc::new(PageServer {
            dashboard: Arc::clone(dashboard),
            guard: Arc::new(guard),
            mount: mount.trim_end_matches('/').to_owned(),
        });
        let router = router(&server);
        Self { server, router }
    }

    /// Returns the service for another path than `/monitoring`, for a server whose router does not strip the path that the
    /// service is mounted at.
    #[must_use]
    pub fn mounted_at(self, path: &str) -> Self {
        let server = Arc::new(PageServer {
            dashboard: Arc::clone(&self.server.dashboard),
            guard: Arc::clone(&self.server.guard),
            mount: path.trim_end_matches('/').to_owned(),
        });
        let router = router(&server);
        Self { server, router }
    }

    /// Returns a router with the dashboard at `/monitoring`.
    pub(crate) fn into_router<S: Clone + Send + Sync + 'static>(self) -> axum::Router<S> {
        let below = format!("{MOUNT}/{{*path}}");
        axum::Router::new()
            .route_service(MOUNT, self.clone())
            .route_service(&format!("{MOUNT}/"), self.clone())
            .route_service(&below, self)
    }

    /// Responds to a request.
    async fn respond(self, mut request: Request<Body>) -> Response<Body> {
        // Behind a trusted proxy, the host that its client asked for is the host.
        let (parts, body) = request.into_parts();
        let forwarded = self.server.guard.source(&parts).forwarded_host;
        request = Request::from_parts(parts, body);
        if let Some(host) = forwarded.and_then(|host| HeaderValue::from_str(&host).ok()) {
            request.headers_mut().insert(HOST, host);
        }
        let mut router = self.router;
        let Ok(response) = Service::<Request<Body>>::call(&mut router, request).await;
        let mut response = explained(response);
        let headers = response.headers_mut();
        let no_store = HeaderValue::from_static("no-store");
        headers.entry(CACHE_CONTROL).or_insert(no_store);
        response.extensions_mut().insert(OwnResponse);
        response
    }
}

/// The layers around all routes. The last one is the outermost.
fn router(server: &Arc<PageServer>) -> axum::Router {
    let server = Arc::clone(server);
    let mut router = axum::Router::new()
        .fallback(move |request: Request<Body>| api::respond(Arc::clone(&server), request))
        .layer(RequestBodyLimitLayer::new(MAX_BODY))
        .layer(CsrfLayer::new().with_rejection_response(|_| foreign_page()))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            MAX_TIME,
        ))
        .layer(CatchPanicLayer::custom(|_| not_available()));
    for (name, value) in HEADERS {
        let name = HeaderName::from_static(name);
        let value = HeaderValue::from_static(value);
        router = router.layer(SetResponseHeaderLayer::overriding(name, value));
    }
    router
}

/// A failure that a layer responded with, in the form of all others.
fn explained(response: Response<Body>) -> Response<Body> {
    let status = response.status();
    let is_json = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|it| it.as_bytes().starts_with(b"application/json"));
    if is_json || status.as_u16() < 400 {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let explanation = match status {
        StatusCode::PAYLOAD_TOO_LARGE => failure(status, "bad_request", "The body is too long."),
        StatusCode::SERVICE_UNAVAILABLE => not_available(),
        _ => failure(status, "bad_request", "The request cannot be served."),
    };
    let (explained, body) = explanation.into_parts();
    parts.headers.remove(http::header::CONTENT_LENGTH);
    parts.headers.extend(explained.headers);
    Response::from_parts(parts, body)
}

impl<B> Service<Request<B>> for DashboardService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        disown_current(self.server.dashboard.setup.requests.number());
        let responding = self.clone().respond(request.map(Body::new));
        let responding = Suppressed::new(responding);
        Box::pin(async move { Ok(responding.await) })
    }
}

impl fmt::Debug for DashboardService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DashboardService")
            .field("mount", &self.server.mount)
            .finish_non_exhaustive()
    }
}
