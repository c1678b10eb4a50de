use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tower::Service;

use super::negotiate::takes_gzip;
use super::{Form, Page, PageBody};
use crate::access::Access;
use crate::metrics::registry::Registry;
use crate::model::{OwnResponse, suppressed};

/// Answers scrapes: a tower service over any request body, for `route_service("/metrics", ..)`.
///
/// It answers `GET` and `HEAD`, anything else with 405. The form follows `Accept` (Prometheus' text
/// 0.0.4 or `OpenMetrics` 1.0.0, which has the exemplars), gzip follows `Accept-Encoding`. Its answers
/// carry a mark that keeps them out of the host's own figures.
///
/// Anybody who reaches it may read it, unless [`access`](Self::access) says who may.
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

    /// Shows the page to those alone whom `access` admits; others get 401. In Prometheus the token
    /// goes into the job's `authorization`.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = Some(access);
        self
    }

    fn answer(&self, method: &Method, headers: &HeaderMap) -> Response<PageBody> {
        if method != Method::GET && method != Method::HEAD {
            let mut response = status(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        if let Some(access) = &self.access
            && !access.allows(headers)
        {
            let mut response = status(StatusCode::UNAUTHORIZED, "no such token\n");
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
            return response;
        }
        let form = Form::of(headers);
        let gzip = takes_gzip(headers);
        let body = match (method == Method::HEAD, gzip) {
            (true, _) => PageBody::text(""),
            (false, true) => PageBody::gzip(Page::new(&self.registry, form)),
            (false, false) => PageBody::plain(Page::new(&self.registry, form)),
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
        headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

fn status(status: StatusCode, text: &'static str) -> Response<PageBody> {
    let mut response = Response::new(PageBody::text(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

impl<B> Service<Request<B>> for Prometheus {
    type Response = Response<PageBody>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(suppressed(|| {
            let mut response = self.answer(request.method(), request.headers());
            response.extensions_mut().insert(OwnResponse);
            // Its body may log when it is dropped.
            drop(request);
            response
        })))
    }
}
