//! The groups of captured errors: what belongs together, how often it occurs, and what somebody has decided about it.

mod decisions;
mod entry;
mod group;
mod handle;
mod loading;
mod pattern;
mod query;
mod releases;
mod restored;
mod samples;
mod saved;
mod spike;
mod state;
mod store;
mod table;
mod timeline;
mod top_counts;

pub use self::group::{ErrorGroup, GroupedBy};
pub use self::handle::ErrorGroups;
pub use self::pattern::{ErrorPattern, ErrorPatternEvent};
pub use self::query::{ErrorFilter, ErrorQuery, ErrorSort};
pub use self::state::{ErrorResolution, ErrorState, ErrorStateChange, Mute, ResolvedBy};
pub use self::top_counts::TopCounts;

pub(crate) use self::handle::ErrorGroupFigures;
pub(super) use self::handle::GroupsSetup;
#[cfg(feature = "dashboard")]
pub(crate) use self::{decisions::ErrorDecision, state::ChangeAuthor};

#[cfg(test)]
mod tests;
