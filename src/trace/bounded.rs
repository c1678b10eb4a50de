//! The parts of a span in the making, each bounded in number and bytes.

use std::cell::RefCell;

use super::span::{SpanRecord, ValueRef, attributes, put_value};
use crate::model::wire::put_str;
use crate::model::{Attributes, Value, prefix};

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

/// Items one after the other. What has no room is left out and counted.
#[derive(Debug)]
pub(crate) struct Bounded {
    bytes: Vec<u8>,
    count: usize,
    left_out: u32,
    max: usize,
}

impl Bounded {
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
        if self.count == MAX_ITEMS || self.bytes.len() >= self.max {
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

    /// Adds an attribute, whose value `write` appends.
    pub(super) fn attribute(&mut self, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.put(|out| {
            put_str(out, prefix(key, MAX_KEY));
            write(out);
        });
    }

    /// Adds an attribute; its text is cut at 4 KiB.
    pub(crate) fn value(&mut self, key: &str, value: ValueRef<'_>) {
        let cut;
        let value = match value {
            ValueRef::Str(text) => {
                cut = crate::model::cut(text, MAX_VALUE);
                ValueRef::Str(&cut)
            }
            other => other,
        };
        self.attribute(key, |out| put_value(out, value));
    }

    /// Adds an attribute whose value is a text.
    pub(crate) fn text(&mut self, key: &str, text: &str) {
        self.value(key, ValueRef::Str(text));
    }

    /// Adds what a user set.
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
    }

    /// Adds what another has, if there is room for all of it.
    pub(super) fn append(&mut self, more: &Self) {
        let fits =
            self.count + more.count <= MAX_ITEMS && self.bytes.len() + more.bytes.len() <= self.max;
        if fits {
            self.bytes.extend_from_slice(&more.bytes);
            self.count += more.count;
        } else {
            self.left_out += more.count as u32;
        }
        self.left_out += more.left_out;
    }

    /// Notes that so many were left out before they came here.
    pub(super) fn lost(&mut self, items: u32) {
        self.left_out = self.left_out.saturating_add(items);
    }
}

impl Drop for Bounded {
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
    use crate::trace::span::attributes;

    #[test]
    fn what_has_no_room_is_counted_and_the_rest_is_whole() {
        let mut few = Bounded::attributes();
        let text = "x".repeat(5000);
        for _ in 0..10 {
            few.value("key", ValueRef::Str(&text));
        }
        // Three of 4 KiB and some bytes.
        assert_eq!((attributes(few.bytes()).count(), few.left_out()), (3, 7));
        few.value("small", ValueRef::I64(1));
        assert_eq!(attributes(few.bytes()).count(), 4);
        let mut many = Bounded::attributes();
        for n in 0..200 {
            many.value("key", ValueRef::I64(n));
        }
        assert_eq!(
            (attributes(many.bytes()).count(), many.left_out()),
            (128, 72)
        );
        few.append(&many);
        assert_eq!(
            (attributes(few.bytes()).count(), few.left_out()),
            (4, 7 + 200)
        );
        assert!(few.bytes().len() <= 16 * 1024);
    }
}
