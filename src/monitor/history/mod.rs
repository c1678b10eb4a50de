#[cfg(not(feature = "history"))]
mod disabled;
#[cfg(feature = "history")]
mod enabled;

#[cfg(not(feature = "history"))]
pub(super) use self::disabled::HistoryState;
#[cfg(feature = "history")]
pub(super) use self::enabled::HistoryState;
