//! Calls that are made with reqwest.

mod send;

pub use self::send::SendRequest;
