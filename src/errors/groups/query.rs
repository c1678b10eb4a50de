use std::cmp::Reverse;

use super::group::ErrorGroup;
use super::state::ErrorState;
use crate::errors::event::EventKind;

/// Selects and orders groups of errors, for [`ErrorGroups::list`](crate::errors::ErrorGroups::list).
///
/// ```
/// use watchpost::errors::{ErrorFilter, ErrorQuery, ErrorSort};
///
/// let query = ErrorQuery::default()
///     .filter(ErrorFilter::New)
///     .route("/orders/{id}")
///     .sort(ErrorSort::Events)
///     .limit(20);
/// # drop(query);
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ErrorQuery {
    filter: ErrorFilter,
    route: Option<String>,
    release: Option<String>,
    kind: Option<EventKind>,
    text: Option<String>,
    sort: ErrorSort,
    limit: Option<usize>,
}

/// Which groups an [`ErrorQuery`] selects by their state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ErrorFilter {
    /// All groups.
    #[default]
    All,
    /// Those that are neither resolved nor muted.
    Open,
    /// New ones: open, and first seen within a day.
    New,
    /// Those with a spike that are neither resolved nor muted.
    Spiking,
    /// Those that occurred again after they had been resolved.
    Regressed,
    /// Muted ones.
    Muted,
    /// Resolved ones.
    Resolved,
}

/// The order of the groups of an [`ErrorQuery`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ErrorSort {
    /// The most recently seen first.
    #[default]
    LastSeen,
    /// The newest first.
    FirstSeen,
    /// Those with the most events first.
    Events,
    /// Those with the most events of the last hour first.
    LastHour,
    /// Those with the most users first.
    Users,
}

impl ErrorQuery {
    /// Selects groups by their state. Default: all.
    #[must_use]
    pub fn filter(mut self, filter: ErrorFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Selects groups with events in a route.
    #[must_use]
    pub fn route(mut self, route: impl Into<String>) -> Self {
        self.route = Some(route.into());
        self
    }

    /// Selects groups with events of a release.
    #[must_use]
    pub fn release(mut self, release: impl Into<String>) -> Self {
        self.release = Some(release.into());
        self
    }

    /// Selects groups by the kind of their first event: errors, messages or panics.
    #[must_use]
    pub fn kind(mut self, kind: EventKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Selects groups whose type, message or location contains a text, in any case.
    #[must_use]
    pub fn text(mut self, text: impl AsRef<str>) -> Self {
        self.text = Some(text.as_ref().to_lowercase());
        self
    }

    /// Sets the order. Default: the most recently seen first.
    #[must_use]
    pub fn sort(mut self, sort: ErrorSort) -> Self {
        self.sort = sort;
        self
    }

    /// Sets how many groups are returned at most. Default: all. There are at most a thousand.
    #[must_use]
    pub fn limit(mut self, groups: usize) -> Self {
        self.limit = Some(groups);
        self
    }

    /// Selects and orders groups.
    pub(super) fn apply(&self, mut groups: Vec<ErrorGroup>) -> Vec<ErrorGroup> {
        groups.retain(|group| self.selects(group));
        groups.sort_by_cached_key(|group| {
            let last = (group.last_seen, group.number);
            let first = match self.sort {
                ErrorSort::LastSeen => 0,
                ErrorSort::FirstSeen => {
                    let since = group.first_seen.duration_since(std::time::UNIX_EPOCH);
                    since.unwrap_or_default().as_nanos()
                }
                ErrorSort::Events => u128::from(group.count),
                ErrorSort::LastHour => group.minutes.iter().map(|it| u128::from(*it)).sum(),
                ErrorSort::Users => u128::from(group.users),
            };
            Reverse((first, last))
        });
        groups.truncate(self.limit.unwrap_or(usize::MAX));
        groups
    }

    pub(crate) fn selects(&self, group: &ErrorGroup) -> bool {
        let lists = |counts: &super::TopCounts, wanted: &Option<String>| {
            let mut names = counts.names.iter();
            wanted
                .as_ref()
                .is_none_or(|wanted| names.any(|(name, _)| name == wanted))
        };
        let texts = [&group.error_type, &group.message, &group.location];
        self.filter.selects(group)
            && self.kind.is_none_or(|kind| kind == group.kind)
            && lists(&group.routes, &self.route)
            && lists(&group.releases, &self.release)
            && self
                .text
                .as_ref()
                .is_none_or(|text| texts.iter().any(|it| it.to_lowercase().contains(text)))
    }
}

impl ErrorFilter {
    /// Returns whether it selects a group.
    pub(crate) fn selects(self, group: &ErrorGroup) -> bool {
        let is_open = matches!(group.state, ErrorState::Open | ErrorState::Regressed { .. });
        match self {
            Self::All => true,
            Self::Open => is_open,
            Self::New => group.is_new,
            Self::Spiking => is_open && group.is_spiking,
            Self::Regressed => matches!(group.state, ErrorState::Regressed { .. }),
            Self::Muted => matches!(group.state, ErrorState::Muted { .. }),
            Self::Resolved => matches!(group.state, ErrorState::Resolved { .. }),
        }
    }
}
