use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::column::Column;
use super::numbers::is_missing;
use super::steps::{SeriesKey, SeriesKind, SeriesRun, StepFlags, StepTime, Tick};
use super::timeline::Timeline;
use crate::clock::{Nanos, nanos};
use crate::history::HistoryConfig;
use crate::metrics::HistogramValues;

/// The number of ticks after which a series' values are encoded.
const CHUNK: usize = 60;
/// The number of ticks that are encoded at least, where there is no room.
const MIN_CHUNK: usize = 8;
/// The estimated size of a series without values: its entries here, and what the recorder remembers of it.
const OF_SERIES: usize = 512;
/// The estimated size of a chunk without its values.
const OF_CHUNK: usize = 96;

/// The value of a series at one tick.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Number(f64),
    Histogram(HistogramValues),
}

/// The value of one series at one tick.
#[derive(Debug, Clone)]
pub(super) struct SeriesStep {
    pub(super) key: SeriesKey,
    pub(super) kind: SeriesKind,
    pub(super) step: Step,
    pub(super) flags: StepFlags,
}

/// A series, and its steps that have flags.
pub(super) type FlaggedSteps = (SeriesKey, Vec<(Tick, StepFlags)>);

/// Which snapshots are in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OnDisk {
    /// Those before it are in segments, or lost.
    pub(super) written: Tick,
    /// Those before it are in segments or in a journal.
    pub(super) saved: Tick,
}

/// The metrics of the last hours, in memory.
#[derive(Debug)]
pub(super) struct MemoryStore {
    timeline: Timeline,
    series: FxHashMap<SeriesKey, StoredSeries>,
    max_age: Nanos,
    max_bytes: usize,
    /// The number of series that may be stored: with more, there would be no room for values.
    max_series: usize,
    /// How often a value was left out, since there were too many series.
    left_out: u64,
    /// `None` without files: what is removed from memory was never to be kept.
    on_disk: Option<OnDisk>,
    /// The number of snapshots that were removed before they were in a file.
    dropped: u64,
    /// Whether there is soon no room for snapshots that are in no segment.
    needs_segment: bool,
}

#[derive(Debug)]
struct StoredSeries {
    shape: Arc<SeriesShape>,
    chunks: VecDeque<Arc<Chunk>>,
    /// The first tick of `open`.
    open_at: Tick,
    /// The values that are not encoded yet. Shared with queries.
    open: Arc<Column>,
    /// The size of the chunks.
    chunk_bytes: usize,
    /// The ticks whose values have flags, in ascending order.
    flags: VecDeque<(Tick, StepFlags)>,
}

/// What the values of a series are.
#[derive(Debug)]
struct SeriesShape {
    kind: SeriesKind,
    /// A column of such values, without any.
    empty: Column,
}

/// Encoded values of one series.
#[derive(Debug)]
struct Chunk {
    shape: Arc<SeriesShape>,
    first: Tick,
    len: usize,
    bytes: Box<[u8]>,
}

/// A series as a query reads it. It shares the chunks with the store.
#[derive(Debug)]
pub(super) struct SeriesData {
    pub(super) key: SeriesKey,
    shape: Arc<SeriesShape>,
    chunks: Vec<Arc<Chunk>>,
    open_at: Tick,
    open: Arc<Column>,
    flags: Vec<(Tick, StepFlags)>,
}

impl SeriesStep {
    pub(super) fn new(key: SeriesKey, kind: SeriesKind, step: Step) -> Self {
        Self {
            key,
            kind,
            step,
            flags: StepFlags::default(),
        }
    }
}

impl Step {
    /// A column with this value.
    pub(super) fn column(&self) -> Column {
        match self {
            Self::Number(value) => Column::Numbers(vec![*value]),
            Self::Histogram(values) => Column::Histograms {
                empty: Box::new(values.with(Vec::new(), 0.0)),
                steps: vec![Some(values.clone())],
            },
        }
    }

    /// A column for such values.
    pub(super) fn empty_column(&self) -> Column {
        match self {
            Self::Number(_) => Column::numbers(),
            Self::Histogram(values) => Column::histograms(values),
        }
    }

    /// Whether a column is for such values.
    pub(super) fn is_of(&self, column: &Column) -> bool {
        match (column, self) {
            (Column::Histograms { empty, .. }, Self::Histogram(values)) => {
                empty.bounds() == values.bounds()
            }
            (Column::Numbers(_), Self::Number(_)) => true,
            _ => false,
        }
    }
}

