use std::sync::Arc;

use http::StatusCode;

use super::super::change_fields::Refusal;
use super::super::publisher::Dashboard;
use super::AlertCall;

/// Refuses the request: this build has no alerts.
pub(in crate::dashboard::enabled) async fn answer(
    _: &Arc<Dashboard>,
    _: AlertCall,
) -> Result<String, Refusal> {
    let message =
        "This service was built without alerts: enable the feature `alerts` of watchpost.";
    Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", message))
}
