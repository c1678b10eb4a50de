//! The journal: the snapshots since the last segment, one record each.
//!
//! A file has a header (magic bytes, the first snapshot's number, a checksum), then records: a mark, the length and the
//! checksum of the body, and the body. A record names each series at its first use, and gives it a number. A reader skips
//! a damaged record, and finds those after it. The series that it named are then unknown for the rest of the file.

use std::io;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::super::column::Column;
use super::super::numbers::{self, MISSING, is_missing, push_varint, take_varint};
use super::super::steps::{SeriesKey, SeriesKind, StepFlags, StepTime, Tick};
use super::super::store::{SeriesStep, Step};
use super::files::{InputFile, OutputFile, StoreFiles};
use super::format::{put_kind, put_text, put_time, take_kind, take_len, take_text, take_time};

/// The begin of a journal's name. The number of its first snapshot follows.
pub(super) const JOURNAL: &str = "journal-";
const MAGIC: [u8; 8] = *b"WPJRNL01";
const MARK: [u8; 4] = [0xb7, b'W', b'J', 0x4e];
/// Bytes of a file's header.
const HEADER: usize = MAGIC.len() + 8 + 4;
/// Bytes of a record before its body: mark, length, checksum.
const HEAD: usize = MARK.len() + 4 + 4;
/// The bytes that are searched for a mark at a time.
const WINDOW: usize = 64 << 10;

/// The snapshot of a record.
#[derive(Debug)]
pub(super) struct JournalRecord {
    pub(super) tick: Tick,
    pub(super) time: StepTime,
    pub(super) values: Vec<SeriesStep>,
}

/// Appends records to a new file.
pub(super) struct JournalWriter {
    file: Box<dyn OutputFile>,
    name: String,
    bytes: u64,
    /// Whether the name is synced.
    has_name: bool,
    series: FxHashMap<SeriesKey, NamedSeries>,
    numbers: usize,
    histograms: u64,
}

/// A series that a record of the file has named.
struct NamedSeries {
    /// Numbers and histograms are numbered separately.
    id: usize,
    kind: SeriesKind,
    empty: Column,
}

/// Reads the records of a file.
pub(super) struct JournalReader {
    file: Box<dyn InputFile>,
    at: u64,
    is_damaged_at_end: bool,
    numbers: FxHashMap<usize, (SeriesKey, SeriesKind)>,
    histograms: FxHashMap<usize, (SeriesKey, Column)>,
}

