//! What was normal in the last day, for the pages: the bands of the series that stand for the whole service.

#[cfg(not(feature = "dashboard"))]
mod disabled;
#[cfg(feature = "dashboard")]
mod enabled;

#[cfg(not(feature = "dashboard"))]
pub(super) use self::disabled::BandHistory;
#[cfg(feature = "dashboard")]
pub(super) use self::enabled::BandHistory;
#[cfg(feature = "dashboard")]
pub(crate) use self::enabled::SeriesBands;
