//! The wire format of Protocol Buffers: <https://protobuf.dev/programming-guides/encoding/>.
//!
//! Messages are written field by field into one buffer, without an allocation for each. Zeros are written too: the
//! definitions of `io.prometheus.client` distinguish them from fields that are not set.

/// The number of a field in its message.
pub(super) type Field = u32;

/// The wire types, in the last three bits of a field's key.
const VARINT: u32 = 0;
const FIXED_64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn key(out: &mut Vec<u8>, field: Field, wire_type: u32) {
    varint(out, u64::from(field << 3 | wire_type));
}

/// Maps small negative numbers to small positive ones, as the types `sint32` and `sint64` do.
#[expect(clippy::cast_sign_loss, reason = "the bits are rearranged")]
fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// Writes a field of the type `uint32`, `uint64`, or an enumeration.
pub(super) fn uint(out: &mut Vec<u8>, field: Field, value: u64) {
    key(out, field, VARINT);
    varint(out, value);
}

/// Writes a field of the type `int64`.
#[expect(
    clippy::cast_sign_loss,
    reason = "negative numbers are sent as two's complement"
)]
pub(super) fn int(out: &mut Vec<u8>, field: Field, value: i64) {
    uint(out, field, value as u64);
}

/// Writes a field of the type `sint32` or `sint64`.
pub(super) fn sint(out: &mut Vec<u8>, field: Field, value: i64) {
    uint(out, field, zigzag(value));
}

pub(super) fn double(out: &mut Vec<u8>, field: Field, value: f64) {
    key(out, field, FIXED_64);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn string(out: &mut Vec<u8>, field: Field, text: &str) {
    key(out, field, LENGTH_DELIMITED);
    varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Writes a repeated field of the type `sint64` as one packed element, or nothing if it is empty.
pub(super) fn packed_sints(out: &mut Vec<u8>, field: Field, values: &[i64]) {
    if !values.is_empty() {
        message(out, field, |out| {
            for value in values {
                varint(out, zigzag(*value));
            }
        });
    }
}

/// Writes a field that is a message, whose fields `write` writes.
pub(super) fn message(out: &mut Vec<u8>, field: Field, write: impl FnOnce(&mut Vec<u8>)) {
    key(out, field, LENGTH_DELIMITED);
    let begin = out.len();
    write(out);
    insert_length(out, begin);
}

/// Inserts the length of what was written from `begin` on in front of it.
pub(super) fn insert_length(out: &mut Vec<u8>, begin: usize) {
    let end = out.len();
    varint(out, end.saturating_sub(begin) as u64);
    let digits = out.len() - end;
    if let Some(moved) = out.get_mut(begin..) {
        moved.rotate_right(digits);
    }
}
