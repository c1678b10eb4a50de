//! Payment card numbers.

use std::ops::Range;

/// The card number at `start`, the start of a word: digits of a known issuer, in one piece or in the groups printed on
/// cards, with a valid check digit.
pub(super) fn number(text: &[u8], start: usize) -> Option<Range<usize>> {
    // Digits after a decimal point are not a card number.
    if start > 0 && matches!(text.get(start - 1), Some(b'.')) {
        return None;
    }
    let rest = text.get(start..)?;
    // The shortest number, and its first group.
    let (group, _) = rest.first_chunk::<13>()?.split_first_chunk::<4>()?;
    if !group.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut digits = [0_u8; 19];
    let (mut count, mut end, mut separator) = (0, 0, None);
    for (n, &byte) in rest.iter().enumerate() {
        if byte.is_ascii_digit() {
            // A longer number is not a card number.
            *digits.get_mut(count)? = byte - b'0';
            count += 1;
            end = n + 1;
        } else if matches!(byte, b' ' | b'-')
            && end == n
            && separator.is_none_or(|have| have == byte)
            && is_group_end(digits, count)
        {
            separator = Some(byte);
        } else {
            break;
        }
    }
    let follows = rest.get(end);
    let ends = follows.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    let digits = digits.get(..count)?;
    (ends && is_issued(digits) && passes_luhn(digits)).then_some(start..start + end)
}

/// Whether a group ends after `count` digits: 4-4-4-4, or 4-6-5 on the cards of 15 digits.
fn is_group_end(digits: [u8; 19], count: usize) -> bool {
    if digits.first() == Some(&3) {
        count == 4 || count == 10
    } else {
        matches!(count, 4 | 8 | 12)
    }
}

fn is_issued(digits: &[u8]) -> bool {
    let &[a, b, c, d, ..] = digits else {
        return false;
    };
    let (two, four) = (
        a * 10 + b,
        u16::from(a) * 1000 + u16::from(b) * 100 + u16::from(c) * 10 + u16::from(d),
    );
    match digits.len() {
        15 => matches!(two, 34 | 37),
        13 | 19 => a == 4,
        16 => a == 4 || matches!(two, 51..=55 | 65) || matches!(four, 6011 | 2221..=2720),
        _ => false,
    }
}

/// The Luhn check.
fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(n, &digit)| match (n % 2, digit) {
            (0, digit) => u32::from(digit),
            (_, digit) if digit > 4 => u32::from(digit) * 2 - 9,
            (_, digit) => u32::from(digit) * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}
