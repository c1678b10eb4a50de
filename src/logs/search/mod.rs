//! Searches of the log records: in the files, or in memory where there are none.
//!
//! A search runs on the worker's blocking pool, two at a time. It reads from the newest line back, one block in memory at a
//! time, and ends at its time limit. A block is compared as a whole with what every match contains (`sieve`) before its
//! lines are parsed, and most blocks of files are passed over by their `index`.

mod block;
mod budget;
mod collector;
mod cursor;
mod facets;
mod file_search;
mod forward;
mod found;
mod grammar;
mod histogram;
mod index;
mod line_filter;
mod line_head;
mod log_search;
mod matcher;
mod memory_search;
mod patterns;
mod sieve;
#[cfg(test)]
mod tests;
mod visitor;
mod work;

pub use self::cursor::LogCursor;
pub use self::facets::LogFacet;
pub use self::forward::LogTail;
pub use self::found::{FoundLine, FoundLogs, LogSource, SearchEnd};
pub use self::grammar::LogQueryError;
pub use self::histogram::{LevelCounts, LogHistogram};
pub use self::patterns::{LogPattern, LogPatterns};

pub(in crate::logs) use self::grammar::{Expression, parse};
pub(crate) use self::index::LogIndex;
pub(in crate::logs) use self::line_filter::LineFilter;
pub(crate) use self::log_search::LogSearch;
