use std::fmt;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use super::handle::Monitor;

/// Why a handler that takes a [`Monitor`] was not called: its router has no endpoint layer, and no monitor is
/// installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoMonitor;

impl fmt::Display for NoMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no monitor watches this request: add `.layer(monitor.layer())` to the router, or call `monitor.install()`")
    }
}

impl std::error::Error for NoMonitor {}

impl IntoResponse for NoMonitor {
    /// 500, with what is missing: it is the same for every request, so it is seen before any visitor comes.
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

/// The monitor that watches the request: see [`Monitor::current`].
///
/// ```
/// use watchpost::Monitor;
///
/// async fn order(monitor: Monitor) {
///     monitor.metrics().counter("orders").build().add(1);
/// }
/// # let _router: axum::Router = axum::Router::new().route("/", axum::routing::post(order));
/// ```
impl<S: Sync> FromRequestParts<S> for Monitor {
    type Rejection = NoMonitor;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, NoMonitor> {
        Self::current().ok_or(NoMonitor)
    }
}
