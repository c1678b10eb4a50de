//! A `tracing` event as bytes: made once, for its line and for its span, and read on the worker.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata};

use super::read::AttributeValue;
use crate::model::cut;
use crate::model::text::put_formatted;
use crate::model::wire::{Reader, Text, put_bytes};
use crate::redact;

/// Bytes of one field that a record takes; a line takes fewer.
const MAX_FIELD: usize = 20 * 1024;
/// Bytes of a record from which on further fields are left out.
const MAX_FIELDS: usize = 40 * 1024;

const STR: u8 = 0;
const I64: u8 = 1;
const U64: u8 = 2;
const F64: u8 = 3;
const BOOL: u8 = 4;

/// The field that holds an event's message. SQLx's events of statements have none: theirs is the statement's beginning.
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

/// Appends an event's fields. `Debug` and `Display` of their values run here.
pub(crate) fn put_fields(out: &mut Vec<u8>, event: &Event<'_>) {
    event.record(&mut Encoder(out));
}

/// Appends fields: the field's index, its kind, its value.
struct Encoder<'a>(&'a mut Vec<u8>);

impl Encoder<'_> {
    /// Whether there is room for the field; then its head is written.
    fn begin(&mut self, field: &Field, kind: u8) -> bool {
        let room = self.0.len() < MAX_FIELDS;
        if room {
            self.0
                .extend_from_slice(&[u8::try_from(field.index()).unwrap_or(u8::MAX), kind]);
        }
        room
    }

    fn number(&mut self, field: &Field, kind: u8, bytes: [u8; 8]) {
        if self.begin(field, kind) {
            self.0.extend_from_slice(&bytes);
        }
    }

    fn text(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if self.begin(field, STR) {
            put_formatted(self.0, value, MAX_FIELD);
        }
    }
}

impl Visit for Encoder<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if self.begin(field, STR) {
            put_bytes(self.0, cut(value, MAX_FIELD).as_bytes());
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
            self.0.push(u8::from(value));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format_args!("{value:?}"));
    }
}

/// The fields of an event, up to the first that cannot be read, each with what stands for it in `names`.
pub(crate) struct Fields<'a, N> {
    pub(crate) names: &'a [N],
    pub(crate) reader: Reader<'a>,
}

pub(crate) enum Value<'a> {
    Str(Text<'a>),
    I64(i64),
    U64(u64),
    F64(f64),
    Bool(bool),
}

impl<N> Clone for Fields<'_, N> {
    #[inline]
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, N> Iterator for Fields<'a, N> {
    type Item = (&'a N, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let name = self.names.get(usize::from(self.reader.u8()?))?;
        let value = match self.reader.u8()? {
            STR => Value::Str(self.reader.text()?),
            I64 => Value::I64(self.reader.i64()?),
            U64 => Value::U64(self.reader.u64()?),
            F64 => Value::F64(self.reader.f64()?),
            BOOL => Value::Bool(self.reader.u8()? == 1),
            _ => return None,
        };
        Some((name, value))
    }
}

/// All fields of an event, scrubbed. The record may have been cut.
pub(crate) fn scrubbed_fields(
    metadata: &'static Metadata<'static>,
    reader: Reader<'_>,
) -> Vec<(&'static str, AttributeValue)> {
    let names: Vec<&str> = metadata.fields().iter().map(|field| field.name()).collect();
    let mut fields = Fields {
        names: &names,
        reader,
    };
    let mut all = Vec::new();
    let text = |name: &str, text: &str| AttributeValue::Str(redact::value(name, text).into_owned());
    loop {
        let before = fields.reader;
        let Some((&name, value)) = fields.next() else {
            all.extend(last(&names, before).map(|(name, rest)| (name, text(name, &rest))));
            return all;
        };
        let value = match value {
            Value::Str(it) => text(name, it.as_str()),
            Value::I64(number) => AttributeValue::I64(number),
            // What no whole number of OpenTelemetry's holds is told as text.
            Value::U64(number) => i64::try_from(number)
                .map_or_else(|_| text(name, &number.to_string()), AttributeValue::I64),
            Value::F64(number) => AttributeValue::F64(number),
            Value::Bool(truth) => AttributeValue::Bool(truth),
        };
        all.push((name, value));
    }
}

/// The last field where the record was cut within its text. What is left of a word at the cut could be the
/// beginning of a secret and is left out.
fn last(names: &[&'static str], mut reader: Reader<'_>) -> Option<(&'static str, String)> {
    let name = *names.get(usize::from(reader.u8()?))?;
    if reader.u8()? != STR {
        return None;
    }
    let _len = reader.u32()?;
    let text = String::from_utf8_lossy(reader.rest()).into_owned();
    let end = text.rfind(char::is_whitespace)?;
    Some((name, format!("{}\u{2026}", text.get(..end)?)))
}
