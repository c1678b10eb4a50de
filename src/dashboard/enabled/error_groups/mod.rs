//! The documents of the groups of captured errors, and what an operator changes of them.

mod curve;
mod decisions;
mod details;
mod inbox;
mod inbox_filter;
mod lookup;
mod row;
mod state_counts;

pub(super) use self::decisions::{ErrorCall, change};
pub(super) use self::details::one;
pub(super) use self::inbox::list;
pub(super) use self::inbox_filter::InboxFilter;
pub(super) use self::lookup::ErrorRequest;
pub(super) use self::state_counts::counts;
