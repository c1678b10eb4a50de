//! Access control for protected pages: bearer tokens, compared in constant time. Access is denied by default.

mod resolver;
mod role;
mod rule;
mod weak;

pub use self::role::Role;
pub use self::rule::Access;

pub(crate) use self::resolver::{TokenResolver, TokenSettings, to_stderr};
#[cfg(feature = "dashboard")]
pub(crate) use self::rule::AccessKind;
