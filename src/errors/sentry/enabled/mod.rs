use std::sync::Arc;
use std::time::Duration;

use super::SentrySetup;
use crate::errors::capture::Shared;
use crate::worker::{Client, RemoteSetup, Trust};

mod consume;
mod deliver;
mod envelope;
mod hook;
mod integration;
mod limits;
mod outbox;
mod report;

pub use self::integration::SentryIntegration;

pub(crate) use self::outbox::Outbox;

use self::consume::Events;
use self::deliver::Server;
use self::envelope::Origin;
use self::hook::Hook;
use self::report::Report;

/// Bytes and events that wait for the server beside those in the store.
const MAX_BYTES: usize = 8 << 20;
const MAX_ITEMS: u64 = 20_000;
/// What one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The sink to which events go.
pub(crate) fn remote(shared: &Arc<Shared>, setup: SentrySetup<'_>) -> Option<RemoteSetup> {
    let client = match Client::new(&Trust::default()) {
        Ok(client) => client,
        Err(problem) => {
            setup
                .notices
                .say(format!("errors are not sent to Sentry: {problem}"));
            return None;
        }
    };
    let origin = Origin {
        environment: setup.environment,
        release: setup.release,
        service: setup.service,
    };
    let report = Arc::new(Report::default());
    let hook = setup.before_send.map(|call| Hook::new(call, setup.notices));
    let server = Server::new(&setup.dsn, shared, &report, setup.clock);
    let waiting = server.waiting();
    Some(RemoteSetup {
        name: "sentry",
        max_bytes: MAX_BYTES,
        max_items: MAX_ITEMS,
        timeout: TIMEOUT,
        client,
        consume: Box::new(Events::new(
            shared,
            (origin, hook),
            setup.books,
            (waiting, report),
        )),
        deliver: Box::new(server),
    })
}
