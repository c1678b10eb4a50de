//! The methods of [`Monitor`](super::Monitor) that mount the dashboard.

#[cfg(not(feature = "dashboard"))]
mod disabled;
#[cfg(feature = "dashboard")]
mod enabled;
#[cfg(all(feature = "dashboard", feature = "alerts"))]
mod with_alerts;
#[cfg(all(feature = "dashboard", not(feature = "alerts")))]
mod without_alerts;

#[cfg(all(feature = "dashboard", feature = "alerts"))]
use self::with_alerts::alert_source;
#[cfg(all(feature = "dashboard", not(feature = "alerts")))]
use self::without_alerts::alert_source;
