use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::column::Column;
use super::timeline::{Tick, Timeline};
use crate::clock::{Nanos, nanos};
use crate::history::HistoryConfig;
use crate::metrics::HistogramValues;

/// The number of ticks after which a series' values are encoded.
const CHUNK: usize = 60;
/// The estimated size of an entry for a series without values.
const OF_SERIES: usize = 256;

/// The name and labels of a series.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SeriesKey {
    pub(super) name: Arc<str>,
    /// In canonical form.
    pub(super) labels: Arc<str>,
}

/// The kind of a series' values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeriesKind {
    /// Values at the ticks.
    Gauge,
    /// Increases since the tick before.
    Counter,
    /// Increases since the tick before.
    Histogram,
}

/// The value of a series at one tick.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Number(f64),
    Histogram(HistogramValues),
}

/// The metrics of the last hours, in memory.
#[derive(Debug)]
pub(super) struct MemoryStore {
    timeline: Timeline,
    series: FxHashMap<SeriesKey, StoredSeries>,
    max_age: Nanos,
    max_bytes: usize,
}

#[derive(Debug)]
struct StoredSeries {
    kind: SeriesKind,
    chunks: VecDeque<Arc<Chunk>>,
    /// The first tick of `open`.
    open_at: Tick,
    /// The values that are not encoded yet.
    open: Column,
}

/// Encoded values of one series.
#[derive(Debug)]
struct Chunk {
    first: Tick,
    len: usize,
    bytes: Box<[u8]>,
}

/// A series as a query reads it. It shares the chunks with the store.
#[derive(Debug)]
pub(super) struct SeriesData {
    pub(super) key: SeriesKey,
    pub(super) kind: SeriesKind,
    chunks: Vec<Arc<Chunk>>,
    open_at: Tick,
    open: Column,
}

impl MemoryStore {
    pub(super) fn new(config: &HistoryConfig) -> Self {
        Self {
            timeline: Timeline::default(),
            series: FxHashMap::default(),
            max_age: nanos(config.memory_age),
            max_bytes: config.max_memory_bytes,
        }
    }

    pub(super) fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Adds the values of a snapshot. `wall` is in milliseconds since the Unix epoch.
    pub(super) fn add(
        &mut self,
        wall: i64,
        at: Nanos,
        values: impl IntoIterator<Item = (SeriesKey, SeriesKind, Step)>,
    ) {
        let Some(tick) = self.timeline.push(wall, at) else {
            return;
        };
        for (key, kind, step) in values {
            self.series
                .entry(key)
                .and_modify(|series| series.change_to(kind, &step, tick))
                .or_insert_with(|| StoredSeries::new(kind, &step, tick))
                .push(tick, step);
        }
        self.trim(at);
    }

    /// Encodes what is complete, and removes what is too old or does not fit.
    fn trim(&mut self, now: Nanos) {
        // At each tick, a part of the series is encoded, so that no tick takes much longer than the others.
        let end = self.timeline.ticks().end;
        let turn = usize::try_from(end % CHUNK as u64).unwrap_or(0);
        for (n, series) in self.series.values_mut().enumerate() {
            series.encode(end, n % CHUNK == turn);
        }
        let is_old = |line: &Timeline, max_age| {
            let oldest = line.oldest();
            oldest.is_some_and(|oldest| now.saturating_sub(oldest.at) > max_age)
        };
        let mut bytes = self.bytes();
        // The last tick is always kept.
        while self.timeline.ticks().count() > 1
            && (bytes > self.max_bytes || is_old(&self.timeline, self.max_age))
        {
            self.timeline.remove_first();
            let first = self.timeline.ticks().start;
            for series in self.series.values_mut() {
                bytes = bytes.saturating_sub(series.remove_before(first));
            }
        }
        let first = self.timeline.ticks().start;
        self.series.retain(|_, series| series.end() > first);
    }

    /// The estimated size in memory.
    pub(super) fn bytes(&self) -> usize {
        let series = self.series.iter();
        series
            .map(|(key, series)| key.name.len() + key.labels.len() + series.bytes())
            .sum()
    }

    pub(super) fn series(&self) -> usize {
        self.series.len()
    }

