//! Escape sequences with which a terminal colours a text: `ESC [ 1 ; 3 m`.

/// How a sequence begins: with the escape character, or with what a formatter writes for it.
const BEGINNINGS: [&[u8]; 5] = [b"\x1b[", b"\\x1b[", b"\\u001b[", b"\\u{1b}[", b"\\033["];
/// Bytes between the beginning and the last letter.
const MAX_PARAMETERS: usize = 24;
/// Sequences in a row.
const MAX_SEQUENCES: usize = 8;

fn is_parameter(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b';' | b':')
}

/// The length of the sequence at this place, 0 where there is none.
pub(super) fn length(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    if !matches!(rest.first(), Some(0x1b | b'\\')) {
        return 0;
    }
    let begins = |beginning: &&&[u8]| {
        rest.get(..beginning.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(beginning))
    };
    let Some(beginning) = BEGINNINGS.iter().find(begins) else {
        return 0;
    };
    let tail = rest.get(beginning.len()..).unwrap_or_default();
    let parameters = tail.iter().take(MAX_PARAMETERS);
    let parameters = parameters.take_while(|byte| is_parameter(**byte)).count();
    match tail.get(parameters) {
        Some(b'm' | b'K') => beginning.len() + parameters + 1,
        _ => 0,
    }
}

/// Where the sequences end that begin at this place.
pub(super) fn behind(text: &[u8], mut at: usize) -> usize {
    for _ in 0..MAX_SEQUENCES {
        match length(text, at) {
            0 => break,
            length => at += length,
        }
    }
    at
}

/// The length of the text without the sequences at its end.
pub(super) fn before(text: &[u8]) -> usize {
    let mut head = text;
    for _ in 0..MAX_SEQUENCES {
        let [rest @ .., b'm' | b'K'] = head else {
            break;
        };
        let parameters = rest.iter().rev().take(MAX_PARAMETERS);
        let parameters = parameters.take_while(|byte| is_parameter(**byte)).count();
        let rest = rest.get(..rest.len() - parameters).unwrap_or_default();
        let ends = |beginning: &&&[u8]| {
            rest.len()
                .checked_sub(beginning.len())
                .and_then(|at| rest.get(at..))
                .is_some_and(|tail| tail.eq_ignore_ascii_case(beginning))
        };
        // The longest: the escape character is a part of no other beginning.
        let Some(beginning) = BEGINNINGS.iter().find(ends) else {
            break;
        };
        head = rest.get(..rest.len() - beginning.len()).unwrap_or_default();
    }
    head.len()
}
