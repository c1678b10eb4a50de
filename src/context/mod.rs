//! The current operation of each thread, the active requests and spans, and the data that their traces collect until
//! they end.

mod breadcrumbs;
mod current;
mod failed_query;
mod ids;
mod query_tally;
mod requests;
mod routes;
mod slot;
mod span_buffer;
mod span_events;
mod trace_memory;

pub use self::requests::InFlight;

pub(crate) use self::breadcrumbs::{DecodeBreadcrumb, EventBreadcrumb};
#[cfg(feature = "dashboard")]
pub(crate) use self::current::disown_current;
pub(crate) use self::current::{
    current, current_slot, current_stack, enter, leave, leave_only, with_current,
};
pub(crate) use self::failed_query::{DriverError, FailedQuery, ReadDriverError};
pub(crate) use self::ids::OperationIds;
pub(crate) use self::query_tally::{QueryTally, QueryTiming};
pub(crate) use self::requests::Requests;
pub(crate) use self::routes::{MAX_NAME, NO_REQUEST, OVERFLOW, RouteId, Routes, UNMATCHED};
pub(crate) use self::slot::{RequestHead, Slot};
pub(crate) use self::span_buffer::{AddOutcome, BufferedTrace, Decision};
