//! The encoding that the files with alerts and with notifications have in common.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::alert::Acknowledgement;
use super::evaluate::AlertLabels;
use crate::files::{HEAD, header, put, records};
use crate::model::codec::{Reader, put_str};

/// The version of the format, which each record begins with.
pub(super) const VERSION: u8 = 1;
/// The maximum number of bytes of the file: what is read is less than 8 MiB.
pub(super) const MAX_BYTES: usize = 7 << 20;

/// Why a file cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InvalidFile {
    Damaged,
    /// It was written by a newer version of this crate.
    NewerVersion(u8),
}

/// The records of a file, which has less than 7 MiB. What does not fit is left out.
#[derive(Default)]
pub(super) struct RecordFile {
    bytes: Vec<u8>,
    count: u64,
    body: Vec<u8>,
}

impl RecordFile {
    pub(super) fn push(&mut self, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        self.body.clear();
        self.body.extend_from_slice(&[VERSION, kind]);
        write(&mut self.body);
        if self.bytes.len() + HEAD + self.body.len() <= MAX_BYTES {
            put(&mut self.bytes, self.count, &self.body);
            self.count += 1;
        }
    }

    /// The content of the file.
    pub(super) fn finish(&self) -> Vec<u8> {
        [&header(self.count)[..], &self.bytes].concat()
    }
}

/// Reads a file: calls `take` with the kind and the rest of each record that is not damaged. Returns why something is missing.
pub(super) fn read_records(
    file: &[u8],
    mut take: impl FnMut(u8, &mut Reader<'_>) -> Option<()>,
) -> Option<InvalidFile> {
    let mut problem = None;
    let mut count = 0;
    for (_, body) in records(file).into_iter().flatten() {
        count += 1;
        let found = match body {
            [VERSION, kind, rest @ ..] if take(*kind, &mut Reader::new(rest)).is_some() => continue,
            [version, ..] if *version > VERSION => InvalidFile::NewerVersion(*version),
            _ => InvalidFile::Damaged,
        };
        // Of the two reasons, the version is the one that counts: such a file may not be replaced.
        if !matches!(problem, Some(InvalidFile::NewerVersion(_))) {
            problem = Some(found);
        }
    }
    if count == 0 || !file.starts_with(&header(count)) {
        problem = problem.or(Some(InvalidFile::Damaged));
    }
    problem
}

pub(super) fn put_count(out: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    out.extend_from_slice(&count.to_le_bytes());
}

pub(super) fn put_labels(out: &mut Vec<u8>, labels: &AlertLabels) {
    put_count(out, labels.len());
    for (name, value) in labels {
        put_str(out, name);
        put_str(out, value);
    }
}

pub(super) fn take_labels(reader: &mut Reader<'_>) -> Option<AlertLabels> {
    let count = reader.u32()?;
    let label = |_| Some((reader.str()?.to_owned(), reader.str()?.to_owned()));
    (0..count).map(label).collect()
}

pub(super) fn put_optional(out: &mut Vec<u8>, value: Option<u64>) {
    out.push(u8::from(value.is_some()));
    out.extend_from_slice(&value.unwrap_or(0).to_le_bytes());
}

/// A number that may be missing.
pub(super) struct OptionalNumber(pub(super) Option<u64>);

pub(super) fn take_optional(reader: &mut Reader<'_>) -> Option<OptionalNumber> {
    let is_there = reader.u8()? != 0;
    let value = reader.u64()?;
    Some(OptionalNumber(is_there.then_some(value)))
}

pub(super) fn put_time(out: &mut Vec<u8>, time: SystemTime) {
    let millis = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    out.extend_from_slice(&millis.to_le_bytes());
}

pub(super) fn take_time(reader: &mut Reader<'_>) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(reader.u64()?))
}

pub(super) fn put_acknowledgement(out: &mut Vec<u8>, acknowledged: Option<&Acknowledgement>) {
    out.push(u8::from(acknowledged.is_some()));
    if let Some(by) = acknowledged {
        put_str(out, &by.by);
        put_str(out, &by.comment);
        put_time(out, by.at);
        out.push(u8::from(by.until.is_some()));
        put_time(out, by.until.unwrap_or(UNIX_EPOCH));
    }
}

/// Who has taken care of an alert, if anyone has.
pub(super) struct OptionalAcknowledgement(pub(super) Option<Acknowledgement>);

pub(super) fn take_acknowledgement(reader: &mut Reader<'_>) -> Option<OptionalAcknowledgement> {
    if reader.u8()? == 0 {
        return Some(OptionalAcknowledgement(None));
    }
    let (by, comment) = (reader.str()?.to_owned(), reader.str()?.to_owned());
    let at = take_time(reader)?;
    let ends = reader.u8()? != 0;
    let until = take_time(reader)?;
    Some(OptionalAcknowledgement(Some(Acknowledgement {
        by,
        comment,
        at,
        until: ends.then_some(until),
    })))
}
