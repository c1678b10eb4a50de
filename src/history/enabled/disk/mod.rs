//! The history's files: segments of complete blocks.
//!
//! A segment has the values of all series at consecutive steps of one resolution. It is written once, and takes its name
//! only when it is complete. A damaged chunk costs one series of one segment, and is never read as other values.

mod directory;
mod files;
mod format;
mod segment;
mod segment_writer;
#[cfg(test)]
mod tests;

pub(super) use self::segment::Segment;
