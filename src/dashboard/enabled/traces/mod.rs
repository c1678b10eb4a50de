//! The documents of kept traces: the list, what differs between some of them and all, and one trace.

mod compare;
mod critical_path;
mod differences;
mod filter;
mod list;
mod span_tree;
mod trace_document;
mod trace_facts;
mod trace_signals;
mod typical;

pub(super) use self::filter::TraceFilter;
pub(super) use self::list::{differences, list};
pub(super) use self::trace_document::{TraceRequest, trace};
