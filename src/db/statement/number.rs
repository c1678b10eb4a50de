//! How long a number is.

use super::word::{Role, known};

/// The length of the number that begins here, with whatever letters hang on it, unless they are a keyword.
pub(super) fn number_length(sql: &[u8]) -> usize {
    let based = matches!(sql, [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', ..]);
    let end = if based { 2 } else { decimal_length(sql) };
    let hanging = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_' || **byte >= 0x80;
    let rest = sql.get(end..).unwrap_or_default();
    let more = rest.iter().take_while(hanging).count();
    let word = known(rest.get(..more).unwrap_or_default());
    // `1AND` is two things, `5days` is not shown.
    let keyword = word.is_some_and(|word| word.role != Role::Typed) && !based;
    if keyword { end } else { end + more }
}

fn decimal_length(sql: &[u8]) -> usize {
    let at = |at: usize| sql.get(at).copied();
    let mut end = digits(sql, 0);
    if at(end) == Some(b'.') && at(end + 1) != Some(b'.') {
        end = digits(sql, end + 1);
    }
    if matches!(at(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(at(end + 1), Some(b'+' | b'-')));
        if at(end + 1 + sign).is_some_and(|byte| byte.is_ascii_digit()) {
            end = digits(sql, end + 1 + sign);
        }
    }
    end
}

/// Where the digits end that begin at `from`.
fn digits(sql: &[u8], from: usize) -> usize {
    let rest = sql.get(from..).unwrap_or_default();
    let inside = |byte: &&u8| byte.is_ascii_digit() || **byte == b'_';
    from + rest.iter().take_while(inside).count()
}
