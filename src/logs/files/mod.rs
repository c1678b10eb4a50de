//! Log records in files: JSON, one object a line.
//!
//! [`LogFileWriter`] is the only writer. It is a sink of the worker, so it runs on the blocking pool and may take its time.
//! `combined.log` has every line and is the record from which everything else reads: a [`LogReader`] continues from a
//! stored [`LogPosition`], whatever became of the files meanwhile. `error.log` is a copy of the lines of level `ERROR` for
//! people.
//!
//! A file is closed when it is full, at the first line of another day, and after an error of the disk. Closed files have
//! their day and number in their name and are compressed on the blocking pool. A list of all files beside them
//! (`combined.files`) has the number of their first line, their length and their IDs. With it, a process knows at its start
//! what an earlier one, a crash and other programs have left.
//!
//! # Another program rotates the files
//!
//! | what it does | what follows |
//! |---|---|
//! | renames `combined.log` | the next line begins a new file; what was not read is read under the other name while it is there |
//! | truncates it | the next line is in a new segment; lines that nobody has read are counted by each reader |
//! | removes it, or the directory | the next line begins a new file |
//! | appends to it | the next line begins a new file; the other's lines are not ours and are not read |
//!
//! Before each write the file at the name is compared with the open one, and its length with what was written.

mod catalog;
mod compress;
mod file_id;
mod log_files;
mod manifest;
mod members;
mod moved;
mod names;
mod position;
mod reader;
mod recovery;
mod rolling;
mod scan;
mod segment;
mod segments_read;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use self::log_files::{LogFiles, LogFilesSetup, LogFilesStatus};
pub(in crate::logs) use self::members::{BlockCutter, MAX_MEMBER, MEMBER, members, read_member};
#[cfg_attr(
    not(feature = "elasticsearch"),
    expect(unused_imports, reason = "shipping reads with them")
)]
pub(crate) use self::position::LogPosition;
#[cfg_attr(
    not(feature = "elasticsearch"),
    expect(unused_imports, reason = "shipping reads with them")
)]
pub(crate) use self::reader::LogReader;
pub(in crate::logs) use self::segment::{LogSegment, SegmentPlace};
pub(crate) use self::writer::LogFileWriter;
