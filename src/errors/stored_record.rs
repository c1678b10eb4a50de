//! The records of the store: redacted events, and the frames of their backtraces.
//!
//! A later release reads the records of an earlier one, so a form never changes: a new form gets a new number.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::event::{Breadcrumb, Cause, ErrorEvent, EventKind, Frame};
use crate::clock::wall_nanos;
use crate::model::codec::{Reader, put_bytes, put_str};
use crate::model::{Attributes, EventId, Level, SpanId, TraceId, Value};
use crate::record::{AttributeRef, attributes_of, put_attributes};

/// The form of an event.
const EVENT: u8 = 1;
/// The form of an event's frames, which are resolved after the event is stored.
const FRAMES: u8 = 2;
/// A bit of the kind: the event is truncated.
const TRUNCATED: u8 = 1 << 7;

/// A decoded record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum StoredRecord {
    Event(Box<ErrorEvent>),
    Frames(EventId, Vec<Frame>),
}

/// Encodes an event.
pub(super) fn encode_event(event: &ErrorEvent) -> Vec<u8> {
    let mut out = vec![EVENT];
    out.extend_from_slice(&event.id.to_u128().to_le_bytes());
    out.extend_from_slice(&event.trace_id.to_u128().to_le_bytes());
    out.extend_from_slice(&event.span_id.to_u64().to_le_bytes());
    // The order of the fields is the format on the disk, which `event` reads. A new field needs a new form byte, so
    // that records of older versions stay readable.
    for number in [
        wall_nanos(event.at),
        event.group,
        event.resident_bytes.unwrap_or(u64::MAX),
    ] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    let kind = match event.kind {
        EventKind::Error => 0,
        EventKind::Message => 1,
        EventKind::Panic => 2,
    };
    let truncated = if event.truncated { TRUNCATED } else { 0 };
    out.extend_from_slice(&[event.level.index(), kind | truncated]);
    for text in [
        &event.location,
        &event.thread,
        &event.method,
        &event.route,
        &event.path,
        &event.query,
        &event.user_agent,
        &event.client_address,
        &event.user,
    ] {
        put_str(&mut out, text);
    }
    let causes = event.causes.iter();
    put_pairs(&mut out, causes.map(|it| (&it.type_name, &it.message)));
    put_pairs(&mut out, event.tags.iter().map(|(key, value)| (key, value)));
    for attributes in [&event.attributes, &event.extra] {
        put_part(&mut out, |out| {
            // They come from a record, so all of them have room.
            put_attributes(out, attributes);
        });
    }
    put_part(&mut out, |out| {
        for part in &event.fingerprint {
            put_str(out, part);
        }
    });
    for crumb in &event.breadcrumbs {
        put_part(&mut out, |out| {
            out.extend_from_slice(&wall_nanos(crumb.at).to_le_bytes());
            out.push(crumb.level.index());
            put_str(out, &crumb.target);
            put_str(out, &crumb.message);
            put_pairs(out, crumb.fields.iter().map(|(key, value)| (key, value)));
        });
    }
    out
}

/// Encodes the frames of an event.
pub(super) fn encode_frames(event: EventId, frames: &[Frame]) -> Vec<u8> {
    let mut out = vec![FRAMES];
    out.extend_from_slice(&event.to_u128().to_le_bytes());
    for frame in frames {
        put_str(&mut out, &frame.function);
        put_str(&mut out, &frame.file);
        out.extend_from_slice(&frame.line.to_le_bytes());
        out.push(u8::from(frame.in_app));
    }
    out
}

/// Decodes a record; `None` if it has another form or is damaged.
pub(super) fn decode(record: &[u8]) -> Option<StoredRecord> {
    let mut r = Reader::new(record);
    match r.u8()? {
        EVENT => event(r).map(|event| StoredRecord::Event(Box::new(event))),
        FRAMES => {
            let event = EventId::from_u128(r.u128()?);
            let frames = std::iter::from_fn(|| {
                Some(Frame {
                    function: r.str()?.to_owned(),
                    file: r.str()?.to_owned(),
                    line: r.u32()?,
                    in_app: r.u8()? == 1,
                })
            });
            Some(StoredRecord::Frames(event, frames.collect()))
        }
        _ => None,
    }
}

