//! Converts the record of an event to a breadcrumb of a captured error.

use tracing::Level as Tracing;

use crate::context::EventBreadcrumb;
use crate::model::Level;
use crate::model::codec::Reader;
use crate::trace::{AttributeValue, callsites, event, log_event};

/// Decodes and redacts the record of an event, which may have been cut.
pub(crate) fn decode_breadcrumb(record: &[u8]) -> Option<EventBreadcrumb> {
    let mut reader = Reader::new(record);
    let metadata = callsites::metadata(reader.u32()? & !event::SHORTENED)?;
    // The IDs of the request, which the error has too.
    let _ids = (reader.u128()?, reader.u64()?, reader.u32()?);
    let level = match *metadata.level() {
        Tracing::ERROR => Level::Error,
        Tracing::WARN => Level::Warning,
        Tracing::INFO => Level::Info,
        _ => Level::Debug,
    };
    let mut crumb = EventBreadcrumb {
        level,
        target: metadata.target().into(),
        message: String::new(),
        fields: Vec::new(),
    };
    let message = event::message_field(metadata);
    let is_log = log_event::is_log(metadata);
    let (fields, _) = event::scrubbed_fields(metadata, reader);
    for (name, value) in fields {
        let text = match value {
            AttributeValue::Str(text) => text,
            AttributeValue::I64(number) => number.to_string(),
            AttributeValue::F64(number) => number.to_string(),
            AttributeValue::Bool(value) => value.to_string(),
            AttributeValue::Array(_) => continue,
        };
        if name == message {
            crumb.message = text;
        } else if is_log && name == "target" {
            // The target of the callsite is that of the bridge.
            crumb.target = text.into();
        } else {
            crumb.fields.push((name.to_owned(), text));
        }
    }
    Some(crumb)
}
