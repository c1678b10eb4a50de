//! What a monitor keeps for its dashboard.

#[cfg(not(feature = "dashboard"))]
mod disabled;
#[cfg(feature = "dashboard")]
mod enabled;

#[cfg(not(feature = "dashboard"))]
pub(super) use self::disabled::DashboardState;
#[cfg(feature = "dashboard")]
pub(super) use self::enabled::DashboardState;
