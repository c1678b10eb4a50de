//! The events of a group over a range.

use crate::dashboard::enabled::documents::OverviewRange;
use crate::errors::ErrorGroup;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// The steps of a range that groups have counts for, in milliseconds since the Unix epoch: minutes if all of it is within the
/// last hour, or else hours of the last week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventSteps {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) is_live: bool,
    /// The begin of the first step.
    pub(super) start: u64,
    pub(super) step: u64,
    /// How many of the counts of a group are before the first step.
    skipped: usize,
    pub(super) count: usize,
}

impl EventSteps {
    /// `lengths` are the numbers of minutes and hours that groups count.
    pub(super) fn new(range: OverviewRange, now: u64, lengths: (usize, usize)) -> Self {
        let (from, to, is_live) = match range {
            OverviewRange::Last(length) => (now.saturating_sub(length), now, true),
            OverviewRange::Between(from, to) => (from, to, false),
        };
        let (minutes, hours) = lengths;
        let first_minute = (now / MINUTE).saturating_sub(minutes as u64);
        let (step, slots) = if from / MINUTE >= first_minute {
            (MINUTE, minutes)
        } else {
            (HOUR, hours)
        };
        let oldest = (now / step + 1).saturating_sub(slots as u64);
        let end = now / step + 1;
        let first = (from / step).clamp(oldest, end);
        // The last step is the one in which the range ends.
        let last = to.div_ceil(step).clamp(first, end);
        Self {
            from,
            to,
            is_live,
            start: first * step,
            step,
            skipped: usize::try_from(first - oldest).unwrap_or(usize::MAX),
            count: usize::try_from(last - first).unwrap_or_default(),
        }
    }

    /// The counts of a group.
    pub(super) fn of<'a>(&self, group: &'a ErrorGroup) -> &'a [u32] {
        let all = if self.step == MINUTE {
            &group.minutes
        } else {
            &group.hours
        };
        let rest = all.get(self.skipped..).unwrap_or_default();
        rest.get(..self.count).unwrap_or(rest)
    }

    pub(super) fn events(&self, group: &ErrorGroup) -> u64 {
        self.of(group).iter().map(|it| u64::from(*it)).sum()
    }

    /// Whether a part of the range is older than all counts.
    pub(super) fn is_cut(&self) -> bool {
        self.from < self.start && self.start - self.from >= self.step && self.skipped == 0
    }
}

/// The numbers of minutes and hours that groups count.
pub(super) fn lengths(groups: &[ErrorGroup]) -> (usize, usize) {
    groups
        .first()
        .map_or((60, 168), |group| (group.minutes.len(), group.hours.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_796_000_000_000;
    const LENGTHS: (usize, usize) = (60, 168);

    fn steps(range: OverviewRange) -> EventSteps {
        EventSteps::new(range, NOW, LENGTHS)
    }

    #[test]
    fn a_range_within_the_last_hour_has_minutes_and_another_one_hours() {
        let hour = steps(OverviewRange::Last(HOUR));
        assert_eq!((hour.step, hour.count, hour.skipped), (MINUTE, 60, 0));
        assert_eq!(hour.start + 60 * MINUTE, (NOW / MINUTE + 1) * MINUTE);
        let quarter = steps(OverviewRange::Last(15 * MINUTE));
        assert_eq!((quarter.step, quarter.count), (MINUTE, 16));
        assert_eq!(quarter.skipped, 60 - 16);
        let day = steps(OverviewRange::Last(24 * HOUR));
        assert_eq!((day.step, day.count, day.skipped), (HOUR, 25, 168 - 25));
        let month = steps(OverviewRange::Last(30 * 24 * HOUR));
        assert_eq!((month.step, month.count, month.skipped), (HOUR, 168, 0));
        assert!(month.is_cut() && !day.is_cut() && !hour.is_cut());
    }

    #[test]
    fn a_range_that_has_passed_has_its_own_steps_or_none() {
        let (from, to) = (NOW - 10 * HOUR, NOW - 8 * HOUR);
        let past = steps(OverviewRange::Between(from, to));
        assert!(past.start <= from && past.start + past.count as u64 * past.step >= to);
        assert_eq!(past.step, HOUR);
        assert!(past.skipped + past.count <= 168);
        let old = steps(OverviewRange::Between(1_000_000_000, 2_000_000_000));
        assert_eq!(old.count, 0);
        assert!(old.is_cut());
        let ahead = steps(OverviewRange::Between(NOW + 5 * HOUR, NOW + 6 * HOUR));
        assert_eq!(ahead.count, 0);
        // A clock at its begin.
        let early = EventSteps::new(OverviewRange::Last(HOUR), 5, LENGTHS);
        assert!(early.count <= 60);
    }
}
