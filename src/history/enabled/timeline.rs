use std::collections::VecDeque;
use std::ops::Range;

use crate::clock::Nanos;

/// The number of a snapshot. Numbers are consecutive.
pub(super) type Tick = u64;

/// The time of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TickTime {
    /// Wall time, in milliseconds since the Unix epoch.
    pub(super) wall: i64,
    /// The time since the snapshot before, in milliseconds, by the monotonic clock. The first snapshot covers the time
    /// since the monitor was built.
    pub(super) length: i64,
    /// The monotonic time.
    pub(super) at: Nanos,
}

/// The times of the snapshots that are kept. All series share them.
///
/// Ticks are in the order in which they happened. If the wall clock was set back, their wall times are not in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Timeline {
    first: Tick,
    times: VecDeque<TickTime>,
}

impl Timeline {
    /// The ticks that are kept.
    pub(super) fn ticks(&self) -> Range<Tick> {
        self.first..self.first + self.times.len() as u64
    }

    /// Adds a snapshot and returns its tick. `None` if it was not taken after the last one.
    pub(super) fn push(&mut self, wall: i64, at: Nanos) -> Option<Tick> {
        let length = match self.times.back() {
            Some(last) if at <= last.at => return None,
            last => at - last.map_or(0, |last| last.at),
        };
        let length = i64::try_from(length / 1_000_000).unwrap_or(i64::MAX);
        self.times.push_back(TickTime { wall, length, at });
        Some(self.ticks().end - 1)
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
        let is_old = |time: &&TickTime| now.saturating_sub(time.at) > max_age;
        times.take_while(is_old).count()
    }

    /// The number of ticks that are kept.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// The earliest wall time that a tick covers.
    pub(super) fn begins_at(&self) -> Option<i64> {
        let begins = self.times.iter();
        begins
            .map(|time| time.wall.saturating_sub(time.length))
            .min()
    }

    /// The ticks whose wall times are after `after` and up to `until`, with their times.
    pub(super) fn between(&self, after: i64, until: i64) -> impl Iterator<Item = (Tick, TickTime)> {
        let times = (self.first..).zip(self.times.iter().copied());
        times.filter(move |(_, time)| time.wall > after && time.wall <= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_numbered_and_found_by_wall_time() {
        let mut line = Timeline::default();
        for n in 0..5_u32 {
            let at = u64::from(n + 1) * 10_000_000_000;
            assert_eq!(line.push(i64::from(n) * 10_000, at), Some(u64::from(n)));
        }
        assert_eq!(line.push(99, 50_000_000_000), None, "the time stands still");
        line.remove_first(1);
        assert_eq!(line.ticks(), 1..5);
        let found: Vec<_> = line.between(10_000, 30_000).map(|(tick, _)| tick).collect();
        assert_eq!(found, [2, 3]);
        assert_eq!((line.len(), line.begins_at()), (4, Some(0)));
        assert_eq!(line.too_old(60_000_000_000, 30_000_000_000), 1);
        assert_eq!(line.too_old(u64::MAX, 0), 3, "the last tick is kept");
    }

    #[test]
    fn a_wall_clock_that_jumps_removes_and_reorders_nothing() {
        let mut line = Timeline::default();
        let second = 1_000_000_000;
        for (n, wall) in [
            (1, 100_000),
            (2, 110_000),
            (3, 50_000),
            (4, 60_000),
            (5, 9_000_000),
        ] {
            line.push(wall, n * 10 * second).unwrap();
        }
        let all: Vec<_> = line
            .between(0, i64::MAX)
            .map(|(tick, time)| (tick, time.length))
            .collect();
        assert_eq!(
            all,
            [
                (0, 10_000),
                (1, 10_000),
                (2, 10_000),
                (3, 10_000),
                (4, 10_000)
            ]
        );
        let early: Vec<_> = line.between(0, 60_000).map(|(tick, _)| tick).collect();
        assert_eq!(early, [2, 3]);
    }
}
