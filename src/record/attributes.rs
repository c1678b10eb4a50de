//! Attributes as they stand in records.

use crate::model::codec::{Reader, RecordText, put_bytes};
use crate::model::{Attributes, Value};

/// Bytes of the attributes.
const MAX_ATTRIBUTES: usize = 16 * 1024;

/// The value of an attribute in a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum AttributeRef<'a> {
    Str(RecordText<'a>),
    I64(i64),
    F64(f64),
    Bool(bool),
}

/// Appends attributes, which reach to the record's end. Those for which 16 KiB have no room are left out; returns
/// their number.
pub(crate) fn put_attributes(out: &mut Vec<u8>, attributes: &Attributes) -> u32 {
    put_attributes_within(out, attributes, MAX_ATTRIBUTES)
}

/// As [`put_attributes`], within so many bytes.
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

/// Appends the attributes that have room in `max` bytes; returns how many have none.
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
        // The key, the kind, and a length or a number.
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

/// The attributes that a reader stands before, up to the first that cannot be read.
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
