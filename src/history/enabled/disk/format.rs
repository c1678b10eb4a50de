//! The layout of a segment file. Numbers are varints unless they have a fixed size; fixed sizes are little-endian.
//!
//! - The head: the magic bytes, the length and the checksum of the header (4 bytes each), and the header: resolution,
//!   first step, number of steps, and the time of each step.
//! - For each metric, in the order of the names: a compressed table of its series, then a chunk for each of them: its
//!   flags, and its values.
//! - The index: the name of each metric, and the sizes of its table and chunks.
//! - The footer, of a fixed size: the offset (8 bytes), length and checksum of the index, the checksum of these
//!   (4 bytes each), and the magic bytes.
//!
//! Every byte but the magic ones is under one of the checksums.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::super::column::{Column, GaugeSteps};
use super::super::numbers::{push_varint, take_varint, unzigzag, zigzag};
use super::super::steps::{
    Resolution, SeriesKey, SeriesKind, SeriesRun, StepFlags, StepTime, Tick,
};
use crate::metrics::HistogramValues;

/// The first and the last bytes of a file. The digits are the version of the format.
pub(super) const MAGIC: [u8; 8] = *b"WPHIST01";
/// The bytes before the header.
pub(super) const HEAD: usize = MAGIC.len() + 4 + 4;
pub(super) const FOOTER: usize = 8 + 4 + 4 + 4 + MAGIC.len();
/// The maximum number of steps of one segment.
pub(super) const MAX_STEPS: usize = 1 << 16;
/// The bit of a kind in a table that says that the chunk has flags, so that others need not be read to find those.
const HAS_FLAGS: u8 = 0x80;
/// How much larger than its compressed form a table can be.
const MAX_RATIO: u64 = 1100;

/// The header of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) resolution: Resolution,
    pub(super) first: Tick,
    pub(super) times: Vec<StepTime>,
}

/// Where the index of a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentFooter {
    pub(super) offset: u64,
    pub(super) len: u32,
    pub(super) crc: u32,
}

/// The entry of a metric in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MetricEntry {
    pub(super) name: Arc<str>,
    /// The number of series.
    pub(super) series: u64,
    /// The length of the compressed table.
    pub(super) table: u64,
    /// The length of the table itself.
    pub(super) inflated: u64,
    pub(super) table_crc: u32,
    /// The length of all chunks.
    pub(super) chunks: u64,
}

/// The entry of a series in the table of its metric.
#[derive(Debug)]
pub(super) struct SeriesEntry {
    pub(super) key: SeriesKey,
    pub(super) kind: SeriesKind,
    /// An empty column of the kind and the bounds.
    pub(super) empty: Column,
    /// Whether steps of its chunk have flags.
    pub(super) has_flags: bool,
    /// The first step, counted from that of the segment.
    pub(super) first: usize,
    /// The number of steps.
    pub(super) len: usize,
    /// The length of the chunk.
    pub(super) bytes: usize,
    pub(super) crc: u32,
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    push_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let len = take_len(bytes)?;
    let (text, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

pub(super) fn take_len(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(take_varint(bytes)?).ok()
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*number))
}

fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*byte)
}

/// Appends the time of a step, as differences to the step before.
pub(super) fn put_time(out: &mut Vec<u8>, time: &StepTime, before: Option<&StepTime>) {
    let wall = before.map_or(0, |before| before.wall);
    push_varint(out, zigzag(time.wall.wrapping_sub(wall)));
    push_varint(out, zigzag(time.length));
    let at = before.map_or(0, |before| before.at);
    push_varint(out, zigzag(time.at.wrapping_sub(at).cast_signed()));
    push_varint(
        out,
        u64::from(time.snapshots) << 1 | u64::from(time.has_gap),
    );
    let first = time.first_snapshot.wrapping_sub(end_of(before));
    push_varint(out, zigzag(first.cast_signed()));
}

/// Reads the time of a step.
pub(super) fn take_time(bytes: &mut &[u8], before: Option<&StepTime>) -> Option<StepTime> {
    let wall = before.map_or(0, |before| before.wall);
    let wall = wall.wrapping_add(unzigzag(take_varint(bytes)?));
    let length = unzigzag(take_varint(bytes)?);
    let at = before.map_or(0, |before| before.at);
    let at = at.wrapping_add(unzigzag(take_varint(bytes)?).cast_unsigned());
    let snapshots = take_varint(bytes)?;
    let first = unzigzag(take_varint(bytes)?).cast_unsigned();
    Some(StepTime {
        wall,
        length,
        at,
        has_gap: snapshots & 1 == 1,
        first_snapshot: end_of(before).wrapping_add(first),
        snapshots: u32::try_from(snapshots >> 1).ok()?,
    })
}

