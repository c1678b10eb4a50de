use std::time::{Duration, SystemTime};

use super::releases::Releases;

/// The shortest and the longest period of a [`Mute`] with a number of events.
const PERIODS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(7 * 86_400);

/// The state of a group of errors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorState {
    /// Nobody has dealt with it.
    #[default]
    Open,
    /// It was resolved. An event to which the resolution applies makes it [`Regressed`](Self::Regressed).
    #[non_exhaustive]
    Resolved {
        /// When it was resolved.
        at: SystemTime,
        /// To which events the resolution applies.
        by: ResolvedBy,
    },
    /// It was resolved, and an event followed.
    #[non_exhaustive]
    Regressed {
        /// When that event occurred.
        at: SystemTime,
        /// When it had been resolved.
        resolved_at: SystemTime,
    },
    /// Its events are counted, and no hook is called with it.
    #[non_exhaustive]
    Muted {
        /// When it was muted.
        at: SystemTime,
        /// When it will be open again.
        until: Mute,
    },
}

impl ErrorState {
    /// Returns the name, in lower case.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved { .. } => "resolved",
            Self::Regressed { .. } => "regressed",
            Self::Muted { .. } => "muted",
        }
    }

    /// Returns whether somebody has decided about the group, so that it is evicted after others.
    pub(super) fn is_decided(&self) -> bool {
        matches!(self, Self::Resolved { .. } | Self::Muted { .. })
    }
}

/// A change of the state of a group of errors.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorStateChange {
    /// When the state changed.
    pub at: SystemTime,
    /// The state from then on.
    pub state: ErrorState,
    /// The name that an operator gave on the dashboard, at most 100 bytes; empty for a change by the service itself, by an
    /// event or by the end of a mute.
    pub by: String,
    /// The comment that an operator gave, at most 200 bytes.
    pub comment: String,
}

/// Who changes the state of a group, and why. Empty where nobody gave a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ChangeAuthor {
    pub(crate) by: String,
    pub(crate) comment: String,
}

/// What a [`resolve`](crate::errors::ErrorGroups::resolve) applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorResolution {
    /// All events from now on.
    Now,
    /// Events of the release that runs, and of later ones: it contains the fix. An event of an earlier release, as after a
    /// rollback, changes nothing.
    ThisRelease,
    /// Events of releases after the one that runs: the next one contains the fix.
    NextRelease,
}

/// The events that make a resolved group a regressed one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolvedBy {
    /// All events.
    Now,
    /// Those of this release and of later ones.
    Release(String),
    /// Those of releases after this one.
    ReleaseAfter(String),
}

impl ResolvedBy {
    pub(super) fn new(resolution: ErrorResolution, release: &str) -> Self {
        match resolution {
            ErrorResolution::Now => Self::Now,
            ErrorResolution::ThisRelease => Self::Release(release.to_owned()),
            ErrorResolution::NextRelease => Self::ReleaseAfter(release.to_owned()),
        }
    }

    /// Whether an event of a release makes the group a regressed one.
    pub(super) fn applies(&self, release: &str, releases: &Releases) -> bool {
        match self {
            Self::Now => true,
            Self::Release(fixed) => fixed == release || releases.is_after(release, fixed),
            Self::ReleaseAfter(last) => last != release && releases.is_after(release, last),
        }
    }
}

/// How long a group is muted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mute {
    /// Until a time.
    Until(SystemTime),
    /// Until there are more than so many events within a period, from a minute to seven days. A period of more than an hour
    /// is counted in whole hours.
    #[non_exhaustive]
    UntilMoreThan {
        /// The number of events that is not exceeded.
        events: u64,
        /// The period.
        period: Duration,
    },
}

impl Mute {
    /// A mute until there are more than `events` events within `period`.
    pub const fn until_more_than(events: u64, period: Duration) -> Self {
        Self::UntilMoreThan { events, period }
    }

    /// Returns what is wrong with it.
    pub(super) fn problem(self, now: SystemTime) -> Option<&'static str> {
        match self {
            Self::Until(time) => (time <= now).then_some(
                "a group cannot be muted until a time that has passed: choose a later time",
            ),
            Self::UntilMoreThan { period, .. } => (!PERIODS.contains(&period))
                .then_some("the period of a mute must be between a minute and seven days"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_resolution_applies_to_the_releases_that_it_names() {
        let mut releases = Releases::default();
        for release in ["1.0", "1.1", "1.2"] {
            releases.begin(release);
        }
        let applies = |resolution, of| {
            let by = ResolvedBy::new(resolution, "1.1");
            by.applies(of, &releases)
        };
        let of_all = |resolution| ["1.0", "1.1", "1.2"].map(|of| applies(resolution, of));
        assert_eq!(of_all(ErrorResolution::Now), [true, true, true]);
        assert_eq!(of_all(ErrorResolution::ThisRelease), [false, true, true]);
        assert_eq!(of_all(ErrorResolution::NextRelease), [false, false, true]);
        // A release that was never seen is a later one.
        assert!(applies(ErrorResolution::NextRelease, "9"));
    }

    #[test]
    fn a_mute_needs_a_later_time_or_a_period_that_is_counted() {
        let now = UNIX_EPOCH + Duration::from_secs(100);
        assert!(Mute::Until(now).problem(now).is_some());
        assert!(
            Mute::Until(now + Duration::from_secs(1))
                .problem(now)
                .is_none()
        );
        for (seconds, is_valid) in [(59, false), (60, true), (604_800, true), (604_801, false)] {
            let mute = Mute::until_more_than(3, Duration::from_secs(seconds));
            assert_eq!(mute.problem(now).is_none(), is_valid, "{seconds}");
        }
    }
}
