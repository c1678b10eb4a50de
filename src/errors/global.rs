//! Capturing anywhere: by the current request's monitor, else by the installed one.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use super::capture::{CaptureState, ErrorTracker};
use crate::context;
use crate::model::{ClaimResult, EventId, Level, MonitorLifetime, read_for_status};

/// The monitors of the process, and which of them is installed.
static MONITORS: RwLock<Monitors> = RwLock::new(Monitors {
    all: Vec::new(),
    installed: None,
});

/// Events that no monitor took.
static UNCLAIMED: AtomicU64 = AtomicU64::new(0);

struct Monitors {
    all: Vec<(u32, Weak<CaptureState>)>,
    installed: Option<(Weak<CaptureState>, MonitorLifetime)>,
}

/// Makes a monitor known.
pub(super) fn register(number: u32, shared: &Arc<CaptureState>) {
    let mut monitors = MONITORS.write().unwrap_or_else(PoisonError::into_inner);
    monitors.all.retain(|(_, one)| one.strong_count() > 0);
    monitors.all.push((number, Arc::downgrade(shared)));
}

/// Makes a monitor the one that captures outside requests, unless another is that is at work.
pub(super) fn install(shared: &Arc<CaptureState>, life: &MonitorLifetime) -> ClaimResult {
    let mut monitors = MONITORS.write().unwrap_or_else(PoisonError::into_inner);
    match &monitors.installed {
        Some((_, has)) if has.is(life) => return ClaimResult::AlreadyClaimed,
        Some((_, has)) if !has.has_ended() => return ClaimResult::HeldByOther,
        _ => {}
    }
    monitors.installed = Some((Arc::downgrade(shared), life.clone()));
    ClaimResult::Claimed
}

/// Forgets a monitor whose last handle is dropped. Its parts may live on in globals that cannot be unset.
pub(super) fn uninstall(shared: &Arc<CaptureState>) {
    let is = |one: &Weak<CaptureState>| std::ptr::eq(one.as_ptr(), Arc::as_ptr(shared));
    let mut monitors = MONITORS.write().unwrap_or_else(PoisonError::into_inner);
    monitors.all.retain(|(_, one)| !is(one));
    if monitors.installed.as_ref().is_some_and(|(one, _)| is(one)) {
        monitors.installed = None;
    }
}

/// The monitor of the current request, else the installed one.
pub(super) fn current() -> Option<Arc<CaptureState>> {
    let number = context::with_current(None, |slot, _| slot.monitor());
    let monitors = MONITORS.read().unwrap_or_else(PoisonError::into_inner);
    let of_request = number.and_then(|number| {
        let mut all = monitors.all.iter();
        all.find(|(one, _)| *one == number)
            .and_then(|(_, shared)| shared.upgrade())
    });
    of_request.or_else(|| monitors.installed.as_ref()?.0.upgrade())
}

/// The number of the monitor of the current request, else of the installed one.
pub(crate) fn current_monitor() -> Option<u32> {
    current().map(|shared| shared.requests.number())
}

/// Whether a monitor that is at work captures outside requests.
pub(crate) fn has_installed() -> bool {
    let installed = |monitors: &Monitors| {
        let installed = monitors.installed.as_ref();
        installed.is_some_and(|(_, life)| !life.has_ended())
    };
    read_for_status(&MONITORS).is_none_or(|monitors| installed(&monitors))
}

#[cold]
pub(super) fn count_unclaimed() {
    UNCLAIMED.fetch_add(1, Relaxed);
}

/// Events of this process that no monitor took.
pub(crate) fn unclaimed() -> u64 {
    UNCLAIMED.load(Relaxed)
}

/// Captures an error by the monitor of the current request, else by the installed one. Without either it is
/// counted, and the id is nil.
///
/// Never waits and never panics. See [`Monitor::capture_error`](crate::Monitor::capture_error).
///
/// ```
/// if let Err(error) = "x".parse::<u8>() {
///     watchpost::capture_error(&error);
/// }
/// ```
#[track_caller]
pub fn capture_error<E: Error + ?Sized>(error: &E) -> EventId {
    if let Some(shared) = current() {
        ErrorTracker { shared }.error(error)
    } else {
        count_unclaimed();
        EventId::NIL
    }
}

/// Captures a text as [`capture_error`] does an error.
#[track_caller]
pub fn capture_message(level: Level, text: impl AsRef<str>) -> EventId {
    if let Some(shared) = current() {
        ErrorTracker { shared }.message(level, text.as_ref())
    } else {
        count_unclaimed();
        EventId::NIL
    }
}

/// Captures the error of a result on its way.
///
/// ```
/// use watchpost::ResultExt;
///
/// fn port(text: &str) -> Result<u16, std::num::ParseIntError> {
///     let port = text.parse::<u16>().capture()?;
///     Ok(port)
/// }
/// assert!(port("none").is_err());
/// ```
pub trait ResultExt: Sized {
    /// Hands the result on as it is; an error is captured as by [`capture_error`].
    #[must_use = "the error was captured, not handled"]
    #[track_caller]
    fn capture(self) -> Self;
}

impl<T, E: Error> ResultExt for Result<T, E> {
    #[track_caller]
    fn capture(self) -> Self {
        if let Err(error) = &self {
            capture_error(error);
        }
        self
    }
}
