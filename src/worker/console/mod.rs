//! The process's standard output, one system call a block.

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

use std::io::{self, IsTerminal};

#[cfg(not(unix))]
pub(crate) use self::other::Console;
#[cfg(unix)]
pub(crate) use self::unix::Console;

impl Console {
    /// Whether a person may be reading.
    pub(crate) fn is_terminal() -> bool {
        io::stdout().is_terminal()
    }
}