/// The snapshot after those of a step.
fn end_of(step: Option<&StepTime>) -> Tick {
    step.map_or(0, |step| {
        step.first_snapshot.wrapping_add(u64::from(step.snapshots))
    })
}

fn code_of(resolution: Resolution) -> u8 {
    match resolution {
        Resolution::Raw => 0,
        Resolution::Minute => 1,
        Resolution::Hour => 2,
    }
}

impl SegmentHeader {
    /// The magic bytes and the header.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut payload = vec![code_of(self.resolution)];
        push_varint(&mut payload, self.first);
        push_varint(&mut payload, self.times.len() as u64);
        let mut before = None;
        for time in &self.times {
            put_time(&mut payload, time, before);
            before = Some(time);
        }
        let mut out = MAGIC.to_vec();
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
        out.extend_from_slice(&payload);
        out
    }

    /// The length of the header that follows these [`HEAD`] bytes, and its checksum.
    pub(super) fn read_head(mut head: &[u8]) -> Option<(usize, u32)> {
        let magic: [u8; 8];
        (magic, head) = head.split_first_chunk().map(|(one, rest)| (*one, rest))?;
        if magic != MAGIC {
            return None;
        }
        let len = take_u32(&mut head)?;
        Some((usize::try_from(len).ok()?, take_u32(&mut head)?))
    }

    pub(super) fn decode(mut payload: &[u8], crc: u32) -> Option<Self> {
        if crc32fast::hash(payload) != crc {
            return None;
        }
        let bytes = &mut payload;
        let resolution = match take_byte(bytes)? {
            0 => Resolution::Raw,
            1 => Resolution::Minute,
            2 => Resolution::Hour,
            _ => return None,
        };
        let first = take_varint(bytes)?;
        let count = take_len(bytes)?;
        if count == 0 || count > MAX_STEPS {
            return None;
        }
        first.checked_add(count as u64)?;
        let mut times: Vec<StepTime> = Vec::with_capacity(count);
        for _ in 0..count {
            times.push(take_time(bytes, times.last())?);
        }
        bytes.is_empty().then_some(Self {
            resolution,
            first,
            times,
        })
    }
}

impl SegmentFooter {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = self.offset.to_le_bytes().to_vec();
        out.extend_from_slice(&self.len.to_le_bytes());
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        out.extend_from_slice(&MAGIC);
        out
    }

    /// Reads the footer of a file of `len` bytes.
    pub(super) fn decode(bytes: &[u8], len: u64) -> Option<Self> {
        let (offset, mut rest) = bytes.split_first_chunk()?;
        let footer = Self {
            offset: u64::from_le_bytes(*offset),
            len: take_u32(&mut rest)?,
            crc: take_u32(&mut rest)?,
        };
        let end = footer.offset.checked_add(u64::from(footer.len))?;
        let is_at_end = end.checked_add(FOOTER as u64)? == len;
        (is_at_end && footer.encode() == bytes).then_some(footer)
    }
}

impl MetricEntry {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_text(out, &self.name);
        for number in [self.series, self.table, self.inflated, self.chunks] {
            push_varint(out, number);
        }
        out.extend_from_slice(&self.table_crc.to_le_bytes());
    }

    pub(super) fn take(bytes: &mut &[u8]) -> Option<Self> {
        let name = take_text(bytes)?.into();
        let entry = Self {
            name,
            series: take_varint(bytes)?,
            table: take_varint(bytes)?,
            inflated: take_varint(bytes)?,
            chunks: take_varint(bytes)?,
            table_crc: take_u32(bytes)?,
        };
        let is_possible = entry.inflated <= entry.table.saturating_mul(MAX_RATIO);
        is_possible.then_some(entry)
    }
}

/// The table entry of a run without its chunk's place, and the chunk.
pub(super) fn encode_run(out: &mut Vec<u8>, run: &SeriesRun, first: usize) -> Vec<u8> {
    let chunk = encode_chunk(run);
    put_text(out, &run.key.labels);
    let kind_at = out.len();
    put_kind(out, run.kind, &run.column);
    if let Some(kind) = out.get_mut(kind_at).filter(|_| !run.flags.is_empty()) {
        *kind |= HAS_FLAGS;
    }
    push_varint(out, first as u64);
    push_varint(out, run.column.len() as u64);
    push_varint(out, chunk.len() as u64);
    out.extend_from_slice(&crc32fast::hash(&chunk).to_le_bytes());
    chunk
}

/// Appends the kind of a series and, for a histogram, its bounds.
pub(super) fn put_kind(out: &mut Vec<u8>, kind: SeriesKind, column: &Column) {
    let code = match (kind, column) {
        (_, Column::Histograms { .. }) => 2,
        (_, Column::Gauges(_)) => 3,
        (SeriesKind::Gauge, Column::Numbers(_)) => 0,
        (_, Column::Numbers(_)) => 1,
    };
    out.push(code);
    if let Column::Histograms { empty, .. } = column {
        push_varint(out, empty.bounds().len() as u64);
        for bound in empty.bounds() {
            out.extend_from_slice(&bound.to_le_bytes());
        }
    }
}

