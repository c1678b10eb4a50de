//! A gRPC call under way: its method and its status.

use bytes::Buf;
use http::{HeaderMap, HeaderValue, Request, Response, header};

use super::InFlightRequest;
use crate::context::RouteId;
use crate::http::classify::Class;
use crate::http::{framework, grpc};
use crate::model::grpc::{Call, Frames, Status, is_method};
use crate::model::{Outcome, is_grpc};
use crate::record::Method;

/// What is known of a gRPC request.
#[derive(Debug, Default)]
pub(super) struct GrpcRequest {
    /// The request says that it is gRPC's.
    pub(super) asked: bool,
    pub(super) path: RpcPath,
    /// The response to a request that asked says that it is gRPC's.
    answered: bool,
}

/// What the path of a gRPC request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum RpcPath {
    /// Its method is known, or a route without a method.
    #[default]
    Route,
    /// No method is known by it.
    Unknown,
    /// As `Unknown`, and it becomes the route if the response shows that its method exists.
    Learns,
}

impl InFlightRequest {
    /// A request begins that says it is gRPC's, with the route that is known.
    #[cold]
    pub(super) fn begin_call<B>(&mut self, request: &Request<B>, route: Option<RouteId>) {
        let methods = self.shared.grpc();
        let method = methods.and_then(|methods| methods.route(request.uri().path()));
        let pattern = framework::matched_path(request.extensions());
        let known = method.is_some() && method == route || pattern.is_some_and(is_method);
        let of_service = pattern.is_some_and(grpc::is_service);
        self.grpc.path = if known || !(route.is_none() || of_service) {
            RpcPath::Route
        } else if methods.is_some_and(grpc::GrpcMethods::learns) {
            RpcPath::Learns
        } else {
            RpcPath::Unknown
        };
        self.grpc.answered = false;
        if known {
            self.call = Call::OPEN;
        }
    }

    /// The head of the response to a gRPC request.
    #[cold]
    pub(super) fn call_headers<B>(&mut self, response: &Response<B>) {
        let headers = response.headers();
        let status = Status::of_headers(headers);
        let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let speaks = kind.is_some_and(is_grpc);
        if self.grpc.path == RpcPath::Learns && !grpc::is_response(response) {
            self.grpc.path = RpcPath::Unknown;
        }
        if !speaks && status.is_none() {
            return;
        }
        self.call = Call::OPEN;
        self.grpc.answered = speaks;
        match status {
            Some(status) => self.call_has(status),
            None => self.frames = kind.and_then(Frames::of),
        }
    }

    /// The trailers of the response to a gRPC request.
    #[cold]
    pub(super) fn call_trailers(&mut self, trailers: &HeaderMap) {
        if let Some(status) = Status::of_headers(trailers) {
            self.call_has(status);
        }
    }

    /// The body of a response to a gRPC request begins. It is read for a status that is in it, and for the message
    /// that shows the method of a stream which has no end yet.
    #[cold]
    pub(super) fn begin_call_body(&mut self) {
        if self.frames.is_some() || self.grpc.path == RpcPath::Learns {
            self.sent.read();
        }
    }

    /// Data of a body that is read.
    #[cold]
    pub(in crate::http) fn read(&mut self, data: &impl Buf) {
        let Some(frames) = &mut self.frames else {
            if grpc::begins_message(data.chunk()) {
                self.learn_route();
            }
            return;
        };
        frames.push(data);
        match frames.status() {
            Some(status) => self.call_has(status),
            None if frames.messages() > 0 => self.learn_route(),
            None => {}
        }
    }

    /// Bytes of messages in the response so far.
    fn message_bytes(&self) -> u64 {
        match &self.frames {
            Some(frames) => frames.messages(),
            None => self.sent.bytes(self.version),
        }
    }

    /// The status has come, by the headers, the trailers or the body.
    fn call_has(&mut self, status: Status) {
        self.call = Call::ended(status);
        if grpc::shows_method(Some(status), self.message_bytes()) {
            self.learn_route();
        }
        if self.status.is_some_and(|status| status >= 500) {
            return;
        }
        // To ask for what is not there is no failure of the service.
        let scan = status == Status::UNIMPLEMENTED && self.grpc.path != RpcPath::Route;
        self.class = if status.blames_server() && !scan {
            Class::Failure
        } else {
            Class::Success
        };
    }

    /// The request ends. A gRPC response with HTTP's 200 that came to its end without a status failed: clients make UNKNOWN
    /// of it. Of other statuses of HTTP they make statuses of their own.
    #[cold]
    pub(super) fn call_ends(&mut self, outcome: Outcome) {
        let whole = matches!(outcome, Outcome::Completed | Outcome::Timeout);
        let readable = self.frames.as_ref().is_none_or(Frames::is_readable);
        if self.call == Call::OPEN
            && whole
            && readable
            && self.grpc.answered
            && self.status == Some(200)
            && self.sent_method != Method::HEAD
        {
            self.call_has(Status::UNKNOWN);
        }
    }

    /// Nobody receives the status.
    #[cold]
    pub(super) fn call_given_up(&mut self) {
        if self.call != Call::NONE {
            self.call = Call::OPEN;
        }
    }
}
