use std::collections::VecDeque;
use std::io;

use super::Files;
use super::segment::{HEAD, HEADER, MAX_BODY, header, put, records};

/// A file is closed when it is this long; only whole files are removed.
const MAX_SEGMENT: u64 = 1 << 20;
/// Files that are kept, whatever their size: each start begins a new one.
const MAX_SEGMENTS: usize = 1024;
/// Damaged files that are kept to be looked at.
const MAX_CORRUPT: usize = 4;
/// No number is as large.
const LAST: u64 = 1 << 62;
const CURSOR: &str = "cursor";
const SEGMENT: &str = ".seg";
const CORRUPT: &str = ".corrupt-";

/// Records in files, each with a number that only rises.
///
/// Nothing is ever appended to a file of an earlier start or one on which a write or a sync has failed: what
/// such a file holds is not known.
pub(super) struct Spool {
    files: Box<dyn Files>,
    max_bytes: u64,
    segments: VecDeque<Segment>,
    bytes: u64,
    /// Whether the last segment is the one that is appended to.
    open: bool,
    next: u64,
    acked: u64,
    acked_on_disk: u64,
    corrupt: u64,
    /// Damaged files that were set aside and lie there still, as of the last look.
    damaged: u64,
    evicted: u64,
}

#[derive(Debug)]
struct Segment {
    name: String,
    /// It holds no number that is not in the next segment too and is not smaller than that one's first.
    first: u64,
    bytes: u64,
}

impl Spool {
    /// What is there. Numbers go on behind all that may have been given.
    pub(super) fn open(mut files: Box<dyn Files>, max_bytes: u64) -> io::Result<Self> {
        let (mut found, mut damaged) = (Vec::new(), 0);
        for (name, bytes) in files.list()? {
            damaged += u64::from(name.contains(CORRUPT));
            if let Some(first) = first_of(&name) {
                found.push(Segment { name, first, bytes });
            }
        }
        found.sort_by_key(|segment| segment.first);
        // A file of so many bytes holds fewer records.
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

    /// The last number that needs no keeping.
    pub(super) fn acked(&self) -> u64 {
        self.acked
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Damaged files found so far.
    pub(super) fn corrupt(&self) -> u64 {
        self.corrupt
    }

    /// Damaged files that lie there still, as of the last [`look_for_damaged`](Self::look_for_damaged).
    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Counts the damaged files that lie there: somebody may have removed them.
    pub(super) fn look_for_damaged(&mut self) {
        if let Ok(files) = self.files.list() {
            let damaged = files.iter().filter(|(name, _)| name.contains(CORRUPT));
            self.damaged = damaged.count() as u64;
        }
    }

    /// Records that had to make room since this was last asked.
    pub(super) fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    /// Appends records, in the order of their numbers, and brings them to the disk. After an error none of
    /// them counts as stored; they may be appended again.
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
            // What a failed write left behind takes room too.
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

    /// Makes sure that there is a file to append to.
    fn begin(&mut self, number: u64) -> io::Result<()> {
        let full = |segment: &Segment| segment.bytes >= MAX_SEGMENT;
        if self.open && !self.segments.back().is_none_or(full) {
            return Ok(());
        }
        self.open = false;
        // Two attempts with the same records need two names.
        let last = self.segments.back().map(|segment| segment.first + 1);
        let first = last.map_or(number, |last| number.max(last));
        let name = format!("{first:016x}{SEGMENT}");
        self.files.create(&name)?;
        self.segments.push_back(Segment {
            name,
            first,
            bytes: HEADER as u64,
        });
        self.bytes += HEADER as u64;
        self.files.append(&header(first))?;
        self.open = true;
        Ok(())
    }

    /// Removes the oldest files until the rest is small enough.
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
            // A file that cannot be removed is found again at the next start.
            let _left = self.files.remove(&oldest.name);
        }
    }

    /// Records behind `after`, up to about `max` bytes of them, each number once. None: there are no more.
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
                // The process may have ended when a file had no header yet.
                let cut = file.is_ok_and(|file| file.len() < HEADER);
                self.set_aside(at, cut);
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

    /// Takes a file that is none of ours out of the list and gives it a name that says so.
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
        let mut corpses: Vec<_> = self.files.list().unwrap_or_default();
        corpses.retain(|(name, _)| name.contains(CORRUPT));
        corpses.sort();
        let used = |n: u64| {
            let end = format!("{CORRUPT}{n}");
            corpses.iter().any(|(name, _)| name.ends_with(&end))
        };
        let number = (1..=1 << 20).find(|n| !used(*n)).unwrap_or_default();
        for (name, _) in corpses.iter().rev().skip(MAX_CORRUPT - 1) {
            let _left = self.files.remove(name);
        }
        let stem = segment.name.trim_end_matches(SEGMENT);
        let _left = self
            .files
            .rename(&segment.name, &format!("{stem}{CORRUPT}{number}"));
        self.look_for_damaged();
    }

    /// Notes that records up to this number need no keeping.
    pub(super) fn ack(&mut self, number: u64) {
        self.acked = self.acked.max(number);
    }

    /// Whether [`save_acks`](Self::save_acks) has something to do.
    pub(super) fn has_acks(&self) -> bool {
        self.acked > self.acked_on_disk
    }

    /// Brings the acknowledgements to the disk, then removes files of which nothing is needed.
    pub(super) fn save_acks(&mut self) -> io::Result<()> {
        if !self.has_acks() {
            return Ok(());
        }
        self.files.replace(CURSOR, &cursor(self.acked))?;
        self.acked_on_disk = self.acked;
        if self.acked + 1 >= self.next {
            // Nothing is needed at all; the next record begins a new file.
            self.open = false;
        }
        while let Some(oldest) = self.segments.front() {
            let end = match self.segments.get(1) {
                Some(next) => next.first,
                None if self.open => return Ok(()),
                None => self.next,
            };
            // The end is not this file's; a number given twice may be the next one's first.
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
    // Numbers are nanoseconds at most: what is beyond is none of ours.
    (first < LAST).then_some(first)
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
    (bytes == cursor(acked) && acked < LAST).then_some(acked)
}