impl MemoryStore {
    pub(super) fn new(config: &HistoryConfig) -> Self {
        Self {
            timeline: Timeline::new(config.interval),
            series: FxHashMap::default(),
            // Two intervals more, so that the whole time is covered at any moment, also if a snapshot is late.
            max_age: nanos(config.memory_age.saturating_add(config.interval * 2)),
            max_bytes: config.max_memory_bytes,
            max_series: config.max_memory_bytes / (2 * OF_SERIES),
            left_out: 0,
            on_disk: None,
            dropped: 0,
            needs_segment: false,
        }
    }

    pub(super) fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Adds the values of a snapshot, and returns its tick. `wall` is in milliseconds since the Unix epoch.
    pub(super) fn add(
        &mut self,
        wall: i64,
        at: Nanos,
        values: impl IntoIterator<Item = (SeriesKey, SeriesKind, Step)>,
    ) -> Option<Tick> {
        let tick = self.timeline.push(wall, at)?;
        self.add_values(tick, values);
        Some(tick)
    }

    /// Adds the values of a snapshot of an earlier process. Returns whether it follows the last one.
    pub(super) fn restore(
        &mut self,
        time: StepTime,
        values: impl IntoIterator<Item = (SeriesKey, SeriesKind, Step)>,
    ) -> bool {
        let tick = self.timeline.restore(time);
        if let Some(tick) = tick {
            self.add_values(tick, values);
        }
        tick.is_some()
    }

    fn add_values(
        &mut self,
        tick: Tick,
        values: impl IntoIterator<Item = (SeriesKey, SeriesKind, Step)>,
    ) {
        for (key, kind, step) in values {
            if let Some(series) = self.series.get_mut(&key) {
                series.change_to(kind, &step, tick);
                series.push(tick, step);
            } else if self.series.len() < self.max_series {
                let mut series = StoredSeries::new(kind, &step, tick);
                series.push(tick, step);
                self.series.insert(key, series);
            } else {
                self.left_out += 1;
            }
        }
        let now = self.timeline.times().back().map_or(0, |time| time.at);
        self.trim(now);
    }

    /// Adds flags to the value that a series has at a tick. Returns whether there is one.
    pub(super) fn flag(&mut self, key: &SeriesKey, tick: Tick, flags: StepFlags) -> bool {
        let is_kept = self.timeline.ticks().contains(&tick);
        let series = self.series.get_mut(key);
        let series = series.filter(|series| is_kept && series.has_value(tick));
        let Some(series) = series else {
            return false;
        };
        match series.flags.binary_search_by_key(&tick, |(tick, _)| *tick) {
            Ok(place) => {
                if let Some((_, all)) = series.flags.get_mut(place) {
                    *all = all.with(flags);
                }
            }
            Err(place) => series.flags.insert(place, (tick, flags)),
        }
        true
    }

    /// Says which snapshots are in files. The others are removed only if there is no room.
    pub(super) fn set_on_disk(&mut self, on_disk: OnDisk) {
        let before = self.on_disk.map_or(0, |before| before.written);
        self.needs_segment &= on_disk.written <= before;
        self.on_disk = Some(on_disk);
    }

    /// The number of snapshots that were removed before they were in a file.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether there is soon no room for snapshots that are in no segment.
    pub(super) fn needs_segment(&self) -> bool {
        self.needs_segment
    }

    /// Numbers the snapshots of this process from `next` on, and dates them after `base`: files have those before. `before`
    /// are the last of those, which are put in front.
    pub(super) fn continue_after(
        &mut self,
        before: Self,
        next: Tick,
        base: Nanos,
        on_disk: OnDisk,
    ) {
        let from = self.timeline.ticks().start;
        self.timeline.renumber(next, base);
        for series in self.series.values_mut() {
            series.renumber(from, next);
        }
        self.on_disk = Some(on_disk);
        if before.timeline.len() > 0 && before.timeline.ticks().end == next {
            self.timeline.prepend(before.timeline);
            for (key, older) in before.series {
                match self.series.entry(key) {
                    Entry::Occupied(mut series) => series.get_mut().prepend(older),
                    Entry::Vacant(place) => drop(place.insert(older)),
                }
            }
        }
    }

