//! The encoding of attributes in records.

use crate::model::codec::{Reader, RecordText, put_bytes};
use crate::model::{Attributes, Value};

/// The maximum size of the attributes, in bytes.
const MAX_ATTRIBUTES: usize = 16 * 1024;

/// The value of an attribute in a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum AttributeRef<'a> {
    Str(RecordText<'a>),
    I64(i64),
    F64(f64),
    Bool(bool),
}

/// Appends attributes, which extend to the end of the record. Drops those that do not fit into 16 KiB, and returns
/// their number.
pub(crate) fn put_attributes(out: &mut Vec<u8>, attributes: &Attributes) -> u32 {
    put_attributes_within(out, attributes, MAX_ATTRIBUTES)
}

/// Appends attributes like [`put_attributes`], with a limit of `max` bytes.
pub(crate) fn put_attributes_within(out: &mut Vec<u8>, attributes: &Attributes, max: usize) -> u32 {
    let all = attributes.iter().map(|(key, value)| {
        let value = match value {
            Value::Str(text) => AttributeRef::Str(RecordText::from(&**text)),
            Value::I64(number) => AttributeRef::I64(*number),
            Value::F64(number) => AttributeRef::F64(*number),
            Value::Bool(truth) => AttributeRef::Bool(*truth),
        };
        (RecordText::from(key), value)
    });
    put_all(out, all, max)
}

/// Appends the attributes that fit into `max` bytes. Returns the number of those that do not.
pub(super) fn put_all<'a>(
    out: &mut Vec<u8>,
    all: impl Iterator<Item = (RecordText<'a>, AttributeRef<'a>)>,
    max: usize,
) -> u32 {
    let (end, mut left_out) = (out.len() + max, 0);
    for (key, value) in all {
        let text = match value {
            AttributeRef::Str(text) => text.as_bytes().len(),
            _ => 0,
        };
        // The length-prefixed key, the kind, and a length or a number.
        if out.len() + 4 + key.as_bytes().len() + 1 + 8 + text > end {
            left_out += 1;
            continue;
        }
        put_bytes(out, key.as_bytes());
        match value {
            AttributeRef::Str(text) => {
                out.push(0);
                put_bytes(out, text.as_bytes());
            }
            AttributeRef::I64(number) => {
                out.push(1);
                out.extend_from_slice(&number.to_le_bytes());
            }
            AttributeRef::F64(number) => {
                out.push(2);
                out.extend_from_slice(&number.to_le_bytes());
            }
            AttributeRef::Bool(truth) => out.extend_from_slice(&[3, u8::from(truth)]),
        }
    }
    left_out
}

/// Reads the attributes at the reader's position, up to the first malformed one.
pub(crate) fn attributes_of(
    mut reader: Reader<'_>,
) -> impl Iterator<Item = (RecordText<'_>, AttributeRef<'_>)> {
    std::iter::from_fn(move || {
        let key = reader.text()?;
        let value = match reader.u8()? {
            0 => AttributeRef::Str(reader.text()?),
            1 => AttributeRef::I64(reader.i64()?),
            2 => AttributeRef::F64(reader.f64()?),
            _ => AttributeRef::Bool(reader.u8()? == 1),
        };
        Some((key, value))
    })
}
