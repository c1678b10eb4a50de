//! Templates for spans that differ only in their IDs, times and some counts, such as those of one statement. An
//! undecided trace stores only those numbers. The rest is copied from the template when the trace is kept.

use std::collections::VecDeque;
use std::sync::{Arc, RwLock};

use super::span_record::{SpanKind, SpanRecord, ValueRef, put_mark, put_span, put_value};
use crate::model::codec::{Reader, put_sized, put_str};
use crate::model::{read_lock, write_lock, write_lock_for_drop};

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

/// The bits of a template number that hold its slot. The bits between them and [`COUNTED`] hold the generation.
const SLOT_BITS: u32 = 13;
const MAX_SLOTS: usize = 1 << SLOT_BITS;
const MAX_GENERATION: u32 = (COUNTED >> SLOT_BITS) - 1;
/// The number of the template that stands for those that no longer exist.
const UNKNOWN: u32 = 0;
/// The name of a span whose template no longer exists.
const UNKNOWN_NAME: &str = "_other";
/// The maximum number of retired templates that stay readable for the spans in undecided traces, and the maximum of
/// their total size in bytes.
const MAX_RETIRED: usize = 512;
const MAX_RETIRED_BYTES: usize = 256 * 1024;

/// The templates of one monitor, by number.
///
/// A template is used from [`add`](Self::add) to [`retire`](Self::retire). The latest retired ones stay readable, so
/// that the spans of undecided traces still find their texts. Older ones are freed, and their slots are used again.
#[derive(Debug)]
pub(super) struct SpanTemplates(RwLock<TemplateTable>);

#[derive(Debug)]
struct TemplateTable {
    /// The slot 0 always holds the template [`UNKNOWN`].
    slots: Vec<TemplateSlot>,
    /// The slots of retired templates, in the order in which they were retired.
    retired: VecDeque<usize>,
    retired_bytes: usize,
    /// The slots without a template.
    free: Vec<usize>,
}

#[derive(Debug)]
struct TemplateSlot {
    template: SpanTemplate,
    is_retired: bool,
}

/// The record of a span whose numbers are zero.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpanTemplate {
    /// The slot and the generation: how many templates had the slot before. [`UNKNOWN`] for a template that is in no
    /// table.
    number: u32,
    record: Arc<[u8]>,
    /// The offset, in the record, of the length of the attributes.
    attributes_at: usize,
    /// The number of additional bytes that a span takes when its trace is kept.
    pub(super) later: usize,
}

impl Default for SpanTemplates {
    fn default() -> Self {
        let mut attributes = Vec::new();
        put_mark(&mut attributes);
        let unknown = SpanTemplate::new(&SpanRecord {
            kind: SpanKind::Client,
            name: UNKNOWN_NAME,
            attributes: &attributes,
            ..SpanRecord::default()
        });
        Self(RwLock::new(TemplateTable {
            slots: vec![TemplateSlot {
                template: unknown,
                is_retired: false,
            }],
            retired: VecDeque::new(),
            retired_bytes: 0,
            free: Vec::new(),
        }))
    }
}

impl SpanTemplates {
    /// Adds a template, which stays until it is [retired](Self::retire). If all slots are in use, the spans of the
    /// returned template are recorded as those of a template that no longer exists.
    pub(super) fn add(&self, record: &SpanRecord<'_>) -> SpanTemplate {
        // Encoded before the lock is taken, since traces that are being kept wait for it.
        let mut template = SpanTemplate::new(record);
        write_lock(&self.0).insert(&mut template);
        template
    }

    /// Retires a template, from which no more spans are made. It stays readable for some time.
    pub(super) fn retire(&self, template: &SpanTemplate) {
        // Called in a `drop`, possibly when a child made by `fork` exits. If a thread of the parent held the lock at
        // the fork, the child keeps the template.
        let Some(mut table) = write_lock_for_drop(&self.0) else {
            return;
        };
        let freed = table.retire(template.number);
        // The records are freed outside the lock.
        drop(table);
        drop(freed);
    }

