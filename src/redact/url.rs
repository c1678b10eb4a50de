//! Paths, queries and the authority of a URL.

use std::borrow::Cow;
use std::ops::Range;

use super::{FILTERED, REDACTED, parameters, rules, scan, segment};

/// Bytes behind an authority that are looked through for the end of a password with a slash in it.
const MAX_SLASHED: usize = 128;
/// Bytes of user information that is encoded.
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

/// What was read behind authorities, so that no byte is read for each of several.
#[derive(Default)]
pub(super) struct AtSignSearch {
    /// No `@` stands in these bytes.
    without: Range<usize>,
}

/// Where the user information ends that begins at `start`, after the two slashes: at the last `@` of
/// the authority.
pub(super) fn end_of_user_information(
    text: &[u8],
    start: usize,
    behind: &mut AtSignSearch,
) -> Option<usize> {
    let rest = text.get(start..)?;
    let ends = |(n, byte): (usize, &u8)| match byte {
        b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' => true,
        // Of an escape. Clients read other backslashes as they like.
        b'\\' => rest.get(n + 1).is_none_or(|next| {
            matches!(
                next,
                b'/' | b'\\' | b'"' | b'\'' | b'n' | b'r' | b't' | b'u'
            )
        }),
        byte => byte.is_ascii_whitespace() || is_mark_at(rest, n),
    };
    let end = rest
        .iter()
        .enumerate()
        .position(|(n, byte)| ends((n, byte)));
    let end = end.unwrap_or(rest.len());
    super::count_visited(end);
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
    behind.at_sign(text, start + end)
}

impl AtSignSearch {
    /// The next `@` of the word that goes on at `start`.
    fn at_sign(&mut self, text: &[u8], start: usize) -> Option<usize> {
        let mut at = if self.without.contains(&start) {
            self.without.end
        } else {
            start
        };
        let limit = text.len().min(start + MAX_SLASHED);
        while at < limit {
            match text.get(at)? {
                b'@' => return Some(at),
                b'"' | b'\'' | b'<' | b'>' => break,
                byte if byte.is_ascii_whitespace() || is_mark_at(text, at) => break,
                _ => at += 1,
            }
        }
        super::count_visited(at.saturating_sub(self.without.end.max(start)));
        self.without = start..at;
        None
    }
}

/// Whether the mark of an earlier secret stands here: what it replaced may have been the authority's end.
fn is_mark_at(text: &[u8], at: usize) -> bool {
    let begins = |mark: &str| {
        text.get(at..)
            .is_some_and(|rest| rest.starts_with(mark.as_bytes()))
    };
    match text.get(at) {
        Some(b'R') => begins(REDACTED),
        Some(b'[') => begins(FILTERED),
        _ => false,
    }
}

/// The length up to the mark of an earlier secret.
fn before_a_mark(text: &[u8]) -> usize {
    (0..text.len())
        .find(|at| is_mark_at(text, *at))
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

/// The word before an `@` that may be user information without a scheme: `user:password@host:5432`,
/// `user:password@tcp(host)`, `oracle:thin:user/password@host`. Each byte is read once.
#[derive(Default)]
pub(super) struct UserInfo {
    read: usize,
    start: usize,
    colon: Option<usize>,
    /// Behind `oracle:thin:`.
    thin: Option<usize>,
    has_slash: bool,
}

impl UserInfo {
    /// Reads on to `at`. Nothing before `floor` belongs to the word.
    fn read_to(&mut self, text: &[u8], floor: usize, at: usize) {
        if floor > self.start {
            *self = Self {
                read: floor,
                start: floor,
                ..Self::default()
            };
        }
        let from = self.read;
        super::count_visited(at.saturating_sub(from));
        for (n, byte) in text.get(from..at).unwrap_or_default().iter().enumerate() {
            let n = from + n;
            match byte {
                0..=b' '
                | b'"'
                | b'\''
                | b'<'
                | b'>'
                | b'`'
                | b'('
                | b')'
                | b','
                | b'='
                | b'['
                | b']'
                | b'{'
                | b'}' => {
                    *self = Self {
                        start: n + 1,
                        ..Self::default()
                    };
                }
                b'/' => self.has_slash = true,
                b':' => {
                    self.colon = self.colon.or(Some(n));
                    let head = text.get(self.start..n).unwrap_or_default();
                    if let Some(last) = head.last_chunk::<11>()
                        && last.eq_ignore_ascii_case(b"oracle:thin")
                    {
                        self.thin = self.thin.or(Some(n + 1));
                    }
                }
                _ => {}
            }
        }
        self.read = at;
    }

    /// Where the user information begins that ends before the `@` at `at`.
    ///
    /// What is no password is told by what follows: an address of mail has no port.
    pub(super) fn start(&mut self, text: &[u8], floor: usize, at: usize) -> Option<usize> {
        self.read_to(text, floor, at);
        let host = text.get(at + 1..)?;
        if let Some(start) = self.thin {
            let user = text.get(start..at)?;
            return (!user.is_empty() && !user.starts_with(REDACTED.as_bytes())).then_some(start);
        }
        let colon = self.colon?;
        let (name, password) = (text.get(self.start..colon)?, text.get(colon + 1..at)?);
        let is_no_user: [&[u8]; 12] = [
            b"mailto", b"sip", b"sips", b"xmpp", b"acct", b"im", b"tel", b"urn", b"http", b"https",
            b"ssh", b"git",
        ];
        if password.is_empty()
            || self.has_slash && !host.starts_with(b"tcp(")
            || text.get(self.start..at)? == b"REDACTED:REDACTED"
            || is_no_user
                .iter()
                .any(|name_of| name.eq_ignore_ascii_case(name_of))
        {
            return None;
        }
        (host.starts_with(b"tcp(") || host.starts_with(b"unix(") || has_port(host))
            .then_some(self.start)
    }
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
