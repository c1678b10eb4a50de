//! The buffers for the parts of a span, each bounded in number and bytes.

use std::cell::RefCell;

use super::limits::SpanLimits;
use super::span_record::{SpanRecord, ValueRef, attributes, items, put_mark, put_value};
use crate::model::codec::{Reader, put_str};
use crate::model::text::put_formatted;
use crate::model::{Attributes, Value, prefix};
use crate::semconv;

/// The maximum number of items in an array attribute, and the maximum length of a text among them in bytes.
const MAX_ARRAY_ITEMS: u32 = 128;
const MAX_ITEM: usize = 1024;
/// The maximum length of an attribute's key, in bytes.
const MAX_KEY: usize = 128;
/// The maximum length of an attribute's text, in bytes, regardless of the settings.
pub(super) const MAX_VALUE: usize = SpanLimits::MAX_VALUE_LENGTH as usize;
/// The initial capacity, so that few buffers need more than one allocation.
const FIRST: usize = 256;
/// The maximum number of buffers that a thread keeps for reuse, and the maximum capacity of each.
const MAX_SPARE: usize = 16;
const MAX_SPARE_BYTES: usize = 1024;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Returns an empty buffer, reused if possible.
fn spare() -> Vec<u8> {
    // A thread that is ending has no spare buffers.
    let kept = SPARE.try_with(|all| all.try_borrow_mut().ok()?.pop());
    let kept = kept.ok().flatten();
    kept.unwrap_or_else(|| Vec::with_capacity(FIRST))
}

/// A sequence of encoded items: attributes with unique keys, or events, or links. Items without room are dropped and
/// counted.
#[derive(Debug)]
pub(crate) struct AttributeBuffer {
    bytes: Vec<u8>,
    count: u32,
    left_out: u32,
    /// The maximum total size of the items, in bytes.
    max: usize,
    /// The maximum number of items.
    max_count: u32,
    /// The maximum length of a text, in characters.
    max_length: u32,
    /// The length, in bytes, up to which every text is within the limits.
    max_plain_bytes: u32,
    /// One bit for each key that may be present, so that a new key is usually added without a search.
    keys: u64,
    /// Whether [`semconv::WATCHPOST_TRUNCATED`] is present.
    marked: bool,
}

impl AttributeBuffer {
    /// Creates a buffer for the attributes of a span: at most 16 KiB.
    pub(crate) fn attributes(limits: &SpanLimits) -> Self {
        Self::of(16 * 1024, limits.attributes, limits)
    }

    /// Creates a buffer for the attributes of an event: at most 4 KiB.
    pub(super) fn event_attributes(limits: &SpanLimits) -> Self {
        Self::of(4 * 1024, limits.event_attributes, limits)
    }

    /// Creates a buffer for the attributes of a link: at most 4 KiB.
    pub(super) fn link_attributes(limits: &SpanLimits) -> Self {
        Self::of(4 * 1024, limits.link_attributes, limits)
    }

    /// Creates a buffer for the items of an array attribute: at most 4 KiB.
    pub(super) fn array_items(limits: &SpanLimits) -> Self {
        Self::of(4 * 1024, MAX_ARRAY_ITEMS, limits)
    }

    /// Creates a buffer for the events of a span: at most 8 KiB.
    pub(super) fn events(limits: &SpanLimits) -> Self {
        Self::of(8 * 1024, limits.events, limits)
    }

    /// Creates a buffer for the links of a span: at most 4 KiB.
    pub(super) fn links(limits: &SpanLimits) -> Self {
        Self::of(4 * 1024, limits.links, limits)
    }

    fn of(max: usize, max_count: u32, limits: &SpanLimits) -> Self {
        // A text never has more characters than bytes, so the characters of a text of this length need no counting.
        let max_plain_bytes = (limits.value_length as usize).min(max_text_bytes(max));
        Self {
            bytes: Vec::new(),
            count: 0,
            left_out: 0,
            max,
            max_count,
            max_length: limits.value_length,
            max_plain_bytes: max_plain_bytes as u32,
            keys: 0,
            marked: false,
        }
    }

