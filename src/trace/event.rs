//! The encoding of a `tracing` event: encoded once, for its log record and its span, and decoded on the worker.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata};

use super::attribute_value::{AttributeValue, set};
use super::log_event;
use crate::model::codec::{Reader, RecordText, put_bytes};
use crate::model::text::put_formatted;
use crate::model::{LOOKAHEAD, cut, prefix};
use crate::redact;

/// The maximum size of one field in a record, in bytes. Log output has a lower limit.
const MAX_FIELD: usize = 20 * 1024;
/// The size of a record, in bytes, at which further fields are dropped.
const MAX_FIELDS: usize = 40 * 1024;

const STR: u8 = 0;
const I64: u8 = 1;
const U64: u8 = 2;
const F64: u8 = 3;
const BOOL: u8 = 4;

/// The flag that is added to the number of a callsite if fields of the record were truncated or dropped.
pub(crate) const SHORTENED: u32 = 1 << 31;

/// Returns the name of the field with the event's message. SQLx's statement events have no message; for these it is
/// the field with the beginning of the statement.
pub(crate) fn message_field(metadata: &'static Metadata<'static>) -> &'static str {
    let fields = metadata.fields();
    if metadata.target() == "sqlx::query"
        && fields.field("message").is_none()
        && fields.field("summary").is_some()
    {
        return "summary";
    }
    "message"
}

/// Appends an event's fields. Returns whether all of them are complete. Runs `Debug` and `Display` of the values.
pub(crate) fn put_fields(out: &mut Vec<u8>, event: &Event<'_>) -> bool {
    let mut encoder = FieldEncoder { out, whole: true };
    event.record(&mut encoder);
    encoder.whole
}

/// Appends fields, each as its index, its kind and its value.
struct FieldEncoder<'a> {
    out: &'a mut Vec<u8>,
    whole: bool,
}

impl FieldEncoder<'_> {
    /// Writes the head of a field if there is room for the field. Returns whether there is.
    fn begin(&mut self, field: &Field, kind: u8) -> bool {
        let index = u8::try_from(field.index()).ok();
        let index = index.filter(|_| self.out.len() < MAX_FIELDS);
        match index {
            Some(index) => self.out.extend_from_slice(&[index, kind]),
            None => self.whole = false,
        }
        index.is_some()
    }

    fn number(&mut self, field: &Field, kind: u8, bytes: [u8; 8]) {
        if self.begin(field, kind) {
            self.out.extend_from_slice(&bytes);
        }
    }

    fn text(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if self.begin(field, STR) {
            self.whole &= put_formatted(self.out, value, MAX_FIELD);
        }
    }
}

impl Visit for FieldEncoder<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if self.begin(field, STR) {
            put_bytes(self.out, cut(value, MAX_FIELD).as_bytes());
            self.whole &= value.len() <= MAX_FIELD;
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, I64, value.to_le_bytes());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, U64, value.to_le_bytes());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.number(field, F64, value.to_le_bytes());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if self.begin(field, BOOL) {
            self.out.push(u8::from(value));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format_args!("{value:?}"));
    }
}

/// The fields of an event, up to the first malformed one, each with its entry in `names`.
pub(crate) struct EventFields<'a, N> {
    pub(crate) names: &'a [N],
    pub(crate) reader: Reader<'a>,
}

pub(crate) enum EventValue<'a> {
    Str(RecordText<'a>),
    I64(i64),
    U64(u64),
    F64(f64),
    Bool(bool),
}

impl<N> Clone for EventFields<'_, N> {
    #[inline]
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, N> Iterator for EventFields<'a, N> {
    type Item = (&'a N, EventValue<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let name = self.names.get(usize::from(self.reader.u8()?))?;
        let value = match self.reader.u8()? {
            STR => EventValue::Str(self.reader.text()?),
            I64 => EventValue::I64(self.reader.i64()?),
            U64 => EventValue::U64(self.reader.u64()?),
            F64 => EventValue::F64(self.reader.f64()?),
            BOOL => EventValue::Bool(self.reader.u8()? == 1),
            _ => return None,
        };
        Some((name, value))
    }
}

/// Returns all fields of an event, redacted, and whether the record had them completely. If two fields have the same
/// name, the last one wins.
pub(crate) fn scrubbed_fields(
    metadata: &'static Metadata<'static>,
    reader: Reader<'_>,
) -> (Vec<(&'static str, AttributeValue)>, bool) {
    let names: Vec<&str> = metadata.fields().iter().map(|field| field.name()).collect();
    let mut fields = EventFields {
        names: &names,
        reader,
    };
    let mut all = Vec::new();
    let text = |name: &str, text: &str| AttributeValue::Str(redact::value(name, text).into_owned());
    loop {
        let before = fields.reader;
        let Some((&name, value)) = fields.next() else {
            if let Some((name, shown)) = last(&names, before) {
                set(&mut all, name, AttributeValue::Str(shown));
            }
            if log_event::is_log(metadata) {
                log_event::normalise(&mut all);
            }
            return (all, before.rest().is_empty());
        };
        let value = match value {
            EventValue::Str(it) => text(name, it.as_str()),
            EventValue::I64(_) | EventValue::U64(_) | EventValue::F64(_)
                if redact::is_sensitive_key(name) =>
            {
                AttributeValue::Str(redact::FILTERED.to_owned())
            }
            EventValue::I64(number) => AttributeValue::I64(number),
            // A number that does not fit into OpenTelemetry's integer is stored as text.
            EventValue::U64(number) => i64::try_from(number)
                .map_or_else(|_| text(name, &number.to_string()), AttributeValue::I64),
            EventValue::F64(number) => AttributeValue::F64(number),
            EventValue::Bool(truth) => AttributeValue::Bool(truth),
        };
        set(&mut all, name, value);
    }
}

/// Returns the displayable part of the last field if the record was truncated within its text, without anything that
/// could be the beginning of a secret.
fn last(names: &[&'static str], mut reader: Reader<'_>) -> Option<(&'static str, String)> {
    let name = *names.get(usize::from(reader.u8()?))?;
    if reader.u8()? != STR {
        return None;
    }
    let _len = reader.u32()?;
    let text = String::from_utf8_lossy(reader.rest());
    let sure = redact::value(name, &text);
    let sure = prefix(&sure, sure.len().saturating_sub(LOOKAHEAD));
    // Everything before the incomplete last word is displayable, too. The longer of the two texts is used.
    let words = text.rfind(char::is_whitespace);
    let words = words.and_then(|end| text.get(..end)).unwrap_or_default();
    let words = redact::value(name, words);
    let shown = if words.len() > sure.len() {
        &*words
    } else {
        sure
    };
    Some((name, format!("{shown}\u{2026}")))
}

/// Returns the status message that an event at the level ERROR sets: the text of its field `error`, or else its
/// message.
pub(super) fn error_message(metadata: &'static Metadata<'static>, fields: &[u8]) -> String {
    let (fields, _) = scrubbed_fields(metadata, Reader::new(fields));
    let of = |name: &str| match fields.iter().find(|(have, _)| *have == name) {
        Some((_, AttributeValue::Str(text))) => Some(text.clone()),
        _ => None,
    };
    of("error").or_else(|| of("message")).unwrap_or_default()
}
