use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether a monitor is at work. Globals of the process that it took are free for the next one after its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct MonitorLifetime(Arc<AtomicBool>);

impl MonitorLifetime {
    /// The monitor was shut down, or its last handle was dropped.
    pub(crate) fn end(&self) {
        self.0.store(true, Relaxed);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// Whether both are one monitor's.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
