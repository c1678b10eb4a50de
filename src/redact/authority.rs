//! User information in URLs and connection strings.

use std::ops::Range;

use super::escape::{is_encoded, slash_len};
use super::mark::{FILTERED, REDACTED, count_visited};

/// Bytes after an authority in which the end of a password with a slash is searched.
const MAX_SLASHED: usize = 128;
/// Bytes of percent-encoded user information.
const MAX_USER: usize = 256;

/// A search for `@` after authorities. Later calls do not read again what an earlier one has read.
#[derive(Default)]
pub(super) struct AtSignSearch {
    /// Bytes without an `@`.
    without: Range<usize>,
}

/// The end of the user information at `start`, after the two slashes: the last `@` of the authority.
pub(super) fn end_of_user_information(
    text: &[u8],
    start: usize,
    behind: &mut AtSignSearch,
) -> Option<usize> {
    let rest = text.get(start..)?;
    let ends = |(n, byte): (usize, &u8)| match byte {
        b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' => true,
        // The backslash of an escape. Clients disagree about other backslashes.
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
    count_visited(end);
    let authority = rest.get(..end)?;
    if let Some(at) = authority.iter().rposition(|byte| *byte == b'@') {
        return Some(start + at);
    }
    // A password with a slash in it: the text after the colon is not a port.
    let colon = authority.iter().rposition(|byte| *byte == b':')?;
    let port = authority.get(colon + 1..)?;
    if port.is_empty() || port.iter().all(u8::is_ascii_digit) || authority.contains(&b']') {
        return None;
    }
    behind.at_sign(text, start + end)
}

impl AtSignSearch {
    /// The next `@` of the word at `start`.
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
        count_visited(at.saturating_sub(self.without.end.max(start)));
        self.without = start..at;
        None
    }
}

/// Whether a redacted secret is at `at`: it may have replaced the end of the authority.
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

/// The length of the text before a redacted secret.
fn length_before_mark(text: &[u8]) -> usize {
    (0..text.len())
        .find(|at| is_mark_at(text, *at))
        .unwrap_or(text.len())
}

/// The end of the user information at `start` after encoded slashes: the last `@` of the authority, plain or encoded.
pub(super) fn end_of_encoded_user(text: &[u8], start: usize) -> Option<usize> {
    let rest = text.get(start..text.len().min(start + MAX_USER))?;
    let mut found = None;
    for (n, byte) in rest.iter().enumerate() {
        match byte {
            0..=b' ' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'&' => break,
            b'@' => found = Some(start + n),
            b'%' | b'/' | b'\\' if slash_len(text, start + n).is_some() => break,
            b'%' if is_encoded(text, start + n, b'4', b'0') => found = Some(start + n),
            b'%' if is_encoded(text, start + n, b'3', b'f') => break,
            _ => {}
        }
    }
    let marked = length_before_mark(text.get(start..found?)?) < found? - start;
    found.filter(|_| !marked)
}

/// The word before an `@` that may be user information without a scheme: `user:password@host:5432`,
/// `user:password@tcp(host)`, `oracle:thin:user/password@host`. Each byte is read once.
#[derive(Default)]
pub(super) struct UserInfo {
    read: usize,
    start: usize,
    colon: Option<usize>,
    /// The end of `oracle:thin:`.
    thin: Option<usize>,
    has_slash: bool,
}

impl UserInfo {
    /// Reads to `at`. Nothing before `floor` belongs to the word.
    fn read_to(&mut self, text: &[u8], floor: usize, at: usize) {
        if floor > self.start {
            *self = Self {
                read: floor,
                start: floor,
                ..Self::default()
            };
        }
        let from = self.read;
        count_visited(at.saturating_sub(from));
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

    /// The start of the user information that ends before the `@` at `at`.
    ///
    /// The text after the `@` decides: a mail address has no port.
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

/// Whether the text starts with a host and a port.
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
