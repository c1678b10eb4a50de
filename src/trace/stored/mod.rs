//! Kept traces in the data directory: best effort, bounded in bytes, found after a restart.
//!
//! The worker copies each record of kept spans into a bounded list. A job on its blocking pool decodes, redacts and
//! encodes them, and appends them to a file. A ring of files has the newest ones
//! of each class: failed, slow and sampled traces. A search reads the files from the newest back, as another job.

mod class;
mod damage;
mod id_filter;
mod pending_search;
mod query;
mod record;
mod search;
mod segment_list;
mod segments;
mod status;
mod store;

pub use self::query::{StoredTrace, StoredTraceQuery, StoredTraces};
pub(super) use self::search::{FoundTraces, Wanted};
pub(crate) use self::store::{TraceStore, TraceStoreSetup};

#[cfg(test)]
mod scan;
#[cfg(test)]
mod tests;
