//! How long an operator of `PostgreSQL` is.

/// The most characters of an operator: what would be looked at again is bounded.
const LONGEST: usize = 63;

/// The length of the operator that begins here; 1 if none does.
pub(super) fn operator_length(sql: &[u8]) -> usize {
    if sql.starts_with(b"@?") {
        return 2;
    }
    let part = |(at, byte): (usize, &u8)| {
        let comment = matches!(
            (byte, sql.get(at + 1)),
            (b'-', Some(b'-')) | (b'/', Some(b'*'))
        );
        in_operator(*byte) && (at == 0 || !comment)
    };
    let mut length = sql
        .iter()
        .enumerate()
        .take(LONGEST)
        .take_while(|(at, byte)| part((*at, byte)))
        .count();
    let characters = sql.get(..length).unwrap_or_default();
    // A sign at the end is an operator of its own, unless the operator could be no other.
    if !characters.iter().any(|byte| is_free(*byte)) {
        let signs = characters
            .iter()
            .rev()
            .take_while(|byte| matches!(byte, b'+' | b'-'));
        length -= signs.count();
    }
    length.max(1)
}

/// The length of `?|`, `?&` or of the same with two question marks, if one begins here. A bare `?` looks
/// like a placeholder, and `?||` is one before another operator.
pub(super) fn question_length(sql: &[u8]) -> Option<usize> {
    let length = if sql.starts_with(b"??") { 3 } else { 2 };
    let (last, next) = (sql.get(length - 1)?, sql.get(length));
    (matches!(last, b'|' | b'&') && next != Some(last)).then_some(length)
}

fn in_operator(byte: u8) -> bool {
    matches!(byte, b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=') || is_free(byte)
}

/// What lets an operator end with a sign.
fn is_free(byte: u8) -> bool {
    matches!(
        byte,
        b'~' | b'!' | b'@' | b'#' | b'%' | b'^' | b'&' | b'|' | b'`'
    )
}
