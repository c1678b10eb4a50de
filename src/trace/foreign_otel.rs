//! Detects the service's own OpenTelemetry setup: a provider, or a layer of tracing-opentelemetry, that is not this
//! monitor's.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, dispatcher};

use super::global_provider::has_foreign_provider;
use super::layer_probe;

/// The maximum time that the first thread waits for the result of the probe, once.
const MAX_WAIT: Duration = Duration::from_millis(200);

/// The known state of the service's own OpenTelemetry setup.
#[derive(Debug, Default)]
pub(crate) struct ForeignOtel {
    /// The owner of OpenTelemetry's contexts: [`UNKNOWN`], [`OURS`] or [`THEIRS`].
    contexts: AtomicU8,
    /// Whether the service took this monitor's provider, and so may have made it the global one.
    is_provider_taken: AtomicBool,
    /// Whether the service's provider is joined to this monitor.
    joined: AtomicBool,
    layers: Arc<ForeignLayers>,
    /// Whether a subscriber queried the filter of this monitor's tracing-opentelemetry layer.
    is_filter_used: AtomicBool,
}

/// The known state of foreign layers of tracing-opentelemetry.
#[derive(Debug, Default)]
struct ForeignLayers {
    /// Whether a subscriber with this monitor's layer has a foreign layer.
    found: AtomicBool,
    /// Whether the probe of a subscriber with this monitor's layer has completed.
    is_probed: AtomicBool,
    /// Whether the probe of a subscriber has started.
    is_probing: AtomicBool,
    /// Whether a layer of the service panicked during the probe, so that it has no result.
    panicked: AtomicBool,
}

impl ForeignLayers {
    /// Records the result of a probe; `None` if a layer panicked.
    fn record(&self, found: Option<bool>) {
        let Some(found) = found else {
            return self.panicked.store(true, Relaxed);
        };
        if found {
            self.found.store(true, Relaxed);
        }
        self.is_probed.store(true, Relaxed);
    }
}

const UNKNOWN: u8 = 0;
const OURS: u8 = 1;
const THEIRS: u8 = 2;

impl ForeignOtel {
    /// Whether OpenTelemetry's contexts belong to the service. Its spans take their parents and the sampling decision
    /// from them, so this crate then adds no spans of its own to them.
    #[inline]
    pub(crate) fn service_owns_contexts(&self) -> bool {
        match self.contexts.load(Relaxed) {
            OURS => false,
            THEIRS => true,
            _ => {
                self.probe_once();
                self.update_owner()
            }
        }
    }

    /// Determines the owner of the global provider, which can be set at any time.
    #[cold]
    fn update_owner(&self) -> bool {
        let has_provider = !self.is_provider_taken.load(Relaxed) && has_foreign_provider();
        let is_foreign = has_provider || self.joined.load(Relaxed) || self.has_layer();
        let now = if is_foreign { THEIRS } else { OURS };
        self.contexts.store(now, Relaxed);
        is_foreign
    }

    /// Repeats all checks. Called from a thread that handles no request.
    pub(super) fn tick(&self) {
        self.start_probe();
        self.update_owner();
    }

    pub(crate) fn record_provider_taken(&self) {
        self.is_provider_taken.store(true, Relaxed);
        self.contexts.store(UNKNOWN, Relaxed);
    }

    pub(crate) fn record_join(&self) {
        self.joined.store(true, Relaxed);
        self.update_owner();
    }

    /// Looks for a foreign layer in a subscriber that has this monitor's layer.
    pub(super) fn probe_subscriber(&self, subscriber: &Dispatch) {
        self.record_probe(layer_probe::has_foreign_layer(subscriber));
    }

    /// Records whether a subscriber with this monitor's layer has a foreign layer of tracing-opentelemetry; `None` if a
    /// layer panicked when it was asked.
    pub(super) fn record_probe(&self, found: Option<bool>) {
        self.layers.record(found);
        if found == Some(true) {
            self.update_owner();
        }
    }

    /// Probes the thread's subscriber if none was probed so far. This is needed because some outer layers do not report
    /// that a subscriber was set. Only the first thread waits for the result, for at most 200 ms.
    pub(super) fn probe_once(&self) {
        if self.layers.is_probed.load(Relaxed) {
            return;
        }
        if let Some(answered) = self.start_probe()
            && let Ok(()) = answered.recv_timeout(MAX_WAIT)
            && self.has_layer()
        {
            self.update_owner();
        }
    }

    /// Starts the probe of the thread's subscriber, unless one has started. The probe runs on a separate thread, since
    /// the calling thread may be inside a filter. Returns `None` if the subscriber is not available, as in a callback
    /// of a scoped subscriber.
    #[cold]
    fn start_probe(&self) -> Option<mpsc::Receiver<()>> {
        if self.layers.is_probed.load(Relaxed) || self.layers.is_probing.swap(true, Relaxed) {
            return None;
        }
        let subscriber = dispatcher::get_default(Dispatch::clone);
        if subscriber.is::<NoSubscriber>() {
            self.layers.is_probing.store(false, Relaxed);
            return None;
        }
        let (done, answered) = mpsc::channel();
        let layers = Arc::clone(&self.layers);
        let probe = move || {
            // `is_probing` stays set after a panic, so that a subscriber that panics is not probed again.
            layers.record(layer_probe::has_foreign_layer(&subscriber));
            // The receiver may have stopped waiting.
            let _late = done.send(());
        };
        let thread = thread::Builder::new().name("watchpost-probe".to_owned());
        if thread.spawn(probe).is_err() {
            self.layers.is_probing.store(false, Relaxed);
            return None;
        }
        Some(answered)
    }

    /// Whether this monitor's tracing-opentelemetry layer may record spans: it is known to be the only such layer.
    #[inline]
    pub(super) fn is_only_layer(&self) -> bool {
        self.probe_once();
        self.layers.is_probed.load(Relaxed) && !self.has_layer()
    }

    /// Whether the service has a provider, global or under its own layer, whose spans do not reach this monitor.
    pub(crate) fn has_separate_provider(&self) -> bool {
        self.probe_once();
        self.update_owner() && !self.is_joined()
    }

    pub(super) fn record_filter_use(&self) {
        self.is_filter_used.store(true, Relaxed);
    }

    /// Whether this monitor's tracing-opentelemetry layer is known to be in a subscriber.
    pub(super) fn is_filter_in_use(&self) -> bool {
        self.is_filter_used.load(Relaxed)
    }

    /// Whether the service's provider is joined to this monitor.
    pub(crate) fn is_joined(&self) -> bool {
        self.joined.load(Relaxed)
    }

    /// Whether the probe has no result because a layer of the service panicked. This monitor's tracing-opentelemetry
    /// layer then records no spans, since a second such layer would panic in each of them.
    pub(super) fn probe_panicked(&self) -> bool {
        self.layers.panicked.load(Relaxed) && !self.layers.is_probed.load(Relaxed)
    }

    /// Whether a foreign layer of tracing-opentelemetry is in a subscriber with this monitor's layer.
    #[inline]
    pub(crate) fn has_layer(&self) -> bool {
        self.layers.found.load(Relaxed)
    }
}