impl JournalWriter {
    /// Creates a journal whose first snapshot will be `first`. An existing file of this name has no record: the number of a
    /// snapshot in it would be used.
    pub(super) fn create(files: &Arc<dyn StoreFiles>, first: Tick) -> io::Result<Self> {
        let name = format!("{JOURNAL}{first:020}");
        let mut file = files.create(&name)?;
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&first.to_le_bytes());
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        file.append(&header)?;
        Ok(Self {
            file,
            name,
            bytes: HEADER as u64,
            has_name: false,
            series: FxHashMap::default(),
            numbers: 0,
            histograms: 0,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The length of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of series that its records have named.
    pub(super) fn series(&self) -> usize {
        self.series.len()
    }

    pub(super) fn append(
        &mut self,
        tick: Tick,
        time: &StepTime,
        values: &[SeriesStep],
    ) -> io::Result<()> {
        let body = self.encode(tick, time, values);
        let mut record = MARK.to_vec();
        let len = u32::try_from(body.len()).map_err(io::Error::other)?;
        record.extend_from_slice(&len.to_le_bytes());
        record.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        record.extend_from_slice(&body);
        self.bytes += record.len() as u64;
        self.file.append(&record)
    }

    /// Syncs what was appended to the disk, and the file's name too.
    pub(super) fn sync(&mut self, files: &dyn StoreFiles) -> io::Result<()> {
        self.file.sync()?;
        if !self.has_name {
            files.sync_names()?;
            self.has_name = true;
        }
        Ok(())
    }

    fn encode(&mut self, tick: Tick, time: &StepTime, all: &[SeriesStep]) -> Vec<u8> {
        let (mut named, mut of_named) = (0_u64, Vec::new());
        let (mut numbers, mut histograms, mut flags) = (Vec::new(), Vec::new(), Vec::new());
        for values in all {
            let (id, is_new) = self.id_of(values);
            if is_new {
                named += 1;
                push_varint(&mut of_named, id as u64);
                put_kind(&mut of_named, values.kind, &values.step.empty_column());
                put_text(&mut of_named, &values.key.name);
                put_text(&mut of_named, &values.key.labels);
            }
            match &values.step {
                Step::Number(value) => {
                    if numbers.len() <= id {
                        numbers.resize(id + 1, MISSING);
                    }
                    if let Some(place) = numbers.get_mut(id) {
                        *place = *value;
                    }
                }
                Step::Histogram(_) => histograms.push((id, values.step.column().encode())),
            }
            if values.flags != StepFlags::default() {
                flags.push((id, values));
            }
        }
        histograms.sort_unstable_by_key(|(id, _)| *id);
        let mut body = Vec::new();
        push_varint(&mut body, tick);
        put_time(&mut body, time, None);
        push_varint(&mut body, named);
        body.extend_from_slice(&of_named);
        push_varint(&mut body, numbers.len() as u64);
        let numbers = numbers::encode(&numbers);
        push_varint(&mut body, numbers.len() as u64);
        body.extend_from_slice(&numbers);
        push_varint(&mut body, histograms.len() as u64);
        let mut before = 0;
        for (id, bytes) in histograms {
            push_varint(&mut body, (id - before) as u64);
            push_varint(&mut body, bytes.len() as u64);
            body.extend_from_slice(&bytes);
            before = id;
        }
        push_varint(&mut body, flags.len() as u64);
        for (id, values) in flags {
            let is_histogram = matches!(values.step, Step::Histogram(_));
            push_varint(&mut body, (id as u64) << 1 | u64::from(is_histogram));
            body.push(values.flags.0);
        }
        body
    }

    /// The number of a series, and whether it is new. A series whose kind or bounds changed gets a new one.
    fn id_of(&mut self, values: &SeriesStep) -> (usize, bool) {
        if let Some(known) = self.series.get(&values.key)
            && known.kind == values.kind
            && values.step.is_of(&known.empty)
        {
            return (known.id, false);
        }
        let id = match &values.step {
            Step::Number(_) => {
                self.numbers += 1;
                self.numbers - 1
            }
            Step::Histogram(_) => {
                self.histograms += 1;
                usize::try_from(self.histograms - 1).unwrap_or(usize::MAX)
            }
        };
        let known = NamedSeries {
            id,
            kind: values.kind,
            empty: values.step.empty_column(),
        };
        self.series.insert(values.key.clone(), known);
        (id, true)
    }
}

impl JournalReader {
    /// Opens a file. `None` if its header is damaged.
    pub(super) fn open(files: &dyn StoreFiles, name: &str) -> io::Result<Option<Self>> {
        let mut file = files.open(name)?;
        if file.len() < HEADER as u64 {
            return Ok(None);
        }
        let header = file.read_at(0, HEADER)?;
        let Some((front, check)) = header.split_at_checked(HEADER - 4) else {
            return Ok(None);
        };
        let is_valid = front.starts_with(&MAGIC) && crc32fast::hash(front).to_le_bytes() == *check;
        Ok(is_valid.then(|| Self {
            file,
            at: HEADER as u64,
            is_damaged_at_end: false,
            numbers: FxHashMap::default(),
            histograms: FxHashMap::default(),
        }))
    }

    /// Whether a file has no header, since a process ended before it was on the disk. A power loss may leave zeros.
    pub(super) fn is_unfinished(files: &dyn StoreFiles, name: &str) -> io::Result<bool> {
        let mut file = files.open(name)?;
        if file.len() < HEADER as u64 {
            return Ok(true);
        }
        Ok(file.read_at(0, HEADER)?.iter().all(|byte| *byte == 0))
    }

    /// 1 if the end of the file is damaged: a process ended while it wrote a record. Known once all records are read.
    pub(super) fn damaged_at_end(&self) -> u64 {
        u64::from(self.is_damaged_at_end)
    }

    /// The next record that is not damaged. `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<JournalRecord>> {
        let mut was_damaged = false;
        // A part before the next record is known by the numbers of the snapshots.
        while self.at < self.file.len() {
            if let Some(body) = self.body()? {
                self.at += (HEAD + body.len()) as u64;
                if let Some(record) = self.decode(&body) {
                    return Ok(Some(record));
                }
            } else {
                self.at = self.next_mark()?;
            }
            was_damaged = true;
        }
        self.is_damaged_at_end |= was_damaged;
        Ok(None)
    }

    /// The body of the record here. `None` if there is no complete one.
    fn body(&mut self) -> io::Result<Option<Vec<u8>>> {
        let left = self.file.len().saturating_sub(self.at);
        if left < HEAD as u64 {
            return Ok(None);
        }
        let head = self.file.read_at(self.at, HEAD)?;
        let number = |at: usize| {
            let bytes = head.get(at..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes))
        };
        let (Some(len), Some(check)) = (number(MARK.len()), number(MARK.len() + 4)) else {
            return Ok(None);
        };
        if !head.starts_with(&MARK) || u64::from(len) > left - HEAD as u64 {
            return Ok(None);
        }
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let body = self.file.read_at(self.at + HEAD as u64, len)?;
        Ok((crc32fast::hash(&body) == check).then_some(body))
    }

