//! The methods of [`Monitor`](super::Monitor) that mount the dashboard.

#[cfg(not(feature = "dashboard"))]
mod disabled;
#[cfg(feature = "dashboard")]
mod enabled;
