use std::collections::VecDeque;
use std::io;

use crate::files::{Files, HEAD, HEADER, MAX_BODY, header, put, records};

/// A file is closed at this size. Only complete files are removed.
const MAX_SEGMENT: u64 = 1 << 20;
/// The maximum number of files of any size: each start of the process begins a new one.
const MAX_SEGMENTS: usize = 1024;
/// The maximum number of damaged files that are kept for inspection.
const MAX_CORRUPT: usize = 4;
/// All record numbers are smaller.
const MAX_NUMBER: u64 = 1 << 62;
const CURSOR: &str = "cursor";
const SEGMENT: &str = ".seg";
const CORRUPT: &str = ".corrupt-";

/// Records in files. Their numbers only increase.
///
/// Nothing is appended to a file of an earlier process or to a file on which a write or a sync has failed, because the
/// content of such a file is unknown.
pub(super) struct Spool {
    files: Box<dyn Files>,
    max_bytes: u64,
    segments: VecDeque<SpoolSegment>,
    bytes: u64,
    /// Whether records are appended to the last segment.
    open: bool,
    next: u64,
    acked: u64,
    acked_on_disk: u64,
    corrupt: u64,
    /// Damaged files that were renamed and are still there, as of the last count.
    damaged: u64,
    evicted: u64,
}

#[derive(Debug)]
struct SpoolSegment {
    name: String,
    /// The number of its first record. Every record in it has a smaller number than the first of the next segment, or
    /// is in that segment too.
    first: u64,
    bytes: u64,
}

impl Spool {
    /// Opens the existing files. New numbers are greater than all that may have been assigned.
    pub(super) fn open(mut files: Box<dyn Files>, max_bytes: u64) -> io::Result<Self> {
        let (mut found, mut damaged) = (Vec::new(), 0);
        for (name, bytes) in files.list()? {
            damaged += u64::from(name.contains(CORRUPT));
            if let Some(first) = first_of(&name) {
                found.push(SpoolSegment { name, first, bytes });
            }
        }
        found.sort_by_key(|segment| segment.first);
        // The last file has fewer records than bytes, so this number is greater than all in it.
        let beyond = found.last().map_or(1, |last| last.first + last.bytes + 1);
        let acked = files.read(CURSOR).ok().and_then(|it| read_cursor(&it));
        let acked = acked.unwrap_or_default();
        Ok(Self {
            files,
            max_bytes,
            bytes: found.iter().map(|segment| segment.bytes).sum(),
            segments: found.into(),
            open: false,
            next: beyond.max(acked.saturating_add(1)),
            acked,
            acked_on_disk: acked,
            corrupt: 0,
            damaged,
            evicted: 0,
        })
    }

    /// The number of the next record.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The number up to which records are acknowledged.
    pub(super) fn acked(&self) -> u64 {
        self.acked
    }

    /// The bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of damaged files found so far.
    pub(super) fn corrupt(&self) -> u64 {
        self.corrupt
    }

    /// The number of damaged files that are still there, as of the last [`count_damaged`](Self::count_damaged).
    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Counts the damaged files that are still there. Users may have removed them.
    pub(super) fn count_damaged(&mut self) {
        if let Ok(files) = self.files.list() {
            let damaged = files.iter().filter(|(name, _)| name.contains(CORRUPT));
            self.damaged = damaged.count() as u64;
        }
    }

    /// Takes the number of records that were removed to make room, since the last call.
    pub(super) fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    /// Appends records in the order of their numbers, and syncs them to the disk. After an error none of them counts as
    /// stored; they may be appended again.
    pub(super) fn append(&mut self, records: &[(u64, Vec<u8>)]) -> io::Result<()> {
        let done = self.try_append(records);
        if done.is_err() {
            self.open = false;
        }
        done
    }

