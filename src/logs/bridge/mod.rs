//! The bridge from the `log` crate: its records become `tracing` events.

#[cfg_attr(feature = "log", path = "enabled.rs")]
#[cfg_attr(not(feature = "log"), path = "disabled.rs")]
mod installed;

pub(crate) use self::installed::{follow_levels, install};

/// Which logger the process has after [`install`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "log"),
    expect(dead_code, reason = "the other half of the feature")
)]
pub(crate) enum BridgeState {
    /// This crate's, set by this call.
    Installed,
    /// This crate's, set by an earlier call.
    Before,
    /// Another one, which asks the thread's `tracing` subscriber whether a record is enabled.
    AsksTracing,
    /// Another one, which did not ask `tracing`.
    Foreign,
    /// This crate has none: its feature `log` is off.
    #[cfg_attr(
        feature = "log",
        expect(dead_code, reason = "the other half of the feature")
    )]
    Unavailable,
}
