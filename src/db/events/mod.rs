//! The events that SQLx itself writes of queries, for a host that uses it bare.

#[cfg(not(feature = "sqlx"))]
mod disabled;
#[cfg(feature = "sqlx")]
mod enabled;

#[cfg(not(feature = "sqlx"))]
pub(super) use self::disabled::{Told, unheard};
#[cfg(feature = "sqlx")]
pub(super) use self::enabled::{Told, unheard};
