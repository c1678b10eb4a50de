use std::time::{Duration, SystemTime};

use super::cursor::LogCursor;
use super::file_search::SearchOutcome;
use super::found::SearchEnd;
use super::index::{BlockFacts, LEVELS};
use super::line_head::LineHead;
use super::visitor::{LineVisitor, time_of};

/// How many log records there are in each interval of a time, by level.
///
/// The records of blocks that are within one interval are counted from the index, the others are read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogHistogram {
    /// The beginning of the first interval.
    pub start: SystemTime,
    /// The length of each interval.
    pub step: Duration,
    /// The intervals, the earliest first.
    pub counts: Vec<LevelCounts>,
    /// Why the search ended. If it is not [`Complete`](SearchEnd::Complete), the earlier intervals are not counted completely.
    pub end: SearchEnd,
    /// How far it got, see [`FoundLogs::reached`](super::FoundLogs::reached).
    pub reached: Option<SystemTime>,
    /// Files that could not be read completely, see [`FoundLogs::unreadable`](super::FoundLogs::unreadable).
    pub unreadable: u32,
}

/// Numbers of log records by level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LevelCounts {
    /// Those with the level `TRACE`.
    pub trace: u64,
    /// Those with the level `DEBUG`.
    pub debug: u64,
    /// Those with the level `INFO`.
    pub info: u64,
    /// Those with the level `WARN`.
    pub warn: u64,
    /// Those with the level `ERROR`.
    pub error: u64,
}

impl LevelCounts {
    /// The number of all records.
    pub fn total(&self) -> u64 {
        self.trace + self.debug + self.info + self.warn + self.error
    }
}

/// Counts lines by interval and level.
pub(super) struct HistogramCounter {
    start: u64,
    step: u64,
    counts: Vec<[u64; LEVELS]>,
    /// Which levels are counted.
    levels: [bool; LEVELS],
}

impl HistogramCounter {
    /// Divides a time, in microseconds since the Unix epoch, into so many intervals.
    pub(super) fn new((from, to): (u64, u64), intervals: usize, levels: [bool; LEVELS]) -> Self {
        let intervals = intervals.max(1);
        let step = to.saturating_sub(from).div_ceil(intervals as u64).max(1);
        Self {
            start: from,
            step,
            counts: vec![[0; LEVELS]; intervals],
            levels,
        }
    }

    fn interval(&self, micros: u64) -> Option<usize> {
        let number = micros.checked_sub(self.start)? / self.step;
        usize::try_from(number)
            .ok()
            .filter(|it| *it < self.counts.len())
    }

    fn add(&mut self, interval: usize, level: usize, lines: u64) {
        let counts = self.counts.get_mut(interval);
        if let Some(count) = counts.and_then(|it| it.get_mut(level)) {
            *count += lines;
        }
    }

    pub(super) fn finish(self, outcome: &SearchOutcome) -> LogHistogram {
        let counts = self.counts.into_iter();
        LogHistogram {
            start: time_of(self.start),
            step: Duration::from_micros(self.step),
            counts: counts
                .map(|[trace, debug, info, warn, error]| LevelCounts {
                    trace,
                    debug,
                    info,
                    warn,
                    error,
                })
                .collect(),
            end: outcome.end,
            reached: outcome.progress.reached_time(),
            unreadable: outcome.progress.unreadable,
        }
    }
}

impl LineVisitor for HistogramCounter {
    fn visit(&mut self, _line: &str, head: LineHead, _cursor: LogCursor) {
        if let Some(interval) = self.interval(head.micros) {
            self.add(interval, head.severity as usize, 1);
        }
    }

    fn take_block(&mut self, facts: &BlockFacts) -> bool {
        let (first, last) = (self.interval(facts.first), self.interval(facts.last));
        let Some(interval) = first.filter(|_| first == last) else {
            return false;
        };
        for (level, count) in facts.counts.into_iter().enumerate() {
            if self.levels.get(level) == Some(&true) {
                self.add(interval, level, u64::from(count));
            }
        }
        true
    }
}
