//! Connection pools: their connections, the time that acquiring one takes, and probes of their databases.

mod pools;
mod probe;
mod state;
mod watch;

pub use self::probe::{Probe, ProbeReport};
pub use self::state::{ConnectionPool, PoolState};
pub use self::watch::{Acquire, PoolWatch};

pub(super) use self::pools::Pools;
#[cfg(any(feature = "sqlx", feature = "deadpool-postgres"))]
pub(super) use self::probe::{is_full_server, wait_for_free};
