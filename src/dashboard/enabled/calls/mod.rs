//! The document of outgoing calls: services and their limits, models and their cost.

mod models;
mod services;

pub(super) use self::services::{calls, of_route};
