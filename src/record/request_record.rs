use super::attributes::{AttributeRef, attributes_of};
use super::method::Method;
use crate::clock::Nanos;
use crate::model::codec::{Reader, RecordText, put_str};
use crate::model::grpc::Call;
use crate::model::{Outcome, SpanId, TraceId, cut};

/// The value of `url.scheme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The values of `network.protocol.version`.
pub(crate) const VERSIONS: [&str; 5] = ["0.9", "1.0", "1.1", "2", "3"];

#[inline]
fn version_index(version: &str) -> u8 {
    match version {
        "1.1" => 2,
        "2" => 3,
        "3" => 4,
        "1.0" => 1,
        _ => 0,
    }
}

/// A finished request in its compact encoding, as the worker reads it.
///
/// The encoding has the fixed part ([`put_fixed`]), the texts of the request (route, path, query, user agent, client
/// address, host, peer address), the texts of the response (user, `error.type`), and the attributes
/// ([`put_attributes`]) to the end.
///
/// Texts are truncated to their limits but not redacted: redact them before writing them anywhere. With every text at
/// its limit, a record has less than 32 KiB, so no request creates a record that is too large.
#[derive(Debug, Clone)]
pub(crate) struct RequestRecord<'a> {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    /// The ID of the caller's span; nil without a valid `traceparent`.
    pub(crate) parent_span: SpanId,
    /// The ID of the caller's trace if the request does not continue it (edge mode); nil otherwise.
    pub(crate) parent_trace: TraceId,
    /// The time until the end of the body, or until the headers if the request ends with them.
    pub(crate) duration: Nanos,
    pub(crate) time_to_headers: Option<Nanos>,
    pub(crate) request_bytes: Option<u64>,
    pub(crate) response_bytes: Option<u64>,
    pub(crate) status: Option<u16>,
    /// Whether the request is a gRPC call, and its status.
    pub(crate) call: Call,
    pub(crate) method: Method,
    pub(crate) scheme: Scheme,
    /// The value of `network.protocol.version`.
    pub(crate) version: &'a str,
    pub(crate) outcome: Outcome,
    pub(crate) failed: bool,
    /// Whether this is the end of an event stream whose request has its own record. Duration, bytes and outcome are
    /// then those of the stream.
    pub(crate) stream: bool,
    /// Whether a text was truncated or an attribute was dropped.
    pub(crate) shortened: bool,
    /// The number of attributes that were dropped.
    pub(crate) left_out: u32,
    pub(crate) route: RecordText<'a>,
    pub(crate) path: RecordText<'a>,
    /// The query string without its question mark; empty if there is none.
    pub(crate) query: RecordText<'a>,
    pub(crate) user_agent: RecordText<'a>,
    pub(crate) client_address: RecordText<'a>,
    /// The server name that the client sent, with the port if it sent one.
    pub(crate) host: RecordText<'a>,
    /// The peer's address, if it differs from the client's.
    pub(crate) peer_address: RecordText<'a>,
    pub(crate) user: RecordText<'a>,
    pub(crate) error_type: RecordText<'a>,
    pub(crate) attributes: Reader<'a>,
}

/// The size of the fixed part of a record, in bytes.
const FIXED: usize = 96;
/// The offset, in the fixed part, of the number of dropped attributes, which is followed by the flag `shortened`.
const LEFT_OUT_AT: usize = FIXED - 8;
/// The maximum length of path, query and user agent, each, in bytes.
pub(crate) const MAX_TEXT: usize = 4096;
/// The maximum length of the user, in bytes.
pub(crate) const MAX_USER: usize = 256;
/// Appends a text of the request, truncated at [`MAX_TEXT`]. Returns whether it is complete.
#[inline]
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) -> bool {
    let whole = text.len() <= MAX_TEXT;
    if whole {
        put_str(out, text);
    } else {
        put_cut(out, text);
    }
    whole
}

#[cold]
fn put_cut(out: &mut Vec<u8>, text: &str) {
    put_str(out, &cut(text, MAX_TEXT));
}

