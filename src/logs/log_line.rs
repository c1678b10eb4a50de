//! A log line that is being written.

use std::io::Write;
use std::ops::Range;

use tracing::Level;

use super::digits::{put_millis, put_u64};
use super::escape::{Escape, put_escaped};
use super::keys::{self, FieldKey};
use super::timestamp::TimestampWriter;
use crate::model::codec::RecordText;
use crate::redact;

/// The maximum number of bytes of a line. A longer one is cut and marked.
const MAX_LINE: usize = 16 * 1024;
/// The maximum number of bytes of one text.
const MAX_TEXT: usize = 8 * 1024;
/// The maximum number of bytes of a text in a field of this crate, and of an error's message, which is in a field too.
/// Three such texts leave room for the fields that follow.
pub(super) const MAX_FIELD: usize = 4 * 1024;
/// The bytes that are reserved for names, IDs, numbers, the end of the line and the mark, after the last text.
const RESERVE: usize = 768;

/// A line that is appended to a block, or a fragment that is copied into lines later.
///
/// Methods whose names begin with `put` append. Fields of this crate have a [`FieldKey`]; those of the host have a
/// name at run time.
pub(super) struct LogLine<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    pretty: bool,
    /// Whether something was cut or left out.
    truncated: bool,
}

impl<'a> LogLine<'a> {
    /// Begins a line and appends its time, `wall` nanoseconds since the Unix epoch.
    #[inline]
    pub(super) fn begin(
        out: &'a mut Vec<u8>,
        pretty: bool,
        timestamps: &mut TimestampWriter,
        wall: u64,
    ) -> Self {
        let line = Self::fragment(out, pretty);
        if !pretty {
            line.out.extend_from_slice(b"{\"timestamp\":\"");
        }
        timestamps.put(line.out, wall);
        line
    }

    /// Begins a fragment, which will be copied into lines.
    pub(super) fn fragment(out: &'a mut Vec<u8>, pretty: bool) -> Self {
        let start = out.len();
        Self {
            out,
            start,
            pretty,
            truncated: false,
        }
    }

    pub(super) fn is_pretty(&self) -> bool {
        self.pretty
    }

    /// Appends the level and the beginning of the message. The text of the message follows, then
    /// [`end_message`](Self::end_message).
    pub(super) fn begin_message(&mut self, level: Level) {
        if self.pretty {
            self.put_raw(match level {
                Level::ERROR => b" ERROR ",
                Level::WARN => b"  WARN ",
                Level::INFO => b"  INFO ",
                Level::DEBUG => b" DEBUG ",
                Level::TRACE => b" TRACE ",
            });
        } else {
            self.put_raw(b"\",\"level\":\"");
            self.put_raw(level.as_str().as_bytes());
            self.put_raw(b"\",\"message\":\"");
        }
    }

    /// Ends the message and appends the fields of the service.
    #[inline]
    pub(super) fn end_message(&mut self, service: &[u8]) {
        if !self.pretty {
            self.put_raw(b"\"");
            self.put_raw(service);
        }
    }

    /// The bytes written so far.
    pub(super) fn len(&self) -> usize {
        self.out.len() - self.start
    }

    /// Appends bytes that are escaped already.
    #[inline]
    pub(super) fn put_raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Appends a cached fragment. Returns whether there was one, and room for it.
    #[inline]
    pub(super) fn put_cached(&mut self, part: Option<&[u8]>) -> bool {
        let fits = |part: &&[u8]| self.len() + part.len() + RESERVE <= MAX_LINE;
        match part.filter(fits) {
            Some(part) => {
                self.out.extend_from_slice(part);
                true
            }
            None => false,
        }
    }

    /// Marks the line as truncated, because its record was truncated earlier.
    pub(super) fn mark_truncated(&mut self) {
        self.truncated = true;
    }

    /// Appends an escaped text without quotes, cut where the line is full.
    #[inline]
    pub(super) fn put_text(&mut self, text: RecordText<'_>) {
        self.put_text_within(text, MAX_TEXT);
    }

    /// Like [`put_text`](Self::put_text), with at most `max` bytes.
    #[inline]
    pub(super) fn put_text_within(&mut self, text: RecordText<'_>, max: usize) {
        let escape = if self.pretty {
            Escape::Plain
        } else {
            Escape::Json
        };
        let room = MAX_LINE.saturating_sub(self.len() + RESERVE);
        self.truncated |= !put_escaped(self.out, text, escape, room.min(max));
    }

    /// Like [`put_text`](Self::put_text), without the secrets in the text.
    pub(super) fn put_scrubbed(&mut self, text: RecordText<'_>) {
        let scrubbed;
        self.put_text(if redact::is_clean(text.as_bytes()) {
            text
        } else {
            scrubbed = redact::text(text.as_str());
            RecordText::from(&*scrubbed)
        });
    }

    /// Appends a field of this crate with a text, unless the text is empty.
    #[inline]
    pub(super) fn put_field<const J: usize, const P: usize>(
        &mut self,
        key: &FieldKey<J, P>,
        text: RecordText<'_>,
    ) {
        if text.is_empty() {
        } else if self.pretty {
            self.out.extend_from_slice(&key.plain);
            self.put_value_within(text, MAX_FIELD);
        } else {
            self.out.extend_from_slice(&key.json);
            self.put_text_within(text, MAX_FIELD);
            self.out.push(b'"');
        }
    }

