//! The response: its head, its body and its trailers.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::Body;

use super::pool::with_cache;
use super::state::InFlightRequest;
use crate::clock::Nanos;
use crate::http::classify;
use crate::model::{Outcome, catch_panic};
use crate::record::Method;

static X_TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");

impl InFlightRequest {
    /// Takes over what the response's head says, runs the hooks on it and adds `x-trace-id`.
    #[inline]
    pub(in crate::http) fn response_started<B>(&mut self, response: &mut Response<B>, now: Nanos) {
        self.headers_at = Some(now);
        // A layer inside may have found the route.
        self.take_route();

        // The class by status; a gRPC status takes its place.
        let status = response.status();
        self.status = Some(status.as_u16());
        self.class = classify::by_status(response);
        if self.grpc.is_call {
            self.call_headers(response);
        }

        // The outcome, if nothing goes wrong from here on.
        self.outcome_if_complete = if status == StatusCode::SWITCHING_PROTOCOLS
            || self.sent_method == Method::CONNECT && status.is_success()
        {
            Outcome::Upgraded
        } else if self.layer.config.is_timeout(status.as_u16()) {
            Outcome::Timeout
        } else {
            Outcome::Completed
        };

        // Hooks see the head that the service made, without the header below.
        let hooks = &self.layer.hooks;
        if hooks.on_response.is_set() || hooks.classify.is_set() {
            self.run_response_hooks(response);
        }
        if self.layer.config.trace_header {
            let trace = self.ids.trace;
            let shared = with_cache(self.layer.id, |cache| cache.trace_id_header(trace)).flatten();
            if let Some(value) = shared.or_else(|| HeaderValue::from_bytes(&trace.hex()).ok()) {
                response.headers_mut().insert(&X_TRACE_ID, value);
            }
        }
    }

    /// Lends the response's head to the hooks. `classify` runs when the trailers are known: it gets a copy.
    fn run_response_hooks<B>(&mut self, response: &mut Response<B>) {
        let mut head = Response::new(()).into_parts().0;
        head.status = response.status();
        head.version = response.version();
        std::mem::swap(&mut head.headers, response.headers_mut());
        std::mem::swap(&mut head.extensions, response.extensions_mut());
        let (hooks, attributes) = (&self.layer.hooks, &mut self.attributes);
        hooks.on_response.run(|hook| hook(&head, attributes));
        if hooks.classify.is_set() {
            self.response_head = Some(head.clone());
        }
        std::mem::swap(&mut head.headers, response.headers_mut());
        std::mem::swap(&mut head.extensions, response.extensions_mut());
    }

    /// Takes over what the response says of its body's length. Calls the body's code.
    #[inline]
    pub(in crate::http) fn body_started<B: Body>(&mut self, response: &Response<B>) {
        self.response_body.start(response, self.version);
        if self.grpc.is_call {
            self.call_body_started();
        }
    }

    /// Whether the response has no body by its method and status, even if the body's type has one.
    #[inline]
    pub(in crate::http) fn has_no_body(&self) -> bool {
        self.sent_method == Method::HEAD || matches!(self.status, Some(204 | 304))
    }

    /// Whether no client can read a response that ends with its headers and whose `Content-Length` is wrong. Over HTTP/1
    /// a server leaves the header of an empty body out, and sends no response where it would have to read the header;
    /// over HTTP/2 it sends the header as it is. axum takes the body off a response to HEAD.
    #[cold]
    pub(in crate::http) fn is_unreadable(&self, is_empty: bool) -> bool {
        if self.version.is_http1() {
            !is_empty && self.response_body.is_open() && self.sent_method != Method::HEAD
        } else {
            !self.has_no_body()
        }
    }

    /// Takes over the response's trailers.
    pub(in crate::http) fn trailers(&mut self, trailers: &HeaderMap) {
        if self.grpc.is_call {
            self.call_trailers(trailers);
        }
        self.run_classify(Some(trailers));
    }

    /// Runs the `classify` hook, once: with the trailers, else when the request ends.
    #[inline]
    pub(super) fn run_classify(&mut self, trailers: Option<&HeaderMap>) {
        if self.response_head.is_some() {
            self.run_classify_on_head(trailers);
        }
    }

    #[cold]
    fn run_classify_on_head(&mut self, trailers: Option<&HeaderMap>) {
        if let Some(head) = self.response_head.take() {
            let class = self.layer.hooks.classify.run(|hook| hook(&head, trailers));
            self.class = class.unwrap_or(self.class);
            // The extensions are the host's, and so is their `Drop`.
            catch_panic(|| drop(head));
        }
    }
}
