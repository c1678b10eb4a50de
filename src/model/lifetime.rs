use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether a monitor is still running. After its end the next monitor can claim the globals that it had.
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

    /// Whether both belong to the same monitor.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
