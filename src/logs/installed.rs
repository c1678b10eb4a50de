//! The layer of the subscriber that this crate sets. The subscriber cannot be unset, so the layer serves one monitor
//! after the other.

use std::sync::{Arc, OnceLock, RwLock};

use tracing::level_filters::LevelFilter;
use tracing::metadata::Kind;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, NoSubscriber};
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::layer::TracingLayer;
use super::subscriber_probe;
use crate::model::{ClaimResult, GlobalSlot, MonitorLifetime, read_lock, write_lock};
use crate::trace::leave_span;

/// The layer of the process's subscriber, once this crate has set one.
static INSTALLED: OnceLock<InstalledLayer> = OnceLock::new();

/// A layer that passes everything to the layer of the monitor that has the process's subscriber.
#[derive(Debug, Clone)]
pub(crate) struct InstalledLayer {
    layers: Arc<GlobalSlot<TracingLayer>>,
    /// The numbers of the monitors that took the subscriber over.
    later: Arc<RwLock<Vec<u32>>>,
    /// Whether other layers of the subscriber serve the first monitor only.
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

    /// The layer of the process's subscriber, if this crate has set it.
    pub(crate) fn of_process() -> Option<&'static Self> {
        INSTALLED.get()
    }

    /// Notes that the process's subscriber has this layer.
    pub(crate) fn note_set(self) {
        self.layers.with(TracingLayer::note_subscriber);
        let _first = INSTALLED.set(self);
    }

    /// Whether the subscriber serves this monitor.
    pub(crate) fn serves(&self, life: &MonitorLifetime) -> bool {
        self.layers.is_owned_by(life)
    }

    /// Whether other layers of the subscriber serve the first monitor only.
    pub(crate) fn is_bound(&self) -> bool {
        self.is_bound
    }

    /// Passes everything to this layer from now on, if the monitor that had the subscriber has ended.
    pub(crate) fn claim(&self, layer: TracingLayer, life: &MonitorLifetime) -> ClaimResult {
        let number = layer.monitor();
        let taken = self.layers.claim(layer, life);
        if taken == ClaimResult::Claimed {
            write_lock(&self.later).push(number);
            self.layers.with(TracingLayer::note_subscriber);
            // `tracing` has cached what the levels of the former monitor select.
            tracing::callsite::rebuild_interest_cache();
        }
        taken
    }

    /// The number of the monitor that has the subscriber.
    fn monitor(&self) -> u32 {
        self.layers.with(TracingLayer::monitor)
    }
}

/// Whether a subscriber in use has the layer of a monitor: the layer is found there by its type, or it is queried for
/// an error event of one of the targets. Behind `reload`, where types are not found, a filter that hides even such
/// events hides the layer.
pub(crate) fn has_layer_of(subscriber: &Dispatch, monitor: u32, targets: &[&str]) -> bool {
    if subscriber.is::<NoSubscriber>() {
        return false;
    }
    let reaches = |target: &&str| {
        let level = LevelFilter::ERROR;
        subscriber_probe::reaches(subscriber, monitor, target, level, Kind::EVENT)
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
    // Without `on_register_dispatch`, which looks for other layers: this crate's subscriber has none.

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.layers
            .with(|layer| Layer::<S>::register_callsite(layer, metadata))
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        self.layers.with(|layer| layer.enabled(metadata, context))
    }

    /// A hint, unlike that of [`TracingLayer`]: the subscriber is this crate's, so it has no layer that the hint could
    /// affect.
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
            // The span may have been entered while another monitor had the subscriber, so each of them leaves it. The
            // layer of the current monitor follows below; leaving a span twice would end an outer entry of it.
            self.layers.first().on_exit(id, context.clone());
            let current = self.monitor();
            let later = read_lock(&self.later);
            let former = later.iter().filter(|monitor| **monitor != current);
            former.for_each(|monitor| leave_span(*monitor, id));
        }
        self.layers.with(|layer| layer.on_exit(id, context));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.layers.with(|layer| layer.on_close(id, context));
    }
}

#[cfg(test)]
mod tests {
    /// The methods of `Layer` that a source file implements.
    fn methods(source: &str) -> Vec<&str> {
        let from = source.find("impl<S> Layer<S> for").unwrap();
        let lines = source[from..].lines().take_while(|line| *line != "}");
        let names = lines.filter_map(|line| line.strip_prefix("    fn ")?.split('(').next());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn each_method_of_the_layer_is_passed_on() {
        let mut layers = methods(include_str!("layer.rs"));
        layers.retain(|name| *name != "on_register_dispatch");
        assert_eq!(methods(include_str!("installed.rs")), layers);
    }
}
