//! The encoding of a column of numbers: the values of one series at consecutive ticks.
//!
//! A column is a list of tokens. Whole numbers are stored as differences, other numbers as the bytes in which they differ
//! from the number before. Equal differences, and missing values, are stored as runs.

/// A tick at which the series had no value. These bits are no result of any calculation.
pub(super) const MISSING: f64 = f64::from_bits(0x7ff0_0000_0000_0bad);

pub(super) fn is_missing(value: f64) -> bool {
    value.to_bits() == MISSING.to_bits()
}

/// The largest magnitude of a number that is stored as a whole number. Larger ones may not be exact.
const MAX_WHOLE: f64 = 9e15;

// The first byte of a token. The rest of it depends on the kind.
const RUN_OF_MISSING: u8 = 0;
/// The difference to the previous number is repeated.
const RUN_OF_EQUAL: u8 = 1;
/// A difference to the previous number, as a varint.
const DIFFERENCE: u8 = 2;
/// The bytes in which the number differs from the previous one: 3 + first * 8 + (count - 1).
const BYTES: u8 = 3;
/// A difference from -64 to 63, in one byte: 128 + (difference + 64).
const SMALL: u8 = 128;

/// Encodes a column.
pub(super) fn encode(values: &[f64]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut previous = 0.0_f64;
    let mut difference = 0_i64;
    let mut rest = values;
    while let [value, after @ ..] = rest {
        if is_missing(*value) {
            let run = rest.iter().take_while(|it| is_missing(**it)).count();
            out.push(RUN_OF_MISSING);
            push_varint(&mut out, run as u64);
            rest = rest.get(run..).unwrap_or_default();
            continue;
        }
        let equal = run_of_equal(previous, difference, rest);
        if equal > 1 || (equal == 1 && difference_of(previous, *value).is_none()) {
            out.push(RUN_OF_EQUAL);
            push_varint(&mut out, equal as u64);
            previous = rest.get(equal - 1).copied().unwrap_or(previous);
            rest = rest.get(equal..).unwrap_or_default();
            continue;
        }
        if let Some(by) = difference_of(previous, *value) {
            difference = by;
            match u8::try_from(by + 64) {
                Ok(small) if small < SMALL => out.push(SMALL + small),
                _ => {
                    out.push(DIFFERENCE);
                    push_varint(&mut out, zigzag(by));
                }
            }
        } else {
            difference = 0;
            push_bytes(&mut out, previous, *value);
        }
        previous = *value;
        rest = after;
    }
    out
}

/// Decodes a column of `len` values. `None` if the bytes are damaged.
pub(super) fn decode(mut bytes: &[u8], len: usize) -> Option<Vec<f64>> {
    let mut out = Vec::with_capacity(len.min(1 << 16));
    let mut previous = 0.0_f64;
    let mut difference = 0_i64;
    while let Some((token, rest)) = bytes.split_first() {
        bytes = rest;
        match *token {
            RUN_OF_MISSING => {
                let run = usize::try_from(take_varint(&mut bytes)?).ok()?;
                if run > len.checked_sub(out.len())? {
                    return None;
                }
                out.resize(out.len() + run, MISSING);
            }
            RUN_OF_EQUAL => {
                let run = usize::try_from(take_varint(&mut bytes)?).ok()?;
                if run > len.checked_sub(out.len())? {
                    return None;
                }
                for _ in 0..run {
                    previous = next(previous, difference);
                    out.push(previous);
                }
            }
            DIFFERENCE => {
                difference = unzigzag(take_varint(&mut bytes)?);
                previous = next(previous, difference);
                out.push(previous);
            }
            SMALL.. => {
                difference = i64::from(*token - SMALL) - 64;
                previous = next(previous, difference);
                out.push(previous);
            }
            token => {
                difference = 0;
                previous = take_bytes(&mut bytes, token - BYTES, previous)?;
                out.push(previous);
            }
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

/// How many values in a row follow with the same difference. A difference of 0 applies to any number.
fn run_of_equal(mut previous: f64, difference: i64, values: &[f64]) -> usize {
    let mut run = 0;
    for value in values {
        if is_missing(*value) || next(previous, difference).to_bits() != value.to_bits() {
            break;
        }
        previous = *value;
        run += 1;
    }
    run
}

/// The number after `previous`.
#[expect(
    clippy::cast_precision_loss,
    reason = "whole numbers are below 2^53, and others have the difference 0"
)]
fn next(previous: f64, difference: i64) -> f64 {
    if difference == 0 {
        previous
    } else {
        previous + difference as f64
    }
}

/// The difference of two numbers, if both are whole and the second can be restored from it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the numbers are below 2^53"
)]
fn difference_of(previous: f64, value: f64) -> Option<i64> {
    let is_whole = |it: f64| it.abs() <= MAX_WHOLE && it.fract() == 0.0;
    if !is_whole(previous) || !is_whole(value) {
        return None;
    }
    let difference = value as i64 - previous as i64;
    (next(previous, difference).to_bits() == value.to_bits()).then_some(difference)
}