    /// The time of a snapshot, and all its values.
    pub(super) fn snapshot_at(&self, tick: Tick) -> Option<(StepTime, Vec<SeriesStep>)> {
        let time = *self.timeline.get(tick)?;
        let values = self.series.iter().filter_map(|(key, series)| {
            let (kind, step, flags) = series.at(tick)?;
            let key = key.clone();
            Some(SeriesStep {
                key,
                kind,
                step,
                flags,
            })
        });
        Some((time, values.collect()))
    }

    /// The names of the metrics, their kinds, and how many series each has.
    pub(super) fn metrics(&self) -> BTreeMap<Arc<str>, (SeriesKind, u64)> {
        let mut metrics = BTreeMap::new();
        for (key, series) in &self.series {
            let kind = series.shape.kind;
            let of_name = metrics.entry(Arc::clone(&key.name));
            of_name.or_insert((kind, 0)).1 += 1;
        }
        metrics
    }

    /// The labels of the series of a metric.
    pub(super) fn labels_of(&self, metric: &str) -> Vec<Arc<str>> {
        let keys = self.series.keys().filter(|key| *key.name == *metric);
        keys.map(|key| Arc::clone(&key.labels)).collect()
    }

    /// How often a value was left out, since there were too many series.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Encodes what is complete, and removes what is too old or does not fit.
    fn trim(&mut self, now: Nanos) {
        // At each tick, a part of the series is encoded, so that no tick takes much longer than the others.
        let end = self.timeline.ticks().end;
        let turn = usize::try_from(end % CHUNK as u64).unwrap_or(0);
        for (n, series) in self.series.values_mut().enumerate() {
            series.encode(end, n % CHUNK == turn);
        }
        let old = self.timeline.too_old(now, self.max_age);
        self.remove(old.min(self.removable()));

        // If there is too much, first encode everything: that alone may be enough.
        if self.bytes() > self.max_bytes {
            // Short chunks would take more than they save.
            let open = self.series.values_mut();
            for series in open.filter(|series| series.open.len() >= MIN_CHUNK) {
                series.close(usize::MAX);
            }
        }
        // Then remove the oldest ticks, some at a time. The last one is always kept.
        while self.timeline.len() > 1 && self.bytes() > self.max_bytes {
            self.remove(self.timeline.len() / 16 + 1);
        }
        self.needs_segment = self.on_disk.is_some()
            && self.bytes() > self.max_bytes - self.max_bytes / 8
            && self.removable() <= self.timeline.len() / 16 + 1;
    }

    /// How many of the oldest ticks may be removed: those that are in segments, or all if there are no files.
    fn removable(&self) -> usize {
        let first = self.timeline.ticks().start;
        self.on_disk.map_or(usize::MAX, |on_disk| {
            usize::try_from(on_disk.written.saturating_sub(first)).unwrap_or(usize::MAX)
        })
    }

    /// Removes the oldest ticks, and the series that have no later values.
    fn remove(&mut self, ticks: usize) {
        if ticks == 0 {
            return;
        }
        self.timeline
            .remove_first(ticks.min(self.timeline.len().saturating_sub(1)));
        let first = self.timeline.ticks().start;
        if let Some(on_disk) = &mut self.on_disk {
            self.dropped += first.saturating_sub(on_disk.saved);
            on_disk.written = on_disk.written.max(first);
            on_disk.saved = on_disk.saved.max(first);
        }
        self.series.retain(|_, series| {
            series.remove_before(first);
            series.end() > first
        });
    }

    /// The estimated size in memory.
    pub(super) fn bytes(&self) -> usize {
        let series = self.series.iter();
        let series = series.map(|(key, series)| key.labels.len() + series.bytes());
        self.timeline.len() * size_of::<StepTime>() + series.sum::<usize>()
    }

    pub(super) fn series(&self) -> usize {
        self.series.len()
    }

    /// The series that `is_wanted`, with their values at some ticks, and maybe at others.
    pub(super) fn read(
        &self,
        ticks: &Range<Tick>,
        is_wanted: impl Fn(&SeriesKey) -> bool,
    ) -> Vec<SeriesData> {
        let wanted = self.series.iter().filter(|(key, _)| is_wanted(key));
        wanted
            .map(|(key, series)| SeriesData {
                key: key.clone(),
                shape: Arc::clone(&series.shape),
                chunks: series
                    .chunks
                    .iter()
                    .filter(|chunk| chunk.overlaps(ticks))
                    .cloned()
                    .collect(),
                open_at: series.open_at,
                open: Arc::clone(&series.open),
                flags: series.flags.iter().copied().collect(),
            })
            .collect()
    }
}

