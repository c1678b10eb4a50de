use std::borrow::Cow;
use std::collections::VecDeque;

use crate::model::Level;

/// A `tracing` event of a request, decoded and redacted.
#[derive(Debug, Clone)]
pub(crate) struct EventBreadcrumb {
    pub(crate) level: Level,
    pub(crate) target: Cow<'static, str>,
    pub(crate) message: String,
    pub(crate) fields: Vec<(String, String)>,
}

/// Decodes the record of an event, which may be truncated. The module `logs` provides the function.
pub(crate) type DecodeBreadcrumb = fn(&[u8]) -> Option<EventBreadcrumb>;

/// The maximum number of events of a request.
const MAX_BREADCRUMBS: usize = 20;
/// The maximum total size of the events, in bytes.
const MAX_BYTES: usize = 4096;
/// The maximum size of one event, in bytes. A longer one is truncated.
const MAX_BREADCRUMB_BYTES: usize = 1024;
/// The initial capacity, in bytes.
const FIRST: usize = 1024;

/// The encoded last events of a request, the oldest first: each a length, a time and a record. The slot reuses the
/// memory for its next request.
#[derive(Debug, Default)]
pub(super) struct BreadcrumbBuffer {
    bytes: VecDeque<u8>,
    count: usize,
}

impl BreadcrumbBuffer {
    /// Adds an event of the time `at`, and removes the oldest ones if there is no room.
    pub(super) fn push(&mut self, at: u64, record: &[u8]) {
        let record = record.get(..MAX_BREADCRUMB_BYTES).unwrap_or(record);
        let len = record.len() + size_of_val(&at);
        while self.count == MAX_BREADCRUMBS || self.bytes.len() + 4 + len > MAX_BYTES {
            self.drop_oldest();
        }
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(FIRST);
        }
        // At most `MAX_BREADCRUMB_BYTES` plus eight.
        self.bytes.extend((len as u32).to_le_bytes());
        self.bytes.extend(at.to_le_bytes());
        self.bytes.extend(record);
        self.count += 1;
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }

    /// Appends all events, each length-prefixed and starting with its time.
    pub(super) fn copy(&self, out: &mut Vec<u8>) {
        let (front, back) = self.bytes.as_slices();
        out.extend_from_slice(front);
        out.extend_from_slice(back);
    }

    fn drop_oldest(&mut self) {
        let mut len = [0; 4];
        for (to, byte) in len.iter_mut().zip(&self.bytes) {
            *to = *byte;
        }
        let whole = (u32::from_le_bytes(len) as usize).saturating_add(4);
        self.bytes.drain(..whole.min(self.bytes.len()));
        self.count = self.count.saturating_sub(1);
        if self.bytes.is_empty() {
            self.count = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::codec::Reader;

    fn read(breadcrumbs: &BreadcrumbBuffer) -> Vec<(u64, Vec<u8>)> {
        let mut bytes = Vec::new();
        breadcrumbs.copy(&mut bytes);
        let mut reader = Reader::new(&bytes);
        std::iter::from_fn(|| {
            let mut crumb = Reader::new(reader.bytes()?);
            let at = crumb.u64()?;
            Some((at, crumb.rest().to_vec()))
        })
        .collect()
    }

    #[test]
    fn the_last_twenty_are_kept_in_order() {
        let mut breadcrumbs = BreadcrumbBuffer::default();
        for n in 0..100_u8 {
            breadcrumbs.push(n.into(), &[n; 3]);
        }
        let kept = read(&breadcrumbs);
        assert_eq!(kept.len(), 20);
        assert_eq!(kept.first(), Some(&(80, vec![80; 3])));
        assert_eq!(kept.last(), Some(&(99, vec![99; 3])));
        breadcrumbs.clear();
        assert!(read(&breadcrumbs).is_empty());
    }

    #[test]
    fn bytes_are_bounded_and_long_ones_are_cut() {
        let mut breadcrumbs = BreadcrumbBuffer::default();
        for n in 0..50_u64 {
            breadcrumbs.push(n, &vec![1; 100 + 90 * n as usize]);
            assert!(breadcrumbs.bytes.len() <= MAX_BYTES);
        }
        let kept = read(&breadcrumbs);
        assert_eq!(kept.last(), Some(&(49, vec![1; MAX_BREADCRUMB_BYTES])));
        assert_eq!(kept.len(), 3);
    }
}
