//! Escape sequences that colour a text in a terminal: `ESC [ 1 ; 3 m`.

/// The start of a sequence: the escape character, or its escaped form.
const STARTS: [&[u8]; 5] = [b"\x1b[", b"\\x1b[", b"\\u001b[", b"\\u{1b}[", b"\\033["];
/// Bytes between the start and the last letter.
const MAX_PARAMETERS: usize = 24;
/// Sequences in a row that are skipped.
const MAX_SEQUENCES: usize = 8;

fn is_parameter(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b';' | b':')
}

/// The length of the sequence at `at`, 0 if there is none.
pub(super) fn sequence_len(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    if !matches!(rest.first(), Some(0x1b | b'\\')) {
        return 0;
    }
    let begins = |start: &&&[u8]| {
        rest.get(..start.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(start))
    };
    let Some(start) = STARTS.iter().find(begins) else {
        return 0;
    };
    let tail = rest.get(start.len()..).unwrap_or_default();
    let parameters = tail.iter().take(MAX_PARAMETERS);
    let parameters = parameters.take_while(|byte| is_parameter(**byte)).count();
    match tail.get(parameters) {
        Some(b'm' | b'K') => start.len() + parameters + 1,
        _ => 0,
    }
}

/// The end of the sequences that start at `at`; `at` if there are none.
pub(super) fn skip(text: &[u8], mut at: usize) -> usize {
    for _ in 0..MAX_SEQUENCES {
        match sequence_len(text, at) {
            0 => break,
            length => at += length,
        }
    }
    at
}

/// The length of the text without the sequences at its end.
pub(super) fn trimmed_len(text: &[u8]) -> usize {
    let mut head = text;
    for _ in 0..MAX_SEQUENCES {
        let [rest @ .., b'm' | b'K'] = head else {
            break;
        };
        let parameters = rest.iter().rev().take(MAX_PARAMETERS);
        let parameters = parameters.take_while(|byte| is_parameter(**byte)).count();
        let rest = rest.get(..rest.len() - parameters).unwrap_or_default();
        let ends = |start: &&&[u8]| {
            rest.len()
                .checked_sub(start.len())
                .and_then(|at| rest.get(at..))
                .is_some_and(|tail| tail.eq_ignore_ascii_case(start))
        };
        // At most one matches: the escape character is a part of no other start.
        let Some(start) = STARTS.iter().find(ends) else {
            break;
        };
        head = rest.get(..rest.len() - start.len()).unwrap_or_default();
    }
    head.len()
}
