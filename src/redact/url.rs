//! Paths, queries and the authority of a URL.

use std::borrow::Cow;

use super::{FILTERED, REDACTED, parameters, rules, scan, segment};

/// Bytes behind an authority that are looked through for the end of a password with a slash in it.
const MAX_SLASHED: usize = 128;
/// Bytes of user information that stands without a scheme or is encoded.
const MAX_USER: usize = 256;

/// The path without the tokens that stand in it, and without user information where it is a whole URL.
pub(crate) fn path(path: &str) -> Cow<'_, str> {
    scan::scrub(path, REDACTED)
}

/// The query (without its question mark) with its names, and `REDACTED` for every value.
///
/// The values of the names that the host allows stay, unless there is a secret in them. What has no equals
/// sign is a name only if it looks like one, for a bare token may stand there.
pub(crate) fn query(query: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(query.len() + 16);
    put_query(&mut out, query);
    if out == query {
        Cow::Borrowed(query)
    } else {
        Cow::Owned(out)
    }
}

/// Appends what [`query`] makes of a query.
pub(crate) fn put_query(out: &mut String, query: &str) {
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
        if value.is_empty() {
        } else if rules::shows(name, value) {
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

/// Where the user information ends that begins at `start` behind encoded slashes: before an `@`, as it is
/// or encoded, of the same authority.
pub(super) fn end_of_encoded_user(text: &[u8], start: usize) -> Option<usize> {
    let rest = text.get(start..text.len().min(start + MAX_USER))?;
    let mut found = None;
    for (n, byte) in rest.iter().enumerate() {
        match byte {
            0..=b' ' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'&' => break,
            b'@' => found = Some(start + n),
            b'%' | b'/' | b'\\' if segment::separator(text, start + n).is_some() => break,
            b'%' if parameters::is_encoded(text, start + n, b'4', b'0') => found = Some(start + n),
            b'%' if parameters::is_encoded(text, start + n, b'3', b'f') => break,
            _ => {}
        }
    }
    let marked = before_a_mark(text.get(start..found?)?) < found? - start;
    found.filter(|_| !marked)
}

/// Where the user information begins that ends before the `@` at `at`, though no scheme stands before it:
/// `user:password@host:5432`, `user:password@tcp(host)`, `oracle:thin:user/password@host`.
///
/// What is no password is told by what follows: an address of mail has no port.
pub(super) fn start_of_user_information(text: &[u8], floor: usize, at: usize) -> Option<usize> {
    let host = text.get(at + 1..)?;
    let before = text.get(floor.max(at.saturating_sub(MAX_USER))..at)?;
    let is_between = |byte: &u8| *byte <= b' ' || b"\"'<>`(),=[]{}".contains(byte);
    let length = before
        .iter()
        .rev()
        .take_while(|byte| !is_between(byte))
        .count();
    let user = before.get(before.len() - length..)?;
    let thin = b"oracle:thin:";
    let lower = user.get(..user.len().min(32))?.to_ascii_lowercase();
    if let Some(found) = lower.windows(thin.len()).position(|part| part == thin) {
        let start = found + thin.len();
        let user = user.get(start..)?;
        return (!user.is_empty() && !user.starts_with(REDACTED.as_bytes()))
            .then_some(at - user.len());
    }
    let colon = user.iter().position(|byte| *byte == b':')?;
    let (name, password) = (user.get(..colon)?, user.get(colon + 1..)?);
    let is_no_user: [&[u8]; 12] = [
        b"mailto", b"sip", b"sips", b"xmpp", b"acct", b"im", b"tel", b"urn", b"http", b"https",
        b"ssh", b"git",
    ];
    if name.is_empty() && password.is_empty()
        || password.is_empty()
        || user.contains(&b'/') && !host.starts_with(b"tcp(")
        || user == b"REDACTED:REDACTED"
        || is_no_user
            .iter()
            .any(|name_of| name.eq_ignore_ascii_case(name_of))
    {
        return None;
    }
    (host.starts_with(b"tcp(") || host.starts_with(b"unix(") || has_port(host))
        .then_some(at - user.len())
}

/// Whether a host with a port begins here.
fn has_port(host: &[u8]) -> bool {
    let name = host
        .iter()
        .take(128)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        .count();
    let Some([b':', rest @ ..]) = host.get(name..) else {
        return false;
    };
    let digits = rest
        .iter()
        .take(6)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let ends = rest
        .get(digits)
        .is_none_or(|byte| !byte.is_ascii_alphanumeric());
    name > 0 && (2..=5).contains(&digits) && ends
}