/// Appends the fixed part of a record.
#[inline(always)]
pub(crate) fn put_fixed(out: &mut Vec<u8>, record: &RequestRecord<'_>) {
    const NONE: u64 = u64::MAX;
    let mut fixed = [0_u8; FIXED];
    let words = [
        record.span.to_u64(),
        record.parent_span.to_u64(),
        record.duration,
        record.time_to_headers.unwrap_or(NONE),
        record.request_bytes.unwrap_or(NONE),
        record.response_bytes.unwrap_or(NONE),
        u64::from(record.status.unwrap_or(0))
            | u64::from(record.call.byte()) << 16
            | u64::from(record.method.index()) << 24
            | u64::from(record.scheme == Scheme::Https) << 32
            | u64::from(record.outcome.index()) << 40
            | u64::from(record.failed) << 48
            | u64::from(record.stream) << 49
            | u64::from(version_index(record.version)) << 56,
        u64::from(record.left_out) | u64::from(record.shortened) << 32,
    ];
    let traces = [record.trace.to_u128(), record.parent_trace.to_u128()];
    let (head, tail) = fixed.split_at_mut(32);
    for (to, id) in head.chunks_exact_mut(16).zip(traces) {
        to.copy_from_slice(&id.to_le_bytes());
    }
    for (to, word) in tail.chunks_exact_mut(8).zip(words) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&fixed);
}

/// Adds to the number of dropped attributes in the record that begins at `start`.
#[cold]
pub(crate) fn note_left_out(out: &mut [u8], start: usize, left_out: u32) {
    let place = out.get_mut(start + LEFT_OUT_AT..);
    if let Some([a, b, c, d, shortened, ..]) = place {
        let before = u32::from_le_bytes([*a, *b, *c, *d]);
        [*a, *b, *c, *d] = before.saturating_add(left_out).to_le_bytes();
        *shortened = 1;
    }
}

impl Default for RequestRecord<'_> {
    fn default() -> Self {
        Self {
            trace: TraceId::NIL,
            span: SpanId::NIL,
            parent_span: SpanId::NIL,
            parent_trace: TraceId::NIL,
            duration: 0,
            time_to_headers: None,
            request_bytes: None,
            response_bytes: None,
            status: None,
            call: Call::NONE,
            method: Method::OTHER,
            scheme: Scheme::Http,
            version: "1.1",
            outcome: Outcome::Completed,
            failed: false,
            stream: false,
            shortened: false,
            left_out: 0,
            route: RecordText::default(),
            path: RecordText::default(),
            query: RecordText::default(),
            user_agent: RecordText::default(),
            client_address: RecordText::default(),
            host: RecordText::default(),
            peer_address: RecordText::default(),
            user: RecordText::default(),
            error_type: RecordText::default(),
            attributes: Reader::new(&[]),
        }
    }
}

impl<'a> RequestRecord<'a> {
    /// Reads a record. Returns `None` if it is malformed.
    #[inline]
    pub(crate) fn read(record: &'a [u8]) -> Option<Self> {
        let (fixed, texts) = record.split_first_chunk::<FIXED>()?;
        // In the order in which `put_fixed` writes them.
        let (ids, words) = fixed.split_first_chunk::<32>()?;
        let [trace, parent_trace] = ids.as_chunks::<16>().0.first_chunk()?;
        let words = words.as_chunks::<8>().0.first_chunk::<8>()?;
        let [
            span,
            parent_span,
            duration,
            time,
            request,
            response,
            small,
            last,
        ] = words.map(u64::from_le_bytes);
        let (trace, parent_trace) = (
            TraceId::from_u128(u128::from_le_bytes(*trace)),
            TraceId::from_u128(u128::from_le_bytes(*parent_trace)),
        );
        let (span, parent_span) = (SpanId::from_u64(span), SpanId::from_u64(parent_span));
        let some = |n: u64| (n != u64::MAX).then_some(n);
        let (time_to_headers, request_bytes, response_bytes) =
            (some(time), some(request), some(response));
        let [s0, s1, grpc, method, scheme, outcome, flags, version] = small.to_le_bytes();
        let status = Some(u16::from_le_bytes([s0, s1])).filter(|status| *status != 0);
        let call = Call::from_byte(grpc);
        let method = Method::from_index(method);
        let scheme = if scheme == 1 {
            Scheme::Https
        } else {
            Scheme::Http
        };
        let outcome = Outcome::from_index(outcome)?;
        let (failed, stream) = (flags & 1 != 0, flags & 2 != 0);
        let version = VERSIONS.get(usize::from(version)).copied()?;
        let left_out = (last & u64::from(u32::MAX)) as u32;
        let shortened = last >> 32 & 0xff == 1;
        let mut r = Reader::new(texts);
        Some(Self {
            trace,
            span,
            parent_span,
            parent_trace,
            duration,
            time_to_headers,
            request_bytes,
            response_bytes,
            status,
            call,
            method,
            scheme,
            version,
            outcome,
            failed,
            stream,
            shortened,
            left_out,
            route: r.text()?,
            path: r.text()?,
            query: r.text()?,
            user_agent: r.text()?,
            client_address: r.text()?,
            host: r.text()?,
            peer_address: r.text()?,
            user: r.text()?,
            error_type: r.text()?,
            attributes: r,
        })
    }

