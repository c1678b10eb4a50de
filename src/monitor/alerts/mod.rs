#[cfg(not(feature = "alerts"))]
mod disabled;
#[cfg(feature = "alerts")]
mod enabled;

#[cfg(not(feature = "alerts"))]
pub(super) use self::disabled::AlertsHandle;
#[cfg(feature = "alerts")]
pub(super) use self::enabled::AlertsHandle;
