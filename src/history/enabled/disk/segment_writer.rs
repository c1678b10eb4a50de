use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;

use super::super::numbers::push_varint;
use super::super::steps::{Resolution, SeriesRun, StepTime, Tick};
use super::files::{OutputFile, StoreFiles};
use super::format::{MAX_STEPS, MetricEntry, SegmentFooter, SegmentHeader, compress, encode_run};
use super::segment::{Segment, segment_name};

/// What a file is called until it is complete.
pub(super) const TEMPORARY: &str = ".tmp";
/// The bytes that are written at a time.
const BUFFER: usize = 256 << 10;

/// Writes a segment, some series at a time, so that only one metric is in memory, and that encoded.
pub(super) struct SegmentWriter {
    files: Arc<dyn StoreFiles>,
    file: Box<dyn OutputFile>,
    name: String,
    header: SegmentHeader,
    buffer: Vec<u8>,
    /// The length of what was appended, with the buffer.
    len: u64,
    /// Where the first metric begins.
    metrics_at: u64,
    /// The table and the chunks of the metric whose series are being added, and their number.
    table: Vec<u8>,
    chunks: Vec<u8>,
    series: u64,
    index: Vec<u8>,
    metrics: u64,
}

impl SegmentWriter {
    /// Begins a segment with steps from `first` on. It has at least one step.
    pub(super) fn create(
        files: &Arc<dyn StoreFiles>,
        resolution: Resolution,
        first: Tick,
        times: Vec<StepTime>,
    ) -> io::Result<Self> {
        if times.is_empty() || times.len() > MAX_STEPS {
            let text = format!("a segment cannot have {} steps", times.len());
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        let name = segment_name(resolution, first, times.len());
        let header = SegmentHeader {
            resolution,
            first,
            times,
        };
        let head = header.encode();
        Ok(Self {
            files: Arc::clone(files),
            file: files.create(&temporary(&name))?,
            name,
            header,
            len: head.len() as u64,
            metrics_at: head.len() as u64,
            buffer: head,
            table: Vec::new(),
            chunks: Vec::new(),
            series: 0,
            index: Vec::new(),
            metrics: 0,
        })
    }

    /// Adds series of the metric that [`end_metric`](Self::end_metric) will name. A series may have several runs. Runs that
    /// are not within the segment's steps are left out.
    pub(super) fn add_runs(&mut self, runs: &[SeriesRun]) {
        for run in runs {
            let first = run.first.checked_sub(self.header.first);
            let first = first.and_then(|first| usize::try_from(first).ok());
            let is_inside = |first: &usize| first + run.column.len() <= self.header.times.len();
            if let Some(first) = first.filter(is_inside)
                && run.column.len() > 0
            {
                let chunk = encode_run(&mut self.table, run, first);
                self.chunks.extend_from_slice(&chunk);
                self.series += 1;
            }
        }
    }

    /// Writes the metric whose series were added. Metrics are written in the order of their names.
    pub(super) fn end_metric(&mut self, name: &str) -> io::Result<()> {
        let (table, chunks) = (mem::take(&mut self.table), mem::take(&mut self.chunks));
        let series = mem::take(&mut self.series);
        if series == 0 {
            return Ok(());
        }
        let compressed = compress(&table)?;
        let entry = MetricEntry {
            name: name.into(),
            series,
            table: compressed.len() as u64,
            inflated: table.len() as u64,
            table_crc: crc32fast::hash(&compressed),
            chunks: chunks.len() as u64,
        };
        entry.put(&mut self.index);
        self.metrics += 1;
        self.append(&compressed)?;
        self.append(&chunks)
    }

    /// Writes the rest, syncs the file and gives it its name. The segment is on the disk when this returns.
    pub(super) fn finish(mut self) -> io::Result<Segment> {
        let mut index = Vec::new();
        push_varint(&mut index, self.metrics);
        index.append(&mut self.index);
        let footer = SegmentFooter {
            offset: self.len,
            len: u32::try_from(index.len()).map_err(io::Error::other)?,
            crc: crc32fast::hash(&index),
        };
        self.append(&index)?;
        self.append(&footer.encode())?;
        self.file.append(&self.buffer)?;
        self.file.sync()?;
        // Some systems cannot rename an open file.
        drop(self.file);
        self.files.rename(&temporary(&self.name), &self.name)?;
        self.files.sync_names()?;
        Ok(Segment::new(
            &self.files,
            self.name,
            self.len,
            self.header,
            self.metrics_at,
            footer,
        ))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.len += bytes.len() as u64;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER {
            self.file.append(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

fn temporary(name: &str) -> String {
    format!("{name}{TEMPORARY}")
}
