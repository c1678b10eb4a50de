use std::sync::{Arc, Weak};

use super::handle::Monitor;
use super::state::MonitorState;
use crate::errors::{self, AnyMonitor};

/// Registers a new monitor, so that [`Monitor::current`] and `capture_error` find it.
pub(super) fn register(state: MonitorState) -> Monitor {
    let inner = Arc::new(state);
    let monitor: Weak<AnyMonitor> = Weak::<MonitorState>::clone(&Arc::downgrade(&inner));
    inner.errors.register(monitor);
    Monitor { inner }
}

impl Monitor {
    /// Returns the monitor of the current request or trace, else the installed monitor, else `None`.
    ///
    /// axum handlers can take a [`Monitor`] as an argument instead.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// let builder = watchpost::Monitor::builder("shop").env(false).console(false);
    /// let monitor = builder.install()?;
    /// let orders = watchpost::Monitor::current().map(|it| it.metrics().counter("orders").build());
    /// assert!(orders.is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn current() -> Option<Self> {
        let inner = errors::current_monitor()?.downcast().ok()?;
        Some(Self { inner })
    }
}
