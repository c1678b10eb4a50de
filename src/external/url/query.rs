//! The query: parameter names are kept, values are replaced.

use super::buffer::{REDACTED, UrlBuffer};
use super::percent;

/// The maximum number of parameters that are kept.
const MAX_PARAMETERS: usize = 32;
/// The maximum length of a name, in bytes; a longer one is cut.
const MAX_NAME: usize = 128;
/// The maximum length of a text that counts as a name although it has no value, in bytes.
const MAX_BARE: usize = 32;
/// The maximum length of a kept value, in bytes.
const MAX_VALUE: usize = 128;
/// Replaces further parameters.
const MORE: &str = "…";

/// Appends a query. Every value that `shows` does not allow becomes `REDACTED`.
///
/// `;` separates parameters too, but the text after it may be the rest of a value, and a text without an equals sign
/// may be a value. Such a text is kept only if it looks like a name.
pub(super) fn push(buffer: &mut UrlBuffer, query: &str, shows: &impl Fn(&str, &str) -> bool) {
    let mut rest = query;
    let mut before = '&';
    for _ in 0..MAX_PARAMETERS {
        let end = rest.find(['&', ';']);
        let (parameter, tail) = rest
            .split_at_checked(end.unwrap_or(rest.len()))
            .unwrap_or_default();
        push_parameter(buffer, parameter, before, shows);
        let mut tail = tail.chars();
        let Some(separator) = tail.next() else { return };
        before = separator;
        rest = tail.as_str();
        buffer.push(if separator == ';' { ";" } else { "&" });
        if buffer.is_full() {
            return;
        }
    }
    buffer.push(MORE);
}

fn push_parameter(
    buffer: &mut UrlBuffer,
    parameter: &str,
    before: char,
    shows: &impl Fn(&str, &str) -> bool,
) {
    let Some(equals) = percent::first(parameter, '=', *b"3d") else {
        let is_kept = parameter.is_empty()
            || parameter == REDACTED
            || parameter == MORE
            || before == '&' && is_plain(parameter);
        buffer.push(if is_kept { parameter } else { REDACTED });
        return;
    };
    let name = parameter.get(..equals.start).unwrap_or_default();
    let value = parameter.get(equals.end..).unwrap_or_default();
    let is_kept = match before {
        ';' => is_plain(name),
        // A text that ends in equals signs may be a value in base64.
        _ if value.is_empty() => is_plain(&name.to_ascii_lowercase()),
        _ if value.bytes().all(|byte| byte == b'=') => false,
        _ => !holds_more(name),
    };
    if is_kept {
        buffer.push_truncated(name, MAX_NAME);
    } else {
        buffer.push(REDACTED);
    }
    buffer.push("=");
    if value.is_empty() {
    } else if is_kept && before == '&' && value.len() <= MAX_VALUE && shows(name, value) {
        buffer.push(value);
    } else {
        buffer.push(REDACTED);
    }
}

fn is_plain(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || b"-_.[]$".contains(&byte);
    name.len() <= MAX_BARE && name.bytes().all(is_allowed)
}

/// Whether a name may contain user information or another query.
fn holds_more(name: &str) -> bool {
    name.contains("//")
        || name.contains('\\')
        || name.trim_start_matches('?').contains('?')
        || percent::end_of_last_at(name).is_some()
}
