//! What is known of each block of the log files: its times, its lines by level and a filter of its words. A search passes over
//! blocks that cannot have what it looks for, and a histogram adds up the counts.
//!
//! The index of a file of lines is a file in the folder `index` beside them. A job writes it, once a block is complete. It is
//! derived from the lines, so that it needs no sync: what is missing or damaged is made again.

mod block_facts;
mod index_file;
mod known_facts;
mod log_index;
mod postponed;
mod segment_index;
#[cfg(test)]
mod tests;
mod word_filter;

pub(super) use self::block_facts::{BlockFacts, LEVELS};
pub(crate) use self::log_index::LogIndex;
pub(super) use self::segment_index::SegmentIndex;
