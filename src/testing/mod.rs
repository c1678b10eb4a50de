//! A harness for tests: one monitor's lines and series as values, under a clock that you drive.
//!
//! Feature `testing`, for `[dev-dependencies]`. Every harness has a monitor of its own that touches no
//! global, so tests run in parallel.

mod harness;
mod page;

pub use self::harness::Harness;
pub use self::page::{Page, Sample};
