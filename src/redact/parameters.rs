//! Queries and fragments of URLs inside a text: their names stay, their values go.

use std::ops::Range;

use super::{FILTERED, REDACTED, rules, scan, segment};

/// Bytes of a parameter's name.
const MAX_NAME: usize = 128;
/// Bytes of blanks before a parameter that stands in the next line.
const MAX_INDENTATION: usize = 32;
/// Bytes of what is a name though it has no value.
const MAX_BARE: usize = 32;

/// What begins the parameters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ParameterKind {
    Query,
    Fragment,
}

/// The parameters behind a question mark or a fragment's mark.
#[expect(
    clippy::struct_excessive_bools,
    reason = "what is known of a query, each by itself"
)]
pub(super) struct ParameterScan {
    /// Where the next parameter begins.
    at: usize,
    begin: ParameterKind,
    /// The separators are percent-encoded.
    encoded: bool,
    /// What stands before is certainly a URL.
    of_url: bool,
    /// A parameter with a value was found.
    found: bool,
    ended: bool,
}

impl ParameterScan {
    /// The query whose question mark begins at `mark`, with its first parameter at `at`.
    pub(super) fn new(
        text: &[u8],
        mark: usize,
        at: usize,
        begin: ParameterKind,
        paths: &mut PathEnds,
    ) -> Self {
        Self {
            at,
            begin,
            encoded: at > mark + 1,
            of_url: paths.end_at(text, mark),
            found: false,
            ended: false,
        }
    }

    /// Where what was read ends.
    pub(super) fn end(&self) -> usize {
        self.at
    }

    /// The next secret among the parameters.
    pub(super) fn next(&mut self, text: &[u8]) -> Option<Range<usize>> {
        while !self.ended {
            let start = self.at;
            let name = start..end_of_name(text, start);
            super::count_visited(name.len());
            let Some(equals) = equals(text, name.end) else {
                if let Some(bare) = self.bare(text, start) {
                    return Some(bare);
                }
                continue;
            };
            if name.is_empty() && !self.found && !self.of_url || !self.begins_well(text, start) {
                self.ended = true;
                return None;
            }
            self.found = true;
            let value = name.end + equals..end_of_value(text, name.end + equals, self.encoded);
            self.go_on(text, value.end);
            let value = value.start..without_last_signs(text, value.clone());
            if !is_clean_name(text.get(name.clone()).unwrap_or_default()) {
                return Some(name.start..value.end);
            }
            if !stays(text, name, value.clone()) {
                return Some(value);
            }
        }
        None
    }

    /// Passes a parameter without a value, which may be a token.
    fn bare(&mut self, text: &[u8], start: usize) -> Option<Range<usize>> {
        if !self.found && !self.of_url {
            self.ended = true;
            return None;
        }
        let mut end = end_of_value(text, start, self.encoded);
        if self.begin == ParameterKind::Fragment && !self.found {
            // The route of an application in a browser, which may have a query of its own.
            let route = text.get(start..end).unwrap_or_default();
            let query = route.iter().position(|byte| *byte == b'?');
            end = start + query.unwrap_or(route.len());
        }
        let bare = start..without_last_signs(text, start..end);
        let bytes = text.get(bare.clone()).unwrap_or_default();
        let stays = bytes.is_empty() || is_plain(bytes) || is_mark(bytes);
        if self.begin == ParameterKind::Fragment && !self.found {
            self.ended = true;
            if looks_like_a_key(bytes) {
                self.at = end;
                return Some(bare);
            }
        } else if bytes.is_empty() && !self.found && !matches!(text.get(end), Some(b'&' | b';')) {
            self.ended = true;
        } else {
            self.go_on(text, end);
            if !stays {
                return Some(bare);
            }
        }
        None
    }

    /// Goes behind the separator at `end`, where there is one.
    fn go_on(&mut self, text: &[u8], end: usize) {
        let separator = separator(text, end, self.encoded);
        self.ended = separator == 0;
        self.at = end + separator;
        if separator > 0 {
            self.at = behind_line_end(text, self.at);
        }
    }

