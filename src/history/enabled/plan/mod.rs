//! Decides which steps a query reads, and at which resolution.

use std::ops::Range;
use std::time::Duration;

use super::roll_up::StepGroups;
use super::steps::{Resolution, StepTime, Tick};

/// The steps that one place has: the memory, or a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) resolution: Resolution,
    /// The number of the first step.
    pub(super) first: Tick,
    /// Consecutive steps.
    pub(super) times: &'a [StepTime],
}

/// What a query reads, and which parts of it each window consists of.
///
/// The ends of all windows cut the time into intervals. Steps of the same interval are in the same windows, so that their
/// values are added when they are read: they make a slot.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// In the order of time.
    pub(super) pieces: Vec<Piece>,
    pub(super) windows: Vec<Window>,
    /// The number of slots.
    pub(super) slots: usize,
}

/// Consecutive steps of one source.
#[derive(Debug)]
pub(super) struct Piece {
    /// The position of its source.
    pub(super) source: usize,
    /// The steps of each slot.
    pub(super) groups: StepGroups,
    /// The slot of the first group.
    pub(super) first_slot: usize,
}

/// One window of a query.
#[derive(Debug)]
pub(super) struct Window {
    /// Its end, in milliseconds since the Unix epoch.
    pub(super) at: i64,
    /// Ranges of consecutive slots: one, unless the wall clock was set back.
    pub(super) slots: Vec<Range<usize>>,
    /// The time that its steps cover.
    pub(super) millis: i64,
    /// Whether a part of the window is not covered.
    pub(super) has_gap: bool,
}

/// Plans a query whose windows have this length and end at these times, which are in ascending order.
///
/// The memory, if it has any steps, is the first source. Its snapshots are preferred to the same ones of other sources, and
/// if it has all that is needed, nothing else is read. Otherwise a step is used as a whole if no window begins or ends
/// inside of it, and finer steps are used where one does. Where the finer ones are gone, the step counts by its end.
pub(super) fn plan(sources: &[Source<'_>], times: &[i64], window: Duration) -> Plan {
    let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
    let intervals = Intervals::new(times, window);
    let memory = sources
        .first()
        .filter(|it| it.resolution == Resolution::Raw);
    let in_memory = memory.and_then(|it| Some(it.times.first()?.first_snapshot));
    let mut walk = Walk {
        intervals: &intervals,
        minutes: steps_of(sources, Resolution::Minute, in_memory),
        raw: steps_of(sources, Resolution::Raw, in_memory),
        used: Vec::new(),
    };
    walk.hours(&steps_of(sources, Resolution::Hour, in_memory));
    let from = in_memory.unwrap_or(Tick::MAX);
    let is_in_memory = |used: &UsedStep<'_>| used.step.time.first_snapshot >= from;
    if walk.used.iter().all(is_in_memory) {
        walk.used.clear();
        walk.raw(&(from..Tick::MAX));
    }
    let begins = begins_at(sources);
    intervals.lay_out(&walk.used, begins)
}

/// The earliest wall time that a step covers.
pub(super) fn begins_at(sources: &[Source<'_>]) -> Option<i64> {
    let times = sources.iter().flat_map(|source| source.times);
    times
        .map(|time| time.wall.saturating_sub(time.length))
        .min()
}

/// A step of a source.
#[derive(Debug, Clone, Copy)]
struct SourceStep<'a> {
    source: usize,
    number: Tick,
    time: &'a StepTime,
}

/// A step that the query reads.
struct UsedStep<'a> {
    step: SourceStep<'a>,
    interval: usize,
}

/// The steps of a resolution, in the order of their snapshots. Each snapshot is in one of them at most.
fn steps_of<'a>(
    sources: &[Source<'a>],
    resolution: Resolution,
    in_memory: Option<Tick>,
) -> Vec<SourceStep<'a>> {
    let wanted = sources.iter().enumerate();
    let mut wanted: Vec<_> = wanted
        .filter(|(_, source)| source.resolution == resolution)
        .collect();
    // Of files that begin with the same snapshot, the longer one replaces the others.
    wanted.sort_by_key(|(_, source)| {
        let first = source.times.first().map_or(0, |time| time.first_snapshot);
        (first, usize::MAX - source.times.len())
    });
    let mut steps: Vec<SourceStep<'a>> = Vec::new();
    for (position, source) in wanted {
        let is_memory = position == 0 && in_memory.is_some();
        for (number, time) in (source.first..).zip(source.times) {
            let end = steps.last().map_or(0, |step| step.time.snapshots().end);
            let is_in_memory = resolution == Resolution::Raw
                && !is_memory
                && in_memory.is_some_and(|from| time.first_snapshot >= from);
            if time.first_snapshot >= end && !is_in_memory {
                steps.push(SourceStep {
                    source: position,
                    number,
                    time,
                });
            }
        }
    }
    steps
}