impl MemoryStore {
    /// The series that have flags, without their values.
    pub(super) fn flagged(&self) -> Vec<FlaggedSteps> {
        let flagged = self.series.iter().filter(|(_, it)| !it.flags.is_empty());
        flagged
            .map(|(key, series)| (key.clone(), series.flags.iter().copied().collect()))
            .collect()
    }
}

impl StoredSeries {
    fn new(kind: SeriesKind, step: &Step, tick: Tick) -> Self {
        let shape = SeriesShape::of(kind, step);
        Self {
            open: Arc::new(shape.empty.clone()),
            shape: Arc::new(shape),
            chunks: VecDeque::new(),
            open_at: tick,
            chunk_bytes: 0,
            flags: VecDeque::new(),
        }
    }

    /// Begins a new chunk if the kind or the bounds change.
    fn change_to(&mut self, kind: SeriesKind, step: &Step, tick: Tick) {
        let is_same = self.shape.kind == kind && step.is_of(&self.shape.empty);
        if !is_same && tick >= self.end() {
            self.close(usize::MAX);
            let shape = SeriesShape::of(kind, step);
            self.open = Arc::new(shape.empty.clone());
            self.shape = Arc::new(shape);
            self.open_at = tick;
        }
    }

    /// Whether the series has a value at a tick.
    fn has_value(&self, tick: Tick) -> bool {
        match tick.checked_sub(self.open_at).map(usize::try_from) {
            Some(index) => self.open.has_value(index.unwrap_or(usize::MAX)),
            None => self.chunks.iter().any(|chunk| {
                let values = chunk.decode();
                let index = tick.checked_sub(chunk.first).map(usize::try_from);
                let (Some(values), Some(Ok(index))) = (values, index) else {
                    return false;
                };
                values.has_value(index)
            }),
        }
    }

    fn push(&mut self, tick: Tick, step: Step) {
        let gap = tick.checked_sub(self.open_at);
        let Some(gap) = gap.and_then(|gap| usize::try_from(gap).ok()) else {
            return;
        };
        // A second value for one tick is left out: it would shift all later ones.
        if gap < self.open.len() {
            return;
        }
        // A series that was away for long needs no values for that time.
        let is_new_chunk = gap > self.open.len() + CHUNK;
        if is_new_chunk {
            self.close(usize::MAX);
            self.open_at = tick;
        }
        // Not copied, unless a query reads it at this moment.
        let open = Arc::make_mut(&mut self.open);
        if !is_new_chunk {
            open.pad(gap);
        }
        match (open, step) {
            (Column::Numbers(values), Step::Number(value)) => values.push(value),
            (Column::Histograms { steps, .. }, Step::Histogram(values)) => steps.push(Some(values)),
            _ => {}
        }
    }

    /// The kind, the value and the flags at a tick.
    fn at(&self, tick: Tick) -> Option<(SeriesKind, Step, StepFlags)> {
        let flags = self.flags.binary_search_by_key(&tick, |(tick, _)| *tick);
        let flags = flags.ok().and_then(|place| self.flags.get(place));
        let flags = flags.map_or(StepFlags::default(), |(_, flags)| *flags);
        if let Some(index) = tick.checked_sub(self.open_at) {
            let step = step_of(&self.open, usize::try_from(index).ok()?)?;
            return Some((self.shape.kind, step, flags));
        }
        let chunks = self.chunks.iter().rev();
        let mut chunks = chunks.take_while(|chunk| chunk.first + chunk.len as u64 > tick);
        let chunk = chunks.find(|chunk| chunk.first <= tick)?;
        let index = usize::try_from(tick - chunk.first).ok()?;
        Some((chunk.shape.kind, step_of(&chunk.decode()?, index)?, flags))
    }

    /// Gives the tick `from` the number `to`, which is not lower, and moves all others with it.
    fn renumber(&mut self, from: Tick, to: Tick) {
        let by = to.saturating_sub(from);
        self.open_at += by;
        for (tick, _) in &mut self.flags {
            *tick += by;
        }
        for chunk in &mut self.chunks {
            // Queries that share it go on with the old numbers.
            *chunk = Arc::new(Chunk {
                shape: Arc::clone(&chunk.shape),
                first: chunk.first + by,
                len: chunk.len,
                bytes: chunk.bytes.clone(),
            });
        }
    }

