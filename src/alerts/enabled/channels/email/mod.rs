//! E-mail.

#[cfg(not(feature = "email"))]
mod disabled;
#[cfg(feature = "email")]
mod enabled;

#[cfg(not(feature = "email"))]
pub(super) use self::disabled::add_email;
#[cfg(feature = "email")]
pub(super) use self::enabled::add_email;
#[cfg(feature = "email")]
pub use self::enabled::{EmailChannel, SmtpServer};
