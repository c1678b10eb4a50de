use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::super::column::Column;
use super::super::numbers::take_varint;
use super::super::steps::{
    Resolution, SeriesKey, SeriesKind, SeriesRun, StepFlags, StepTime, Tick,
};
use super::files::{InputFile, StoreFiles};
use super::format::{
    FOOTER, HEAD, MetricEntry, SegmentFooter, SegmentHeader, SeriesEntry, decode_chunk,
    decode_table, inflate, take_flags,
};

/// The end of the name of a segment's file.
pub(super) const SEGMENT: &str = ".seg";
/// Chunks with less between them are read together.
const MAX_BETWEEN: usize = 8 << 10;
/// The maximum number of bytes that are read together, unless one chunk is larger.
const MAX_READ: usize = 1 << 20;

/// A complete file with the values of all series at consecutive steps. Cheap to clone; the file is opened for each read.
///
/// A method that reads blocks. It fails with [`ErrorKind::NotFound`] if the file was removed meanwhile.
#[derive(Debug, Clone)]
pub(in crate::history) struct Segment(Arc<SegmentFile>);

#[derive(Debug)]
struct SegmentFile {
    files: Arc<dyn StoreFiles>,
    name: String,
    bytes: u64,
    header: SegmentHeader,
    /// Where the first metric begins.
    metrics_at: u64,
    footer: SegmentFooter,
    /// The most series that one read found damaged.
    damaged: AtomicU64,
    /// Whether the index is damaged, or the file is gone.
    is_unreadable: AtomicBool,
}

impl Segment {
    pub(super) fn new(
        files: &Arc<dyn StoreFiles>,
        name: String,
        bytes: u64,
        header: SegmentHeader,
        metrics_at: u64,
        footer: SegmentFooter,
    ) -> Self {
        Self(Arc::new(SegmentFile {
            files: Arc::clone(files),
            name,
            bytes,
            header,
            metrics_at,
            footer,
            damaged: AtomicU64::new(0),
            is_unreadable: AtomicBool::new(false),
        }))
    }

    /// Reads the header and the footer of a file. Fails with [`ErrorKind::InvalidData`] if they are damaged.
    pub(super) fn open(files: &Arc<dyn StoreFiles>, name: &str) -> io::Result<Self> {
        let mut file = files.open(name)?;
        let bytes = file.len();
        let Some(footer_at) = bytes.checked_sub(FOOTER as u64) else {
            return Err(damaged(name));
        };
        let footer = file.read_at(footer_at, FOOTER)?;
        let footer = SegmentFooter::decode(&footer, bytes).ok_or_else(|| damaged(name))?;
        let header = read_header(&mut *file, footer.offset).ok_or_else(|| damaged(name))??;
        let (header, metrics_at) = header;
        if segment_name(header.resolution, header.first, header.times.len()) != name {
            return Err(damaged(name));
        }
        Ok(Self::new(
            files,
            name.to_owned(),
            bytes,
            header,
            metrics_at,
            footer,
        ))
    }

    pub(in crate::history) fn resolution(&self) -> Resolution {
        self.0.header.resolution
    }

    /// The numbers of its steps.
    pub(in crate::history) fn steps(&self) -> Range<Tick> {
        let header = &self.0.header;
        header.first..header.first + header.times.len() as u64
    }

    /// The time of each step.
    pub(in crate::history) fn times(&self) -> &[StepTime] {
        &self.0.header.times
    }

    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    /// The length of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// The most series that one read found damaged.
    pub(super) fn damaged(&self) -> u64 {
        self.0.damaged.load(Relaxed)
    }

    /// Whether a read found that the index is damaged, or that the file is gone.
    pub(super) fn is_unreadable(&self) -> bool {
        self.0.is_unreadable.load(Relaxed)
    }

    /// The names of its metrics, in order, and how many series each has.
    pub(in crate::history) fn sizes(&self) -> io::Result<Vec<(Arc<str>, u64)>> {
        let mut file = self.file()?;
        let index = self.index(&mut *file)?;
        Ok(index.into_iter().map(|it| (it.name, it.series)).collect())
    }

    /// The kind and the labels of each series of a metric.
    pub(in crate::history) fn series_of(
        &self,
        metric: &str,
    ) -> io::Result<Vec<(SeriesKind, Arc<str>)>> {
        let mut file = self.file()?;
        let Some((entry, offset)) = self.find(&mut *file, metric)? else {
            return Ok(Vec::new());
        };
        let Some(table) = self.table(&mut *file, &entry, offset)? else {
            self.0.damaged.fetch_max(entry.series, Relaxed);
            return Ok(Vec::new());
        };
        let series = table.into_iter();
        Ok(series.map(|it| (it.kind, it.key.labels)).collect())
    }

