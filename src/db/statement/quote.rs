//! Finds the ends of quoted text and of comments.

/// How the closing quote is escaped in quoted text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// By doubling it.
    Doubled,
    /// By doubling it or with a backslash.
    Backslash,
    /// By one of these two rules. Where they disagree about the end, the text has none.
    Ambiguous,
    /// Not at all.
    None,
}

/// The position after the closing quote; `None` if there is none. `from` is the position after the opening quote.
pub(super) fn end_of_quoted(sql: &[u8], from: usize, quote: u8, escapes: Escapes) -> Option<usize> {
    let backslashes = matches!(escapes, Escapes::Backslash | Escapes::Ambiguous);
    let mut at = from;
    loop {
        let rest = sql.get(at..)?;
        at += rest
            .iter()
            .position(|&byte| byte == quote || (byte == b'\\' && backslashes))?;
        let next = sql.get(at + 1).copied();
        if sql.get(at) != Some(&quote) {
            if escapes == Escapes::Ambiguous && next == Some(quote) {
                return None;
            }
            at += 2;
        } else if next == Some(quote) && escapes != Escapes::None {
            at += 2;
        } else {
            return Some(at + 1);
        }
    }
}

/// The tag of a dollar quote that begins at `from`, with both its dollar signs.
pub(super) fn dollar_tag(sql: &[u8], from: usize) -> Option<&[u8]> {
    let rest = sql.get(from..)?;
    let name = rest.get(1..)?;
    if name.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let length = name
        .iter()
        .position(|&byte| !(byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80))?;
    (name.get(length) == Some(&b'$'))
        .then(|| rest.get(..length + 2))
        .flatten()
}

/// The position after the closing tag of a dollar quote. `from` is the position after the opening tag.
///
/// A tag has dollar signs at its ends only, so no byte is compared more than twice.
pub(super) fn end_of_dollars(sql: &[u8], from: usize, tag: &[u8]) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = sql.get(at..)?;
        at += rest.iter().position(|&byte| byte == b'$')?;
        if sql.get(at..)?.starts_with(tag) {
            return Some(at + tag.len());
        }
        at += 1;
    }
}

/// The position after an Oracle literal `q'[..]'`. `from` is the position after its first quote.
pub(super) fn end_of_q_literal(sql: &[u8], from: usize) -> Option<usize> {
    let close = match sql.get(from)? {
        b'[' => b']',
        b'(' => b')',
        b'{' => b'}',
        b'<' => b'>',
        &other => other,
    };
    let body = sql.get(from + 1..)?;
    let length = body.windows(2).position(|pair| pair == [close, b'\''])?;
    Some(from + 1 + length + 2)
}

/// The position after a comment `/* .. */`, or the end of the text if it is not closed. `from` is the position after
/// the opening.
pub(super) fn end_of_block_comment(sql: &[u8], from: usize, nested: bool) -> usize {
    let mut depth = 1_u32;
    let mut at = from;
    while let Some(rest) = sql.get(at..) {
        let Some(skip) = rest.iter().position(|byte| matches!(byte, b'*' | b'/')) else {
            break;
        };
        at += skip;
        match (sql.get(at), sql.get(at + 1)) {
            (Some(b'*'), Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            (Some(b'/'), Some(b'*')) if nested => {
                depth += 1;
                at += 2;
            }
            _ => at += 1,
        }
    }
    sql.len()
}