    fn try_append(&mut self, records: &[(u64, Vec<u8>)]) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut rest = records;
        while let Some((number, _)) = rest.first() {
            self.begin(*number)?;
            let mut len = self.segments.back().map_or(0, |segment| segment.bytes);
            bytes.clear();
            while let Some(((number, body), others)) = rest.split_first() {
                if !bytes.is_empty() && len >= MAX_SEGMENT {
                    break;
                }
                let before = bytes.len();
                put(&mut bytes, *number, body.get(..MAX_BODY).unwrap_or(body));
                len += (bytes.len() - before) as u64;
                self.next = self.next.max(number + 1);
                rest = others;
            }
            let written = self.files.append(&bytes);
            // Counted before the error is returned: data that a failed write left behind takes space too.
            self.bytes += bytes.len() as u64;
            if let Some(segment) = self.segments.back_mut() {
                segment.bytes += bytes.len() as u64;
            }
            written?;
            self.files.sync()?;
        }
        self.make_room();
        Ok(())
    }

    /// Makes sure that a file is open to append to.
    fn begin(&mut self, number: u64) -> io::Result<()> {
        let full = |segment: &SpoolSegment| segment.bytes >= MAX_SEGMENT;
        if self.open && !self.segments.back().is_none_or(full) {
            return Ok(());
        }
        self.open = false;
        // Two attempts to store the same records need two file names.
        let last = self.segments.back().map(|segment| segment.first + 1);
        let first = last.map_or(number, |last| number.max(last));
        let name = format!("{first:016x}{SEGMENT}");
        self.files.create(&name)?;
        self.segments.push_back(SpoolSegment {
            name,
            first,
            bytes: HEADER as u64,
        });
        self.bytes += HEADER as u64;
        self.files.append(&header(first))?;
        self.open = true;
        Ok(())
    }

    /// Removes the oldest files until the rest is within the limits.
    fn make_room(&mut self) {
        while self.segments.len() > 1
            && (self.bytes > self.max_bytes || self.segments.len() > MAX_SEGMENTS)
        {
            let Some(oldest) = self.segments.pop_front() else {
                return;
            };
            self.bytes = self.bytes.saturating_sub(oldest.bytes);
            if let Ok(file) = self.files.read(&oldest.name) {
                let lost = records(&file).map_or(0, |all| {
                    all.filter(|(number, _)| *number > self.acked).count()
                });
                self.evicted += lost as u64;
            }
            // If the file cannot be removed, it is found again at the next start.
            let _left = self.files.remove(&oldest.name);
        }
    }

    /// Reads records with numbers greater than `after`, up to about `max` bytes, each number once. An empty list means
    /// that there are no more.
    pub(super) fn read(&mut self, after: u64, max: usize) -> Vec<(u64, Vec<u8>)> {
        let after = after.max(self.acked);
        let (mut out, mut bytes, mut last) = (Vec::new(), 0, after);
        let mut at = 0;
        while let Some(segment) = self.segments.get(at) {
            let end = self.segments.get(at + 1).map(|next| next.first);
            if end.is_some_and(|end| end <= last.saturating_add(1)) {
                at += 1;
                continue;
            }
            let name = segment.name.clone();
            let file = self.files.read(&name);
            let Some(all) = file.as_ref().ok().and_then(|file| records(file)) else {
                if self.open && at + 1 == self.segments.len() {
                    return out;
                }
                // A process may have ended before it had written the header of a file.
                let has_no_header = file.is_ok_and(|file| file.len() < HEADER);
                self.set_aside(at, has_no_header);
                continue;
            };
            for (number, body) in all {
                if number > last {
                    last = number;
                    bytes += body.len() + HEAD;
                    out.push((number, body.to_vec()));
                    if bytes >= max {
                        return out;
                    }
                }
            }
            at += 1;
        }
        out
    }

    /// Removes an unreadable file from the list and renames it to `*.corrupt-N`. An empty one is removed.
    fn set_aside(&mut self, at: usize, empty: bool) {
        let Some(segment) = self.segments.remove(at) else {
            return;
        };
        self.bytes = self.bytes.saturating_sub(segment.bytes);
        if empty {
            let _left = self.files.remove(&segment.name);
            return;
        }
        self.corrupt += 1;
        let mut damaged_files: Vec<_> = self.files.list().unwrap_or_default();
        damaged_files.retain(|(name, _)| name.contains(CORRUPT));
        damaged_files.sort();
        let used = |n: u64| {
            let end = format!("{CORRUPT}{n}");
            damaged_files.iter().any(|(name, _)| name.ends_with(&end))
        };
        let number = (1..=1 << 20).find(|n| !used(*n)).unwrap_or_default();
        for (name, _) in damaged_files.iter().rev().skip(MAX_CORRUPT - 1) {
            let _left = self.files.remove(name);
        }
        let stem = segment.name.trim_end_matches(SEGMENT);
        let _left = self
            .files
            .rename(&segment.name, &format!("{stem}{CORRUPT}{number}"));
        self.count_damaged();
    }

    /// Acknowledges every record up to this number.
    pub(super) fn ack(&mut self, number: u64) {
        self.acked = self.acked.max(number);
    }

    /// Whether [`save_acks`](Self::save_acks) has something to do.
    pub(super) fn has_acks(&self) -> bool {
        self.acked > self.acked_on_disk
    }

    /// Writes the acknowledgements to the disk, then removes the files whose records are all acknowledged.
    pub(super) fn save_acks(&mut self) -> io::Result<()> {
        if !self.has_acks() {
            return Ok(());
        }
        self.files.replace(CURSOR, &cursor(self.acked))?;
        self.acked_on_disk = self.acked;
        if self.acked + 1 >= self.next {
            // Everything is acknowledged: the last file can go too, and the next record begins a new one.
            self.open = false;
        }
        while let Some(oldest) = self.segments.front() {
            let end = match self.segments.get(1) {
                Some(next) => next.first,
                None if self.open => return Ok(()),
                None => self.next,
            };
            // `end` is not in this file, but with a number that was stored twice it may be the first of the next one.
            if end > self.acked.saturating_add(1) {
                return Ok(());
            }
            self.files.remove(&oldest.name)?;
            self.bytes = self.bytes.saturating_sub(oldest.bytes);
            self.segments.pop_front();
        }
        Ok(())
    }
}

fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SEGMENT)?;
    let first = (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok())??;
    // Our numbers are at most nanoseconds of the wall clock: a larger one is not from us.
    (first < MAX_NUMBER).then_some(first)
}

fn cursor(acked: u64) -> [u8; 12] {
    let mut out = [0; 12];
    let (number, check) = out.split_at_mut(8);
    number.copy_from_slice(&acked.to_le_bytes());
    check.copy_from_slice(&crc32fast::hash(number).to_le_bytes());
    out
}

fn read_cursor(bytes: &[u8]) -> Option<u64> {
    let acked = u64::from_le_bytes(*bytes.first_chunk()?);
    (bytes == cursor(acked) && acked < MAX_NUMBER).then_some(acked)
}
