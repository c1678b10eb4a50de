//! Requests of reqwest.

mod send;

pub use self::send::SendRequest;
