//! Active users: how many distinct users the service has had within five minutes and within a day.
//!
//! A request whose [`user`](crate::EndpointLayer::user) hook returns an ID adds the ID's keyed hash to a sketch, once a
//! minute for each user. The ID itself is not kept. A sketch is of constant size and is mergeable: each minute and each
//! hour has its own, and a window is the union of its slots. They are stored in the data directory, so that a restart keeps
//! the count.

mod active_users;
mod key;
mod sketch;
mod snapshot;
mod tracker;
mod user_store;
mod window;

pub use self::active_users::ActiveUsers;

pub(crate) use self::key::{UserHash, UserKey};
pub(crate) use self::sketch::UserSketch;
pub(crate) use self::tracker::UserTracker;
pub(crate) use self::user_store::UserStore;

#[cfg(test)]
mod tests;
