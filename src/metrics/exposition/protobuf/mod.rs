//! The protobuf format, the only one with native histograms.

#[cfg(not(feature = "native-histograms"))]
mod disabled;
#[cfg(feature = "native-histograms")]
mod enabled;

#[cfg(not(feature = "native-histograms"))]
pub(super) use self::disabled::requested;
#[cfg(feature = "native-histograms")]
pub(super) use self::enabled::requested;
