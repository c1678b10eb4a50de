//! Access control for protected pages: bearer tokens, compared in constant time. Access is denied by default.

mod resolver;
mod rule;
mod weak;

pub use self::rule::Access;

pub(crate) use self::resolver::{TokenResolver, to_stderr};