    /// Reads the series of a metric that `is_wanted` at some steps, and the number of series that are damaged and left
    /// out. A series may have several runs.
    pub(in crate::history) fn read(
        &self,
        metric: &str,
        steps: &Range<Tick>,
        is_wanted: &dyn Fn(&SeriesKey) -> bool,
    ) -> io::Result<(Vec<SeriesRun>, u64)> {
        let mut runs = Vec::new();
        let damaged = self.read_each(metric, steps, is_wanted, &mut |run| runs.push(run))?;
        Ok((runs, damaged))
    }

    /// Like [`read`](Self::read), and passes each run to `add`, so that not all of them are in memory at once.
    pub(in crate::history) fn read_each(
        &self,
        metric: &str,
        steps: &Range<Tick>,
        is_wanted: &dyn Fn(&SeriesKey) -> bool,
        add: &mut dyn FnMut(SeriesRun),
    ) -> io::Result<u64> {
        let own = self.steps();
        if steps.start >= own.end || steps.end <= own.start {
            return Ok(0);
        }
        let mut file = self.file()?;
        let Some((entry, offset)) = self.find(&mut *file, metric)? else {
            return Ok(0);
        };
        let Some(table) = self.table(&mut *file, &entry, offset)? else {
            self.0.damaged.fetch_max(entry.series, Relaxed);
            return Ok(entry.series);
        };
        let chunks = offset.saturating_add(entry.table);
        let own = self.steps();
        let mut places = Vec::new();
        let mut at = 0_usize;
        for entry in table {
            let first = own.start + entry.first as u64;
            let overlaps = first < steps.end && first + entry.len as u64 > steps.start;
            let place = at..at.saturating_add(entry.bytes);
            at = place.end;
            if overlaps && is_wanted(&entry.key) {
                places.push((place, entry));
            }
        }
        let damaged = self.read_chunks(&mut *file, &places, chunks, steps, add)?;
        self.0.damaged.fetch_max(damaged, Relaxed);
        Ok(damaged)
    }

    /// Reads chunks, those that are close to each other at once. Returns how many are damaged.
    fn read_chunks(
        &self,
        file: &mut dyn InputFile,
        places: &[(Range<usize>, SeriesEntry)],
        chunks: u64,
        steps: &Range<Tick>,
        add: &mut dyn FnMut(SeriesRun),
    ) -> io::Result<u64> {
        let own = self.steps();
        let mut damaged = 0;
        let mut rest = places;
        while let Some((first, _)) = rest.first() {
            let mut end = first.end;
            let together = rest.iter().take_while(|(place, _)| {
                let is_close = place.start <= end.saturating_add(MAX_BETWEEN)
                    && (place.start == first.start || place.end - first.start <= MAX_READ);
                end = if is_close { place.end } else { end };
                is_close
            });
            let count = together.count();
            let bytes = file.read_at(chunks + first.start as u64, end - first.start)?;
            let (group, others) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            for (place, entry) in group {
                let chunk = bytes.get(place.start - first.start..place.end - first.start);
                match chunk.and_then(|chunk| decode_chunk(chunk, entry)) {
                    Some((flags, column)) => {
                        let run = SeriesRun {
                            key: entry.key.clone(),
                            kind: entry.kind,
                            first: own.start + entry.first as u64,
                            column: Arc::new(column),
                            flags,
                        };
                        cut(run, steps).into_iter().for_each(&mut *add);
                    }
                    None => damaged += 1,
                }
            }
            rest = others;
        }
        Ok(damaged)
    }

    /// Passes the flags of each series at some steps to `add`. Reads the tables of all metrics, and the chunks that have
    /// flags, until `budget` bytes are read. Returns whether the budget was enough.
    pub(in crate::history) fn flags_each(
        &self,
        steps: &Range<Tick>,
        budget: &mut u64,
        add: &mut dyn FnMut(&SeriesKey, Tick, StepFlags),
    ) -> io::Result<bool> {
        let own = self.steps();
        let mut file = self.file()?;
        let mut offset = self.0.metrics_at;
        for metric in self.index(&mut *file)? {
            let Some(left) = budget.checked_sub(metric.table) else {
                return Ok(false);
            };
            *budget = left;
            // What is damaged is counted when values are read.
            let table = self.table(&mut *file, &metric, offset)?;
            let mut at = offset.saturating_add(metric.table);
            offset = at.saturating_add(metric.chunks);
            for entry in table.into_iter().flatten() {
                let place = at;
                at = at.saturating_add(entry.bytes as u64);
                let first = own.start + entry.first as u64;
                let overlaps = first < steps.end && first + entry.len as u64 > steps.start;
                if !entry.has_flags || !overlaps {
                    continue;
                }
                let Some(left) = budget.checked_sub(entry.bytes as u64) else {
                    return Ok(false);
                };
                *budget = left;
                let chunk = file.read_at(place, entry.bytes)?;
                let flags = take_flags(&mut &*chunk, &entry);
                for (step, flags) in flags.into_iter().flatten() {
                    let tick = first + u64::from(step);
                    if steps.contains(&tick) {
                        add(&entry.key, tick, flags);
                    }
                }
            }
        }
        Ok(true)
    }

