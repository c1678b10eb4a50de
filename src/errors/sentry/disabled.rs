use std::sync::Arc;

use super::SentrySetup;
use crate::errors::capture::CaptureState;
use crate::errors::event::{ErrorEvent, Frame};
use crate::model::EventId;
use crate::worker::RemoteSetup;

/// There is none: nothing is sent.
#[derive(Debug)]
pub(crate) enum Outbox {}

impl Outbox {
    /// None, whatever is `wanted`.
    pub(crate) fn new(_wanted: bool) -> Option<Self> {
        None
    }

    pub(crate) fn add(&self, _: Option<u64>, _: &Arc<ErrorEvent>, _: bool) {
        match *self {}
    }

    pub(crate) fn add_frames(&self, _: EventId, _: Vec<Frame>) {
        match *self {}
    }
}

/// Says that nothing can be sent.
#[expect(clippy::needless_pass_by_value, reason = "as its twin")]
pub(crate) fn remote(_: &Arc<CaptureState>, setup: SentrySetup<'_>) -> Option<RemoteSetup> {
    setup.diagnostics.report(
        "a Sentry DSN is set, and this build cannot send to it: build watchpost with the feature `sentry`",
    );
    None
}
