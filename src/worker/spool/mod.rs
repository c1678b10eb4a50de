//! The spool: records in append-only files of the data directory, stored before they are sent.
//!
//! Once [`SpoolWriter`] reports a record as stored, it is on the disk, and it is found again after a restart until it
//! is acknowledged. [`Spool`] is the state machine over [`Files`](crate::files::Files). [`SpoolWriter`] runs it on the worker's blocking
//! pool.

mod store;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use self::writer::{SpoolStatus, SpoolWriter};

use std::path::PathBuf;
use std::sync::Arc;

use self::store::Spool;
use self::writer::SpoolWriterSetup;
use super::RecordQueue;
use crate::clock::Clock;
use crate::files::Disk;
use crate::model::Diagnostics;

/// The parts of a spool in a directory.
pub(crate) struct SpoolSetup {
    /// The name of the stored items in notices: a plural noun.
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    /// The maximum number of bytes of its files.
    pub(crate) max_bytes: u64,
    pub(crate) clock: Clock,
    /// Wakes the worker when something is stored or read.
    pub(crate) record_queue: Arc<RecordQueue>,
    pub(crate) diagnostics: Arc<Diagnostics>,
}

impl SpoolWriter {
    /// Opens the spool of a directory, or tries again later if that fails.
    pub(crate) fn in_directory(setup: SpoolSetup) -> Self {
        let SpoolSetup {
            name,
            path,
            max_bytes,
            clock,
            record_queue,
            diagnostics,
        } = setup;
        let open = move || Spool::open(Box::new(Disk::new(&path)), max_bytes);
        Self::new(SpoolWriterSetup {
            name,
            open: Box::new(open),
            monotonic: Clock::system(),
            wall: clock.wall(clock.now()),
            record_queue,
            diagnostics,
        })
    }
}
