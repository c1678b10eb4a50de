//! The bridge from the `log` crate: its records become `tracing` events.

#[cfg_attr(feature = "log", path = "enabled.rs")]
#[cfg_attr(not(feature = "log"), path = "disabled.rs")]
mod installed;

pub(crate) use self::installed::{follow_levels, install};
