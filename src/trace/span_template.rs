//! Templates for spans that differ only in their IDs, times and some counts, such as those of one statement. An
//! undecided trace stores only those numbers. The rest is copied from the template when the trace is kept.

use std::sync::{Arc, RwLock};

use super::span_record::{SpanRecord, ValueRef, put_span, put_value};
use crate::model::codec::{Reader, put_sized, put_str};
use crate::model::{read_lock, write_lock};

/// The first fields of a span's record: the span, its parent, its start and its end.
pub(crate) type SpanNumbers = [u64; 4];

const NUMBERS_LEN: usize = size_of::<SpanNumbers>();
/// The attributes that are counts. Those that are `None` are omitted.
pub(crate) type CountAttributes = [(&'static str, Option<u64>); 2];

/// The bit that marks a template number in place of a span's length.
const PREPARED: u32 = 1 << 31;
/// The bit that marks that count attributes follow the numbers.
const COUNTED: u32 = 1 << 30;
/// The size, in bytes, of the length or template number before each span.
const HEAD: usize = size_of::<u32>();

/// The templates of one monitor, by number. They are never removed: whoever adds templates bounds their number.
#[derive(Debug, Default)]
pub(super) struct SpanTemplates(RwLock<Vec<SpanTemplate>>);

/// The record of a span whose numbers are zero.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpanTemplate {
    number: u32,
    record: Arc<[u8]>,
    /// The offset, in the record, of the length of the attributes.
    attributes_at: usize,
    /// The number of additional bytes that a span takes when its trace is kept.
    pub(super) later: usize,
}

impl SpanTemplates {
    pub(super) fn add(&self, record: &SpanRecord<'_>) -> SpanTemplate {
        let mut all = write_lock(&self.0);
        let mut prepared = SpanTemplate::new(record);
        prepared.number = all.len() as u32;
        all.push(prepared.clone());
        prepared
    }

    /// Calls `look` with the buffered spans of a trace. `look` must call no code of the host.
    pub(super) fn with<R>(&self, spans: &[u8], look: impl FnOnce(EncodedSpans<'_>) -> R) -> R {
        let all = read_lock(&self.0);
        look(EncodedSpans { spans, all: &all })
    }
}

impl SpanTemplate {
    /// Creates a template without a number, which no trace refers to.
    pub(crate) fn new(record: &SpanRecord<'_>) -> Self {
        let mut bytes = Vec::new();
        put_span(&mut bytes, record);
        let record: Arc<[u8]> = bytes.get(HEAD..).unwrap_or_default().into();
        // The parts as written, including the mark of a truncated text.
        let written = SpanRecord::read(&record).unwrap_or_default();
        let last = [written.attributes, written.events, written.links];
        let last: usize = last.iter().map(|part| HEAD + part.len()).sum();
        Self {
            number: 0,
            attributes_at: record.len().saturating_sub(last),
            later: record.len().saturating_sub(NUMBERS_LEN),
            record,
        }
    }

    /// Returns the size of the template, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.record.len()
    }

    /// Returns the record of the template.
    pub(crate) fn record(&self) -> SpanRecord<'_> {
        SpanRecord::read(&self.record).unwrap_or_default()
    }

    /// Appends the span with these numbers in the form in which a trace buffers it.
    #[inline]
    pub(super) fn put(&self, out: &mut Vec<u8>, numbers: SpanNumbers, counts: &CountAttributes) {
        let is_counted = counts.iter().any(|(_, count)| count.is_some());
        let counted = if is_counted { COUNTED } else { 0 };
        let mut entry = [0; HEAD + NUMBERS_LEN];
        let (head, rest) = entry.split_at_mut(HEAD);
        head.copy_from_slice(&(PREPARED | counted | self.number).to_le_bytes());
        for (place, number) in rest.chunks_exact_mut(size_of::<u64>()).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&entry);
        if is_counted {
            put_sized_counts(out, counts);
        }
    }
}

#[inline(never)]
fn put_sized_counts(out: &mut Vec<u8>, counts: &CountAttributes) {
    put_sized(out, |out| put_counts(out, counts));
}

fn put_counts(out: &mut Vec<u8>, counts: &CountAttributes) {
    for (key, count) in counts {
        if let Some(count) = count {
            put_str(out, key);
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            put_value(out, ValueRef::I64(count));
        }
    }
}

/// The buffered spans of a trace, one after the other.
#[derive(Debug, Clone)]
pub(super) struct EncodedSpans<'a> {
    spans: &'a [u8],
    all: &'a [SpanTemplate],
}

/// The parts of a span's record.
#[derive(Debug, Default)]
pub(super) struct SpanParts<'a> {
    /// The whole record, or only the numbers for a span from a template.
    first: &'a [u8],
    /// The template's record after the numbers: up to the attributes here, and the rest in `attributes`.
    texts: &'a [u8],
    attributes: &'a [u8],
    /// The count attributes.
    counts: &'a [u8],
}