    /// Returns the attributes, up to the first malformed one.
    pub(crate) fn attributes(
        &self,
    ) -> impl Iterator<Item = (RecordText<'a>, AttributeRef<'a>)> + use<'a> {
        attributes_of(self.attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Attributes;
    use crate::model::grpc::Status;
    use crate::record::put_attributes;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut attributes = Attributes::default();
        attributes.insert("tenant", "acme");
        attributes.insert("n", -3);
        attributes.insert("share", 0.5);
        attributes.insert("paid", true);
        let written = RequestRecord {
            trace: TraceId::from_u128(7),
            span: SpanId::from_u64(8),
            parent_span: SpanId::from_u64(9),
            parent_trace: TraceId::NIL,
            duration: 1_000_000,
            time_to_headers: Some(500),
            request_bytes: None,
            response_bytes: Some(0),
            status: Some(503),
            call: Call::ended(Status::UNIMPLEMENTED),
            method: Method::of(&http::Method::PUT),
            scheme: Scheme::Https,
            version: "2",
            outcome: Outcome::BodyDropped,
            failed: true,
            stream: true,
            shortened: true,
            left_out: 2,
            route: "/a/{b}".into(),
            path: "/a/1".into(),
            query: "c=d".into(),
            user_agent: "probe".into(),
            client_address: "::1".into(),
            host: "shop.test:8080".into(),
            peer_address: "10.0.0.1".into(),
            user: RecordText::default(),
            error_type: "503".into(),
            attributes: Reader::new(&[]),
        };
        let mut record = Vec::new();
        put_fixed(&mut record, &written);
        let w = &written;
        for text in [
            w.route,
            w.path,
            w.query,
            w.user_agent,
            w.client_address,
            w.host,
            w.peer_address,
            w.user,
            w.error_type,
        ] {
            put_str(&mut record, text.as_str());
        }
        put_attributes(&mut record, &attributes);
        let read = RequestRecord::read(&record).unwrap();
        let attributes = read.attributes().map(|(key, value)| (key.as_str(), value));
        let attributes: Vec<_> = attributes.collect();
        assert_eq!(
            attributes,
            [
                ("tenant", AttributeRef::Str("acme".into())),
                ("n", AttributeRef::I64(-3)),
                ("share", AttributeRef::F64(0.5)),
                ("paid", AttributeRef::Bool(true)),
            ]
        );
        let without = |r: &RequestRecord<'_>| {
            format!(
                "{:?}",
                RequestRecord {
                    attributes: Reader::new(&[]),
                    ..r.clone()
                }
            )
        };
        assert_eq!(without(&read), without(&written));
        for len in 0..FIXED {
            assert!(RequestRecord::read(&record[..len]).is_none());
        }
    }

    #[test]
    fn attributes_without_room_are_counted_and_those_behind_them_are_there() {
        let mut attributes = Attributes::default();
        for n in 0..8 {
            attributes.insert(format!("key{n}"), "x".repeat(4000));
        }
        attributes.insert("small", 1);
        let mut record = Vec::new();
        put_fixed(&mut record, &RequestRecord::default());
        (0..9).for_each(|_| put_str(&mut record, ""));
        let left_out = put_attributes(&mut record, &attributes);
        assert_eq!(left_out, 4);
        note_left_out(&mut record, 0, left_out);
        let read = RequestRecord::read(&record).unwrap();
        assert_eq!((read.left_out, read.shortened), (4, true));
        let last = read.attributes().last();
        assert_eq!(last, Some(("small".into(), AttributeRef::I64(1))));
    }
}
