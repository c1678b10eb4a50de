//! JSON objects in the making.

use std::io::Write;

use crate::model::json::push_str;

/// An object that is appended to a text.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    any: bool,
}

/// An array that is appended to a text.
pub(super) struct Array<'a> {
    out: &'a mut Vec<u8>,
    any: bool,
}

impl<'a> Object<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, any: false }
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }

    fn key(&mut self, key: &str) {
        if std::mem::replace(&mut self.any, true) {
            self.out.push(b',');
        }
        push_str(self.out, key);
        self.out.push(b':');
    }

    /// A text; none where it is empty.
    pub(super) fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.key(key);
            push_str(self.out, text);
        }
    }

    pub(super) fn u64(&mut self, key: &str, number: u64) {
        self.key(key);
        self.out
            .extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    pub(super) fn i64(&mut self, key: &str, number: i64) {
        self.key(key);
        self.out
            .extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// A number; as a text where JSON has no word for it.
    pub(super) fn f64(&mut self, key: &str, number: f64) {
        if number.is_finite() {
            self.key(key);
            // A vector takes everything.
            let _infallible = write!(self.out, "{number}");
        } else {
            self.text(key, &number.to_string());
        }
    }

    pub(super) fn bool(&mut self, key: &str, truth: bool) {
        self.key(key);
        self.out
            .extend_from_slice(if truth { b"true" } else { b"false" });
    }

    pub(super) fn object(&mut self, key: &str, write: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        let mut object = Object::begin(self.out);
        write(&mut object);
        object.end();
    }

    pub(super) fn array(&mut self, key: &str, write: impl FnOnce(&mut Array<'_>)) {
        self.key(key);
        self.out.push(b'[');
        let mut array = Array {
            out: self.out,
            any: false,
        };
        write(&mut array);
        self.out.push(b']');
    }
}

impl Array<'_> {
    fn next(&mut self) {
        if std::mem::replace(&mut self.any, true) {
            self.out.push(b',');
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.next();
        push_str(self.out, text);
    }

    pub(super) fn object(&mut self, write: impl FnOnce(&mut Object<'_>)) {
        self.next();
        let mut object = Object::begin(self.out);
        write(&mut object);
        object.end();
    }
}
