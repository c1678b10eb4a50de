use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tower::Service;

use super::body::ExpositionBody;
use super::frames::Exposition;
use super::negotiate::{ExpositionFormat, accepts_gzip};
use super::protobuf;
use super::source::FrameSource;
use crate::access::Access;
use crate::metrics::registry::Registry;
use crate::model::{OwnResponse, suppressed};

/// A tower service that responds to scrapes; made by [`Metrics::prometheus`](crate::metrics::Metrics::prometheus).
///
/// It serves `GET` and `HEAD` and responds to other methods with 405. The format follows `Accept`: Prometheus' text
/// format 0.0.4, `OpenMetrics` 1.0.0, which has exemplars, or with the feature `native-histograms` protobuf. gzip
/// follows `Accept-Encoding`. Its responses are marked, so that the monitor does not record them as requests of the
/// host's.
///
/// Anyone who can reach it may read it, unless [`access`](Self::access) restricts it.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "axum")]
/// # fn example(monitor: watchpost::Monitor) {
/// let prometheus = monitor.metrics().prometheus();
/// let app: axum::Router = axum::Router::new().route_service("/metrics", prometheus);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Prometheus {
    registry: Arc<Registry>,
    access: Option<Access>,
}

impl Prometheus {
    pub(in crate::metrics) fn new(registry: &Arc<Registry>) -> Self {
        Self {
            registry: Arc::clone(registry),
            access: None,
        }
    }

    /// Restricts the exposition to requests that `access` allows; others get 401.
    ///
    /// In Prometheus, set the token as the `authorization` of the scrape job.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = Some(access);
        self
    }

    fn respond(&self, request: &Parts) -> Response<ExpositionBody> {
        let (method, headers) = (&request.method, &request.headers);
        if method != Method::GET && method != Method::HEAD {
            let mut response = status(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        if let Some(access) = &self.access
            && !access.allows(request)
        {
            let mut response = status(StatusCode::UNAUTHORIZED, "no such token\n");
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
            return response;
        }
        // The method and the token are checked before anything is rendered: a refused request costs next to nothing.
        let exposition = self.exposition(headers);
        let content_type = HeaderValue::from_static(exposition.content_type());
        let gzip = accepts_gzip(headers);
        // The body renders the registry in frames while it is sent, so that a large exposition is never in memory as a
        // whole.
        let body = match (method == Method::HEAD, gzip) {
            (true, _) => ExpositionBody::text(""),
            (false, true) => ExpositionBody::gzip(exposition),
            (false, false) => ExpositionBody::plain(exposition),
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        // A cache between must neither mix the formats nor keep the values.
        headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    /// The exposition in the format that the client prefers.
    fn exposition(&self, headers: &HeaderMap) -> Box<dyn FrameSource> {
        protobuf::requested(&self.registry, headers).unwrap_or_else(|| {
            let format = ExpositionFormat::negotiate(headers);
            Box::new(Exposition::new(&self.registry, format))
        })
    }
}

fn status(status: StatusCode, text: &'static str) -> Response<ExpositionBody> {
    let mut response = Response::new(ExpositionBody::text(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

impl<B> Service<Request<B>> for Prometheus {
    type Response = Response<ExpositionBody>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(suppressed(|| {
            let (parts, body) = request.into_parts();
            let mut response = self.respond(&parts);
            response.extensions_mut().insert(OwnResponse);
            // Dropped in here, since the request's body may log when it is dropped.
            drop((parts, body));
            response
        })))
    }
}
