//! Paths, queries and the authority of a URL.

use std::borrow::Cow;

use super::{FILTERED, REDACTED, is_sensitive_key, scan};

/// Bytes behind an authority that are looked through for the end of a password with a slash in it.
const MAX_SLASHED: usize = 128;

/// The path without the tokens that stand in it, and without user information where it is a whole URL.
pub(crate) fn path(path: &str) -> Cow<'_, str> {
    scan::scrub(path, REDACTED)
}

/// The query (without its question mark) with its names, and `REDACTED` for every value.
///
/// The values of the `allowed` names stay, scrubbed; a sensitive name is never allowed. What has no
/// equals sign is a name only if it looks like one, for a bare token may stand there.
pub(crate) fn query<'a>(query: &'a str, allowed: &[impl AsRef<str>]) -> Cow<'a, str> {
    let mut out = String::with_capacity(query.len() + 16);
    put_query(&mut out, query, allowed);
    if out == query {
        Cow::Borrowed(query)
    } else {
        Cow::Owned(out)
    }
}

/// Appends what [`query`] makes of a query.
pub(crate) fn put_query(out: &mut String, query: &str, allowed: &[impl AsRef<str>]) {
    if query.is_empty() {
        return;
    }
    for (n, part) in query.split('&').enumerate() {
        if n > 0 {
            out.push('&');
        }
        let Some((name, value)) = part.split_once('=') else {
            out.push_str(if is_a_plain_name(part) {
                part
            } else {
                REDACTED
            });
            continue;
        };
        out.push_str(&scan::scrub(name, REDACTED));
        out.push('=');
        let is_allowed = || allowed.iter().any(|allowed| allowed.as_ref() == name);
        if value.is_empty() {
        } else if is_allowed() && !is_sensitive_key(name) {
            out.push_str(&scan::scrub(value, REDACTED));
        } else {
            out.push_str(REDACTED);
        }
    }
}

fn is_a_plain_name(part: &str) -> bool {
    part == REDACTED
        || part.len() <= 32
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_' | b'.'))
}

/// Where the user information ends that begins at `start`, after the two slashes: at the last `@` of
/// the authority.
pub(super) fn end_of_user_information(text: &[u8], start: usize) -> Option<usize> {
    let rest = text.get(start..)?;
    let ends = |byte: &u8| {
        matches!(
            byte,
            b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\' | b'`'
        ) || byte.is_ascii_whitespace()
    };
    let end = rest.iter().position(ends).unwrap_or(rest.len());
    let end = before_a_mark(rest.get(..end)?);
    let authority = rest.get(..end)?;
    if let Some(at) = authority.iter().rposition(|byte| *byte == b'@') {
        return Some(start + at);
    }
    // A password with a slash: what follows the colon is no port.
    let colon = authority.iter().rposition(|byte| *byte == b':')?;
    let port = authority.get(colon + 1..)?;
    if port.is_empty() || port.iter().all(u8::is_ascii_digit) || authority.contains(&b']') {
        return None;
    }
    let beyond = rest.get(end..)?;
    let beyond = beyond.get(..MAX_SLASHED.min(beyond.len()))?;
    let stop = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'>');
    let stop = beyond.iter().position(stop).unwrap_or(beyond.len());
    let stop = before_a_mark(beyond.get(..stop)?);
    let at = beyond.get(..stop)?.iter().position(|byte| *byte == b'@')?;
    Some(start + end + at)
}

/// The length up to the mark of an earlier secret: what it replaced may have been the authority's end.
fn before_a_mark(text: &[u8]) -> usize {
    let marks = [REDACTED.as_bytes(), FILTERED.as_bytes()];
    (0..text.len())
        .find(|at| {
            marks
                .iter()
                .any(|mark| text.get(*at..).is_some_and(|rest| rest.starts_with(mark)))
        })
        .unwrap_or(text.len())
}