    /// Calls `look` with the buffered spans of a trace. `look` must call no code of the host.
    pub(super) fn with<R>(&self, spans: &[u8], look: impl FnOnce(EncodedSpans<'_>) -> R) -> R {
        let table = read_lock(&self.0);
        look(EncodedSpans {
            spans,
            table: &table,
        })
    }
}

impl TemplateTable {
    /// Stores a template in a free slot and sets its number.
    fn insert(&mut self, template: &mut SpanTemplate) {
        let stored = |template: &SpanTemplate| TemplateSlot {
            template: template.clone(),
            is_retired: false,
        };
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.slots.get_mut(slot)
        {
            // A free slot keeps the number of its last template. A number occurs again after 131,072 generations of
            // its slot, and each of these passes through the list of retired templates. A span with that number would have
            // to wait for its root until then.
            let generation = (place.template.number >> SLOT_BITS) + 1;
            let generation = if generation > MAX_GENERATION {
                0
            } else {
                generation
            };
            template.number = slot as u32 | generation << SLOT_BITS;
            *place = stored(template);
        } else if self.slots.len() < MAX_SLOTS {
            template.number = self.slots.len() as u32;
            self.slots.push(stored(template));
        }
    }

    /// Returns the template with a number, or [`UNKNOWN`] if it no longer exists.
    #[inline]
    fn find(&self, number: u32) -> Option<&SpanTemplate> {
        let slot = (number as usize) & (MAX_SLOTS - 1);
        let found = self.slots.get(slot).map(|slot| &slot.template);
        let found = found.filter(|found| found.number == number && !found.record.is_empty());
        found.or_else(|| self.slots.first().map(|unknown| &unknown.template))
    }

