//! The process's recorder of the `metrics` facade. It is set once and serves one monitor after another.

use std::sync::{Arc, OnceLock};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};

use super::facade::FacadeRecorder;
use crate::model::{ClaimResult, GlobalSlot, MonitorLifetime};

static GLOBAL: OnceLock<Arc<GlobalSlot<FacadeRecorder>>> = OnceLock::new();

/// Makes `recorder` the process's, unless another running monitor or the host has set one. Handles that the host
/// holds keep recording into the registry that made them.
pub(super) fn install(recorder: FacadeRecorder, life: &MonitorLifetime) -> ClaimResult {
    if let Some(installed) = GLOBAL.get() {
        return installed.claim(recorder, life);
    }
    let installed = Arc::new(GlobalSlot::new(recorder, life.clone()));
    if metrics::set_global_recorder(GlobalRecorder(Arc::clone(&installed))).is_err() {
        return ClaimResult::Foreign;
    }
    // Only the call whose `set_global_recorder` succeeded reaches this line, so this is the first `set`.
    let _first = GLOBAL.set(installed);
    ClaimResult::Claimed
}

struct GlobalRecorder(Arc<GlobalSlot<FacadeRecorder>>);

impl metrics::Recorder for GlobalRecorder {
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
