use std::fmt;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use super::handle::Monitor;

/// The rejection of the [`Monitor`] extractor: the router has no endpoint layer, and no monitor is installed.
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
    /// Responds 500 with the fix. Every request fails in the same way, so the mistake is found before deployment.
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

/// Extracts the monitor of the current request; see [`Monitor::current`].
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