fn event(mut r: Reader<'_>) -> Option<ErrorEvent> {
    let (id, trace_id) = (EventId::from_u128(r.u128()?), TraceId::from_u128(r.u128()?));
    let span_id = SpanId::from_u64(r.u64()?);
    let (at, group, resident) = (r.u64()?, r.u64()?, r.u64()?);
    let level = Level::from_index(r.u8()?)?;
    let kind = r.u8()?;
    let truncated = kind & TRUNCATED != 0;
    let kind = match kind & !TRUNCATED {
        0 => EventKind::Error,
        1 => EventKind::Message,
        2 => EventKind::Panic,
        _ => return None,
    };
    // From here on the fields are read in the order in which this expression names them, which is that of
    // `encode_event`.
    let mut text = || r.str().map(str::to_owned);
    Some(ErrorEvent {
        id,
        at: time(at),
        level,
        kind,
        trace_id,
        span_id,
        group,
        resident_bytes: Some(resident).filter(|bytes| *bytes != u64::MAX),
        truncated,
        location: text()?,
        thread: text()?,
        method: text()?,
        route: text()?,
        path: text()?,
        query: text()?,
        user_agent: text()?,
        client_address: text()?,
        user: text()?,
        causes: pairs(r.bytes()?)
            .map(|(type_name, message)| Cause { type_name, message })
            .collect(),
        tags: pairs(r.bytes()?).collect(),
        attributes: attributes(r.bytes()?),
        extra: attributes(r.bytes()?),
        fingerprint: {
            let mut parts = Reader::new(r.bytes()?);
            std::iter::from_fn(|| parts.str().map(str::to_owned)).collect()
        },
        breadcrumbs: std::iter::from_fn(|| breadcrumb(r.bytes()?)).collect(),
        frames: Vec::new(),
    })
}

fn breadcrumb(bytes: &[u8]) -> Option<Breadcrumb> {
    let mut r = Reader::new(bytes);
    Some(Breadcrumb {
        at: time(r.u64()?),
        level: Level::from_index(r.u8()?)?,
        target: r.str()?.to_owned(),
        message: r.str()?.to_owned(),
        fields: pairs(r.bytes()?).collect(),
    })
}

fn put_part(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut part = Vec::new();
    write(&mut part);
    put_bytes(out, &part);
}

fn put_pairs<'a>(out: &mut Vec<u8>, pairs: impl Iterator<Item = (&'a String, &'a String)>) {
    put_part(out, |out| {
        for (first, second) in pairs {
            put_str(out, first);
            put_str(out, second);
        }
    });
}

fn pairs(bytes: &[u8]) -> impl Iterator<Item = (String, String)> {
    let mut r = Reader::new(bytes);
    std::iter::from_fn(move || Some((r.str()?.to_owned(), r.str()?.to_owned())))
}

fn attributes(bytes: &[u8]) -> Attributes {
    let mut out = Attributes::default();
    for (key, value) in attributes_of(Reader::new(bytes)) {
        let value = match value {
            AttributeRef::Str(text) => Value::from(text.as_str().to_owned()),
            AttributeRef::I64(number) => Value::from(number),
            AttributeRef::F64(number) => Value::from(number),
            AttributeRef::Bool(value) => Value::from(value),
        };
        out.insert(key.as_str().to_owned(), value);
    }
    out
}

fn time(wall: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(wall)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_it_was_stored_and_a_cut_one_never_panics() {
        let mut extra = Attributes::default();
        extra.insert("n", 3);
        extra.insert("share", 0.5);
        let event = ErrorEvent {
            id: EventId::from_u128(1),
            at: time(1_700_000_000_123_456_789),
            level: Level::Fatal,
            kind: EventKind::Panic,
            causes: vec![Cause {
                type_name: "a::B".to_owned(),
                message: "broke".to_owned(),
            }],
            location: "src/a.rs:1:2".to_owned(),
            thread: "main".to_owned(),
            trace_id: TraceId::from_u128(2),
            span_id: SpanId::from_u64(3),
            method: "GET".to_owned(),
            route: "/a/{b}".to_owned(),
            path: "/a/1".to_owned(),
            query: "c=REDACTED".to_owned(),
            user_agent: "probe".to_owned(),
            client_address: "::1".to_owned(),
            user: "u".to_owned(),
            attributes: extra.clone(),
            tags: vec![("k".to_owned(), "v".to_owned())],
            extra,
            breadcrumbs: vec![Breadcrumb {
                at: time(5),
                level: Level::Info,
                target: "t".to_owned(),
                message: "m".to_owned(),
                fields: vec![("a".to_owned(), "b".to_owned())],
            }],
            frames: Vec::new(),
            fingerprint: vec!["mine".to_owned()],
            group: 9,
            resident_bytes: Some(7),
            truncated: true,
        };
        let record = encode_event(&event);
        assert_eq!(decode(&record), Some(StoredRecord::Event(Box::new(event))));
        for len in 0..record.len() {
            let _any = decode(&record[..len]);
        }
        let frames = vec![Frame {
            function: "f".to_owned(),
            file: "a.rs".to_owned(),
            line: 4,
            in_app: true,
        }];
        let id = EventId::from_u128(1);
        assert_eq!(
            decode(&encode_frames(id, &frames)),
            Some(StoredRecord::Frames(id, frames))
        );
        assert_eq!(decode(&[9, 9]), None);
    }
}