/// Those of some steps that consist of snapshots in a range.
fn within<'a, 'b>(steps: &'b [SourceStep<'a>], range: &Range<Tick>) -> &'b [SourceStep<'a>] {
    let start = steps.partition_point(|step| step.time.first_snapshot < range.start);
    let end = steps.partition_point(|step| step.time.snapshots().end <= range.end);
    steps.get(start..end).unwrap_or_default()
}

/// Walks over all snapshots in their order, and chooses the steps to read.
struct Walk<'a, 'b> {
    intervals: &'b Intervals<'b>,
    minutes: Vec<SourceStep<'a>>,
    raw: Vec<SourceStep<'a>>,
    used: Vec<UsedStep<'a>>,
}

impl<'a> Walk<'a, '_> {
    fn hours(&mut self, hours: &[SourceStep<'a>]) {
        let mut next = 0;
        for hour in hours {
            let snapshots = hour.time.snapshots();
            self.minutes(&(next..snapshots.start));
            next = snapshots.end;
            match self.intervals.of_step(hour.time, Resolution::Hour) {
                Some(interval) => self.add(*hour, interval),
                None if self.are_in_minutes(&snapshots) => self.minutes(&snapshots),
                None => self.add(*hour, self.intervals.of(hour.time.wall)),
            }
        }
        self.minutes(&(next..Tick::MAX));
    }

    /// Adds the minutes of some snapshots, and the snapshots that are in none.
    fn minutes(&mut self, range: &Range<Tick>) {
        if range.is_empty() {
            return;
        }
        let mut next = range.start;
        let all = std::mem::take(&mut self.minutes);
        for minute in within(&all, range) {
            let snapshots = minute.time.snapshots();
            self.raw(&(next..snapshots.start));
            next = snapshots.end;
            match self.intervals.of_step(minute.time, Resolution::Minute) {
                Some(interval) => self.add(*minute, interval),
                None if self.are_raw(&snapshots) => self.raw(&snapshots),
                None => self.add(*minute, self.intervals.of(minute.time.wall)),
            }
        }
        self.minutes = all;
        self.raw(&(next..range.end));
    }

    /// Adds some snapshots.
    fn raw(&mut self, range: &Range<Tick>) {
        if range.is_empty() {
            return;
        }
        let all = std::mem::take(&mut self.raw);
        for snapshot in within(&all, range) {
            self.add(*snapshot, self.intervals.of(snapshot.time.wall));
        }
        self.raw = all;
    }

    /// Whether all snapshots of a range are there.
    fn are_raw(&self, range: &Range<Tick>) -> bool {
        within(&self.raw, range).len() as u64 == range.end - range.start
    }

    /// Whether all snapshots of a range are in minutes, or there themselves.
    fn are_in_minutes(&self, range: &Range<Tick>) -> bool {
        let mut next = range.start;
        for minute in within(&self.minutes, range) {
            let snapshots = minute.time.snapshots();
            if !self.are_raw(&(next..snapshots.start)) {
                return false;
            }
            next = snapshots.end;
        }
        self.are_raw(&(next..range.end))
    }

    fn add(&mut self, step: SourceStep<'a>, interval: usize) {
        if self.intervals.is_wanted(interval) {
            self.used.push(UsedStep { step, interval });
        }
    }
}

/// The intervals between the ends of all windows. An interval contains the time after one of them, up to the next.
struct Intervals<'a> {
    /// The ends of the windows.
    times: &'a [i64],
    window: i64,
    /// The ends of the intervals, in ascending order. One more interval follows the last of them.
    ends: Vec<i64>,
    /// Whether an interval is in any window.
    wanted: Vec<bool>,
}

impl<'a> Intervals<'a> {
    fn new(times: &'a [i64], window: i64) -> Self {
        let begins = times.iter().map(|at| at.saturating_sub(window));
        let mut ends: Vec<i64> = begins.chain(times.iter().copied()).collect();
        ends.sort_unstable();
        ends.dedup();
        let mut intervals = Self {
            times,
            window,
            ends,
            wanted: Vec::new(),
        };
        // How many windows more, or less, an interval is in than the one before it.
        let mut changes = vec![0_i32; intervals.ends.len() + 2];
        for at in times {
            let inside = intervals.of_window(*at);
            for (place, change) in [(inside.start, 1), (inside.end, -1)] {
                if let Some(slot) = changes.get_mut(place) {
                    *slot += change;
                }
            }
        }
        let mut windows = 0;
        intervals.wanted = changes
            .into_iter()
            .map(|change| {
                windows += change;
                windows > 0
            })
            .collect();
        intervals
    }

