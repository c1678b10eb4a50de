//! What else in the process makes OpenTelemetry spans: a provider, or a layer of tracing-opentelemetry, of the service's
//! own.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, dispatcher};

use super::global_provider::has_foreign_provider;
use super::layer_probe;

/// How long the thread that asks first waits for the answer, once.
const PATIENCE: Duration = Duration::from_millis(200);

/// What is known of the service's own OpenTelemetry.
#[derive(Debug, Default)]
pub(crate) struct ForeignOtel {
    /// One of the three below.
    contexts: AtomicU8,
    /// The service took this monitor's provider, and may have made it the global one.
    gave_provider: AtomicBool,
    /// The service's provider brings its spans to this monitor.
    joined: AtomicBool,
    layers: Arc<ForeignLayers>,
    /// This monitor's layer of tracing-opentelemetry was asked whether it wants a span.
    asked: AtomicBool,
    /// The global provider is somebody else's.
    provider: AtomicBool,
}

/// What is known of layers of tracing-opentelemetry that are not this monitor's.
#[derive(Debug, Default)]
struct ForeignLayers {
    /// A subscriber with this monitor's layer has one.
    found: AtomicBool,
    /// A subscriber with this monitor's layer was asked.
    looked: AtomicBool,
    /// A subscriber is being asked, or was.
    looking: AtomicBool,
}

impl ForeignLayers {
    fn note(&self, found: bool) {
        if found {
            self.found.store(true, Relaxed);
        }
        self.looked.store(true, Relaxed);
    }
}

const UNKNOWN: u8 = 0;
const OURS: u8 = 1;
const THEIRS: u8 = 2;

impl ForeignOtel {
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
    fn look(&self) -> bool {
        let provider = !self.gave_provider.load(Relaxed) && has_foreign_provider();
        self.provider.store(provider, Relaxed);
        let theirs = provider || self.joined.load(Relaxed) || self.has_layer();
        let now = if theirs { THEIRS } else { OURS };
        self.contexts.store(now, Relaxed);
        theirs
    }

    /// Looks at everything again, from a thread that is no request's.
    pub(super) fn tick(&self) {
        self.begin_to_look();
        self.look();
    }

    pub(crate) fn note_provider_given(&self) {
        self.gave_provider.store(true, Relaxed);
        self.contexts.store(UNKNOWN, Relaxed);
    }

    pub(crate) fn note_joined(&self) {
        self.joined.store(true, Relaxed);
        self.look();
    }

    /// Looks for a layer of the service's own in a subscriber that has this monitor's layer.
    pub(super) fn look_in(&self, subscriber: &Dispatch) {
        if let Some(found) = layer_probe::is_in(subscriber) {
            self.note_layer(found);
        }
    }

    /// Says whether a subscriber with this monitor's layer has one of tracing-opentelemetry of the service's own.
    pub(super) fn note_layer(&self, found: bool) {
        self.layers.note(found);
        if found {
            self.look();
        }
    }

    /// Looks in the thread's subscriber if none was asked so far: some layers around ours do not say that one is set. The
    /// first thread that comes here waits for the answer, for 200 ms at most; no other does.
    pub(super) fn look_for_layer(&self) {
        if self.layers.looked.load(Relaxed) {
            return;
        }
        if let Some(answered) = self.begin_to_look()
            && let Ok(()) = answered.recv_timeout(PATIENCE)
            && self.has_layer()
        {
            self.look();
        }
    }

    /// Asks the thread's subscriber, if none was and none is being asked. A thread of its own asks, since this one may be
    /// inside of a filter. `None` where the subscriber is not to be had, as in a callback of a scoped one.
    #[cold]
    fn begin_to_look(&self) -> Option<mpsc::Receiver<()>> {
        if self.layers.looked.load(Relaxed) || self.layers.looking.swap(true, Relaxed) {
            return None;
        }
        let subscriber = dispatcher::get_default(Dispatch::clone);
        let none = subscriber.is::<NoSubscriber>();
        let (done, answered) = mpsc::channel();
        let layers = Arc::clone(&self.layers);
        let ask = move || {
            // A subscriber that panics is not asked again.
            if let Some(found) = layer_probe::is_in(&subscriber) {
                layers.note(found);
            }
            // Nobody may wait any more.
            let _late = done.send(());
        };
        let thread = thread::Builder::new().name("watchpost-probe".to_owned());
        if none || thread.spawn(ask).is_err() {
            self.layers.looking.store(false, Relaxed);
            return None;
        }
        Some(answered)
    }

    /// Whether this monitor's layer of tracing-opentelemetry may have spans: it is known to be the only one.
    #[inline]
    pub(super) fn is_alone(&self) -> bool {
        self.look_for_layer();
        self.layers.looked.load(Relaxed) && !self.has_layer()
    }

    /// Whether the service has a provider, global or under a layer of its own, whose spans do not come here.
    pub(crate) fn misses_spans(&self) -> bool {
        self.look_for_layer();
        self.look() && !self.is_joined()
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
        self.layers.found.load(Relaxed)
    }
}
