//! The record of the current request: its ids and route while it runs, the list of those under way,
//! and the compact form in which a finished one goes to the worker.

mod crumbs;
mod current;
mod error_record;
mod failed_query;
mod method;
mod record;
mod routes;
mod slot;
mod span_events;
mod tally;
mod tree;

pub use self::slot::InFlight;

pub(crate) use self::crumbs::{Crumb, ReadCrumb};
pub(crate) use self::current::{
    Ids, all_current, current, current_slot, enter, leave, leave_alone, with_current,
};
pub(crate) use self::error_record::{ErrorKind, ErrorRecord, MAX_TAGS, Pairs, put_more};
pub(crate) use self::failed_query::{DriverError, FailedQuery, ReadDriverError};
pub(crate) use self::method::{MAX_METHOD, Method};
pub(crate) use self::record::{
    AttributeRef, MAX_TEXT, MAX_USER, RequestRecord, Scheme, VERSIONS, attributes_of,
    note_left_out, put_attributes, put_attributes_within, put_fixed, put_text,
};
pub(crate) use self::routes::{MAX_NAME, NO_REQUEST, OVERFLOW, RouteId, Routes, UNMATCHED};
pub(crate) use self::slot::{Facts, Requests, Slot};
pub(crate) use self::tally::{Asked, Tally};
pub(crate) use self::tree::{Added, Decision, Taken};
