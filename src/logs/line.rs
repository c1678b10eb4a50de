//! One line in the making.

use std::io::Write;

use super::escape::{Escape, put_escaped};

/// Bytes of a line; what is longer is cut and marked.
const MAX_LINE: usize = 16 * 1024;
/// Bytes of one text.
const MAX_TEXT: usize = 8 * 1024;
/// What the mark, a number and the ends may take beyond the last text.
const RESERVE: usize = 256;

/// Names that are ours: a field or attribute of the same name gets a prefix.
const OWN: [&str; 32] = [
    "timestamp",
    "level",
    "message",
    "target",
    "trace_id",
    "span_id",
    "parent_span_id",
    "watchpost.parent.trace_id",
    "service.name",
    "service.version",
    "service.instance.id",
    "deployment.environment.name",
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "watchpost.outcome",
    "error.type",
    "time_to_headers_ms",
    "duration_ms",
    "http.request.body.size",
    "http.response.body.size",
    "url.path",
    "url.query",
    "client.address",
    "user_agent.original",
    "truncated",
    "event_id",
    "exception.type",
    "exception.message",
    "exception.causes",
    "code.file.path",
    "code.line.number",
];

/// A line that is appended to a block.
pub(super) struct Line<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    pretty: bool,
    cut: bool,
}

impl<'a> Line<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>, pretty: bool) -> Self {
        let start = out.len();
        if !pretty {
            out.push(b'{');
        }
        Self {
            out,
            start,
            pretty,
            cut: false,
        }
    }

    /// Appends what is on the line already escaped.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Appends the inside of a text, cut where there is no more room.
    pub(super) fn text(&mut self, text: &str) {
        let escape = if self.pretty {
            Escape::Plain
        } else {
            Escape::Json
        };
        let room = MAX_LINE.saturating_sub(self.out.len() - self.start + RESERVE);
        self.cut |= !put_escaped(self.out, text, escape, room.min(MAX_TEXT));
    }

    /// A field of ours whose value is a text; none where it is empty.
    pub(super) fn field(&mut self, key: &'static str, text: &str) {
        if !text.is_empty() {
            self.key(key);
            self.value(text);
        }
    }

    /// A field of ours whose value is known to need no escape.
    pub(super) fn plain(&mut self, key: &'static str, text: &[u8]) {
        if !text.is_empty() {
            self.key(key);
            self.out
                .extend_from_slice(if self.pretty { b"" } else { b"\"" });
            self.out.extend_from_slice(text);
            self.out
                .extend_from_slice(if self.pretty { b"" } else { b"\"" });
        }
    }

    /// A field of ours whose value needs no quotes.
    pub(super) fn number(&mut self, key: &'static str, number: impl std::fmt::Display) {
        self.key(key);
        // A vector takes everything.
        let _infallible = write!(self.out, "{number}");
    }

    pub(super) fn whole(&mut self, key: &'static str, number: u64) {
        self.key(key);
        self.out
            .extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// A field of ours in milliseconds with three decimals.
    pub(super) fn millis(&mut self, key: &'static str, nanos: u64) {
        self.key(key);
        put_millis(self.out, nanos);
    }

    /// A field of the host's: whether there is room for it. Its value follows.
    pub(super) fn foreign(&mut self, key: &str) -> bool {
        if self.out.len() - self.start + key.len() + RESERVE > MAX_LINE {
            self.cut = true;
            return false;
        }
        self.out
            .extend_from_slice(if self.pretty { b" " } else { b",\"" });
        if OWN.contains(&key) || key == "user.id" {
            self.out.extend_from_slice(b"attributes.");
        }
        self.text(key);
        self.out
            .extend_from_slice(if self.pretty { b"=" } else { b"\":" });
        true
    }

    /// The value of a field as a text.
    pub(super) fn value(&mut self, text: &str) {
        let bare = self.pretty && !text.is_empty() && !text.contains([' ', '"', '=']);
        if !bare {
            self.out.push(b'"');
        }
        self.text(text);
        if !bare {
            self.out.push(b'"');
        }
    }

    fn key(&mut self, key: &'static str) {
        if self.pretty {
            self.out.push(b' ');
            self.out.extend_from_slice(key.as_bytes());
            self.out.push(b'=');
        } else {
            self.out.extend_from_slice(b",\"");
            self.out.extend_from_slice(key.as_bytes());
            self.out.extend_from_slice(b"\":");
        }
    }

    pub(super) fn end(mut self) {
        if self.cut {
            self.number("truncated", true);
        }
        self.out
            .extend_from_slice(if self.pretty { b"\n" } else { b"}\n" });
    }
}

/// Nanoseconds as milliseconds with three decimals.
pub(super) fn put_millis(out: &mut Vec<u8>, nanos: u64) {
    let micros = nanos / 1000;
    out.extend_from_slice(itoa::Buffer::new().format(micros / 1000).as_bytes());
    let rest = (micros % 1000) as u16;
    let digit = |n: u16| b'0' + (n % 10) as u8;
    out.extend_from_slice(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest)]);
}
