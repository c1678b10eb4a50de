//! Attributes of the host as fields of a log line.

use super::field_names::FieldNames;
use super::log_line::LogLine;
use crate::model::codec::RecordText;
use crate::record::AttributeRef;
use crate::redact;

/// Appends attributes of the host. If attributes share a name, the last one is kept.
pub(super) fn put_attributes<'a>(
    line: &mut LogLine<'_>,
    names: &mut FieldNames,
    attributes: impl Iterator<Item = (RecordText<'a>, AttributeRef<'a>)>,
) {
    for (key, value) in attributes {
        let key = key.as_str();
        let name = redact::text(key);
        if line.has_room_for(name.len()) {
            let start = line.len();
            line.put_host_key(&name);
            names.add(line, start);
            match value {
                AttributeRef::Str(text) => {
                    line.put_value(RecordText::from(&*redact::value(key, text.as_str())));
                }
                AttributeRef::I64(_) | AttributeRef::F64(_) if redact::is_sensitive_key(key) => {
                    line.put_value(RecordText::from(redact::FILTERED));
                }
                AttributeRef::I64(number) => line.put_i64(number),
                AttributeRef::F64(number) => line.put_f64(number),
                AttributeRef::Bool(value) => line.put_bool(value),
            }
        }
    }
}
