use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::steps::{StepTime, Tick};
use crate::clock::Nanos;

/// The times of the snapshots that are kept. All series share them.
///
/// Ticks are in the order in which they happened. If the wall clock was set back, their wall times are not in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Timeline {
    first: Tick,
    times: VecDeque<StepTime>,
    /// The time from one snapshot to the next, in milliseconds, as it should be.
    interval: i64,
    /// The operating time when this process began. The monotonic clock is added to it.
    base: Nanos,
    /// The monotonic and the wall time of this process' last snapshot.
    last: Option<(Nanos, i64)>,
}

/// By how much the wall clock and the monotonic clock may differ from one snapshot to the next, in milliseconds, before the
/// wall clock counts as set. A clock that is adjusted by at most 500 ppm, as NTP does it, stays below.
const MAX_DRIFT: i64 = 1000;

impl Timeline {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval: i64::try_from(interval.as_millis()).unwrap_or(i64::MAX),
            ..Self::default()
        }
    }

    /// The ticks that are kept.
    pub(super) fn ticks(&self) -> Range<Tick> {
        self.first..self.first + self.times.len() as u64
    }

    /// Adds a snapshot of this process and returns its tick. `None` if it was not taken after the last one.
    pub(super) fn push(&mut self, wall: i64, at: Nanos) -> Option<Tick> {
        let before = self.last.map_or(0, |(last, _)| last);
        if self.last.is_some() && at <= before {
            return None;
        }
        let length = i64::try_from((at - before) / 1_000_000).unwrap_or(i64::MAX);
        let tick = self.ticks().end;
        let has_gap = match self.last {
            // Nothing is known about the time between two processes.
            None => tick > 0,
            Some((_, last)) => {
                let passed = wall.saturating_sub(last);
                let drift = passed.saturating_sub(length).saturating_abs();
                let is_late = length > self.interval.saturating_add(self.interval / 2);
                is_late || drift > MAX_DRIFT
            }
        };
        self.last = Some((at, wall));
        self.times.push_back(StepTime {
            wall,
            length,
            at: self.base.saturating_add(at),
            has_gap,
            first_snapshot: tick,
            snapshots: 1,
        });
        Some(tick)
    }

    /// Adds a snapshot of an earlier process, before the first of this one. Returns its tick, or `None` if it does not
    /// follow the last one.
    pub(super) fn restore(&mut self, time: StepTime) -> Option<Tick> {
        if self.times.is_empty() {
            self.first = time.first_snapshot;
        }
        let tick = self.ticks().end;
        if self.last.is_some() || time.first_snapshot != tick || time.snapshots != 1 {
            return None;
        }
        self.base = self.base.max(time.at);
        self.times.push_back(time);
        Some(tick)
    }

    /// Numbers the ticks from `first` on, and lets the monotonic clock of this process begin at the operating time `base`.
    pub(super) fn renumber(&mut self, first: Tick, base: Nanos) {
        self.first = first;
        for (tick, time) in (first..).zip(&mut self.times) {
            time.first_snapshot = tick;
            time.at = time.at.wrapping_sub(self.base).wrapping_add(base);
        }
        // Nothing is known about the time between two processes.
        if let Some(time) = self.times.front_mut() {
            time.has_gap |= first > 0;
        }
        self.base = base;
    }

    /// Puts the ticks before the first one in front.
    pub(super) fn prepend(&mut self, before: Self) {
        self.first = before.first;
        let mut times = before.times;
        times.append(&mut self.times);
        self.times = times;
    }

    /// The time of a tick that is kept.
    pub(super) fn get(&self, tick: Tick) -> Option<&StepTime> {
        let index = usize::try_from(tick.checked_sub(self.first)?).ok()?;
        self.times.get(index)
    }

    /// The times of the snapshots that are kept.
    pub(super) fn times(&self) -> &VecDeque<StepTime> {
        &self.times
    }

    /// Removes the oldest `count` ticks.
    pub(super) fn remove_first(&mut self, count: usize) {
        let count = count.min(self.times.len());
        drop(self.times.drain(..count));
        self.first += count as u64;
    }

    /// The number of ticks, from the oldest on, that are older than `max_age`. The last tick is never too old.
    pub(super) fn too_old(&self, now: Nanos, max_age: Nanos) -> usize {
        let before_last = self.times.len().saturating_sub(1);
        let times = self.times.iter().take(before_last);
        let is_old = |time: &&StepTime| now.saturating_sub(time.at) > max_age;
        times.take_while(is_old).count()
    }

    /// The number of ticks that are kept.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// The wall time of the latest tick.
    #[cfg(feature = "dashboard")]
    pub(super) fn latest(&self) -> Option<i64> {
        self.times.back().map(|time| time.wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn timeline() -> Timeline {
        Timeline::new(Duration::from_secs(10))
    }

    #[test]
    fn ticks_are_numbered_and_the_old_ones_removed() {
        let mut line = timeline();
        for n in 0..5_u32 {
            let at = u64::from(n + 1) * 10 * SECOND;
            assert_eq!(line.push(i64::from(n) * 10_000, at), Some(u64::from(n)));
        }
        assert_eq!(line.push(99, 50 * SECOND), None, "the time stands still");
        line.remove_first(1);
        assert_eq!((line.ticks(), line.len()), (1..5, 4));
        assert_eq!(line.times()[0].first_snapshot, 1);
        assert_eq!(line.too_old(60 * SECOND, 30 * SECOND), 1);
        assert_eq!(line.too_old(u64::MAX, 0), 3, "the last tick is kept");
    }

    #[test]
    fn a_clock_that_was_set_and_a_late_snapshot_leave_a_gap() {
        let mut line = timeline();
        // (seconds of the monotonic clock, milliseconds of the wall clock, gap)
        let table = [
            (10, 100_000, false),
            (20, 110_900, false),
            (30, 50_000, true),
            (40, 60_000, false),
            (50, 9_000_000, true),
            (65, 9_015_000, false),
            (81, 9_031_000, true),
        ];
        for (at, wall, has_gap) in table {
            let tick = line.push(wall, at * SECOND).unwrap();
            let time = line.times()[tick as usize];
            assert_eq!((time.wall, time.has_gap), (wall, has_gap), "at {at} s");
            assert_eq!(time.at, at * SECOND);
        }
        let lengths: Vec<_> = line.times().iter().map(|time| time.length).collect();
        assert_eq!(
            lengths,
            [10_000, 10_000, 10_000, 10_000, 10_000, 15_000, 16_000]
        );
    }

    #[test]
    fn snapshots_and_operating_time_go_on_after_a_restart() {
        let mut first = timeline();
        first.push(10_000, 10 * SECOND);
        first.push(20_000, 20 * SECOND);
        first.remove_first(1);
        let mut next = timeline();
        for time in first.times() {
            assert_eq!(next.restore(*time), Some(1));
            assert_eq!(next.restore(*time), None, "it is there already");
        }
        assert_eq!(next.push(500_000, 3 * SECOND), Some(2));
        let time = next.times()[1];
        assert_eq!(
            (time.length, time.at, time.has_gap),
            (3000, 23 * SECOND, true)
        );
        assert_eq!(next.restore(*first.times().front().unwrap()), None);
    }
}
