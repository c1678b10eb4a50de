use super::attributes::{AttributeRef, attributes_of, put_all};
use crate::model::codec::{Reader, RecordText, put_bytes, put_str};
use crate::model::{EventId, Level, SpanId, TraceId};

/// The maximum number of tags of one event.
pub(crate) const MAX_TAGS: usize = 50;

/// The kind of a captured error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    Error,
    Message,
    Panic,
}

/// A captured error in its compact encoding, as the worker reads it. Texts are not redacted: redact them before
/// writing them anywhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorRecord<'a> {
    pub(crate) event: EventId,
    /// The ID of the trace; nil outside of requests.
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) route: u32,
    pub(crate) kind: ErrorKind,
    pub(crate) level: Level,
    /// Whether a backtrace is pending for this event.
    pub(crate) backtrace: bool,
    /// Whether a text was truncated or a part was dropped.
    pub(crate) shortened: bool,
    /// The source location of the capture or of the panic.
    pub(crate) file: &'a str,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) thread: &'a str,
    /// The request's method; empty if it is not known.
    pub(crate) method: &'a str,
    /// The type and message of the error, followed by those of its sources.
    pub(crate) chain: TextPairs<'a>,
    /// The path, query, user agent and client address of the request.
    pub(crate) texts: &'a [u8],
    /// The user and attributes of the request.
    pub(crate) more: &'a [u8],
    /// The user that the capture set.
    pub(crate) user: &'a str,
    pub(crate) tags: TextPairs<'a>,
    /// The attributes of the capture.
    pub(crate) extra: &'a [u8],
    /// The parts of the fingerprint that the capture set.
    pub(crate) fingerprint: &'a [u8],
    /// The request's last events.
    pub(crate) breadcrumbs: &'a [u8],
}

/// Appends the user and the attributes of a request. Drops the attributes that do not fit into `max` bytes.
pub(crate) fn put_user_and_attributes(out: &mut Vec<u8>, more: &[u8], max: usize) {
    let mut reader = Reader::new(more);
    let user = reader.bytes().unwrap_or_default();
    put_bytes(out, user);
    put_all(
        out,
        attributes_of(reader),
        max.saturating_sub(4 + user.len()),
    );
}

/// Encoded pairs of texts, which are read up to the first malformed one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TextPairs<'a>(pub(crate) &'a [u8]);

/// The request of an error, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RequestRef<'a> {
    pub(crate) path: &'a str,
    /// The query string without its question mark; empty if there is none.
    pub(crate) query: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) client_address: &'a str,
}

impl<'a> TextPairs<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || Some((reader.str()?, reader.str()?)))
    }
}

