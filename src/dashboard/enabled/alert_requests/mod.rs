//! The requests about alerts.

#[cfg(not(feature = "alerts"))]
mod disabled;
#[cfg(feature = "alerts")]
mod documents;
#[cfg(feature = "alerts")]
mod enabled;

use bytes::Bytes;
use http::StatusCode;

use super::audit::Requester;
use super::routes::AlertAction;

#[cfg(not(feature = "alerts"))]
pub(super) use self::disabled::answer;
#[cfg(feature = "alerts")]
pub(super) use self::enabled::answer;

/// A request about alerts, of a client with the access that it needs.
#[derive(Debug)]
pub(super) struct AlertCall {
    pub(super) action: AlertAction,
    pub(super) query: String,
    pub(super) body: Bytes,
    pub(super) who: Requester,
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }
}
