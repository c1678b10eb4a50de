//! The record of the current request: its ids and route while it runs, the list of those under way,
//! and the compact form in which a finished one goes to the worker.

mod current;
mod record;
mod routes;
mod slot;

pub use self::slot::InFlight;

pub(crate) use self::current::{Ids, current, enter, leave};
pub(crate) use self::record::{
    AttributeRef, Method, RequestRecord, Scheme, put_attributes, put_fixed,
};
pub(crate) use self::routes::{RouteId, Routes, UNMATCHED};
pub(crate) use self::slot::{Requests, Slot};
