use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_log::{AsLog, LogTracer};

use super::BridgeState;
use crate::model::catch_panic;

/// Whether the process's logger is the one that this crate set.
static OURS: AtomicBool = AtomicBool::new(false);

/// Sets a logger that turns records into `tracing` events, up to the most verbose level that the process's subscribers
/// select. Returns which logger the process has afterwards.
pub(crate) fn install() -> BridgeState {
    if OURS.load(Relaxed) {
        follow_levels();
        return BridgeState::Before;
    }
    if LogTracer::builder().init().is_ok() {
        OURS.store(true, Relaxed);
        follow_levels();
        return BridgeState::Installed;
    }
    if asks_tracing() {
        BridgeState::AsksTracing
    } else {
        BridgeState::Foreign
    }
}

/// Sets the most verbose level of the `log` crate to that of the process's subscribers, if the logger is this crate's.
/// Call it after their levels have changed.
pub(crate) fn follow_levels() {
    if OURS.load(Relaxed) {
        log::set_max_level(LevelFilter::current().as_log());
    }
}

thread_local! {
    /// Whether the logger has called the subscriber's `enabled`.
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

/// Whether the process's logger calls `enabled` of the thread's subscriber, as the logger of tracing-log does. No
/// record is made.
fn asks_tracing() -> bool {
    if !tracing::dispatcher::has_been_set() {
        return false;
    }
    ASKED.set(false);
    let metadata = log::Metadata::builder()
        .level(log::Level::Error)
        .target(env!("CARGO_PKG_NAME"))
        .build();
    let probe = Dispatch::new(ProbeSubscriber);
    let ask = || catch_panic(|| log::logger().enabled(&metadata));
    tracing::dispatcher::with_default(&probe, ask);
    drop(probe);
    // Removes the probe's results from the cache of `tracing`.
    tracing::callsite::rebuild_interest_cache();
    ASKED.get()
}

/// A subscriber that selects nothing and notes that `enabled` was called.
struct ProbeSubscriber;

impl Subscriber for ProbeSubscriber {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::never()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        ASKED.set(true);
        false
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::OFF)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