    /// The entry of a metric, and where its table begins.
    fn find(
        &self,
        file: &mut dyn InputFile,
        metric: &str,
    ) -> io::Result<Option<(MetricEntry, u64)>> {
        let mut offset = self.0.metrics_at;
        for entry in self.index(file)? {
            if *entry.name == *metric {
                return Ok(Some((entry, offset)));
            }
            offset = offset.saturating_add(entry.table.saturating_add(entry.chunks));
        }
        Ok(None)
    }

    /// Reads the table of a metric. `None` if it is damaged.
    fn table(
        &self,
        file: &mut dyn InputFile,
        entry: &MetricEntry,
        offset: u64,
    ) -> io::Result<Option<Vec<SeriesEntry>>> {
        let len = usize::try_from(entry.table).map_err(io::Error::other)?;
        let compressed = file.read_at(offset, len)?;
        if crc32fast::hash(&compressed) != entry.table_crc {
            return Ok(None);
        }
        let table = inflate(&compressed, entry.inflated);
        Ok(table.and_then(|table| decode_table(&table, entry, self.times().len())))
    }

    fn file(&self) -> io::Result<Box<dyn InputFile>> {
        self.0.files.open(&self.0.name).inspect_err(|error| {
            if error.kind() == ErrorKind::NotFound {
                self.0.is_unreadable.store(true, Relaxed);
            }
        })
    }

    fn index(&self, file: &mut dyn InputFile) -> io::Result<Vec<MetricEntry>> {
        let footer = &self.0.footer;
        let len = usize::try_from(footer.len).map_err(io::Error::other)?;
        let bytes = file.read_at(footer.offset, len)?;
        let index = (crc32fast::hash(&bytes) == footer.crc).then(|| self.decode_index(&bytes));
        index.flatten().ok_or_else(|| {
            self.0.damaged.fetch_max(1, Relaxed);
            self.0.is_unreadable.store(true, Relaxed);
            damaged(&self.0.name)
        })
    }

    fn decode_index(&self, mut bytes: &[u8]) -> Option<Vec<MetricEntry>> {
        let count = take_varint(&mut bytes)?;
        let mut entries = Vec::new();
        let mut end = self.0.metrics_at;
        for _ in 0..count {
            let entry = MetricEntry::take(&mut bytes)?;
            end = end.checked_add(entry.table)?.checked_add(entry.chunks)?;
            entries.push(entry);
        }
        (bytes.is_empty() && end == self.0.footer.offset).then_some(entries)
    }
}

/// Reads the header, which ends before `limit`, and returns where it ends. `None` if it is damaged.
fn read_header(file: &mut dyn InputFile, limit: u64) -> Option<io::Result<(SegmentHeader, u64)>> {
    // Most headers are read with the first bytes.
    let mut bytes = match file.read_at(0, usize::try_from(limit).ok()?.min(16 << 10)) {
        Ok(bytes) => bytes,
        Err(error) => return Some(Err(error)),
    };
    let (len, crc) = SegmentHeader::read_head(bytes.get(..HEAD)?)?;
    let end = HEAD.checked_add(len)?;
    if end as u64 > limit {
        return None;
    }
    if let Some(more) = end.checked_sub(bytes.len()) {
        match file.read_at(bytes.len() as u64, more) {
            Ok(rest) => bytes.extend_from_slice(&rest),
            Err(error) => return Some(Err(error)),
        }
    }
    let header = SegmentHeader::decode(bytes.get(HEAD..end)?, crc)?;
    Some(Ok((header, end as u64)))
}

/// The part of a run at some steps. `None` if there is none.
pub(super) fn cut(mut run: SeriesRun, steps: &Range<Tick>) -> Option<SeriesRun> {
    let end = run.first + run.column.len() as u64;
    if steps.start <= run.first && steps.end >= end {
        return Some(run);
    }
    let first = steps.start.max(run.first);
    let before = usize::try_from(first - run.first).ok()?;
    let count = usize::try_from(steps.end.min(end).checked_sub(first)?).ok()?;
    let mut column: Column = Arc::unwrap_or_clone(run.column);
    drop(column.split_front(before));
    run.column = Arc::new(column.split_front(count));
    run.first = first;
    let before = u32::try_from(before).ok()?;
    run.flags
        .retain_mut(|(step, _)| match step.checked_sub(before) {
            Some(moved) => {
                *step = moved;
                (moved as usize) < count
            }
            None => false,
        });
    Some(run)
}

/// The name of a segment's file. Names of one resolution are in the order of the steps.
pub(super) fn segment_name(resolution: Resolution, first: Tick, steps: usize) -> String {
    let resolution = match resolution {
        Resolution::Raw => "raw",
        Resolution::Minute => "minute",
        Resolution::Hour => "hour",
    };
    format!("{resolution}-{first:020}-{steps}{SEGMENT}")
}

fn damaged(name: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("{name} is damaged"))
}
