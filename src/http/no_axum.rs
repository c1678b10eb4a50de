//! Without axum nothing is known of routes, peers and bodies but what the host says.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http::{Extensions, Request};

pub(super) fn matched_path(_: &Extensions) -> Option<&str> {
    None
}

pub(super) fn peer(_: &Extensions) -> Option<IpAddr> {
    None
}

pub(super) fn count_body<B: 'static>(_: &mut Request<B>, _: &Arc<AtomicU64>) -> bool {
    false
}
