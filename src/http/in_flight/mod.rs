//! The state of one request from its start to its end, by what happens to it.
//!
//! | file | what it does |
//! |---|---|
//! | `state` | the state itself, and the thread's current request |
//! | `start` | the request's head: IDs, trace context, texts of the record |
//! | `response` | the response's head, its body and its trailers |
//! | `rpc` | the method and the status of a gRPC call |
//! | `route` | the route, where it becomes known late or not at all |
//! | `end` | outcome, metrics, trace and log record |
//! | `record` | the encoding of the request's record |
//! | `pool` | states that are used again |

mod end;
mod pool;
mod record;
mod response;
mod route;
mod rpc;
mod start;
mod state;

pub(super) use self::pool::with_cache;
pub(super) use self::state::InFlightRequest;
