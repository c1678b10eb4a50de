//! What else in the process makes OpenTelemetry spans: a provider, or a layer of tracing-opentelemetry, of the service's
//! own.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use super::installed::has_foreign_provider;
use super::their_layer;

/// What is known of the service's own OpenTelemetry.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// One of the three below.
    contexts: AtomicU8,
    /// The service took this monitor's provider, and may have made it the global one.
    gave_provider: AtomicBool,
    /// The service's provider brings its spans to this monitor.
    joined: AtomicBool,
    /// A subscriber with this monitor's layer has a layer of tracing-opentelemetry that is not this monitor's.
    layer: AtomicBool,
    /// A subscriber was asked for such a layer.
    looked: AtomicBool,
    /// This monitor's layer of tracing-opentelemetry was asked whether it wants a span.
    asked: AtomicBool,
    /// The global provider is somebody else's.
    provider: AtomicBool,
}

const UNKNOWN: u8 = 0;
const OURS: u8 = 1;
const THEIRS: u8 = 2;

impl Beside {
    /// Whether OpenTelemetry's contexts are the service's: its spans take their parents and the sampling decision from
    /// there, so this crate puts no span of its own into them.
    #[inline]
    pub(crate) fn leaves_contexts(&self) -> bool {
        match self.contexts.load(Relaxed) {
            OURS => false,
            THEIRS => true,
            _ => {
                self.look_for_layer();
                self.look()
            }
        }
    }

    /// Looks who has the global provider, which may be set at any time.
    #[cold]
    pub(crate) fn look(&self) -> bool {
        let provider = !self.gave_provider.load(Relaxed) && has_foreign_provider();
        self.provider.store(provider, Relaxed);
        let theirs = provider || self.joined.load(Relaxed) || self.layer.load(Relaxed);
        let now = if theirs { THEIRS } else { OURS };
        self.contexts.store(now, Relaxed);
        theirs
    }

    pub(crate) fn note_provider_given(&self) {
        self.gave_provider.store(true, Relaxed);
        self.contexts.store(UNKNOWN, Relaxed);
    }

    pub(crate) fn note_joined(&self) {
        self.joined.store(true, Relaxed);
        self.look();
    }

    /// Says whether a subscriber with this monitor's layer has one of tracing-opentelemetry of the service's own.
    pub(super) fn note_layer(&self, found: bool) {
        if found {
            self.layer.store(true, Relaxed);
            self.look();
        }
        self.looked.store(true, Relaxed);
    }

    /// Asks the thread's subscriber if none was asked so far: some layers around ours do not say that one is set.
    #[cold]
    fn look_for_layer(&self) {
        if !self.looked.load(Relaxed)
            && let Some(found) = their_layer::is_in_current()
        {
            self.note_layer(found);
        }
    }

    /// Whether this monitor's layer of tracing-opentelemetry may have spans: it is known to be the only one.
    #[inline]
    pub(super) fn is_alone(&self) -> bool {
        if !self.looked.load(Relaxed) {
            self.look_for_layer();
        }
        self.looked.load(Relaxed) && !self.layer.load(Relaxed)
    }

    /// Whether the service has a provider, global or under a layer of its own, whose spans do not come here.
    pub(crate) fn misses_spans(&self) -> bool {
        self.look() && !self.joined.load(Relaxed)
    }

    pub(super) fn note_asked(&self) {
        self.asked.store(true, Relaxed);
    }

    /// Whether this monitor's layer of tracing-opentelemetry is in a subscriber, as far as it was heard of.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Relaxed)
    }

    /// Whether the service's provider brings its spans to this monitor.
    pub(crate) fn is_joined(&self) -> bool {
        self.joined.load(Relaxed)
    }

    /// Whether a layer of tracing-opentelemetry of the service's own is in a subscriber with this monitor's.
    #[inline]
    pub(crate) fn has_layer(&self) -> bool {
        self.layer.load(Relaxed)
    }
}