    /// The series that `is_wanted`, with their values at some ticks.
    pub(super) fn read(
        &self,
        ticks: &Range<Tick>,
        is_wanted: impl Fn(&SeriesKey) -> bool,
    ) -> Vec<SeriesData> {
        let wanted = self.series.iter().filter(|(key, _)| is_wanted(key));
        wanted
            .map(|(key, series)| SeriesData {
                key: key.clone(),
                kind: series.kind,
                chunks: series
                    .chunks
                    .iter()
                    .filter(|chunk| chunk.overlaps(ticks))
                    .cloned()
                    .collect(),
                open_at: series.open_at,
                open: series.open.clone(),
            })
            .collect()
    }
}

impl StoredSeries {
    fn new(kind: SeriesKind, step: &Step, tick: Tick) -> Self {
        Self {
            kind,
            chunks: VecDeque::new(),
            open_at: tick,
            open: column_of(step),
        }
    }

    /// A series whose kind or bounds change starts anew.
    fn change_to(&mut self, kind: SeriesKind, step: &Step, tick: Tick) {
        let is_same = match (&self.open, step) {
            (Column::Histograms { empty, .. }, Step::Histogram(values)) => {
                empty.bounds() == values.bounds()
            }
            (Column::Numbers(_), Step::Number(_)) => self.kind == kind,
            _ => false,
        };
        if !is_same {
            *self = Self::new(kind, step, tick);
        }
    }

    fn push(&mut self, tick: Tick, step: Step) {
        let gap = usize::try_from(tick - self.open_at).unwrap_or(usize::MAX);
        // A series that was away for long needs no values for that time.
        if gap > self.open.len() + CHUNK {
            let rest = self.open.len();
            self.close(rest);
            self.open_at = tick;
        } else {
            self.open.pad(gap);
        }
        match (&mut self.open, step) {
            (Column::Numbers(values), Step::Number(value)) => values.push(value),
            (Column::Histograms { steps, .. }, Step::Histogram(values)) => steps.push(Some(values)),
            _ => {}
        }
    }

    /// Encodes the values if there are many, if it is this series' turn and there are some, or if the series has ended.
    /// `end` is the tick after the last.
    fn encode(&mut self, end: Tick, is_its_turn: bool) {
        let count = self.open.len();
        let has_ended = end > self.end() + CHUNK as u64;
        if has_ended || count >= 2 * CHUNK || (is_its_turn && count >= CHUNK / 2) {
            self.close(count);
        }
    }

    fn close(&mut self, count: usize) {
        let values = self.open.split_front(count);
        if values.len() > 0 {
            self.chunks.push_back(Arc::new(Chunk {
                first: self.open_at,
                len: values.len(),
                bytes: values.encode().into(),
            }));
        }
        self.open_at += values.len() as u64;
    }

    /// The tick after the last value.
    fn end(&self) -> Tick {
        self.open_at + self.open.len() as u64
    }

    /// Removes chunks that end before a tick, and returns their size.
    fn remove_before(&mut self, first: Tick) -> usize {
        let mut removed = 0;
        while let Some(chunk) = self.chunks.front()
            && chunk.first + chunk.len as u64 <= first
        {
            removed += chunk.size();
            self.chunks.pop_front();
        }
        if self.chunks.is_empty() && self.open_at < first {
            let old = usize::try_from(first - self.open_at).unwrap_or(usize::MAX);
            let old = self.open.split_front(old);
            self.open_at += old.len() as u64;
            removed += old.bytes();
        }
        removed
    }

    fn bytes(&self) -> usize {
        let chunks = self.chunks.iter().map(|chunk| chunk.size());
        OF_SERIES + chunks.sum::<usize>() + self.open.bytes()
    }
}

impl Chunk {
    fn overlaps(&self, ticks: &Range<Tick>) -> bool {
        self.first < ticks.end && self.first + self.len as u64 > ticks.start
    }

    fn size(&self) -> usize {
        self.bytes.len() + size_of::<Self>()
    }
}

impl SeriesData {
    /// The columns of the series, each with its first tick. Damaged chunks are left out.
    pub(super) fn columns(&self) -> impl Iterator<Item = (Tick, Column)> {
        let chunks = self.chunks.iter().filter_map(|chunk| {
            let values = self.open.decode(&chunk.bytes, chunk.len)?;
            Some((chunk.first, values))
        });
        chunks.chain(std::iter::once((self.open_at, self.open.clone())))
    }
}

fn column_of(step: &Step) -> Column {
    match step {
        Step::Number(_) => Column::numbers(),
        Step::Histogram(values) => Column::histograms(values),
    }
}
