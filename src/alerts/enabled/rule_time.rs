use super::phase::Moment;
use crate::clock::Nanos;

/// After so many intervals without an evaluation, the time between is a gap.
const MAX_INTERVALS: u64 = 3;

/// The time of the rules. It passes in whole intervals between evaluations, so that one that comes some milliseconds late
/// or early does not decide about a duration. A gap counts as one interval: the time in which the process was stopped lets
/// nothing fire, but the time goes on if each evaluation comes after a gap.
#[derive(Debug, Clone, Copy)]
pub(super) struct RuleTime {
    interval: Nanos,
    /// A monotonic reading, and the time of the rules at it.
    origin: (Nanos, Nanos),
    /// The time of the last evaluation.
    last: Nanos,
}

impl RuleTime {
    /// Begins at `time`, at the monotonic reading `now`.
    pub(super) fn new(interval: Nanos, now: Nanos, time: Nanos) -> Self {
        Self {
            interval: interval.max(1),
            origin: (now, time),
            last: time,
        }
    }

    /// The time of an evaluation. `wall` is in nanoseconds since the Unix epoch.
    pub(super) fn advance(&mut self, now: Nanos, wall: u64) -> Moment {
        let (at, time) = self.origin;
        let elapsed = now.saturating_sub(at).saturating_add(self.interval / 2) / self.interval;
        let time = time.saturating_add(elapsed.saturating_mul(self.interval));
        if time.saturating_sub(self.last) > self.interval.saturating_mul(MAX_INTERVALS) {
            self.last = self.last.saturating_add(self.interval);
            self.origin = (now, self.last);
        } else {
            self.last = self.last.max(time);
        }
        Moment {
            rule: self.last,
            wall: wall / 1_000_000,
        }
    }

    /// The time of the last evaluation.
    pub(super) fn last(&self) -> Nanos {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_in_intervals_and_a_gap_is_one() {
        let mut time = RuleTime::new(30, 1000, 500);
        let mut at = |now| time.advance(now, 0).rule;
        assert_eq!(
            [at(1000), at(1029), at(1061), at(1089)],
            [500, 530, 560, 590]
        );
        // Three intervals without an evaluation are no gap, four are.
        assert_eq!(at(1180), 680);
        assert_eq!(at(1300), 710);
        assert_eq!([at(1330), at(1360)], [740, 770]);
    }

    #[test]
    fn time_goes_on_if_each_evaluation_comes_late() {
        let mut time = RuleTime::new(30, 0, 0);
        let times = [200, 400, 600, 800].map(|now| time.advance(now, 0).rule);
        assert_eq!(times, [30, 60, 90, 120]);
    }
}