    /// Puts the earlier values of the same series in front.
    fn prepend(&mut self, mut older: Self) {
        older.close(usize::MAX);
        older.chunks.append(&mut self.chunks);
        older.flags.append(&mut self.flags);
        self.chunks = older.chunks;
        self.flags = older.flags;
        self.chunk_bytes += older.chunk_bytes;
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

    /// Encodes the first values.
    fn close(&mut self, count: usize) {
        let values = Arc::make_mut(&mut self.open).split_front(count);
        if values.len() > 0 {
            let chunk = Chunk {
                shape: Arc::clone(&self.shape),
                first: self.open_at,
                len: values.len(),
                bytes: values.encode().into(),
            };
            self.chunk_bytes += chunk.size();
            self.chunks.push_back(Arc::new(chunk));
        }
        self.open_at += values.len() as u64;
    }

    /// The tick after the last value.
    fn end(&self) -> Tick {
        self.open_at + self.open.len() as u64
    }

    /// Removes the values before a tick that are not in one chunk with later ones.
    fn remove_before(&mut self, first: Tick) {
        while let Some(chunk) = self.chunks.front()
            && chunk.first + chunk.len as u64 <= first
        {
            self.chunk_bytes -= chunk.size().min(self.chunk_bytes);
            self.chunks.pop_front();
        }
        if self.chunks.is_empty() && self.open_at < first {
            let old = usize::try_from(first - self.open_at).unwrap_or(usize::MAX);
            let old = Arc::make_mut(&mut self.open).split_front(old);
            self.open_at += old.len() as u64;
        }
        while self.flags.front().is_some_and(|(tick, _)| *tick < first) {
            self.flags.pop_front();
        }
    }

    fn bytes(&self) -> usize {
        let flags = self.flags.capacity() * size_of::<(Tick, StepFlags)>();
        OF_SERIES + self.chunk_bytes + self.open.bytes() + flags
    }
}

impl Chunk {
    fn overlaps(&self, ticks: &Range<Tick>) -> bool {
        self.first < ticks.end && self.first + self.len as u64 > ticks.start
    }

    fn size(&self) -> usize {
        self.bytes.len() + OF_CHUNK
    }

    /// `None` if the bytes are damaged.
    fn decode(&self) -> Option<Column> {
        self.shape.empty.decode(&self.bytes, self.len)
    }
}

impl SeriesShape {
    fn of(kind: SeriesKind, step: &Step) -> Self {
        Self {
            kind,
            empty: step.empty_column(),
        }
    }
}

/// The value at a position of a column.
fn step_of(column: &Column, index: usize) -> Option<Step> {
    match column {
        Column::Numbers(values) => {
            let value = *values.get(index)?;
            (!is_missing(value)).then_some(Step::Number(value))
        }
        Column::Histograms { steps, .. } => Some(Step::Histogram(steps.get(index)?.clone()?)),
        Column::Gauges(_) => None,
    }
}

impl SeriesData {
    /// The values of the series at some ticks, and maybe at others, in ascending order. They are decoded one run after the
    /// other. Damaged chunks are left out.
    pub(super) fn runs(&self, ticks: &Range<Tick>) -> impl Iterator<Item = SeriesRun> {
        let chunks = self.chunks.iter().filter(|chunk| chunk.overlaps(ticks));
        let chunks = chunks.filter_map(|chunk| {
            let values = Arc::new(chunk.decode()?);
            Some(self.run(chunk.shape.kind, chunk.first, values))
        });
        let open = || self.run(self.shape.kind, self.open_at, Arc::clone(&self.open));
        chunks.chain(std::iter::once_with(open))
    }

    fn run(&self, kind: SeriesKind, first: Tick, column: Arc<Column>) -> SeriesRun {
        let end = first + column.len() as u64;
        let start = self.flags.partition_point(|(tick, _)| *tick < first);
        let flags = self.flags.get(start..).unwrap_or_default().iter();
        let flags = flags.take_while(|(tick, _)| *tick < end);
        let position = |tick: Tick| u32::try_from(tick - first).unwrap_or(u32::MAX);
        SeriesRun {
            key: self.key.clone(),
            kind,
            first,
            column,
            flags: flags
                .map(|(tick, flags)| (position(*tick), *flags))
                .collect(),
        }
    }
}
