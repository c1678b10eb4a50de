//! One line in the making.

use std::io::Write;
use std::ops::Range;

use super::digits::{put_millis, put_whole};
use super::escape::{Escape, put_escaped};
use super::keys::{self, FieldKey};
use super::timestamp::TimestampWriter;
use crate::model::codec::Text;
use crate::redact;

/// Bytes of a line; what is longer is cut and marked.
const MAX_LINE: usize = 16 * 1024;
/// Bytes of one text.
const MAX_TEXT: usize = 8 * 1024;
/// Bytes of the text of a field of ours, and of the message of an error, which has a field too: three of these leave
/// room for what follows.
pub(super) const MAX_FIELD: usize = 4 * 1024;
/// What names, ids, numbers, ends and the mark may take beyond the last text.
const RESERVE: usize = 768;

/// A line that is appended to a block, or a part of one.
pub(super) struct LogLine<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    pretty: bool,
    cut: bool,
}

impl<'a> LogLine<'a> {
    /// A line up to the time, with it.
    #[inline]
    pub(super) fn begin(
        out: &'a mut Vec<u8>,
        pretty: bool,
        stamp: &mut TimestampWriter,
        wall: u64,
    ) -> Self {
        let line = Self::part(out, pretty);
        if !pretty {
            line.out.extend_from_slice(b"{\"timestamp\":\"");
        }
        stamp.put(line.out, wall);
        line
    }

    /// What will be copied into lines.
    pub(super) fn part(out: &'a mut Vec<u8>, pretty: bool) -> Self {
        let start = out.len();
        Self {
            out,
            start,
            pretty,
            cut: false,
        }
    }

    pub(super) fn pretty(&self) -> bool {
        self.pretty
    }

    /// The bytes that it has so far.
    pub(super) fn len(&self) -> usize {
        self.out.len() - self.start
    }

    /// Appends what is on the line already escaped.
    #[inline]
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Appends a part of a line that was written before; whether there is one and room for it.
    #[inline]
    pub(super) fn kept(&mut self, part: Option<&[u8]>) -> bool {
        let fits = |part: &&[u8]| self.len() + part.len() + RESERVE <= MAX_LINE;
        match part.filter(fits) {
            Some(part) => {
                self.out.extend_from_slice(part);
                true
            }
            None => false,
        }
    }

    /// Notes that what the line tells was cut before it came here.
    pub(super) fn mark_cut(&mut self) {
        self.cut = true;
    }

    /// Appends the inside of a text, cut where there is no more room.
    #[inline]
    pub(super) fn text(&mut self, text: Text<'_>) {
        self.text_within(text, MAX_TEXT);
    }

    /// As [`text`](Self::text), of at most `max` bytes.
    #[inline]
    pub(super) fn text_within(&mut self, text: Text<'_>, max: usize) {
        let escape = if self.pretty {
            Escape::Plain
        } else {
            Escape::Json
        };
        let room = MAX_LINE.saturating_sub(self.len() + RESERVE);
        self.cut |= !put_escaped(self.out, text, escape, room.min(max));
    }

    /// The inside of a text without the secrets in it.
    pub(super) fn scrubbed(&mut self, text: Text<'_>) {
        let scrubbed;
        self.text(if redact::is_clean(text.as_bytes()) {
            text
        } else {
            scrubbed = redact::text(text.as_str());
            Text::from(&*scrubbed)
        });
    }

    /// A field of ours whose value is a text; none where it is empty.
    #[inline]
    pub(super) fn field<const J: usize, const P: usize>(
        &mut self,
        key: &FieldKey<J, P>,
        text: Text<'_>,
    ) {
        if text.is_empty() {
        } else if self.pretty {
            self.out.extend_from_slice(&key.plain);
            self.value_within(text, MAX_FIELD);
        } else {
            self.out.extend_from_slice(&key.json);
            self.text_within(text, MAX_FIELD);
            self.out.push(b'"');
        }
    }

    /// The path of a request without the secrets in it.
    #[inline]
    pub(super) fn path<const J: usize, const P: usize>(
        &mut self,
        key: &FieldKey<J, P>,
        path: Text<'_>,
    ) {
        if redact::is_clean(path.as_bytes()) {
            self.field(key, path);
        } else {
            self.field(key, Text::from(&*redact::path(path.as_str())));
        }
    }

    /// A field of ours whose value is known to need no escape.
    #[inline]
    pub(super) fn plain<const J: usize, const P: usize>(
        &mut self,
        key: &FieldKey<J, P>,
        text: &[u8],
    ) {
        if self.pretty {
            self.out.extend_from_slice(&key.plain);
            self.out.extend_from_slice(text);
        } else {
            self.out.extend_from_slice(&key.json);
            self.out.extend_from_slice(text);
            self.out.push(b'"');
        }
    }

