//! The monitor: assembles all parts, installs, drains, flushes and shuts down.

mod builder;
mod data_dir;
mod drain;
mod export;
mod guard;
mod handle;
mod install;
mod own;
mod serve;
mod tracing;

pub use self::builder::MonitorBuilder;
pub use self::guard::{MonitorGuard, Report};
pub use self::handle::Monitor;
pub use self::serve::Server;
