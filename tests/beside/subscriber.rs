//! A host with a `tracing` subscriber of its own.

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cases::{Case, host_output};
use crate::support::{Written, builder, records_of};

pub(crate) const CASES: [Case; 1] = [Case::unchanged("subscriber_fmt_below_ours", fmt_below_ours)];

fn fmt_below_ours(added: bool) {
    let host = Written::default();
    let fmt = tracing_subscriber::fmt::layer()
        .without_time()
        .with_ansi(false)
        .with_writer(host.clone());
    let (builder, written) = builder();
    let monitor = added.then(|| builder.build().unwrap());
    let ours = monitor.as_ref().map(|monitor| monitor.tracing_layer());
    tracing_subscriber::registry().with(fmt).with(ours).init();
    let span = tracing::info_span!("work", item = 7);
    span.in_scope(|| {
        tracing::info!(answer = 42, "an event");
        log::warn!("a log record");
    });
    if let Some(monitor) = &monitor {
        assert_eq!(records_of(monitor, &written, "an event").len(), 1);
        assert_eq!(records_of(monitor, &written, "a log record").len(), 1);
    }
    host_output(&host.bytes());
}