impl SpanParts<'_> {
    fn len(&self) -> usize {
        let parts = [self.first, self.texts, self.attributes, self.counts];
        parts.iter().map(|part| part.len()).sum()
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.len() as u32).to_le_bytes());
        out.extend_from_slice(self.first);
        out.extend_from_slice(self.texts);
        let mut rest = Reader::new(self.attributes);
        if !self.counts.is_empty()
            && let Some(attributes) = rest.bytes()
        {
            let length = (attributes.len() + self.counts.len()) as u32;
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(attributes);
            out.extend_from_slice(self.counts);
        }
        out.extend_from_slice(rest.rest());
    }
}

impl EncodedSpans<'_> {
    /// Takes the first spans that fit into `max` bytes, and returns them with their number. With `least`, takes at
    /// least one.
    pub(super) fn take_front(&mut self, max: usize, least: bool) -> (Self, u32) {
        let (before, mut ahead) = (self.spans, self.clone());
        let (mut bytes, mut count) = (0, 0);
        while let Some(span) = ahead.next() {
            bytes += HEAD + span.len();
            if bytes > max && !(least && count == 0) {
                break;
            }
            count += 1;
            self.spans = ahead.spans;
        }
        let taken = before.len() - self.spans.len();
        let taken = Self {
            spans: before.get(..taken).unwrap_or_default(),
            all: self.all,
        };
        (taken, count)
    }

    /// Appends the complete records of the spans.
    pub(super) fn put(self, out: &mut Vec<u8>) {
        self.for_each(|span| span.put(out));
    }
}

impl<'a> Iterator for EncodedSpans<'a> {
    type Item = SpanParts<'a>;

    fn next(&mut self) -> Option<SpanParts<'a>> {
        let (head, rest) = self.spans.split_first_chunk::<HEAD>()?;
        let head = u32::from_le_bytes(*head);
        let mut parts = SpanParts::default();
        if head & PREPARED == 0 {
            (parts.first, self.spans) = rest.split_at_checked(head as usize)?;
            return Some(parts);
        }
        let prepared = self.all.get((head & !(PREPARED | COUNTED)) as usize)?;
        let (texts, attributes) = prepared.record.split_at_checked(prepared.attributes_at)?;
        (parts.texts, parts.attributes) = (texts.get(NUMBERS_LEN..)?, attributes);
        let (numbers, rest) = rest.split_at_checked(NUMBERS_LEN)?;
        parts.first = numbers;
        let mut reader = Reader::new(rest);
        if head & COUNTED != 0 {
            parts.counts = reader.bytes()?;
        }
        self.spans = reader.rest();
        Some(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SpanId;

    fn span(name: &str) -> SpanRecord<'_> {
        SpanRecord {
            name,
            attributes: &[7; 30],
            ..SpanRecord::default()
        }
    }

    #[test]
    fn what_waits_is_whole_again_when_it_is_taken() {
        let all = SpanTemplates::default();
        let (one, two) = (all.add(&span("one")), all.add(&span("two")));
        assert_eq!((one.record().name, two.record().name), ("one", "two"));
        let (mut waiting, mut whole) = (Vec::new(), Vec::new());
        let mut later = 0;
        for (n, prepared) in [&two, &one, &two].into_iter().enumerate() {
            let [id, parent, start, end] = [1, 2, 3, 4].map(|at| 10 * n as u64 + at);
            let rows = (n > 0).then_some(n as u64);
            let counts = [("rows", rows), ("batch", rows.filter(|rows| *rows > 1))];
            prepared.put(&mut waiting, [id, parent, start, end], &counts);
            let mut attributes = prepared.record().attributes.to_vec();
            put_counts(&mut attributes, &counts);
            // The complete record does not contain the length before the counts.
            later += prepared.later;
            later -= if rows.is_some() { HEAD } else { 0 };
            let numbered = SpanRecord {
                span: SpanId::from_u64(id),
                parent: SpanId::from_u64(parent),
                start,
                end,
                attributes: &attributes,
                ..prepared.record()
            };
            put_span(&mut whole, &numbered);
            put_span(&mut waiting, &span("between"));
            put_span(&mut whole, &span("between"));
        }
        assert_eq!(waiting.len() + later, whole.len());
        for max in 0..whole.len() + 2 {
            let (mut seen, mut spans) = (Vec::new(), 0);
            all.with(&waiting, |mut waiting| {
                loop {
                    let before = seen.len();
                    let (taken, count) = waiting.take_front(max, true);
                    taken.put(&mut seen);
                    spans += count;
                    if count == 0 {
                        break;
                    }
                    assert!(count == 1 || seen.len() - before <= max);
                }
            });
            assert_eq!((&seen, spans), (&whole, 6), "{max}");
        }
        let cut = |len: usize| all.with(&waiting[..len], |waiting| waiting.count());
        assert!((0..waiting.len()).map(cut).all(|count| count < 6));
        let (nothing, count) = all.with(&waiting, |mut waiting| {
            let (taken, count) = waiting.take_front(10, false);
            (taken.count(), count)
        });
        assert_eq!((nothing, count), (0, 0));
    }
}