/// Reads the kind of a series, and an empty column of it. Uses the bounds of the last histogram again if they are equal.
pub(super) fn take_kind(
    bytes: &mut &[u8],
    last: &mut Option<Box<HistogramValues>>,
) -> Option<(SeriesKind, Column)> {
    let code = take_byte(bytes)?;
    take_kind_of(code, bytes, last)
}

/// Like [`take_kind`], after the code was read.
fn take_kind_of(
    code: u8,
    bytes: &mut &[u8],
    last: &mut Option<Box<HistogramValues>>,
) -> Option<(SeriesKind, Column)> {
    Some(match code {
        0 => (SeriesKind::Gauge, Column::numbers()),
        1 => (SeriesKind::Counter, Column::numbers()),
        2 => {
            let count = take_len(bytes)?;
            let (bounds, rest) = bytes.split_at_checked(count.checked_mul(8)?)?;
            *bytes = rest;
            let bounds = bounds.chunks_exact(8).filter_map(|it| it.first_chunk());
            let bounds: Vec<f64> = bounds.map(|it| f64::from_le_bytes(*it)).collect();
            let same = last.take().filter(|last| last.bounds() == bounds);
            let empty = same.unwrap_or_else(|| Box::new(HistogramValues::empty(&bounds)));
            *last = Some(empty.clone());
            (SeriesKind::Histogram, Column::histograms(&empty))
        }
        3 => (SeriesKind::Gauge, Column::Gauges(GaugeSteps::default())),
        _ => return None,
    })
}

pub(super) fn compress(table: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(table)?;
    encoder.finish()
}

/// Restores a table of the length that its entry says.
pub(super) fn inflate(compressed: &[u8], len: u64) -> Option<Vec<u8>> {
    let mut table = Vec::new();
    let mut decoder = DeflateDecoder::new(compressed).take(len.checked_add(1)?);
    decoder.read_to_end(&mut table).ok()?;
    (table.len() as u64 == len).then_some(table)
}

/// Reads the table of a metric, of a segment with `steps` steps.
pub(super) fn decode_table(
    mut table: &[u8],
    metric: &MetricEntry,
    steps: usize,
) -> Option<Vec<SeriesEntry>> {
    let bytes = &mut table;
    let mut entries = Vec::new();
    let (mut last, mut total) = (None, 0_u64);
    while !bytes.is_empty() {
        let labels = take_text(bytes)?.into();
        let code = take_byte(bytes)?;
        let (kind, empty) = take_kind_of(code & !HAS_FLAGS, bytes, &mut last)?;
        let entry = SeriesEntry {
            key: SeriesKey {
                name: Arc::clone(&metric.name),
                labels,
            },
            kind,
            empty,
            has_flags: code & HAS_FLAGS != 0,
            first: take_len(bytes)?,
            len: take_len(bytes)?,
            bytes: take_len(bytes)?,
            crc: take_u32(bytes)?,
        };
        if entry.first.checked_add(entry.len)? > steps {
            return None;
        }
        total = total.checked_add(entry.bytes as u64)?;
        entries.push(entry);
    }
    (total == metric.chunks && entries.len() as u64 == metric.series).then_some(entries)
}

fn encode_chunk(run: &SeriesRun) -> Vec<u8> {
    let mut out = Vec::new();
    push_varint(&mut out, run.flags.len() as u64);
    let mut before = 0;
    for (step, flags) in &run.flags {
        push_varint(&mut out, u64::from(step.saturating_sub(before)));
        out.push(flags.0);
        before = *step;
    }
    out.extend_from_slice(&run.column.encode());
    out
}

/// The flags and values of a chunk. `None` if it is damaged.
pub(super) fn decode_chunk(
    mut chunk: &[u8],
    entry: &SeriesEntry,
) -> Option<(Vec<(u32, StepFlags)>, Column)> {
    let flags = take_flags(&mut chunk, entry)?;
    Some((flags, entry.empty.decode(chunk, entry.len)?))
}

/// Reads the flags of a chunk, which are before its values. `None` if the chunk is damaged.
pub(super) fn take_flags(chunk: &mut &[u8], entry: &SeriesEntry) -> Option<Vec<(u32, StepFlags)>> {
    if crc32fast::hash(chunk) != entry.crc {
        return None;
    }
    let count = take_len(chunk)?;
    let mut flags = Vec::new();
    let mut step = 0_u32;
    for _ in 0..count {
        step = step.checked_add(u32::try_from(take_varint(chunk)?).ok()?)?;
        flags.push((step, StepFlags(take_byte(chunk)?)));
    }
    Some(flags)
}