    /// The interval that contains a time.
    fn of(&self, wall: i64) -> usize {
        self.ends.partition_point(|end| *end < wall)
    }

    /// The intervals of the window that ends at a time.
    fn of_window(&self, at: i64) -> Range<usize> {
        self.of(at.saturating_sub(self.window)) + 1..self.of(at) + 1
    }

    /// The interval that contains a step. `None` if an interval ends inside of it.
    fn of_step(&self, time: &StepTime, resolution: Resolution) -> Option<usize> {
        let begin = time.wall.saturating_sub(resolution.millis().unwrap_or(1));
        let interval = self.of(time.wall);
        let is_whole = self.ends.partition_point(|end| *end <= begin) == interval;
        is_whole.then_some(interval)
    }

    fn is_wanted(&self, interval: usize) -> bool {
        self.wanted.get(interval).copied().unwrap_or_default()
    }

    /// Makes pieces and slots of the steps that are used. `begins` is the time from which there is data.
    fn lay_out(&self, used: &[UsedStep<'_>], begins: Option<i64>) -> Plan {
        let mut plan = Plan::default();
        // The interval of each slot, the time that all slots before it cover, and the number of gaps in them.
        let mut slots: Vec<usize> = Vec::new();
        let mut before: Vec<(i64, usize)> = vec![(0, 0)];
        for UsedStep { step, interval } in used {
            let is_new_slot = slots.last() != Some(interval);
            if is_new_slot {
                slots.push(*interval);
                before.extend(before.last().copied());
            }
            if let Some((millis, gaps)) = before.last_mut() {
                *millis = millis.saturating_add(step.time.length);
                *gaps += usize::from(step.time.has_gap);
            }
            match plan.pieces.last_mut() {
                Some(piece)
                    if piece.source == step.source && piece.groups.all().end == step.number =>
                {
                    piece.groups.push(is_new_slot);
                }
                _ => {
                    let mut groups = StepGroups::new(step.number);
                    groups.push(true);
                    plan.pieces.push(Piece {
                        source: step.source,
                        groups,
                        first_slot: slots.len() - 1,
                    });
                }
            }
        }
        let rows = rows(&slots);
        plan.slots = slots.len();
        plan.windows = self
            .times
            .iter()
            .map(|at| self.window(*at, &slots, &before, &rows, begins))
            .collect();
        plan
    }

    fn window(
        &self,
        at: i64,
        slots: &[usize],
        before: &[(i64, usize)],
        rows: &[Range<usize>],
        begins: Option<i64>,
    ) -> Window {
        let wanted = self.of_window(at);
        let after = at.saturating_sub(self.window);
        let mut window = Window {
            at,
            slots: Vec::new(),
            millis: 0,
            // Times are rounded down to milliseconds.
            has_gap: begins.is_none_or(|begins| after.saturating_add(1) < begins),
        };
        for row in rows {
            let Some(of_row) = slots.get(row.clone()) else {
                continue;
            };
            let start = row.start + of_row.partition_point(|interval| *interval < wanted.start);
            let end = row.start + of_row.partition_point(|interval| *interval < wanted.end);
            if start >= end {
                continue;
            }
            if let (Some((millis, gaps)), Some((all_millis, all_gaps))) =
                (before.get(start), before.get(end))
            {
                let length = all_millis.saturating_sub(*millis);
                window.millis = window.millis.saturating_add(length);
                window.has_gap |= all_gaps > gaps;
            }
            match window.slots.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => window.slots.push(start..end),
            }
        }
        window
    }
}

/// Ranges of slots whose intervals are in ascending order: one, unless the wall clock was set back.
fn rows(slots: &[usize]) -> Vec<Range<usize>> {
    let mut rows: Vec<Range<usize>> = Vec::new();
    for (slot, interval) in slots.iter().enumerate() {
        let is_later = slot
            .checked_sub(1)
            .and_then(|before| slots.get(before))
            .is_some_and(|before| before < interval);
        match rows.last_mut() {
            Some(row) if is_later => row.end = slot + 1,
            _ => rows.push(slot..slot + 1),
        }
    }
    rows
}

#[cfg(test)]
mod tests;
