//! Connection pools: what they hold, and how long one waits for them.

mod adapted;
mod pools;
mod state;
mod watch;

pub use self::adapted::{AdaptedPool, Adapting};
pub use self::state::{ConnectionPool, PoolState};
pub use self::watch::{Acquire, PoolWatch};

pub(super) use self::pools::Pools;