    /// Moves a template to the retired ones. Returns the records that are to be freed.
    fn retire(&mut self, number: u32) -> Vec<Arc<[u8]>> {
        let slot = (number as usize) & (MAX_SLOTS - 1);
        let Some(retired) = self.slots.get_mut(slot) else {
            return Vec::new();
        };
        if number == UNKNOWN || retired.template.number != number || retired.is_retired {
            return Vec::new();
        }
        retired.is_retired = true;
        self.retired_bytes += retired.template.bytes();
        self.retired.push_back(slot);
        let mut freed = Vec::new();
        while (self.retired.len() > MAX_RETIRED || self.retired_bytes > MAX_RETIRED_BYTES)
            && let Some(slot) = self.retired.pop_front()
            && let Some(oldest) = self.slots.get_mut(slot)
        {
            self.retired_bytes = self.retired_bytes.saturating_sub(oldest.template.bytes());
            freed.push(std::mem::take(&mut oldest.template.record));
            self.free.push(slot);
        }
        freed
    }
}

impl SpanTemplate {
    /// Creates a template that is in no table.
    pub(crate) fn new(record: &SpanRecord<'_>) -> Self {
        let mut bytes = Vec::new();
        put_span(&mut bytes, record);
        let record: Arc<[u8]> = bytes.get(HEAD..).unwrap_or_default().into();
        // The parts as written, including the mark of a truncated text.
        let written = SpanRecord::read(&record).unwrap_or_default();
        let last = [written.attributes, written.events, written.links];
        let last: usize = last.iter().map(|part| HEAD + part.len()).sum();
        Self {
            number: UNKNOWN,
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
    table: &'a TemplateTable,
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
            table: self.table,
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
        let prepared = self.table.find(head & !(PREPARED | COUNTED))?;
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
    use crate::trace::span_record::attributes;

    fn span(name: &str) -> SpanRecord<'_> {
        SpanRecord {
            name,
            attributes: &[7; 30],
            ..SpanRecord::default()
        }
    }

    /// Returns the names of the buffered spans and the number of their attributes.
    fn names(all: &SpanTemplates, waiting: &[u8]) -> Vec<(String, usize)> {
        let mut whole = Vec::new();
        all.with(waiting, |waiting| waiting.put(&mut whole));
        let mut reader = Reader::new(&whole);
        let record = std::iter::from_fn(|| SpanRecord::read(reader.bytes()?));
        let record = record.map(|span| (span.name.to_owned(), attributes(span.attributes).count()));
        record.collect()
    }

    fn live_bytes(all: &SpanTemplates) -> usize {
        let table = read_lock(&all.0);
        let slots = table.slots.iter().map(|slot| slot.template.bytes());
        slots.sum()
    }

    #[test]
    fn replaced_templates_are_freed() {
        let all = SpanTemplates::default();
        let name = "x".repeat(100);
        for _ in 0..100_000 {
            let template = all.add(&span(&name));
            all.retire(&template);
        }
        let table = read_lock(&all.0);
        assert_eq!(table.retired.len(), MAX_RETIRED);
        assert_eq!(table.slots.len(), MAX_RETIRED + 2);
        drop(table);
        assert!(live_bytes(&all) < 200 * (MAX_RETIRED + 2));
        // Large ones have a limit of bytes.
        let text = "x".repeat(8000);
        let mut large = span("large");
        large.scope = "";
        large.events = text.as_bytes();
        for _ in 0..1000 {
            let template = all.add(&large);
            all.retire(&template);
        }
        assert!(live_bytes(&all) <= MAX_RETIRED_BYTES + 200);
    }

    #[test]
    fn a_span_finds_its_retired_template_or_the_unknown_one() {
        let all = SpanTemplates::default();
        let put = |template: &SpanTemplate| {
            let mut waiting = Vec::new();
            let counts = [("rows", Some(7)), ("batch", None)];
            template.put(&mut waiting, [1, 2, 3, 4], &counts);
            waiting
        };
        let mut plain = span("first");
        plain.attributes = &[];
        let first = all.add(&plain);
        let waiting = put(&first);
        let found = |name: &str, attributes: usize| vec![(name.to_owned(), attributes)];
        all.retire(&first);
        // A second call has no effect.
        all.retire(&first);
        assert_eq!(names(&all, &waiting), found("first", 1));
        for _ in 0..MAX_RETIRED {
            let template = all.add(&plain);
            all.retire(&template);
        }
        // The mark of a truncated text, and the count.
        assert_eq!(names(&all, &waiting), found(UNKNOWN_NAME, 2));
        // The slot has another template, which a span with the old number does not get.
        plain.name = "second";
        let second = all.add(&plain);
        let slot = |template: &SpanTemplate| template.number as usize % MAX_SLOTS;
        assert_eq!(slot(&first), slot(&second));
        assert_eq!(names(&all, &waiting), found(UNKNOWN_NAME, 2));
        assert_eq!(names(&all, &put(&second)), found("second", 1));
        // Nobody retires a template by an old number, nor the unknown one.
        all.retire(&first);
        all.retire(&SpanTemplate::new(&plain));
        assert_eq!(read_lock(&all.0).retired.len(), MAX_RETIRED);
        assert_eq!(
            names(&all, &put(&SpanTemplate::new(&plain))),
            found(UNKNOWN_NAME, 2)
        );
    }

    #[test]
    fn without_a_free_slot_spans_are_those_of_the_unknown_template() {
        let all = SpanTemplates::default();
        let mut plain = span("name");
        plain.attributes = &[];
        let templates: Vec<_> = (0..MAX_SLOTS).map(|_| all.add(&plain)).collect();
        let last = templates.last().unwrap();
        assert_eq!((last.number, last.record().name), (UNKNOWN, "name"));
        assert_eq!(read_lock(&all.0).slots.len(), MAX_SLOTS);
        for number in templates
            .iter()
            .rev()
            .skip(1)
            .map(|template| template.number)
        {
            assert!(number & (PREPARED | COUNTED) == 0 && number != UNKNOWN);
        }
        all.retire(last);
        for template in &templates[..=MAX_RETIRED] {
            all.retire(template);
        }
        assert_eq!(
            all.add(&plain).number,
            templates[0].number + MAX_SLOTS as u32
        );
    }

    #[test]
    fn the_last_generation_is_followed_by_the_first() {
        let all = SpanTemplates::default();
        let mut template = all.add(&span("name"));
        for expected in [MAX_GENERATION, 0, 1] {
            let mut table = write_lock(&all.0);
            table.retire(template.number);
            let slot = table.retired.pop_back().unwrap();
            table.slots[slot].template.record = Arc::default();
            table.free.push(slot);
            if expected == MAX_GENERATION {
                table.slots[slot].template.number = slot as u32 | (MAX_GENERATION - 1) << SLOT_BITS;
            }
            drop(table);
            template = all.add(&span("name"));
            assert_eq!(template.number >> SLOT_BITS, expected);
            assert!(template.number & (PREPARED | COUNTED) == 0);
            assert_eq!(template.number as usize % MAX_SLOTS, slot);
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
