//! The parts of a span in the making, each bounded in number and bytes.

use std::cell::RefCell;

use super::limits::SpanLimits;
use super::span_record::{SpanRecord, ValueRef, attributes, items, put_mark, put_value};
use crate::model::codec::{Reader, put_str};
use crate::model::text::put_formatted;
use crate::model::{Attributes, Value, prefix};
use crate::semconv;

/// The most items of an attribute's array.
const MAX_ARRAY_ITEMS: u32 = 128;
/// The most bytes of an attribute's key.
const MAX_KEY: usize = 128;
/// The most bytes of an attribute's text, whatever the settings allow.
pub(super) const MAX_VALUE: usize = SpanLimits::MAX_VALUE_LENGTH as usize;
/// Room for the first items, so that few need more than one allocation.
const FIRST: usize = 256;
/// Buffers that a thread keeps for the next ones, and the largest of them.
const MAX_SPARE: usize = 16;
const MAX_SPARE_BYTES: usize = 1024;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with some room.
fn spare() -> Vec<u8> {
    // A thread that is ending keeps none.
    let kept = SPARE.try_with(|all| all.try_borrow_mut().ok()?.pop());
    let kept = kept.ok().flatten();
    kept.unwrap_or_else(|| Vec::with_capacity(FIRST))
}

/// Items one after the other: attributes with unique keys, or events, or links. What has no room is left out and
/// counted.
#[derive(Debug)]
pub(crate) struct AttributeBuffer {
    bytes: Vec<u8>,
    count: u32,
    left_out: u32,
    /// The most bytes of all items together.
    max: usize,
    /// The most items.
    max_count: u32,
    /// The most characters of a text.
    max_length: u32,
    /// The bytes up to which every text is within the limits.
    max_plain_bytes: u32,
    /// One bit for each key that may be there, so that a new key is added without a search.
    keys: u64,
    /// Whether [`semconv::WATCHPOST_TRUNCATED`] is there.
    marked: bool,
}

impl AttributeBuffer {
    /// The attributes of a span: 16 KiB at most.
    pub(crate) fn attributes(limits: &SpanLimits) -> Self {
        Self::of(16 * 1024, limits.attributes, limits)
    }

    /// The attributes of an event: 4 KiB at most.
    pub(super) fn event_attributes(limits: &SpanLimits) -> Self {
        Self::of(4 * 1024, limits.event_attributes, limits)
    }

    /// The attributes of a link: 4 KiB at most.
    pub(super) fn link_attributes(limits: &SpanLimits) -> Self {
        Self::of(4 * 1024, limits.link_attributes, limits)
    }

    /// The items of an attribute's array: 4 KiB at most.
    pub(super) fn array_items() -> Self {
        Self::of(4 * 1024, MAX_ARRAY_ITEMS, &SpanLimits::default())
    }

    /// The events of a span: 8 KiB at most.
    pub(super) fn events(limits: &SpanLimits) -> Self {
        Self::of(8 * 1024, limits.events, limits)
    }

    /// The links of a span: 4 KiB at most.
    pub(super) fn links(limits: &SpanLimits) -> Self {
        Self::of(4 * 1024, limits.links, limits)
    }

    fn of(max: usize, max_count: u32, limits: &SpanLimits) -> Self {
        // No text has more characters than bytes, so a text of this many bytes need not be counted.
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

    /// Attributes that a span has already, to which more can be added.
    pub(crate) fn more(record: &SpanRecord<'_>, limits: &SpanLimits) -> Self {
        let mut bytes = spare();
        bytes.extend_from_slice(record.attributes);
        Self {
            bytes,
            count: attributes(record.attributes).count() as u32,
            left_out: record.left_out,
            keys: u64::MAX,
            ..Self::attributes(limits)
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn left_out(&self) -> u32 {
        self.left_out
    }

    /// Adds an item, which `write` appends, if there is room for it.
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

    /// Sets an attribute, whose value `write` appends, in place of an earlier value.
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

    /// Takes out the value that `key` has, if there is one.
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
            self.count -= 1;
        }
    }

    /// Records among the attributes that a text was cut. There is always room for this, unless no attribute is allowed.
    #[cold]
    pub(super) fn mark(&mut self) {
        if self.max_count > 0 && !std::mem::replace(&mut self.marked, true) {
            self.make_room(semconv::WATCHPOST_TRUNCATED.as_bytes());
            put_mark(&mut self.bytes);
            self.count += 1;
        }
    }

    /// Sets an attribute in place of an earlier value. A text is cut at the limit of characters and at 4 KiB, among the
    /// attributes of an event or a link at 2 KiB, and the cut is marked.
    pub(crate) fn value(&mut self, key: &str, value: ValueRef<'_>) {
        match value {
            ValueRef::Str(text) if text.len() > self.max_plain_bytes as usize => {
                self.long_text(key, text);
            }
            value => self.attribute(key, |out| put_value(out, value)),
        }
    }

    /// Sets a text that may be beyond the limits.
    #[cold]
    fn long_text(&mut self, key: &str, text: &str) {
        let beyond = text.char_indices().nth(self.max_length as usize);
        let max = beyond.map_or(text.len(), |(at, _)| at);
        let max = max.min(max_text_bytes(self.max));
        let cut = crate::model::cut(text, max);
        self.attribute(key, |out| put_value(out, ValueRef::Str(&cut)));
        if text.len() > max {
            self.mark();
        }
    }

    /// Sets an attribute to a formatted text, which is cut as by [`value`](Self::value).
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

    /// Sets an attribute whose value is a text.
    pub(crate) fn text(&mut self, key: &str, text: &str) {
        self.value(key, ValueRef::Str(text));
    }

    /// Sets what a user set.
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

    /// Sets the attributes that another has, in place of earlier values.
    pub(super) fn append(&mut self, more: &Self) {
        for (key, item) in items(&more.bytes) {
            if let Some(item) = more.bytes.get(item) {
                self.make_room(key);
                self.put(|out| out.extend_from_slice(item));
            }
        }
        if more.marked {
            self.mark();
        }
        self.left_out += more.left_out;
    }

    /// Notes that so many were left out before they came here.
    pub(super) fn lost(&mut self, items: u32) {
        self.left_out = self.left_out.saturating_add(items);
    }
}

/// The most bytes of one text among items that have `max` bytes together.
fn max_text_bytes(max: usize) -> usize {
    MAX_VALUE.min(max / 2)
}

/// The bit of a key: keys of one length that differ in their first, middle or last byte mostly have different ones.
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
        // Three of 4 KiB, the mark, and some bytes.
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
        // Three texts became numbers, which made room for the rest.
        assert_eq!(
            (attributes(few.bytes()).count(), few.left_out()),
            (128, 7 + 2 + 72)
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
        // Also where there is no room for another key.
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
        all.text("beyond", "x");
        let expected = [
            ("short", ValueRef::Str("12345")),
            ("long", ValueRef::Str("äöüßé")),
            (semconv::WATCHPOST_TRUNCATED, ValueRef::Bool(true)),
            ("formatted", ValueRef::Str("123-4")),
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
