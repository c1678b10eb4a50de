use std::sync::Arc;

use super::SentrySetup;
use crate::errors::shared::CaptureState;
use crate::worker::RemoteSetup;

mod outbox;

pub(crate) use self::outbox::Outbox;

/// Reports that this build cannot send.
#[expect(clippy::needless_pass_by_value, reason = "as its twin")]
pub(crate) fn remote(_: &Arc<CaptureState>, setup: SentrySetup<'_>) -> Option<RemoteSetup> {
    setup.diagnostics.report(
        "a Sentry DSN is set, and this build cannot send to it: build watchpost with the feature `sentry`",
    );
    None
}
