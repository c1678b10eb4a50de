//! The length of numbers.

use super::word::{WordRole, keyword};

/// The length of the number at the start of `sql`, with letters that directly follow it, unless they are a keyword.
pub(super) fn number_length(sql: &[u8]) -> usize {
    let based = matches!(sql, [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', ..]);
    let end = if based { 2 } else { decimal_length(sql) };
    let continues = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_' || **byte >= 0x80;
    let rest = sql.get(end..).unwrap_or_default();
    let suffix = rest.iter().take_while(continues).count();
    let word = keyword(rest.get(..suffix).unwrap_or_default());
    // `1AND` is a number and a keyword; `5days` is one literal.
    let is_keyword = word.is_some_and(|word| word.role != WordRole::Type) && !based;
    if is_keyword { end } else { end + suffix }
}

fn decimal_length(sql: &[u8]) -> usize {
    let byte_at = |offset: usize| sql.get(offset).copied();
    let mut end = digits(sql, 0);
    if byte_at(end) == Some(b'.') && byte_at(end + 1) != Some(b'.') {
        end = digits(sql, end + 1);
    }
    if matches!(byte_at(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(byte_at(end + 1), Some(b'+' | b'-')));
        if byte_at(end + 1 + sign).is_some_and(|byte| byte.is_ascii_digit()) {
            end = digits(sql, end + 1 + sign);
        }
    }
    end
}

/// The end of the digits that begin at `from`.
fn digits(sql: &[u8], from: usize) -> usize {
    let rest = sql.get(from..).unwrap_or_default();
    let inside = |byte: &&u8| byte.is_ascii_digit() || **byte == b'_';
    from + rest.iter().take_while(inside).count()
}
