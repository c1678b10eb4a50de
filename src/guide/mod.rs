//! Guides that span several modules.

#[doc = include_str!("beside.md")]
pub mod beside {}

#[doc = include_str!("cost.md")]
pub mod cost {}

#[doc = include_str!("dashboard.md")]
pub mod dashboard {}

#[doc = include_str!("glossary.md")]
pub mod glossary {}

#[doc = include_str!("history.md")]
pub mod history {}

#[doc = include_str!("normal.md")]
#[doc = include_str!("normal.svg")]
pub mod normal {}

#[cfg(feature = "alerts")]
#[doc = include_str!("runbook.md")]
pub mod runbook {}

#[doc = include_str!("search.md")]
pub mod search {}

#[doc = include_str!("shipping.md")]
pub mod shipping {}
