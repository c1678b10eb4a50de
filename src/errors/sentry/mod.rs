//! Events to a server that speaks Sentry's protocol.
//!
//! Each event is an envelope of its own, sent with the id that the capture returned: a server that gets one
//! twice keeps one. With a store an event is sent once it is stored, and kept until the server took it or
//! refused it for good; those of earlier processes come first.
//!
//! # What is done with an answer
//!
//! 2xx: taken. 429: sent again after the longest of what `Retry-After` and `X-Sentry-Rate-Limits` ask for
//! errors, 60 s where they ask for nothing; limits that come with another answer hold too. 401 and 403: sent
//! again after five minutes, for a key may be mended. 413 and other 4xx: dropped. 5xx and no answer: sent
//! again. What was dropped is told to the server in a client report with a later event.

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

/// What is asked before an event is sent: it may change the event, and says whether it is to be sent.
pub(crate) type BeforeSend = Box<dyn Fn(&mut ErrorEvent) -> bool + Send + Sync>;

/// What a receiver of events is made of.
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
