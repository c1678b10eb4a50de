//! The gRPC methods whose path is a route.
//!
//! A client chooses the path of its requests, so a path becomes a label only if the service lists it, or after a response
//! has shown that the method exists.

use std::sync::RwLock;

use http::{Response, StatusCode, header};
use rustc_hash::FxHashMap;

use crate::context::{RouteId, Routes};
use crate::model::grpc::{Status, is_method};
use crate::model::{Diagnostics, is_grpc, read_lock, write_lock};

/// Methods that one monitor learns from responses. A service has tens of them; a proxy that takes any path gets no more.
const MAX_LEARNT: usize = 128;
/// Reported once, when no more methods are learnt.
const FULL: &str = "128 gRPC methods were learnt from responses, and no more are: calls of others are counted as `_unmatched`; list the service's methods with `monitor.layer().grpc_methods([..])` or `http.grpc_methods`";

/// The methods that one layer lists, or that all layers of a monitor learn together.
#[derive(Debug, Default)]
pub(super) struct GrpcMethods {
    /// Whether the methods are listed, so that none is learnt.
    listed: bool,
    methods: RwLock<FxHashMap<Box<str>, RouteId>>,
}

impl GrpcMethods {
    /// These methods and no others.
    pub(super) fn listed(paths: &[String], routes: &Routes) -> Self {
        let methods = paths
            .iter()
            .map(|path| (path.as_str().into(), routes.id(path)));
        Self {
            listed: true,
            methods: RwLock::new(methods.collect()),
        }
    }

    /// The route of a path, if its method is known.
    #[cold]
    pub(super) fn route(&self, path: &str) -> Option<RouteId> {
        let methods = read_lock(&self.methods);
        methods.get(path).copied()
    }

    /// Whether responses can add methods.
    pub(super) fn learns(&self) -> bool {
        !self.listed
    }

    /// Learns that a path's method exists, and returns its route. `None` if the path is no method, the methods are listed,
    /// or enough are known.
    #[cold]
    pub(super) fn learn(
        &self,
        path: &str,
        routes: &Routes,
        diagnostics: &Diagnostics,
    ) -> Option<RouteId> {
        if self.listed || !is_method(path) {
            return None;
        }
        let mut methods = write_lock(&self.methods);
        if let Some(route) = methods.get(path) {
            return Some(*route);
        }
        if methods.len() >= MAX_LEARNT {
            return None;
        }
        let route = routes.id(path);
        methods.insert(path.into(), route);
        let full = methods.len() == MAX_LEARNT;
        drop(methods);
        if full {
            diagnostics.report(FULL);
        }
        Some(route)
    }
}

/// Whether a response is one of gRPC, by its head.
pub(super) fn is_response<B>(response: &Response<B>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    response.status() == StatusCode::OK && kind.is_some_and(|kind| is_grpc(kind.as_bytes()))
}

/// Whether a gRPC response with this status and so many bytes of messages shows that its method exists.
///
/// OK does, and so does a message before an error. An error alone does not: authentication, a load limit or a proxy in
/// front of the methods returns it for every path.
pub(super) fn shows_method(status: Option<Status>, bytes: u64) -> bool {
    match status {
        Some(Status::OK) => true,
        Some(Status::UNIMPLEMENTED) | None => false,
        Some(_) => bytes > 0,
    }
}

/// Whether data begins with a message of gRPC: the flag for compression and the length.
pub(super) fn begins_message(data: &[u8]) -> bool {
    matches!(data, [0 | 1, _, _, _, _, ..])
}

/// Whether a route's pattern is that of a service's methods, as tonic's router has it: `/package.Service/{*rest}`.
pub(super) fn is_service(pattern: &str) -> bool {
    let rest = pattern
        .rsplit_once("/{*")
        .filter(|(_, rest)| rest.ends_with('}'));
    rest.is_some_and(|(service, _)| is_method(&format!("{service}/x")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_methods_are_learnt_and_no_more_than_the_bound() {
        let (methods, routes, diagnostics) = (
            GrpcMethods::default(),
            Routes::default(),
            Diagnostics::default(),
        );
        for path in [
            "",
            "/",
            "/one",
            "//",
            "/a/",
            "//b",
            "/a/b/c",
            "/a b/c",
            "/a/b%2F",
            "/\u{e4}/b",
            "a/b",
        ] {
            assert_eq!(methods.learn(path, &routes, &diagnostics), None, "{path}");
        }
        let long = format!("/a/{}", "b".repeat(256));
        assert_eq!(methods.learn(&long, &routes, &diagnostics), None);
        let check = "/grpc.health.v1.Health/Check";
        let route = methods.learn(check, &routes, &diagnostics);
        assert!(route.is_some());
        for n in 0..10_000 {
            methods.learn(&format!("/flood.S{n}/M"), &routes, &diagnostics);
        }
        assert_eq!(methods.route(check), route);
        assert_eq!(methods.methods.read().unwrap().len(), MAX_LEARNT);
        assert_eq!(methods.route("/flood.S9999/M"), None);
    }

    #[test]
    fn listed_methods_are_the_only_ones() {
        let (routes, diagnostics) = (Routes::default(), Diagnostics::default());
        let methods = GrpcMethods::listed(&["/a.B/C".to_owned()], &routes);
        assert!(methods.route("/a.B/C").is_some());
        assert_eq!(methods.learn("/a.B/D", &routes, &diagnostics), None);
        assert_eq!(methods.route("/a.B/D"), None);
    }

    #[test]
    fn an_error_alone_shows_no_method() {
        for (status, bytes, shows) in [
            (Some(0), 0, true),
            (Some(0), 9, true),
            (Some(5), 9, true),
            (Some(5), 0, false),
            (Some(12), 9, false),
            (Some(16), 0, false),
            (None, 9, false),
        ] {
            assert_eq!(
                shows_method(status.map(Status::of), bytes),
                shows,
                "{status:?} {bytes}"
            );
        }
    }
}