    /// Where the next mark is, or the end of the file.
    fn next_mark(&mut self) -> io::Result<u64> {
        let mut at = self.at + 1;
        loop {
            let left = self.file.len().saturating_sub(at);
            let len = usize::try_from(left).unwrap_or(WINDOW).min(WINDOW);
            if len < MARK.len() {
                return Ok(self.file.len());
            }
            let window = self.file.read_at(at, len)?;
            if let Some(found) = window.windows(MARK.len()).position(|it| it == MARK) {
                return Ok(at + found as u64);
            }
            at += (len - MARK.len() + 1) as u64;
        }
    }

    fn decode(&mut self, mut body: &[u8]) -> Option<JournalRecord> {
        let bytes = &mut body;
        let tick = take_varint(bytes)?;
        let time = take_time(bytes, None)?;
        let mut last = None;
        for _ in 0..take_varint(bytes)? {
            let id = take_len(bytes)?;
            let (kind, empty) = take_kind(bytes, &mut last)?;
            let key = SeriesKey {
                name: take_text(bytes)?.into(),
                labels: take_text(bytes)?.into(),
            };
            if kind == SeriesKind::Histogram {
                self.histograms.insert(id, (key, empty));
            } else {
                self.numbers.insert(id, (key, kind));
            }
        }
        let (mut values, mut ids) = (Vec::new(), Vec::new());
        let count = take_len(bytes)?;
        let len = take_len(bytes)?;
        let (encoded, rest) = bytes.split_at_checked(len)?;
        *bytes = rest;
        for (id, value) in numbers::decode(encoded, count)?.into_iter().enumerate() {
            if is_missing(value) {
                continue;
            }
            if let Some((key, kind)) = self.numbers.get(&id) {
                ids.push((id, false));
                values.push(SeriesStep::new(key.clone(), *kind, Step::Number(value)));
            }
        }
        let mut id = 0;
        for _ in 0..take_varint(bytes)? {
            id += take_len(bytes)?;
            let len = take_len(bytes)?;
            let (encoded, rest) = bytes.split_at_checked(len)?;
            *bytes = rest;
            let Some((key, empty)) = self.histograms.get(&id) else {
                continue;
            };
            if let Column::Histograms { steps, .. } = empty.decode(encoded, 1)?
                && let Some(Some(step)) = steps.into_iter().next()
            {
                ids.push((id, true));
                let step = Step::Histogram(step);
                values.push(SeriesStep::new(key.clone(), SeriesKind::Histogram, step));
            }
        }
        for _ in 0..take_varint(bytes)? {
            let place = take_len(bytes)?;
            let (flags, rest) = bytes.split_first()?;
            *bytes = rest;
            // Few values have flags.
            let id = (place >> 1, place & 1 == 1);
            let place = ids.iter().position(|other| *other == id);
            if let Some(values) = place.and_then(|place| values.get_mut(place)) {
                values.flags = StepFlags(*flags);
            }
        }
        bytes
            .is_empty()
            .then_some(JournalRecord { tick, time, values })
    }
}
