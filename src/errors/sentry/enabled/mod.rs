use std::sync::Arc;
use std::time::Duration;

use super::SentrySetup;
use crate::errors::capture::CaptureState;
use crate::worker::{HttpClient, RemoteSetup, TlsRoots};

mod before_send;
mod client_report;
mod encoder;
mod envelope;
mod integration;
mod outbox;
mod rate_limits;
mod transport;

pub use self::integration::SentryIntegration;

pub(crate) use self::outbox::Outbox;

use self::before_send::BeforeSendHook;
use self::client_report::ClientReport;
use self::encoder::EventEncoder;
use self::envelope::EventOrigin;
use self::transport::SentryTransport;

/// Bytes and events that wait for the server beside those in the store.
const MAX_BYTES: usize = 8 << 20;
const MAX_ITEMS: u64 = 20_000;
/// What one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The sink to which events go.
pub(crate) fn remote(shared: &Arc<CaptureState>, setup: SentrySetup<'_>) -> Option<RemoteSetup> {
    let client = match HttpClient::new(&TlsRoots::default()) {
        Ok(client) => client,
        Err(problem) => {
            setup
                .diagnostics
                .report(format!("errors are not sent to Sentry: {problem}"));
            return None;
        }
    };
    let origin = EventOrigin {
        environment: setup.environment,
        release: setup.release,
        service: setup.service,
    };
    let report = Arc::new(ClientReport::default());
    let hook = setup
        .before_send
        .map(|call| BeforeSendHook::new(call, setup.diagnostics));
    let server = SentryTransport::new(&setup.dsn, shared, &report, setup.clock);
    let waiting = server.waiting();
    Some(RemoteSetup {
        name: "sentry",
        max_bytes: MAX_BYTES,
        max_items: MAX_ITEMS,
        timeout: TIMEOUT,
        client,
        consume: Box::new(EventEncoder::new(
            shared,
            (origin, hook),
            setup.counters,
            (waiting, report),
        )),
        deliver: Box::new(server),
    })
}
