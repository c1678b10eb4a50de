//! Paths and queries that are a text of their own.

use std::borrow::Cow;

use super::mark::REDACTED;
use super::{rules, scan};

/// Replaces the tokens in a path, and the user information if it is a whole URL.
pub(crate) fn path(path: &str) -> Cow<'_, str> {
    scan::scrub(path, REDACTED)
}

/// Redacts a query without its question mark: names are kept, and each value becomes `REDACTED`.
///
/// Values of the names that the rules allow are kept, unless they contain a secret. A part without an equals sign is
/// kept if it looks like a name; else it may be a token.
pub(crate) fn query(query: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(query.len() + 16);
    put_query(&mut out, query);
    if out == query {
        Cow::Borrowed(query)
    } else {
        Cow::Owned(out)
    }
}

/// Appends a query, redacted as by [`query`].
pub(crate) fn put_query(out: &mut String, query: &str) {
    if query.is_empty() {
        return;
    }
    for (n, part) in query.split('&').enumerate() {
        if n > 0 {
            out.push('&');
        }
        let Some((name, value)) = part.split_once('=') else {
            out.push_str(if is_plain_name(part) { part } else { REDACTED });
            continue;
        };
        out.push_str(&scan::scrub(name, REDACTED));
        out.push('=');
        if value.is_empty() {
        } else if rules::shows_value(name, value) {
            out.push_str(&scan::scrub(value, REDACTED));
        } else {
            out.push_str(REDACTED);
        }
    }
}

fn is_plain_name(part: &str) -> bool {
    part == REDACTED
        || part.len() <= 32
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_' | b'.'))
}
