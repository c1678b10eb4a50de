//! Without axum: hooks alone name routes and peers, and no request body is watched.

use std::any::type_name;
use std::net::IpAddr;
use std::sync::Arc;

use http::{Extensions, Request};

use super::upload::UploadProgress;

/// The notice where no route is seen and the service is one of axum.
pub(super) const OTHER_AXUM: &str = "the endpoint layer sees no route: the feature `axum` of this crate is off, and this service uses axum; switch it on, or name routes with `monitor.layer().route(|parts| ..)`";

/// Whether a body of this type is axum's.
#[inline]
pub(super) fn is_other_axum<B: 'static>() -> bool {
    type_name::<B>() == "axum_core::body::Body"
}

pub(super) fn matched_path(_: &Extensions) -> Option<&str> {
    None
}

pub(super) fn nested_path(_: &Extensions) -> Option<String> {
    None
}

pub(super) fn nested_service(_: &Extensions) -> Option<String> {
    None
}

pub(super) fn peer(_: &Extensions) -> Option<IpAddr> {
    None
}

pub(super) fn watch_body<B: 'static>(
    _: &mut Request<B>,
    _: bool,
    _: impl FnOnce() -> Arc<UploadProgress>,
) -> Option<bool> {
    None
}