    /// Outside a URL a name begins like one.
    fn begins_well(&self, text: &[u8], start: usize) -> bool {
        let begins = |byte: &u8| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'_' | b'[' | b'$' | b'%')
                || *byte >= 0x80
        };
        self.found || self.of_url || text.get(start).is_some_and(begins)
    }
}

/// Where the parameter begins before which a long URL was wrapped at `at`; `at` where it was not.
fn behind_line_end(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    if !matches!(rest, [b'\n', ..] | [b'\r', b'\n', ..]) {
        return at;
    }
    // The indentation of the next line, or the mark of a quoted mail.
    let blanks = rest.iter().take(MAX_INDENTATION);
    let blanks = blanks
        .take_while(|byte| byte.is_ascii_whitespace() || **byte == b'>')
        .count();
    let rest = rest.get(blanks..).unwrap_or_default();
    let name = rest.iter().take(MAX_BARE + 1);
    let name = name.take_while(|byte| is_name_byte(**byte)).count();
    super::count_visited(blanks + name);
    if name > 0 && rest.get(name) == Some(&b'=') {
        at + blanks
    } else {
        at
    }
}

/// Whether the value of a parameter stays.
fn stays(text: &[u8], name: Range<usize>, value: Range<usize>) -> bool {
    let bytes = text.get(value.clone()).unwrap_or_default();
    if bytes.is_empty() || is_mark(bytes) {
        return true;
    }
    let str = |range| {
        text.get(range)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
    };
    let (Some(name), Some(value)) = (str(name), str(value)) else {
        return false;
    };
    rules::shows(name, value) && scan::is_clean(value.as_bytes())
}

fn is_mark(bytes: &[u8]) -> bool {
    bytes == REDACTED.as_bytes() || bytes == FILTERED.as_bytes()
}

/// Where paths and hosts end. What one call reads no later call reads again.
#[derive(Default)]
pub(super) struct PathEnds {
    /// Everything before this place was read.
    read: usize,
    /// A path ends there.
    ends: bool,
}

