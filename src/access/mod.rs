//! Who may see what is not for everybody: tokens, told apart in constant time, deny by default.

mod keys;
mod rule;
mod weak;

pub use self::rule::Access;

pub(crate) use self::keys::{Keys, to_stderr};
