//! The parts of a span in the making, each bounded in number and bytes.

use std::cell::RefCell;

use super::span_record::{SpanRecord, ValueRef, attributes, items, put_mark, put_value};
use crate::model::codec::put_str;
use crate::model::{Attributes, Value, prefix};
use crate::semconv;

/// Attributes, events and links that a span may have, each.
const MAX_ITEMS: usize = 128;
/// Bytes of an attribute's key and of its text.
const MAX_KEY: usize = 128;
pub(super) const MAX_VALUE: usize = 4096;
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
    count: usize,
    left_out: u32,
    max: usize,
    /// One bit for each key that may be there, so that a new key is added without a search.
    keys: u64,
    /// Whether [`semconv::WATCHPOST_TRUNCATED`] is there.
    marked: bool,
}

impl AttributeBuffer {
    /// The attributes of a span: 16 KiB.
    pub(crate) fn attributes() -> Self {
        Self::of(16 * 1024)
    }

    /// Those of an event or a link: 4 KiB.
    pub(super) fn small_attributes() -> Self {
        Self::of(4 * 1024)
    }

    /// The events of a span: 8 KiB.
    pub(super) fn events() -> Self {
        Self::of(8 * 1024)
    }

    /// The links of a span: 4 KiB.
    pub(super) fn links() -> Self {
        Self::of(4 * 1024)
    }

    fn of(max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            count: 0,
            left_out: 0,
            max,
            keys: 0,
            marked: false,
        }
    }

    /// Attributes that a span has already, to which more can be added.
    pub(crate) fn more(record: &SpanRecord<'_>) -> Self {
        let mut bytes = spare();
        bytes.extend_from_slice(record.attributes);
        Self {
            bytes,
            count: attributes(record.attributes).count(),
            left_out: record.left_out,
            keys: u64::MAX,
            ..Self::attributes()
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
        if self.count >= MAX_ITEMS || self.bytes.len() >= self.max {
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

    /// Notes among the attributes that a text was cut. There is always room for this.
    #[cold]
    pub(super) fn mark(&mut self) {
        if !std::mem::replace(&mut self.marked, true) {
            self.make_room(semconv::WATCHPOST_TRUNCATED.as_bytes());
            put_mark(&mut self.bytes);
            self.count += 1;
        }
    }

    /// Sets an attribute in place of an earlier value. A text is cut at 4 KiB, among the attributes of an event or a
    /// link at 2 KiB, and the cut is marked.
    pub(crate) fn value(&mut self, key: &str, value: ValueRef<'_>) {
        match value {
            ValueRef::Str(text) if text.len() > MAX_VALUE.min(self.max / 2) => {
                let cut = crate::model::cut(text, MAX_VALUE.min(self.max / 2));
                self.attribute(key, |out| put_value(out, ValueRef::Str(&cut)));
                self.mark();
            }
            value => self.attribute(key, |out| put_value(out, value)),
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
        let mut few = AttributeBuffer::attributes();
        let text = "x".repeat(5000);
        for n in 0..10 {
            few.value(&format!("key{n}"), ValueRef::Str(&text));
        }
        // Three of 4 KiB, the mark, and some bytes.
        assert_eq!((attributes(few.bytes()).count(), few.left_out()), (4, 7));
        few.value("small", ValueRef::I64(1));
        assert_eq!(attributes(few.bytes()).count(), 5);
        let mut many = AttributeBuffer::attributes();
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
        let mut all = AttributeBuffer::attributes();
        for n in 0..10_000 {
            all.value("progress", ValueRef::I64(n));
        }
        all.text("progress", "done");
        assert_eq!(
            (read(&all), all.left_out()),
            (vec![("progress".to_owned(), ValueRef::Str("done"))], 0)
        );
        // Also where there is no room for another key.
        let mut full = AttributeBuffer::attributes();
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
        let mut all = AttributeBuffer::attributes();
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
        let mut all = AttributeBuffer::attributes();
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
        let mut all = AttributeBuffer::attributes();
        all.text("a", &"x".repeat(5000));
        all.text("b", &"y".repeat(5000));
        all.text(&"k".repeat(200), "long key");
        let mut more = AttributeBuffer::attributes();
        more.text("c", &"z".repeat(5000));
        all.append(&more);
        let marks = read(&all)
            .into_iter()
            .filter(|(key, _)| key == semconv::WATCHPOST_TRUNCATED);
        let marks: Vec<_> = marks.map(|(_, value)| value).collect();
        assert_eq!(marks, [ValueRef::Bool(true)]);
    }
}
