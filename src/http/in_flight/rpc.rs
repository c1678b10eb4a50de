//! A gRPC call under way: its method and its status.

use bytes::Buf;
use http::{HeaderMap, HeaderValue, Request, Response, header};

use super::state::{InFlightRequest, RpcPath};
use crate::context::RouteId;
use crate::http::classify::Class;
use crate::http::framework;
use crate::http::grpc_methods::{self, GrpcMethods};
use crate::model::grpc::{Call, Frames, Status, is_method};
use crate::model::{Outcome, is_grpc};
use crate::record::Method;

impl InFlightRequest {
    /// A request with a content type of gRPC starts, with its route where that is known.
    #[cold]
    pub(super) fn start_call<B>(&mut self, request: &Request<B>, route: Option<RouteId>) {
        let methods = self.layer.grpc_methods();
        let method = methods.and_then(|methods| methods.route(request.uri().path()));
        let pattern = framework::matched_path(request.extensions());
        let is_known = method.is_some() && method == route || pattern.is_some_and(is_method);
        let of_service = pattern.is_some_and(grpc_methods::is_service);
        self.grpc.path = if is_known || !(route.is_none() || of_service) {
            RpcPath::Route
        } else if methods.is_some_and(GrpcMethods::learns) {
            RpcPath::Learns
        } else {
            RpcPath::Unknown
        };
        self.grpc.has_grpc_response = false;
        if is_known {
            self.call = Call::OPEN;
        }
    }

    /// Takes over the status of a call from the response's headers, or prepares to read it from the body.
    #[cold]
    pub(super) fn call_headers<B>(&mut self, response: &Response<B>) {
        let headers = response.headers();
        let status = Status::of_headers(headers);
        let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let has_grpc_response = kind.is_some_and(is_grpc);
        if self.grpc.path == RpcPath::Learns && !grpc_methods::is_response(response) {
            self.grpc.path = RpcPath::Unknown;
        }
        if !has_grpc_response && status.is_none() {
            return;
        }
        self.call = Call::OPEN;
        self.grpc.has_grpc_response = has_grpc_response;
        match status {
            Some(status) => self.set_call_status(status),
            None => self.frames = kind.and_then(Frames::of),
        }
    }

    /// Takes over the status of a call from the trailers.
    #[cold]
    pub(super) fn call_trailers(&mut self, trailers: &HeaderMap) {
        if let Some(status) = Status::of_headers(trailers) {
            self.set_call_status(status);
        }
    }

    /// Decides whether the response's body is read: for a status that is in it, and for the message that shows the
    /// method of a stream which has not ended.
    #[cold]
    pub(super) fn call_body_started(&mut self) {
        if self.frames.is_some() || self.grpc.path == RpcPath::Learns {
            self.response_body.read_data();
        }
    }

    /// Reads data of the response's body.
    #[cold]
    pub(in crate::http) fn read_data(&mut self, data: &impl Buf) {
        let Some(frames) = &mut self.frames else {
            if grpc_methods::begins_message(data.chunk()) {
                self.learn_route();
            }
            return;
        };
        frames.push(data);
        match frames.status() {
            Some(status) => self.set_call_status(status),
            None if frames.messages() > 0 => self.learn_route(),
            None => {}
        }
    }

    /// The bytes of messages in the response so far.
    fn message_bytes(&self) -> u64 {
        match &self.frames {
            Some(frames) => frames.messages(),
            None => self.response_body.bytes(self.version),
        }
    }

    /// Sets the call's status, and the class that follows from it.
    fn set_call_status(&mut self, status: Status) {
        self.call = Call::ended(status);
        if grpc_methods::shows_method(Some(status), self.message_bytes()) {
            self.learn_route();
        }
        if self.status.is_some_and(|status| status >= 500) {
            return;
        }
        // A call of a method that does not exist is no failure of the service.
        let is_unknown = status == Status::UNIMPLEMENTED && self.grpc.path != RpcPath::Route;
        self.class = if status.blames_server() && !is_unknown {
            Class::Failure
        } else {
            Class::Success
        };
    }

    /// Sets UNKNOWN for a call that ends without a status: a gRPC response with HTTP's 200 that comes to its end without
    /// one. Clients report it as UNKNOWN, and make other statuses of HTTP's other statuses.
    #[cold]
    pub(super) fn end_call(&mut self, outcome: Outcome) {
        let is_complete = matches!(outcome, Outcome::Completed | Outcome::Timeout);
        let is_readable = self.frames.as_ref().is_none_or(Frames::is_readable);
        if self.call == Call::OPEN
            && is_complete
            && is_readable
            && self.grpc.has_grpc_response
            && self.status == Some(200)
            && self.sent_method != Method::HEAD
        {
            self.set_call_status(Status::UNKNOWN);
        }
    }

    /// Removes the call's status: nobody receives it.
    #[cold]
    pub(super) fn clear_call_status(&mut self) {
        if self.call != Call::NONE {
            self.call = Call::OPEN;
        }
    }
}
