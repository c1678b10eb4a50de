//! The sink that sends events to a server with Sentry's protocol.
//!
//! Each event is a separate envelope, with the ID that the capture returned: a server that receives an event twice
//! keeps one. With a store, an event is sent once it is stored, and stays stored until the server has accepted it or
//! refused it permanently; events of earlier processes are sent first.
//!
//! # What happens after a response
//!
//! | response | what happens |
//! |---|---|
//! | 2xx | the event is delivered |
//! | 429 | the event is sent again after the longest time that `Retry-After` and `X-Sentry-Rate-Limits` ask for errors, or after 60 s |
//! | 401, 403 | the event is sent again after five minutes, since the key may be corrected |
//! | 413 and other 4xx | the event is dropped |
//! | 5xx, none | the event is sent again |
//!
//! Rate limits are obeyed in every response. Dropped events are counted in a client report, which is sent with a later
//! event.

#[cfg(not(feature = "sentry"))]
mod disabled;
mod dsn;
#[cfg(feature = "sentry")]
mod enabled;

#[cfg(feature = "sentry")]
pub use self::enabled::SentryIntegration;

pub(crate) use self::dsn::Dsn;

#[cfg(not(feature = "sentry"))]
pub(super) use self::disabled::{Outbox, remote};
#[cfg(feature = "sentry")]
pub(super) use self::enabled::{Outbox, remote};

use std::sync::Arc;

use super::event::ErrorEvent;
use crate::clock::Clock;
use crate::model::{Diagnostics, RecordCounters};

/// The host's hook that runs before an event is sent. It may change the event and returns whether to send it.
pub(crate) type BeforeSend = Box<dyn Fn(&mut ErrorEvent) -> bool + Send + Sync>;

/// The parts of the sink.
#[cfg_attr(
    not(feature = "sentry"),
    expect(dead_code, reason = "this build cannot send")
)]
pub(crate) struct SentrySetup<'a> {
    pub(crate) dsn: Dsn,
    pub(crate) environment: Option<String>,
    pub(crate) release: Option<String>,
    pub(crate) service: String,
    pub(crate) before_send: Option<BeforeSend>,
    pub(crate) clock: Clock,
    pub(crate) counters: Arc<RecordCounters>,
    pub(crate) diagnostics: &'a Arc<Diagnostics>,
}
