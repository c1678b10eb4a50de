//! Without axum nothing is known of routes, peers and bodies but what the host says.

use std::net::IpAddr;
use std::sync::Arc;

use http::{Extensions, Request};

use super::upload::Upload;

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
    _: impl FnOnce() -> Arc<Upload>,
) -> Option<bool> {
    None
}
