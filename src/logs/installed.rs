//! The layer of the process's own subscriber, which stays for good and serves one monitor after the other.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tracing::level_filters::LevelFilter;
use tracing::metadata::Kind;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, NoSubscriber};
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::layer::TracingLayer;
use crate::model::{ClaimResult, GlobalSlot, MonitorLifetime};
use crate::trace::{leave_span, probe};

/// That of the process, once its subscriber is set.
static INSTALLED: OnceLock<InstalledLayer> = OnceLock::new();

/// A layer that leads to that of the monitor which has the process's subscriber.
#[derive(Debug, Clone)]
pub(crate) struct InstalledLayer {
    layers: Arc<GlobalSlot<TracingLayer>>,
    /// The numbers of the monitors that took over.
    later: Arc<RwLock<Vec<u32>>>,
    /// Whether the subscriber has parts that serve the first monitor alone.
    is_bound: bool,
}

impl InstalledLayer {
    pub(crate) fn new(layer: TracingLayer, life: &MonitorLifetime, is_bound: bool) -> Self {
        Self {
            layers: Arc::new(GlobalSlot::new(layer, life.clone())),
            later: Arc::default(),
            is_bound,
        }
    }

    /// The layer of the subscriber that this crate set, if it did.
    pub(crate) fn of_process() -> Option<&'static Self> {
        INSTALLED.get()
    }

    /// It is in the process's subscriber.
    pub(crate) fn note_set(self) {
        self.layers.with(TracingLayer::note_subscriber);
        let _first = INSTALLED.set(self);
    }

    /// Whether the subscriber serves this monitor.
    pub(crate) fn is_owned_by(&self, life: &MonitorLifetime) -> bool {
        self.layers.is_owned_by(life)
    }

    /// Whether the subscriber has parts that serve the first monitor alone.
    pub(crate) fn is_bound(&self) -> bool {
        self.is_bound
    }

    /// Leads to this layer from now on, if the monitor that had the subscriber has ended.
    pub(crate) fn claim(&self, layer: TracingLayer, life: &MonitorLifetime) -> ClaimResult {
        let number = layer.monitor();
        let taken = self.layers.claim(layer, life);
        if taken == ClaimResult::Claimed {
            let mut later = self.later.write().unwrap_or_else(PoisonError::into_inner);
            later.push(number);
            drop(later);
            self.layers.with(TracingLayer::note_subscriber);
            // The levels are others.
            tracing::callsite::rebuild_interest_cache();
        }
        taken
    }

    /// The number of the monitor that has the subscriber.
    fn monitor(&self) -> u32 {
        self.layers.with(TracingLayer::monitor)
    }
}

/// Whether the layer of a monitor is in a subscriber in use: it is found there, or hears of an error of one of the
/// targets. A filter that hides even those hides the layer, where it stands behind `reload`.
pub(crate) fn has_layer_of(subscriber: &Dispatch, monitor: u32, targets: &[&str]) -> bool {
    if subscriber.is::<NoSubscriber>() {
        return false;
    }
    let reaches = |target: &&str| {
        let level = LevelFilter::ERROR;
        probe::reaches(subscriber, monitor, target, level, Kind::EVENT)
    };
    monitor_of(subscriber) == Some(monitor) || targets.iter().any(reaches)
}

/// The number of the monitor whose layer is the first one found in a subscriber.
pub(crate) fn monitor_of(subscriber: &Dispatch) -> Option<u32> {
    let layer: Option<&TracingLayer> = subscriber.downcast_ref();
    let installed: Option<&InstalledLayer> = subscriber.downcast_ref();
    layer
        .map(TracingLayer::monitor)
        .or_else(|| installed.map(InstalledLayer::monitor))
}

impl<S> Layer<S> for InstalledLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // `on_register_dispatch` is left out: it looks for other layers, and this crate's subscriber has none.

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.layers
            .with(|layer| Layer::<S>::register_callsite(layer, metadata))
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        self.layers.with(|layer| layer.enabled(metadata, context))
    }

    /// The subscriber is this crate's: there is nobody for whom less would be hidden.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.layers.with(TracingLayer::max_level))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.layers
            .with(|layer| layer.on_new_span(attributes, id, context));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.layers
            .with(|layer| layer.on_record(id, values, context));
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, S>) {
        self.layers
            .with(|layer| layer.on_follows_from(id, follows, context));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        self.layers.with(|layer| layer.on_event(event, context));
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.layers.with(|layer| layer.on_enter(id, context));
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if self.layers.changes() > 0 {
            // It may have been entered under any monitor before.
            self.layers.first().on_exit(id, context.clone());
            let later = self.later.read().unwrap_or_else(PoisonError::into_inner);
            later.iter().for_each(|monitor| leave_span(*monitor, id));
            return;
        }
        self.layers.with(|layer| layer.on_exit(id, context));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.layers.with(|layer| layer.on_close(id, context));
    }
}

#[cfg(test)]
mod tests {
    /// The methods of the `Layer` that a source implements.
    fn methods(source: &str) -> Vec<&str> {
        let from = source.find("impl<S> Layer<S> for").unwrap();
        let lines = source[from..].lines().take_while(|line| *line != "}");
        let names = lines.filter_map(|line| line.strip_prefix("    fn ")?.split('(').next());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn each_method_of_the_layer_is_handed_on() {
        let mut layers = methods(include_str!("layer.rs"));
        layers.retain(|name| *name != "on_register_dispatch");
        assert_eq!(methods(include_str!("installed.rs")), layers);
    }
}
