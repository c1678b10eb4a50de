//! Inbound requests: the endpoint layer.

mod active;
mod body;
mod cidr;
mod classify;
mod client;
mod config;
mod connection;
mod finished;
#[cfg_attr(feature = "axum", path = "axum.rs")]
#[cfg_attr(not(feature = "axum"), path = "no_axum.rs")]
mod framework;
mod future;
mod hooks;
mod layer;
mod local;
mod polling;
mod queried;
mod seen;
mod series;
mod service;
mod shared;
mod traced;
mod track;

pub use self::body::ResponseBody;
pub use self::cidr::{Cidr, CidrError};
pub use self::classify::Class;
pub use self::client::PeerAddr;
pub use self::config::HttpConfig;
pub use self::connection::{Connection, RunConnection};
pub use self::finished::Finished;
pub use self::future::ResponseFuture;
pub use self::layer::EndpointLayer;
pub use self::service::Endpoint;

pub(crate) use self::layer::Inbound;
pub(crate) use self::shared::LineMode;
