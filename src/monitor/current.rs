use std::sync::{Arc, PoisonError, RwLock, Weak};

use super::handle::{Inner, Monitor};
use crate::errors;

/// The monitors of the process by the number that their requests carry.
static ALL: RwLock<Vec<(u32, Weak<Inner>)>> = RwLock::new(Vec::new());

/// A monitor that is known to [`Monitor::current`] from now on.
pub(super) fn known(inner: Inner) -> Monitor {
    let inner = Arc::new(inner);
    let mut all = ALL.write().unwrap_or_else(PoisonError::into_inner);
    all.retain(|(_, one)| one.strong_count() > 0);
    all.push((inner.requests.number(), Arc::downgrade(&inner)));
    drop(all);
    Monitor { inner }
}

impl Monitor {
    /// The monitor that watches what the calling thread is at: that of the current request or trace, else the
    /// installed one, else none.
    ///
    /// Handlers of axum take it as an argument.
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
        let number = errors::current_monitor()?;
        let all = ALL.read().unwrap_or_else(PoisonError::into_inner);
        let (_, inner) = all.iter().find(|(have, _)| *have == number)?;
        inner.upgrade().map(|inner| Self { inner })
    }
}