    /// Creates a buffer with the attributes of a recorded span, to which more can be added.
    pub(crate) fn more(record: &SpanRecord<'_>, limits: &SpanLimits) -> Self {
        let mut bytes = spare();
        bytes.extend_from_slice(record.attributes);
        let (mut count, mut marked) = (0, false);
        for (key, _) in attributes(record.attributes) {
            let is_mark = key == semconv::WATCHPOST_TRUNCATED;
            marked |= is_mark;
            count += u32::from(!is_mark);
        }
        Self {
            bytes,
            count,
            left_out: record.left_out,
            keys: u64::MAX,
            marked,
            ..Self::attributes(limits)
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn left_out(&self) -> u32 {
        self.left_out
    }

    /// Adds the item that `write` appends, if there is room for it.
    pub(super) fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.count >= self.max_count || self.bytes.len() >= self.max {
            self.left_out += 1;
            return;
        }
        if self.bytes.capacity() == 0 {
            self.bytes = spare();
        }
        let before = self.bytes.len();
        write(&mut self.bytes);
        if self.bytes.len() > self.max {
            self.bytes.truncate(before);
            self.left_out += 1;
        } else {
            self.count += 1;
        }
    }

    /// Sets an attribute to the value that `write` appends, replacing an earlier value.
    pub(super) fn attribute(&mut self, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let short = prefix(key, MAX_KEY);
        self.make_room(short.as_bytes());
        self.put(|out| {
            put_str(out, short);
            write(out);
        });
        if short.len() < key.len() {
            self.mark();
        }
    }

    /// Removes the attribute of `key`, if present.
    #[inline]
    fn make_room(&mut self, key: &[u8]) {
        let bit = bit_of(key);
        if self.keys & bit != 0 {
            self.remove(key);
        }
        self.keys |= bit;
    }

    #[cold]
    fn remove(&mut self, key: &[u8]) {
        let found = items(&self.bytes).find(|(have, _)| *have == key);
        if let Some((_, item)) = found {
            self.bytes.drain(item);
            // The mark does not count. A value that the host sets under its key does.
            if self.marked && key == semconv::WATCHPOST_TRUNCATED.as_bytes() {
                self.marked = false;
            } else {
                self.count -= 1;
            }
        }
    }

    /// Adds the attribute that marks a truncated text. It does not count, so that it takes no room from another
    /// attribute. If no attributes are allowed, there is no text that it could mark.
    #[cold]
    pub(super) fn mark(&mut self) {
        if self.max_count > 0 && !self.marked {
            self.make_room(semconv::WATCHPOST_TRUNCATED.as_bytes());
            put_mark(&mut self.bytes);
            self.marked = true;
        }
    }

    /// Sets an attribute, replacing an earlier value. A text is truncated at the limit of characters and at 4 KiB, or
    /// at 2 KiB in an event or a link; the truncation is marked.
    pub(crate) fn value(&mut self, key: &str, value: ValueRef<'_>) {
        match value {
            ValueRef::Str(text) if text.len() > self.max_plain_bytes as usize => {
                self.long_text(key, text);
            }
            value => self.attribute(key, |out| put_value(out, value)),
        }
    }

    /// Sets a text that may exceed the limits.
    #[cold]
    fn long_text(&mut self, key: &str, text: &str) {
        let max = self.allowed_bytes(text);
        let cut = crate::model::cut(text, max);
        self.attribute(key, |out| put_value(out, ValueRef::Str(&cut)));
        if text.len() > max {
            self.mark();
        }
    }

    /// Returns how many bytes of a text are within the limits.
    fn allowed_bytes(&self, text: &str) -> usize {
        let beyond = text.char_indices().nth(self.max_length as usize);
        let max = beyond.map_or(text.len(), |(at, _)| at);
        max.min(max_text_bytes(self.max))
    }

    /// Adds a text of an array, truncated at the limit of characters and at 1 KiB. Returns whether it is complete.
    pub(super) fn array_text(&mut self, text: &str) -> bool {
        let max = self.allowed_bytes(text).min(MAX_ITEM);
        let cut = crate::model::cut(text, max);
        self.put(|out| put_value(out, ValueRef::Str(&cut)));
        text.len() <= max
    }

    /// Sets an attribute to a formatted text, truncated in the same way as by [`value`](Self::value).
    pub(super) fn formatted(&mut self, key: &str, value: std::fmt::Arguments<'_>) {
        let is_complete = if self.max_plain_bytes as usize == MAX_VALUE {
            let mut is_complete = true;
            self.attribute(key, |out| {
                out.push(0);
                is_complete = put_formatted(out, value, MAX_VALUE);
            });
            is_complete
        } else {
            let mut text = Vec::new();
            let is_complete = put_formatted(&mut text, value, MAX_VALUE);
            let text = Reader::new(&text).str().unwrap_or_default();
            self.value(key, ValueRef::Str(text));
            is_complete
        };
        if !is_complete {
            self.mark();
        }
    }

    /// Sets a text attribute.
    pub(crate) fn text(&mut self, key: &str, text: &str) {
        self.value(key, ValueRef::Str(text));
    }

    /// Sets the attributes of a user.
    pub(super) fn all(&mut self, attributes: &Attributes) {
        for (key, value) in attributes.iter() {
            self.value(
                key,
                match value {
                    Value::Str(text) => ValueRef::Str(text),
                    Value::I64(number) => ValueRef::I64(*number),
                    Value::F64(number) => ValueRef::F64(*number),
                    Value::Bool(truth) => ValueRef::Bool(*truth),
                },
            );
        }
        self.left_out += attributes.left_out();
        if attributes.is_shortened() {
            self.mark();
        }
    }

    /// Sets the attributes of another buffer, replacing earlier values.
    pub(super) fn append(&mut self, more: &Self) {
        for (key, item) in items(&more.bytes) {
            let is_mark = more.marked && key == semconv::WATCHPOST_TRUNCATED.as_bytes();
            if let Some(item) = more.bytes.get(item)
                && !is_mark
            {
                self.make_room(key);
                self.put(|out| out.extend_from_slice(item));
            }
        }
        if more.marked {
            self.mark();
        }
        self.left_out += more.left_out;
    }

    /// Counts items that were dropped before they reached this buffer.
    pub(super) fn lost(&mut self, items: u32) {
        self.left_out = self.left_out.saturating_add(items);
    }
}

/// Returns the maximum length, in bytes, of one text in a buffer of `max` bytes.
fn max_text_bytes(max: usize) -> usize {
    MAX_VALUE.min(max / 2)
}

/// Returns the bit of a key. Keys of equal length that differ in the first, middle or last byte mostly have different
/// bits.
#[inline]
fn bit_of(key: &[u8]) -> u64 {
    let at = |at: usize| u32::from(key.get(at).copied().unwrap_or_default());
    let length = key.len();
    let mixed = (length as u32)
        .wrapping_add(at(0) << 8)
        .wrapping_add(at(length / 2) << 16)
        .wrapping_add(at(length.wrapping_sub(1)) << 24)
        .wrapping_mul(0x9e37_79b1);
    1 << (mixed >> 26)
}

impl Drop for AttributeBuffer {
    fn drop(&mut self) {
        let capacity = self.bytes.capacity();
        if capacity == 0 || capacity > MAX_SPARE_BYTES {
            return;
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let _ended = SPARE.try_with(|all| {
            if let Ok(mut all) = all.try_borrow_mut()
                && all.len() < MAX_SPARE
            {
                all.push(bytes);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::span_record::attributes;

    fn read(of: &AttributeBuffer) -> Vec<(String, ValueRef<'_>)> {
        let all = attributes(of.bytes());
        all.map(|(key, value)| (key.to_owned(), value)).collect()
    }

    #[test]
    fn what_has_no_room_is_counted_and_the_rest_is_whole() {
        let mut few = AttributeBuffer::attributes(&SpanLimits::default());
        let text = "x".repeat(5000);
        for n in 0..10 {
            few.value(&format!("key{n}"), ValueRef::Str(&text));
        }
        // Three texts of 4 KiB, the mark, and some bytes.
        assert_eq!((attributes(few.bytes()).count(), few.left_out()), (4, 7));
        few.value("small", ValueRef::I64(1));
        assert_eq!(attributes(few.bytes()).count(), 5);
        let mut many = AttributeBuffer::attributes(&SpanLimits::default());
        for n in 0..200 {
            many.value(&format!("key{n}"), ValueRef::I64(n));
        }
        assert_eq!(
            (attributes(many.bytes()).count(), many.left_out()),
            (128, 72)
        );
        few.append(&many);
        // Three texts were replaced by numbers, which made room for the rest. The mark does not count.
        assert_eq!(
            (attributes(few.bytes()).count(), few.left_out()),
            (129, 7 + 1 + 72)
        );
        assert!(few.bytes().len() <= 16 * 1024);
    }

    #[test]
    fn a_key_is_there_once_and_the_last_value_wins() {
        let mut all = AttributeBuffer::attributes(&SpanLimits::default());
        for n in 0..10_000 {
            all.value("progress", ValueRef::I64(n));
        }
        all.text("progress", "done");
        assert_eq!(
            (read(&all), all.left_out()),
            (vec![("progress".to_owned(), ValueRef::Str("done"))], 0)
        );
        // The same applies if there is no room for another key.
        let mut full = AttributeBuffer::attributes(&SpanLimits::default());
        for n in 0..128 {
            full.value(&format!("key{n}"), ValueRef::I64(n));
        }
        for n in 0..128 {
            full.value(&format!("key{n}"), ValueRef::I64(-n));
        }
        let expected: Vec<_> = (0..128)
            .map(|n| (format!("key{n}"), ValueRef::I64(-n)))
            .collect();
        assert_eq!((read(&full), full.left_out()), (expected, 0));
    }

    #[test]
    fn keys_that_differ_anywhere_are_different_keys() {
        let mut all = AttributeBuffer::attributes(&SpanLimits::default());
        let keys: Vec<_> = (0..100)
            .map(|n| format!("k{:02}k{:02}k", n % 10, n / 10))
            .collect();
        for _ in 0..2 {
            for (n, key) in (0..).zip(&keys) {
                all.value(key, ValueRef::I64(n));
            }
        }
        let have: Vec<_> = read(&all).into_iter().map(|(key, _)| key).collect();
        assert_eq!(have, keys);
    }

    #[test]
    fn a_stale_value_does_not_stay_where_the_new_one_has_no_room() {
        let mut all = AttributeBuffer::attributes(&SpanLimits::default());
        all.value("state", ValueRef::I64(1));
        let text = "x".repeat(4000);
        for n in 0..4 {
            all.text(&format!("key{n}"), &text);
        }
        all.text("state", &text);
        assert!(read(&all).iter().all(|(key, _)| key != "state"));
        assert_eq!(all.left_out(), 1);
    }

    #[test]
    fn what_is_cut_is_marked_once() {
        let mut all = AttributeBuffer::attributes(&SpanLimits::default());
        all.text("a", &"x".repeat(5000));
        all.text("b", &"y".repeat(5000));
        all.text(&"k".repeat(200), "long key");
        let mut more = AttributeBuffer::attributes(&SpanLimits::default());
        more.text("c", &"z".repeat(5000));
        all.append(&more);
        let marks = read(&all)
            .into_iter()
            .filter(|(key, _)| key == semconv::WATCHPOST_TRUNCATED);
        let marks: Vec<_> = marks.map(|(_, value)| value).collect();
        assert_eq!(marks, [ValueRef::Bool(true)]);
    }

    #[test]
    fn the_mark_does_not_count_and_takes_no_room() {
        let limits = SpanLimits {
            attributes: 2,
            value_length: 3,
            ..SpanLimits::default()
        };
        let key = semconv::WATCHPOST_TRUNCATED;
        let names = |of: &AttributeBuffer| -> Vec<String> {
            read(of).into_iter().map(|(key, _)| key).collect()
        };
        let mut all = AttributeBuffer::attributes(&limits);
        all.text("long", "12345");
        all.value("host", ValueRef::I64(1));
        assert_eq!(
            (names(&all), all.left_out()),
            (vec!["long".into(), key.into(), "host".into()], 0)
        );
        // The same applies to a buffer that goes on from a record, and to one that takes another's attributes.
        let record = SpanRecord {
            attributes: all.bytes(),
            ..SpanRecord::default()
        };
        let wider = SpanLimits {
            attributes: 3,
            ..limits
        };
        let mut more = AttributeBuffer::more(&record, &wider);
        more.text("again", "12345");
        assert_eq!((names(&more).len(), more.left_out()), (4, 0));
        let mut copy = AttributeBuffer::attributes(&limits);
        copy.append(&all);
        assert_eq!((names(&copy).len(), copy.left_out()), (3, 0));
        // A value that the host sets under this key counts like any other, and is replaced by the mark.
        all.text(key, "own");
        assert_eq!(all.left_out(), 1);
        let mut own = AttributeBuffer::attributes(&limits);
        own.text(key, "own");
        own.text("long", "12345");
        own.text("host", "1");
        assert_eq!(
            (names(&own), own.left_out()),
            (vec!["long".into(), key.into(), "host".into()], 0)
        );
    }

    #[test]
    fn the_settings_limit_what_is_recorded() {
        let limits = SpanLimits {
            attributes: 4,
            value_length: 5,
            ..SpanLimits::default()
        };
        let mut all = AttributeBuffer::attributes(&limits);
        all.text("short", "12345");
        all.text("long", "äöüßé and more");
        all.formatted("formatted", format_args!("{}-{}", 123, 456));
        all.text("fourth", "x");
        all.text("beyond", "x");
        let expected = [
            ("short", ValueRef::Str("12345")),
            ("long", ValueRef::Str("äöüßé")),
            (semconv::WATCHPOST_TRUNCATED, ValueRef::Bool(true)),
            ("formatted", ValueRef::Str("123-4")),
            ("fourth", ValueRef::Str("x")),
        ]
        .map(|(key, value)| (key.to_owned(), value));
        assert_eq!((read(&all), all.left_out()), (expected.to_vec(), 1));

        let none = SpanLimits {
            attributes: 0,
            value_length: 0,
            ..SpanLimits::default()
        };
        let mut all = AttributeBuffer::attributes(&none);
        all.text("long", "text");
        assert_eq!((read(&all), all.left_out()), (vec![], 1));
    }

    #[test]
    fn a_ceiling_of_characters_is_one_of_bytes_too() {
        let mut all = AttributeBuffer::attributes(&SpanLimits::default());
        all.text("wide", &"ä".repeat(4096));
        let attributes = read(&all);
        let [(_, ValueRef::Str(text)), _] = attributes[..] else {
            panic!("{attributes:?}");
        };
        assert_eq!(text.len(), 4096);
    }

    #[test]
    fn more_attributes_than_the_default_fit() {
        let limits = SpanLimits {
            attributes: SpanLimits::MAX_ATTRIBUTES,
            ..SpanLimits::default()
        };
        let mut all = AttributeBuffer::attributes(&limits);
        for n in 0..1100 {
            all.value(&format!("k{n}"), ValueRef::Bool(true));
        }
        let count = attributes(all.bytes()).count();
        assert_eq!((count, all.left_out()), (1000, 100));
    }
}
