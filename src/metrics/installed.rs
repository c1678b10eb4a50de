//! The process's recorder of the `metrics` facade, which stays for good and serves one monitor after the other.

use std::sync::{Arc, OnceLock};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};

use super::Metrics;
use super::facade::Recorder;
use crate::model::{ClaimResult, GlobalSlot, MonitorLifetime};

static INSTALLED: OnceLock<Arc<GlobalSlot<Recorder>>> = OnceLock::new();

/// Makes a monitor's registry that of the process's recorder, unless another monitor that is at work or somebody else
/// has it. Handles that the host has kept count where they were made.
pub(crate) fn install_recorder(metrics: &Metrics, life: &MonitorLifetime) -> ClaimResult {
    let recorder = Recorder::new(&metrics.registry);
    if let Some(installed) = INSTALLED.get() {
        return installed.claim(recorder, life);
    }
    let installed = Arc::new(GlobalSlot::new(recorder, life.clone()));
    if metrics::set_global_recorder(Installed(Arc::clone(&installed))).is_err() {
        return ClaimResult::Foreign;
    }
    let _first = INSTALLED.set(installed);
    ClaimResult::Claimed
}

struct Installed(Arc<GlobalSlot<Recorder>>);

impl metrics::Recorder for Installed {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0
            .with(|it| it.describe_counter(key, unit, description));
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.with(|it| it.describe_gauge(key, unit, description));
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0
            .with(|it| it.describe_histogram(key, unit, description));
    }

    #[inline]
    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.0.with(|it| it.register_counter(key, metadata))
    }

    #[inline]
    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.0.with(|it| it.register_gauge(key, metadata))
    }

    #[inline]
    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        self.0.with(|it| it.register_histogram(key, metadata))
    }
}
