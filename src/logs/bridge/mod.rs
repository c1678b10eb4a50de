//! The bridge from the `log` crate: its records become `tracing` events.

#[cfg_attr(feature = "log", path = "enabled.rs")]
#[cfg_attr(not(feature = "log"), path = "disabled.rs")]
mod installed;

pub(crate) use self::installed::{follow_levels, install};

/// Which logger the process has, after it was asked to take ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "log"),
    expect(dead_code, reason = "the other half of the feature")
)]
pub(crate) enum BridgeState {
    /// Ours, from now on.
    Installed,
    /// Ours, since an earlier call.
    Before,
    /// Another one, which asks the thread's `tracing` subscriber whether it wants a record.
    AsksTracing,
    /// Another one that was not seen to ask `tracing`.
    Foreign,
    /// None is needed: the feature `log` is off.
    #[cfg_attr(
        feature = "log",
        expect(dead_code, reason = "the other half of the feature")
    )]
    Unavailable,
}
