//! Where the pages read alerts and rules.

#[cfg(not(feature = "alerts"))]
mod disabled;
#[cfg(feature = "alerts")]
mod enabled;
#[cfg(feature = "alerts")]
mod rule_values;
#[cfg(feature = "alerts")]
mod spans;

#[cfg(not(feature = "alerts"))]
pub(crate) use self::disabled::AlertSource;
#[cfg(feature = "alerts")]
pub(crate) use self::enabled::AlertSource;
#[cfg(feature = "alerts")]
pub(in crate::dashboard::enabled) use self::enabled::card_of;
#[cfg(feature = "alerts")]
pub(in crate::dashboard::enabled) use self::rule_values::RuleValue;
#[cfg(feature = "alerts")]
pub(in crate::dashboard::enabled) use self::spans::spans;