impl<'a> ErrorRecord<'a> {
    /// Appends the record.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.event.to_u128().to_le_bytes());
        out.extend_from_slice(&self.trace.to_u128().to_le_bytes());
        out.extend_from_slice(&self.span.to_u64().to_le_bytes());
        for number in [self.route, self.line, self.column] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&[
            self.kind as u8,
            self.level.index(),
            u8::from(self.backtrace) | u8::from(self.shortened) << 1,
        ]);
        for text in [self.file, self.thread, self.method, self.user] {
            put_str(out, text);
        }
        for part in [
            self.chain.0,
            self.texts,
            self.more,
            self.tags.0,
            self.extra,
            self.fingerprint,
            self.breadcrumbs,
        ] {
            put_bytes(out, part);
        }
    }

    /// Reads a record. Returns `None` if it is malformed.
    pub(crate) fn read(record: &'a [u8]) -> Option<Self> {
        let mut r = Reader::new(record);
        let (event, trace) = (EventId::from_u128(r.u128()?), TraceId::from_u128(r.u128()?));
        let span = SpanId::from_u64(r.u64()?);
        let (route, line, column) = (r.u32()?, r.u32()?, r.u32()?);
        let kind = match r.u8()? {
            0 => ErrorKind::Error,
            1 => ErrorKind::Message,
            2 => ErrorKind::Panic,
            _ => return None,
        };
        let level = Level::from_index(r.u8()?)?;
        let flags = r.u8()?;
        Some(Self {
            event,
            trace,
            span,
            route,
            kind,
            level,
            backtrace: flags & 1 != 0,
            shortened: flags & 2 != 0,
            line,
            column,
            file: r.str()?,
            thread: r.str()?,
            method: r.str()?,
            user: r.str()?,
            chain: TextPairs(r.bytes()?),
            texts: r.bytes()?,
            more: r.bytes()?,
            tags: TextPairs(r.bytes()?),
            extra: r.bytes()?,
            fingerprint: r.bytes()?,
            breadcrumbs: r.bytes()?,
        })
    }

    /// Returns the type and message of the error itself.
    pub(crate) fn first(&self) -> (&'a str, &'a str) {
        self.chain.iter().next().unwrap_or_default()
    }

    pub(crate) fn request(&self) -> RequestRef<'a> {
        let mut reader = Reader::new(self.texts);
        let mut text = || reader.str().unwrap_or_default();
        RequestRef {
            path: text(),
            query: text(),
            user_agent: text(),
            client_address: text(),
        }
    }

    /// Returns the user that the event concerns: the capture's user, or else the request's.
    pub(crate) fn user(&self) -> &'a str {
        if self.user.is_empty() {
            Reader::new(self.more).str().unwrap_or_default()
        } else {
            self.user
        }
    }

    /// Returns the request's attributes.
    pub(crate) fn attributes(
        &self,
    ) -> impl Iterator<Item = (RecordText<'a>, AttributeRef<'a>)> + use<'a> {
        let mut reader = Reader::new(self.more);
        // The user precedes the attributes.
        let _user = reader.bytes();
        attributes_of(reader)
    }

    pub(crate) fn extra(
        &self,
    ) -> impl Iterator<Item = (RecordText<'a>, AttributeRef<'a>)> + use<'a> {
        attributes_of(Reader::new(self.extra))
    }

    pub(crate) fn fingerprint(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut reader = Reader::new(self.fingerprint);
        std::iter::from_fn(move || reader.str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Attributes;
    use crate::record::put_attributes;

    #[test]
    fn a_record_is_read_as_it_was_written_and_a_cut_one_is_none() {
        let pairs = |pairs: &[(&str, &str)]| {
            let mut out = Vec::new();
            for (a, b) in pairs {
                put_str(&mut out, a);
                put_str(&mut out, b);
            }
            out
        };
        let chain = pairs(&[("a::E", "broke"), ("io", "gone")]);
        let tags = pairs(&[("tenant", "acme")]);
        let mut texts = Vec::new();
        for text in ["/a", "b=c", "probe", "::1"] {
            put_str(&mut texts, text);
        }
        let mut attributes = Attributes::default();
        attributes.insert("n", 3);
        let mut more = Vec::new();
        put_str(&mut more, "u1");
        put_attributes(&mut more, &attributes);
        let mut extra = Vec::new();
        put_attributes(&mut extra, &attributes);
        let written = ErrorRecord {
            event: EventId::from_u128(1),
            trace: TraceId::from_u128(2),
            span: SpanId::from_u64(3),
            route: 4,
            kind: ErrorKind::Panic,
            level: Level::Fatal,
            backtrace: true,
            shortened: true,
            file: "src/a.rs",
            line: 5,
            column: 6,
            thread: "main",
            method: "GET",
            chain: TextPairs(&chain),
            texts: &texts,
            more: &more,
            user: "",
            tags: TextPairs(&tags),
            extra: &extra,
            fingerprint: &[],
            breadcrumbs: b"crumbs",
        };
        let mut record = Vec::new();
        written.put(&mut record);
        let read = ErrorRecord::read(&record).unwrap();
        assert_eq!(format!("{read:?}"), format!("{written:?}"));
        assert_eq!(read.first(), ("a::E", "broke"));
        assert_eq!(read.chain.iter().count(), 2);
        assert_eq!((read.user(), read.request().query), ("u1", "b=c"));
        let number = [("n".into(), AttributeRef::I64(3))];
        assert_eq!(read.attributes().collect::<Vec<_>>(), number);
        assert_eq!(read.extra().collect::<Vec<_>>(), number);
        for len in 0..record.len() {
            assert!(ErrorRecord::read(&record[..len]).is_none());
        }
    }
}