impl PathEnds {
    /// Whether a path or a host stands before this place.
    fn end_at(&mut self, text: &[u8], at: usize) -> bool {
        let from = if at < self.read { 0 } else { self.read };
        let before = text.get(from..at).unwrap_or_default();
        let decides = |(n, byte): (usize, &u8)| match byte {
            b'/' => Some(true),
            b'%' if segment::separator(before, n).is_some() => Some(true),
            0..=b' ' | b'"' | b'<' | b'>' | b'`' => Some(false),
            _ => None,
        };
        super::count_visited(before.len());
        let found = before.iter().enumerate().rev().find_map(decides);
        self.ends = found.unwrap_or(from > 0 && self.ends);
        self.read = at;
        self.ends
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~[]$:+*@!".contains(&byte) || byte >= 0x80
}

/// Where the name ends that begins at `start`: before its equals sign, if there is one.
fn end_of_name(text: &[u8], start: usize) -> usize {
    let rest = text
        .get(start..text.len().min(start + MAX_NAME))
        .unwrap_or_default();
    let ends = |(n, byte): (usize, u8)| match byte {
        // What is encoded belongs to the name, but for what ends it.
        b'%' => {
            equals(text, start + n).is_some()
                || ends_encoded(text, start + n)
                // Another query's mark, which is looked at by itself.
                || is_encoded(text, start + n, b'3', b'f')
                || !is_escape(text, start + n)
        }
        0xc2.. => {
            ends_at_sign(rest.get(n..).unwrap_or_default())
                && !rest
                    .get(n..)
                    .unwrap_or_default()
                    .starts_with("…".as_bytes())
        }
        byte => !is_name_byte(byte),
    };
    let length = rest
        .iter()
        .enumerate()
        .position(|(n, byte)| ends((n, *byte)));
    start + length.unwrap_or(rest.len())
}

fn is_escape(text: &[u8], at: usize) -> bool {
    text.get(at + 1..at + 3)
        .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Whether `%xx`, `%25xx` and so on stands at this place; the second digit in lower case.
pub(super) fn is_encoded(text: &[u8], at: usize, high: u8, low: u8) -> bool {
    encoded(text, at).is_some_and(|(_, found)| found == [high, low])
}

/// The length and the digits of what is percent-encoded, once or more often, at this place.
pub(super) fn encoded(text: &[u8], at: usize) -> Option<(usize, [u8; 2])> {
    let rest = text.get(at..)?.strip_prefix(b"%")?;
    let deeper = rest.chunks(2).take_while(|pair| pair == b"25").count();
    let [high, low, ..] = rest.get(deeper * 2..)? else {
        return None;
    };
    Some((
        3 + deeper * 2,
        [high.to_ascii_lowercase(), low.to_ascii_lowercase()],
    ))
}

/// A separator or the mark of a fragment.
fn ends_encoded(text: &[u8], at: usize) -> bool {
    is_encoded(text, at, b'2', b'6') || is_encoded(text, at, b'2', b'3')
}

/// The length of an equals sign at this place, as it is, encoded or escaped.
fn equals(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'=' => Some(1),
        b'%' => encoded(text, at)
            .filter(|(_, digits)| digits == b"3d")
            .map(|(length, _)| length),
        b'\\' => unicode(text, at)
            .filter(|(_, byte)| *byte == b'=')
            .map(|(length, _)| length),
        _ => None,
    }
}

/// The length and the character of `\u00xx` at this place, behind one or more backslashes.
pub(super) fn unicode(text: &[u8], at: usize) -> Option<(usize, u8)> {
    let rest = text.get(at..)?;
    let slashes = rest
        .iter()
        .take(8)
        .take_while(|byte| **byte == b'\\')
        .count();
    let digits = rest.get(slashes..)?.strip_prefix(b"u00")?.get(..2)?;
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let [high, low] = digits else { return None };
    let byte = digit(high)? * 16 + digit(low)?;
    (slashes > 0).then_some((slashes + 5, u8::try_from(byte).ok()?))
}

/// The length of the separator at this place, 0 where there is none.
fn separator(text: &[u8], at: usize, in_encoded: bool) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    match rest {
        [b'&', b'#' | b'a' | b'A' | b'q' | b'l' | b'g' | b'n', ..] => {
            let head = rest.get(..rest.len().min(8)).unwrap_or_default();
            let Some(end) = head.iter().position(|byte| *byte == b';') else {
                return 1;
            };
            let entity = head.get(1..end).unwrap_or_default().to_ascii_lowercase();
            match &*entity {
                b"amp" | b"#38" | b"#x26" => end + 1,
                // What stands around the URL in HTML.
                b"quot" | b"lt" | b"gt" | b"apos" | b"nbsp" | b"#34" | b"#39" | b"#x22"
                | b"#x27" => 0,
                _ => 1,
            }
        }
        [b'&' | b';', ..] => 1,
        [b'%', ..] if in_encoded => encoded(text, at)
            .filter(|(_, digits)| digits == b"26")
            .map_or(0, |(length, _)| length),
        [b'\\', ..] => unicode(text, at)
            .filter(|(_, byte)| *byte == b'&')
            .map_or(0, |(length, _)| length),
        _ => 0,
    }
}

/// Where the value ends that begins at `start`.
fn end_of_value(text: &[u8], start: usize, in_encoded: bool) -> usize {
    let mut at = behind_angle_brackets(text, start);
    let mut depth = 0_usize;
    while let Some(&byte) = text.get(at) {
        let rest = text.get(at + 1..).unwrap_or_default();
        let next = rest.first().copied().unwrap_or(b' ');
        match byte {
            // JSON that is not encoded.
            b'"' if depth > 0
                && matches!(text.get(start..start + 2), Some(b"{\"" | b"[\"" | b"[{")) => {}
            0..=b' ' | 0x7f | b'"' | b'<' | b'>' | b'`' | b'&' | b'#' => break,
            b'\'' | b'|' if !next.is_ascii_alphanumeric() => break,
            b'|' | b',' if begins_a_url(rest) => break,
            b',' if next <= b' ' || b"\"'<>`{[(".contains(&next) => break,
            b';' if next <= b' ' || b"\"'<>`),".contains(&next) || begins_a_parameter(rest) => {
                break;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth > 0 => depth -= 1,
            b')' | b']' | b'}'
                if !next.is_ascii_alphanumeric() || begins_a_url(rest) || is_filtered(text, at) =>
            {
                break;
            }
            b'\\' => {
                let run = rest.iter().take_while(|byte| **byte == b'\\').count();
                if ends_at_escape(text, at + run) {
                    break;
                }
                at += run;
            }
            b'%' if in_encoded && ends_encoded(text, at) => break,
            // A text that was cut ends with it, a value does not.
            0xe2 if rest.starts_with(&[0x80, 0xa6])
                && rest
                    .get(2)
                    .is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'&') => {}
            0xc2.. if ends_at_sign(text.get(at..).unwrap_or_default()) => break,
            _ => {}
        }
        at += 1;
    }
    at
}

