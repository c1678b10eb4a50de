use std::sync::Arc;
use std::time::Duration;

use super::SentrySetup;
use crate::errors::shared::CaptureState;
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
use self::encoder::{EncoderSetup, EventEncoder};
use self::envelope::EventOrigin;
use self::transport::SentryTransport;

/// The maximum number of bytes and events that wait for the server, without those in the store.
const MAX_BYTES: usize = 8 << 20;
const MAX_ITEMS: u64 = 20_000;
/// The time limit of one request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The sink that sends events; `None` if no HTTP client can be made, which is then reported.
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
    // Encoder and transport share the report: the encoder counts what it drops, and the transport attaches the counts
    // to a later event and clears them once the server has accepted it.
    let report = Arc::new(ClientReport::default());
    let transport = SentryTransport::new(&setup.dsn, shared, &report, setup.clock);
    let encoder = EventEncoder::new(EncoderSetup {
        shared: Arc::clone(shared),
        origin: EventOrigin {
            environment: setup.environment,
            release: setup.release,
            service: setup.service,
        },
        before_send: setup
            .before_send
            .map(|call| BeforeSendHook::new(call, setup.diagnostics)),
        counters: setup.counters,
        queued_bytes: transport.queued_bytes(),
        report,
    });
    Some(RemoteSetup {
        name: "sentry",
        max_bytes: MAX_BYTES,
        max_items: MAX_ITEMS,
        timeout: TIMEOUT,
        client,
        encode: Box::new(encoder),
        deliver: Box::new(transport),
    })
}
