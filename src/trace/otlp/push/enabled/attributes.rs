use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use rustc_hash::FxHashMap;

use crate::metrics::label_pairs;
use crate::semconv;

/// Turns labels into attributes.
///
/// Labels have the exposed form of names. Those of the semantic conventions get their names back: `http_route` becomes
/// `http.route`. All others stay as they are.
#[derive(Debug)]
pub(super) struct AttributeNames {
    /// By label.
    known: FxHashMap<String, KnownAttribute>,
}

#[derive(Debug, Clone, Copy)]
struct KnownAttribute {
    name: &'static str,
    kind: AttributeKind,
}

#[derive(Debug, Clone, Copy)]
enum AttributeKind {
    Text,
    Integer,
    Boolean,
}

impl AttributeNames {
    pub(super) fn new() -> Self {
        let known = semconv::LABEL_ATTRIBUTES.into_iter().map(|name| {
            let kind = match name {
                semconv::OTEL_METRIC_OVERFLOW => AttributeKind::Boolean,
                name if semconv::INTEGER_ATTRIBUTES.contains(&name) => AttributeKind::Integer,
                _ => AttributeKind::Text,
            };
            (name.replace('.', "_"), KnownAttribute { name, kind })
        });
        Self {
            known: known.collect(),
        }
    }

    /// The attributes of labels in canonical form.
    pub(super) fn attributes(&self, labels: &str) -> Vec<KeyValue> {
        let attributes = label_pairs(labels).map(|(label, text)| {
            let (key, kind) = match self.known.get(label) {
                Some(known) => (known.name, known.kind),
                None => (label, AttributeKind::Text),
            };
            // A label that the host has set to something else stays a text.
            let value = match kind {
                AttributeKind::Integer => text.parse().ok().map(Value::IntValue),
                AttributeKind::Boolean => text.parse().ok().map(Value::BoolValue),
                AttributeKind::Text => None,
            };
            KeyValue {
                key: key.to_owned(),
                value: Some(AnyValue {
                    value: Some(value.unwrap_or(Value::StringValue(text))),
                }),
                key_strindex: 0,
            }
        });
        attributes.collect()
    }
}