/// Where the value ends that angle brackets enclose: `?token=<abc>`; `start` where none do.
fn behind_angle_brackets(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let Some(inner) = rest.strip_prefix(b"<") else {
        return start;
    };
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"<>\"`/".contains(byte);
    let length = inner.iter().position(ends).unwrap_or(inner.len());
    super::count_visited(length);
    if length > 0 && inner.get(length) == Some(&b'>') {
        start + length + 2
    } else {
        start
    }
}

/// Whether the mark of a secret ends at this place.
fn is_filtered(text: &[u8], at: usize) -> bool {
    text.get(..=at)
        .is_some_and(|text| text.ends_with(FILTERED.as_bytes()))
}

/// Whether the backslash at this place begins an escape that no value holds.
fn ends_at_escape(text: &[u8], at: usize) -> bool {
    match text.get(at + 1) {
        Some(b'n' | b'r' | b't' | b'"' | b'\'' | b'`' | b'0') | None => true,
        Some(b'x') => text.get(at + 2) == Some(&b'1'),
        Some(b'u') => {
            unicode(text, at).is_some_and(|(_, byte)| byte <= b' ' || b"&\"'<>#".contains(&byte))
                || text.get(at + 2) == Some(&b'{')
        }
        _ => false,
    }
}

fn begins_a_url(text: &[u8]) -> bool {
    let scheme = text
        .iter()
        .take(16)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let length = scheme.count();
    length > 1
        && text
            .get(length..)
            .is_some_and(|rest| rest.starts_with(b"://"))
}

fn begins_a_parameter(text: &[u8]) -> bool {
    let name = text
        .iter()
        .take(MAX_BARE + 1)
        .take_while(|byte| is_plain_byte(**byte))
        .count();
    name > 0 && name <= MAX_BARE && text.get(name) == Some(&b'=')
}

/// Whether a sign begins here that stands around URLs and not in them: quotes, blanks, full-width
/// punctuation.
pub(super) fn ends_at_sign(text: &[u8]) -> bool {
    matches!(
        text,
        [0xc2, 0xa0 | 0xab | 0xbb, ..]
            | [0xe2, 0x80, 0x80..=0x8f | 0x98..=0x9f | 0xa6 | 0xa8..=0xaf | 0xb9 | 0xba, ..]
            | [0xe3, 0x80, 0x80..=0x9f, ..]
            | [0xef, 0xbc, 0x81..=0x8f | 0x9a..=0x9f, ..]
    )
}

/// Where the value ends without the signs that end a sentence behind a URL.
fn without_last_signs(text: &[u8], value: Range<usize>) -> usize {
    if matches!(text.get(value.end), Some(b'&' | b'#' | b'%')) {
        return value.end;
    }
    let bytes = text.get(value.clone()).unwrap_or_default();
    let last = bytes.iter().rposition(|byte| !b".,!?:;*".contains(byte));
    value.start + last.map_or(0, |last| last + 1)
}

fn is_plain_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || b"-_.[]$".contains(&byte)
}

fn is_plain(bytes: &[u8]) -> bool {
    bytes.len() <= MAX_BARE && bytes.iter().all(|byte| is_plain_byte(*byte))
}

/// A token may stand in a name, and user information.
fn is_clean_name(name: &[u8]) -> bool {
    (name.len() < 16 || scan::is_clean(name)) && !name.contains(&b'@')
}

/// Keys of what is encrypted stand in fragments, which are not sent.
fn looks_like_a_key(bytes: &[u8]) -> bool {
    let has = |of: fn(&u8) -> bool| bytes.iter().any(of);
    segment::looks_random(bytes)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_digit)
}
