//! What is stored before it is sent: records in append-only files of the data directory.
//!
//! A record is on the disk when [`SpoolWriter`] says so; until it is acknowledged it is found again after a
//! restart. [`Spool`] is the state machine over [`Files`], [`SpoolWriter`] runs it on the worker's blocking pool.

mod disk;
mod files;
mod segment;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use self::writer::{SpoolStatus, SpoolWriter};

use std::path::PathBuf;
use std::sync::Arc;

use self::disk::Disk;
use self::files::Files;
use self::store::Spool;
use super::RecordQueue;
use crate::clock::Clock;
use crate::model::Diagnostics;

impl SpoolWriter {
    /// A store in this directory, of at most so many bytes of files. `name` is what is stored, as notices
    /// call it.
    pub(crate) fn in_directory(
        name: &'static str,
        path: PathBuf,
        max_bytes: u64,
        clock: &Clock,
        (record_queue, diagnostics): (&Arc<RecordQueue>, &Arc<Diagnostics>),
    ) -> Self {
        let open = move || Spool::open(Box::new(Disk::new(&path)), max_bytes);
        let times = (Clock::system(), clock.wall(clock.now()));
        Self::new(name, Box::new(open), times, record_queue, diagnostics)
    }
}