    #[inline]
    pub(super) fn whole<const J: usize, const P: usize>(
        &mut self,
        key: &FieldKey<J, P>,
        number: u64,
    ) {
        self.key(key);
        put_whole(self.out, number);
    }

    /// A field of ours in milliseconds with three decimals.
    #[inline]
    pub(super) fn millis<const J: usize, const P: usize>(
        &mut self,
        key: &FieldKey<J, P>,
        nanos: u64,
    ) {
        self.key(key);
        put_millis(self.out, nanos);
    }

    /// A number of milliseconds in the message.
    #[inline]
    pub(super) fn put_millis(&mut self, nanos: u64) {
        put_millis(self.out, nanos);
    }

    /// Whether there is room for a field of the host's with a name of so many bytes.
    #[inline]
    pub(super) fn takes(&mut self, name: usize) -> bool {
        let takes = self.len() + name + RESERVE <= MAX_LINE;
        self.cut |= !takes;
        takes
    }

    /// The name of a field of the host's, up to its value. One that has the name of a field of ours gets a prefix.
    pub(super) fn foreign(&mut self, name: &str) {
        self.named(
            if keys::is_own(name) {
                "attributes."
            } else {
                ""
            },
            name,
        );
    }

    /// The name of a field, up to its value.
    pub(super) fn named(&mut self, prefix: &str, name: &str) {
        self.raw(if self.pretty { b" " } else { b",\"" });
        self.raw(prefix.as_bytes());
        self.text(name.into());
        self.raw(if self.pretty { b"=" } else { b"\":" });
    }

    /// What the line has from `start` on.
    pub(super) fn since(&self, start: usize) -> &[u8] {
        self.out.get(self.start + start..).unwrap_or_default()
    }

    /// Takes out these bytes of the line.
    #[cold]
    pub(super) fn take_out(&mut self, bytes: Range<usize>) {
        let end = self.out.len();
        let bytes = self.start + bytes.start..(self.start + bytes.end).min(end);
        if bytes.start <= bytes.end {
            self.out.drain(bytes);
        }
    }

    /// The value of a field as a text.
    pub(super) fn value(&mut self, text: Text<'_>) {
        self.value_within(text, MAX_TEXT);
    }

    fn value_within(&mut self, text: Text<'_>, max: usize) {
        let odd = |byte: &u8| matches!(byte, b' ' | b'"' | b'=');
        let bare = self.pretty && !text.is_empty() && !text.as_bytes().iter().any(odd);
        if bare {
            self.text_within(text, max);
        } else {
            self.out.push(b'"');
            self.text_within(text, max);
            self.out.push(b'"');
        }
    }

    /// The value of a field as a text without the secrets in it; one mark for all of it where its name is
    /// that of a secret.
    pub(super) fn scrubbed_value(&mut self, is_secret: bool, text: Text<'_>) {
        let scrubbed;
        self.value(if is_secret {
            scrubbed = redact::sensitive(text.as_str());
            Text::from(&*scrubbed)
        } else if redact::is_clean(text.as_bytes()) {
            text
        } else {
            scrubbed = redact::text(text.as_str());
            Text::from(&*scrubbed)
        });
    }

    #[inline]
    pub(super) fn put_whole(&mut self, number: u64) {
        put_whole(self.out, number);
    }

    pub(super) fn put_i64(&mut self, number: i64) {
        if number < 0 {
            self.out.push(b'-');
        }
        put_whole(self.out, number.unsigned_abs());
    }

    pub(super) fn put_bool(&mut self, truth: bool) {
        self.raw(if truth { b"true" } else { b"false" });
    }

    /// JSON has no word for what is not finite.
    pub(super) fn put_f64(&mut self, number: f64) {
        if number.is_finite() {
            // A vector takes everything.
            let _infallible = write!(self.out, "{number}");
        } else {
            self.value(Text::from(&*number.to_string()));
        }
    }

    #[inline]
    fn key<const J: usize, const P: usize>(&mut self, key: &FieldKey<J, P>) {
        if self.pretty {
            self.out.extend_from_slice(&key.plain);
        } else if let Some((_, key)) = key.json.split_last() {
            self.out.extend_from_slice(key);
        }
    }

    #[inline]
    pub(super) fn end(mut self) {
        if self.cut {
            self.key(&keys::TRUNCATED);
            self.raw(b"true");
        }
        if self.pretty {
            self.out.extend_from_slice(b"\n");
        } else {
            self.out.extend_from_slice(b"}\n");
        }
    }
}
