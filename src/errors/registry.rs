//! The monitors of the process: which exist, and which one captures outside requests.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, RwLock, Weak};

use super::shared::CaptureState;
use crate::context;
use crate::model::{ClaimResult, MonitorLifetime, read_for_status, read_lock, write_lock};

/// A type-erased handle of a monitor: the type is defined in `monitor`, on which `errors` must not depend.
pub(crate) type AnyMonitor = dyn Any + Send + Sync;

static MONITORS: RwLock<Monitors> = RwLock::new(Monitors {
    entries: Vec::new(),
    installed: None,
});

/// Events that no monitor captured.
static UNROUTED: AtomicU64 = AtomicU64::new(0);

struct Monitors {
    entries: Vec<MonitorEntry>,
    /// The monitor that captures outside requests: its number and whether it still works.
    installed: Option<(u32, MonitorLifetime)>,
}

/// One monitor. It holds no strong reference: a registered monitor ends with its last handle.
struct MonitorEntry {
    /// The number that the monitor's requests carry.
    number: u32,
    errors: Weak<CaptureState>,
    monitor: Weak<AnyMonitor>,
}

impl Monitors {
    fn entry(&self, number: u32) -> Option<&MonitorEntry> {
        self.entries.iter().find(|entry| entry.number == number)
    }

    /// Calls `find` with the entry of the current request's monitor, or else with that of the installed monitor.
    fn current<R>(
        &self,
        of_request: Option<u32>,
        find: impl Fn(&MonitorEntry) -> Option<R>,
    ) -> Option<R> {
        let installed = || self.installed.as_ref().map(|(number, _)| *number);
        let get = |number| self.entry(number).and_then(&find);
        of_request.and_then(get).or_else(|| get(installed()?))
    }
}

/// Adds a monitor. Its entry stays until [`unregister`] or until `monitor` is dropped.
pub(super) fn register(errors: &Arc<CaptureState>, monitor: Weak<AnyMonitor>) {
    let mut monitors = write_lock(&MONITORS);
    monitors
        .entries
        .retain(|entry| entry.monitor.strong_count() > 0);
    monitors.entries.push(MonitorEntry {
        number: errors.requests.number(),
        errors: Arc::downgrade(errors),
        monitor,
    });
}

/// Removes a monitor whose last handle is dropped. Parts of it may stay alive in globals that cannot be unset, so its
/// weak references may never expire.
pub(super) fn unregister(number: u32) {
    let mut monitors = write_lock(&MONITORS);
    monitors.entries.retain(|entry| entry.number != number);
    if monitors
        .installed
        .as_ref()
        .is_some_and(|(it, _)| *it == number)
    {
        monitors.installed = None;
    }
}

/// Sets the monitor that captures outside requests, unless another one is set and still works.
pub(super) fn install(number: u32, life: &MonitorLifetime) -> ClaimResult {
    let mut monitors = write_lock(&MONITORS);
    match &monitors.installed {
        Some((_, holder)) if holder.is(life) => return ClaimResult::AlreadyClaimed,
        Some((_, holder)) if !holder.has_ended() => return ClaimResult::HeldByOther,
        _ => {}
    }
    monitors.installed = Some((number, life.clone()));
    ClaimResult::Claimed
}

/// The state of the monitor that captures here: the current request's, or else the installed one.
pub(super) fn current() -> Option<Arc<CaptureState>> {
    let of_request = number_of_request();
    read_lock(&MONITORS).current(of_request, |entry| entry.errors.upgrade())
}

/// The monitor of the current request, or else the installed one.
pub(crate) fn current_monitor() -> Option<Arc<AnyMonitor>> {
    let of_request = number_of_request();
    read_lock(&MONITORS).current(of_request, |entry| entry.monitor.upgrade())
}

/// The number of the current request's monitor.
fn number_of_request() -> Option<u32> {
    context::with_current(None, |slot, _| slot.monitor())
}

/// Whether a monitor that still works captures outside requests.
pub(crate) fn has_installed() -> bool {
    let installed = |monitors: &Monitors| {
        let installed = monitors.installed.as_ref();
        installed.is_some_and(|(_, life)| !life.has_ended())
    };
    read_for_status(&MONITORS).is_none_or(|monitors| installed(&monitors))
}

/// Counts an event that no monitor captured.
#[cold]
pub(super) fn count_unrouted() {
    UNROUTED.fetch_add(1, Relaxed);
}

/// Events of this process that no monitor captured.
pub(crate) fn unrouted() -> u64 {
    UNROUTED.load(Relaxed)
}
