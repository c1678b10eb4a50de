//! The length of `PostgreSQL`'s operators.

/// Maximum length of an operator, so that each byte is examined a bounded number of times.
const MAX_LENGTH: usize = 63;

/// The length of the operator at the start of `sql`; 1 if there is none.
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
        .take(MAX_LENGTH)
        .take_while(|(at, byte)| part((*at, byte)))
        .count();
    let characters = sql.get(..length).unwrap_or_default();
    // Trailing signs are operators of their own, unless the operator contains a character that permits them.
    if !characters.iter().any(|byte| permits_trailing_sign(*byte)) {
        let signs = characters
            .iter()
            .rev()
            .take_while(|byte| matches!(byte, b'+' | b'-'));
        length -= signs.count();
    }
    length.max(1)
}

/// The length of `?|`, `?&`, `??|` or `??&` at the start of `sql`. A bare `?` looks like a placeholder, and in `?||` a
/// placeholder precedes another operator.
pub(super) fn question_operator_length(sql: &[u8]) -> Option<usize> {
    let length = if sql.starts_with(b"??") { 3 } else { 2 };
    let (last, next) = (sql.get(length - 1)?, sql.get(length));
    (matches!(last, b'|' | b'&') && next != Some(last)).then_some(length)
}

fn in_operator(byte: u8) -> bool {
    matches!(byte, b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=') || permits_trailing_sign(byte)
}

/// Whether an operator with this character may end with a sign.
fn permits_trailing_sign(byte: u8) -> bool {
    matches!(
        byte,
        b'~' | b'!' | b'@' | b'#' | b'%' | b'^' | b'&' | b'|' | b'`'
    )
}
