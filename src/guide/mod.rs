//! Guides that span several modules.

#[doc = include_str!("beside.md")]
pub mod beside {}
