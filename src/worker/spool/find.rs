//! Finding records by key, and reading from the newest record back.

use std::io::ErrorKind;

use super::keys::SegmentKeys;
use super::store::Spool;
use crate::files::{HEADER, records};

/// The maximum number of bytes of the records of one answer.
const MAX_FOUND: usize = 4 << 20;

impl Spool {
    /// Reads all records with a key, in the order of their numbers, each once, up to 4 MiB.
    pub(super) fn find(&mut self, key: u128) -> Vec<(u64, Vec<u8>)> {
        let (mut found, mut bytes): (Vec<(u64, Vec<u8>)>, _) = (Vec::new(), 0);
        let Some(key_of) = self.key_of else {
            return found;
        };
        for at in (0..self.segments.len()).rev() {
            let Some(segment) = self.segments.get(at) else {
                continue;
            };
            if !segment.keys.may_have(key) {
                continue;
            }
            let Some(file) = self.read_segment(at) else {
                continue;
            };
            let mut keys = SegmentKeys::empty();
            for (number, body) in records(&file).into_iter().flatten() {
                let Some(of) = key_of(body) else { continue };
                keys.add(of);
                // A number is stored twice if the first attempt failed.
                if of == key && bytes < MAX_FOUND && found.iter().all(|(have, _)| *have != number) {
                    bytes += body.len();
                    found.push((number, body.to_vec()));
                }
            }
            if let Some(segment) = self.segments.get_mut(at) {
                segment.keys = keys;
            }
        }
        found.sort_unstable_by_key(|(number, _)| *number);
        found
    }

    /// Whether a record with this key has been removed to make room, as far as it is remembered.
    pub(super) fn has_removed(&self, key: u128) -> bool {
        self.removed.contains(key)
    }

    /// Reads the newest records with numbers below `before`, the newest first, each number once: at most `max` records
    /// of at most 4 MiB. An empty list means that there are no more.
    pub(super) fn read_back(&mut self, before: u64, max: usize) -> Vec<(u64, Vec<u8>)> {
        let (mut out, mut bytes, mut last) = (Vec::new(), 0, before);
        for at in (0..self.segments.len()).rev() {
            if self.segments.get(at).is_none_or(|it| it.first >= last) {
                continue;
            }
            let Some(file) = self.read_segment(at) else {
                continue;
            };
            let all: Vec<_> = records(&file).into_iter().flatten().collect();
            for (number, body) in all.into_iter().rev() {
                if number >= last {
                    continue;
                }
                if out.len() >= max || bytes >= MAX_FOUND {
                    return out;
                }
                last = number;
                bytes += body.len();
                out.push((number, body.to_vec()));
            }
        }
        out
    }

    /// Reads the oldest record.
    pub(super) fn oldest(&mut self) -> Option<Vec<u8>> {
        for at in 0..self.segments.len() {
            let Some(file) = self.read_segment(at) else {
                continue;
            };
            let first = records(&file).and_then(|mut all| all.next());
            if let Some((_, body)) = first {
                return Some(body.to_vec());
            }
        }
        None
    }

    /// Reads a file; `None` if it cannot be read. A damaged one is set aside, and one that was removed is forgotten.
    fn read_segment(&mut self, at: usize) -> Option<Vec<u8>> {
        let name = self.segments.get(at)?.name.clone();
        let is_current = self.open && at + 1 == self.segments.len();
        match self.files.read(&name) {
            Ok(file) if records(&file).is_some() => return Some(file),
            _ if is_current => {}
            // A process may have ended before it had written the header of a file.
            Ok(file) => self.set_aside(at, file.len() < HEADER),
            Err(error) if error.kind() == ErrorKind::NotFound => self.forget(at),
            Err(_) => {}
        }
        None
    }
}