    /// Appends a field with the path of a request, without the secrets in it.
    #[inline]
    pub(super) fn put_path<const J: usize, const P: usize>(
        &mut self,
        key: &FieldKey<J, P>,
        path: RecordText<'_>,
    ) {
        if redact::is_clean(path.as_bytes()) {
            self.put_field(key, path);
        } else {
            self.put_field(key, RecordText::from(&*redact::path(path.as_str())));
        }
    }

    /// Appends a field of this crate with a text that needs no escapes.
    #[inline]
    pub(super) fn put_plain_field<const J: usize, const P: usize>(
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

    /// Appends a field of this crate with a number.
    #[inline]
    pub(super) fn put_u64_field<const J: usize, const P: usize>(
        &mut self,
        key: &FieldKey<J, P>,
        number: u64,
    ) {
        self.put_own_key(key);
        put_u64(self.out, number);
    }

    /// Appends a field of this crate with nanoseconds as milliseconds with three decimals.
    #[inline]
    pub(super) fn put_millis_field<const J: usize, const P: usize>(
        &mut self,
        key: &FieldKey<J, P>,
        nanos: u64,
    ) {
        self.put_own_key(key);
        put_millis(self.out, nanos);
    }

    /// Appends nanoseconds as milliseconds with three decimals.
    #[inline]
    pub(super) fn put_millis(&mut self, nanos: u64) {
        put_millis(self.out, nanos);
    }

    /// Whether there is room for a field of the host with a name of this length. If not, the line is marked as
    /// truncated.
    #[inline]
    pub(super) fn has_room_for(&mut self, name_length: usize) -> bool {
        let has_room = self.len() + name_length + RESERVE <= MAX_LINE;
        self.truncated |= !has_room;
        has_room
    }

    /// Appends the name of a field of the host, up to its value. If a field of this crate has the name, it gets a
    /// prefix.
    pub(super) fn put_host_key(&mut self, name: &str) {
        self.put_key(
            if keys::is_own(name) {
                "attributes."
            } else {
                ""
            },
            name,
        );
    }

    /// Appends the name of a field, up to its value.
    pub(super) fn put_key(&mut self, prefix: &str, name: &str) {
        self.put_raw(if self.pretty { b" " } else { b",\"" });
        self.put_raw(prefix.as_bytes());
        self.put_text(name.into());
        self.put_raw(if self.pretty { b"=" } else { b"\":" });
    }

    /// The bytes of the line from `start` on.
    pub(super) fn since(&self, start: usize) -> &[u8] {
        self.out.get(self.start + start..).unwrap_or_default()
    }

    /// Removes bytes of the line.
    #[cold]
    pub(super) fn remove(&mut self, bytes: Range<usize>) {
        let end = self.out.len();
        let bytes = self.start + bytes.start..(self.start + bytes.end).min(end);
        if bytes.start <= bytes.end {
            self.out.drain(bytes);
        }
    }

    /// Appends the value of a field: a text, in quotes where it needs them.
    pub(super) fn put_value(&mut self, text: RecordText<'_>) {
        self.put_value_within(text, MAX_TEXT);
    }

    fn put_value_within(&mut self, text: RecordText<'_>, max: usize) {
        let needs_quotes = |byte: &u8| matches!(byte, b' ' | b'"' | b'=');
        let bare = self.pretty && !text.is_empty() && !text.as_bytes().iter().any(needs_quotes);
        if bare {
            self.put_text_within(text, max);
        } else {
            self.out.push(b'"');
            self.put_text_within(text, max);
            self.out.push(b'"');
        }
    }

    /// Like [`put_value`](Self::put_value), without the secrets in the text. The value of a field with a sensitive name
    /// is replaced completely.
    pub(super) fn put_scrubbed_value(&mut self, is_secret: bool, text: RecordText<'_>) {
        let scrubbed;
        self.put_value(if is_secret {
            scrubbed = redact::sensitive(text.as_str());
            RecordText::from(&*scrubbed)
        } else if redact::is_clean(text.as_bytes()) {
            text
        } else {
            scrubbed = redact::text(text.as_str());
            RecordText::from(&*scrubbed)
        });
    }

    #[inline]
    pub(super) fn put_u64(&mut self, number: u64) {
        put_u64(self.out, number);
    }

    pub(super) fn put_i64(&mut self, number: i64) {
        if number < 0 {
            self.out.push(b'-');
        }
        put_u64(self.out, number.unsigned_abs());
    }

    pub(super) fn put_bool(&mut self, value: bool) {
        self.put_raw(if value { b"true" } else { b"false" });
    }

    /// Appends a number. One that is not finite becomes a text, which JSON can represent.
    pub(super) fn put_f64(&mut self, number: f64) {
        if number.is_finite() {
            // Writing to a vector does not fail.
            let _infallible = write!(self.out, "{number}");
        } else {
            self.put_value(RecordText::from(&*number.to_string()));
        }
    }

    /// Appends the name of a field of this crate whose value needs no quotes.
    #[inline]
    fn put_own_key<const J: usize, const P: usize>(&mut self, key: &FieldKey<J, P>) {
        if self.pretty {
            self.out.extend_from_slice(&key.plain);
        } else if let Some((_, key)) = key.json.split_last() {
            self.out.extend_from_slice(key);
        }
    }

    /// Ends the line.
    #[inline]
    pub(super) fn finish(mut self) {
        if self.truncated {
            self.put_own_key(&keys::TRUNCATED);
            self.put_raw(b"true");
        }
        if self.pretty {
            self.out.extend_from_slice(b"\n");
        } else {
            self.out.extend_from_slice(b"}\n");
        }
    }
}
