//! The requests about alerts.

#[cfg(not(feature = "alerts"))]
mod disabled;
#[cfg(feature = "alerts")]
mod documents;
#[cfg(feature = "alerts")]
mod enabled;

use bytes::Bytes;

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
