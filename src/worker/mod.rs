//! The background: bounded queues, the thread that empties them, and the writers behind it.

mod intake;

pub(crate) use self::intake::{Intake, Record};