/// Appends the bytes in which a number differs from the one before.
fn push_bytes(out: &mut Vec<u8>, previous: f64, value: f64) {
    let changed = (previous.to_bits() ^ value.to_bits()).to_be_bytes();
    let first = changed.iter().position(|byte| *byte != 0).unwrap_or(7);
    let last = changed.iter().rposition(|byte| *byte != 0).unwrap_or(7);
    out.push(BYTES + (first * 8 + (last - first)) as u8);
    out.extend_from_slice(changed.get(first..=last).unwrap_or_default());
}

fn take_bytes(bytes: &mut &[u8], token: u8, previous: f64) -> Option<f64> {
    let (first, count) = (usize::from(token / 8), usize::from(token % 8) + 1);
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    let mut changed = [0; 8];
    changed
        .get_mut(first..first + count)?
        .copy_from_slice(taken);
    Some(f64::from_bits(
        previous.to_bits() ^ u64::from_be_bytes(changed),
    ))
}

pub(super) fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

pub(super) fn zigzag(number: i64) -> u64 {
    (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned()
}

pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(values: &[f64]) -> usize {
        let encoded = encode(values);
        let back = decode(&encoded, values.len()).unwrap();
        let bits = |all: &[f64]| all.iter().map(|it| it.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(values));
        encoded.len()
    }

    #[test]
    fn what_changes_little_takes_little() {
        let constant = vec![0.25; 720];
        assert!(size(&constant) <= 16);
        assert!(size(&vec![MISSING; 720]) <= 4);
        let rising: Vec<f64> = (0..720).map(|n| 1e6 + f64::from(n) * 1000.0).collect();
        assert!(size(&rising) <= 16, "{}", size(&rising));
        let small: Vec<f64> = (0..720).map(|n| f64::from(n * 7 % 50)).collect();
        assert!(size(&small) <= 720 + 8, "{}", size(&small));
        assert_eq!(size(&[]), 0);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let encoded = encode(&[1.0, 2.5, MISSING, 7.0]);
        assert_eq!(decode(&encoded, 3), None);
        assert_eq!(decode(&encoded, 5), None);
        for cut in 0..encoded.len() {
            assert_eq!(decode(&encoded[..cut], 4), None, "{cut}");
        }
        assert_eq!(
            decode(&[RUN_OF_EQUAL, 0xff, 0xff, 0xff, 0xff, 0x7f], 4),
            None
        );
    }

    proptest! {
        #[test]
        fn any_column_is_restored(values in proptest::collection::vec(
            prop_oneof![any::<f64>(), Just(MISSING), Just(0.0), Just(-0.0), (-1000_i32..1000).prop_map(f64::from),
                (0_u32..100).prop_map(|n| f64::from(n) / 10.0), Just(9.1e15), Just(-9e15)], 0..200)) {
            size(&values);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), len in 0_usize..50) {
            drop(decode(&bytes, len));
        }
    }
}
