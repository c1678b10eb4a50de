//! The fields of a `tracing` span in their compact encoding.

use std::fmt;

use tracing::field::{Field, Visit};

use super::attribute_buffer::{AttributeBuffer, MAX_VALUE};
use super::limits::SpanLimits;
use super::span_record::{SpanKind, SpanStatus, ValueRef};
use crate::model::codec::Reader;
use crate::model::text::put_formatted;

/// The fields of a span. `otel.name`, `otel.kind`, `otel.status_code` and `otel.status_description` have the same
/// meaning as in tracing-opentelemetry.
pub(super) struct SpanFields {
    pub(super) attributes: AttributeBuffer,
    /// The length-prefixed value of `otel.name`; empty if there is none.
    pub(super) name: Vec<u8>,
    pub(super) status_text: Vec<u8>,
    pub(super) kind: Option<SpanKind>,
    pub(super) status: Option<SpanStatus>,
}

impl SpanFields {
    pub(super) fn new(limits: &SpanLimits) -> Self {
        Self {
            attributes: AttributeBuffer::attributes(limits),
            name: Vec::new(),
            status_text: Vec::new(),
            kind: None,
            status: None,
        }
    }

    /// Adds fields that were recorded later, replacing earlier values.
    pub(super) fn append(&mut self, more: Self) {
        self.attributes.append(&more.attributes);
        if !more.name.is_empty() {
            self.name = more.name;
        }
        if !more.status_text.is_empty() {
            self.status_text = more.status_text;
        }
        self.kind = more.kind.or(self.kind);
        self.status = more.status.or(self.status);
    }

    /// Handles a field that describes the span itself. Returns whether it is such a field.
    fn special(&mut self, key: &str, value: fmt::Arguments<'_>) -> bool {
        let into = match key {
            "otel.name" => &mut self.name,
            "otel.status_description" | "otel.status_message" => &mut self.status_text,
            "otel.kind" | "otel.status_code" => {
                let mut text = Vec::new();
                put_formatted(&mut text, value, 16);
                let text = Reader::new(&text).str().unwrap_or_default();
                self.word(key, &text.to_ascii_lowercase());
                return true;
            }
            _ => return false,
        };
        into.clear();
        put_formatted(into, value, MAX_VALUE);
        true
    }

    fn word(&mut self, key: &str, word: &str) {
        match (key, word) {
            ("otel.kind", "server") => self.kind = Some(SpanKind::Server),
            ("otel.kind", "client") => self.kind = Some(SpanKind::Client),
            ("otel.kind", "producer") => self.kind = Some(SpanKind::Producer),
            ("otel.kind", "consumer") => self.kind = Some(SpanKind::Consumer),
            ("otel.status_code", "ok") => self.status = Some(SpanStatus::Ok),
            ("otel.status_code", "error") => self.status = Some(SpanStatus::Error),
            _ => {}
        }
    }

    fn formatted(&mut self, key: &str, value: fmt::Arguments<'_>) {
        if may_be_special(key) && self.special(key, value) {
            return;
        }
        self.attributes.formatted(key, value);
    }
}

/// Whether a key may be one of the special fields.
fn may_be_special(key: &str) -> bool {
    key.starts_with("otel.")
}

impl Visit for SpanFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let key = field.name();
        if !may_be_special(key) || !self.special(key, format_args!("{value}")) {
            self.attributes.text(key, value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.attributes.value(field.name(), ValueRef::I64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            // A number that does not fit into OpenTelemetry's integer is stored as text.
            Err(_) => self.attributes.text(field.name(), &value.to_string()),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.attributes.value(field.name(), ValueRef::F64(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.attributes.value(field.name(), ValueRef::Bool(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.formatted(field.name(), format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.formatted(field.name(), format_args!("{value:?}"));
    }
}
