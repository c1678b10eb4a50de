//! The exposition: what Prometheus scrapes, written in frames while it is sent.

mod body;
mod frames;
pub(super) mod join;
mod negotiate;
mod protobuf;
mod service;
mod source;
#[cfg(test)]
mod tests;
mod write;

pub(super) use self::frames::Exposition;
pub(super) use self::negotiate::ExpositionFormat;
#[cfg(feature = "dashboard")]
pub(crate) use self::negotiate::accepts_gzip;

pub use self::body::ExpositionBody;
pub use self::service::Prometheus;
