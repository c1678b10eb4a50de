//! Queries and fragments of URLs inside a text: names are kept, values are replaced.

use std::ops::Range;

use super::escape::{
    ends_url, is_encoded, is_percent_escape, percent_escape, slash_len, unicode_escape,
};
use super::mark::{FILTERED, REDACTED, count_visited};
use super::{rules, segment};

/// Bytes of a parameter's name.
const MAX_NAME: usize = 128;
/// Blanks before a parameter on the next line.
const MAX_INDENTATION: usize = 32;
/// Bytes of a name without a value.
const MAX_BARE: usize = 32;

/// What the parameters are a part of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ParameterKind {
    Query,
    Fragment,
}

/// A scan of the parameters after a `?` or a `#`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "what is known of a query, each by itself"
)]
pub(super) struct ParameterScan {
    /// The start of the next parameter.
    at: usize,
    kind: ParameterKind,
    /// Whether the separators are percent-encoded.
    encoded: bool,
    /// Whether the text in front is certainly a URL.
    of_url: bool,
    /// Whether a parameter with a value was found.
    found: bool,
    ended: bool,
    /// Whether a name or a value has no secret in it: the scan of a text, which finds parameters by this one.
    is_clean: fn(&[u8]) -> bool,
}

impl ParameterScan {
    /// A scan after the mark at `mark`, with the first parameter at `at`.
    pub(super) fn new(
        text: &[u8],
        mark: usize,
        at: usize,
        kind: ParameterKind,
        paths: &mut PathEnds,
        is_clean: fn(&[u8]) -> bool,
    ) -> Self {
        Self {
            at,
            kind,
            encoded: at > mark + 1,
            of_url: paths.end_at(text, mark),
            found: false,
            ended: false,
            is_clean,
        }
    }

    /// The end of what was read.
    pub(super) fn end(&self) -> usize {
        self.at
    }

    /// The next secret among the parameters.
    pub(super) fn next(&mut self, text: &[u8]) -> Option<Range<usize>> {
        while !self.ended {
            let start = self.at;
            let name = start..end_of_name(text, start);
            count_visited(name.len());
            let Some(equals) = equals(text, name.end) else {
                if let Some(bare) = self.bare(text, start) {
                    return Some(bare);
                }
                continue;
            };
            if name.is_empty() && !self.found && !self.of_url || !self.starts_like_name(text, start)
            {
                self.ended = true;
                return None;
            }
            self.found = true;
            let value = name.end + equals..end_of_value(text, name.end + equals, self.encoded);
            self.advance(text, value.end);
            let value = value.start..without_trailing_punctuation(text, value.clone());
            if !self.is_clean_name(text.get(name.clone()).unwrap_or_default()) {
                return Some(name.start..value.end);
            }
            if !self.keeps(text, name, value.clone()) {
                return Some(value);
            }
        }
        None
    }

    /// Skips a parameter without a value; returns it if it may be a token.
    fn bare(&mut self, text: &[u8], start: usize) -> Option<Range<usize>> {
        if !self.found && !self.of_url {
            self.ended = true;
            return None;
        }
        let mut end = end_of_value(text, start, self.encoded);
        if self.kind == ParameterKind::Fragment && !self.found {
            // The route of a single-page application may have its own query.
            let route = text.get(start..end).unwrap_or_default();
            let query = route.iter().position(|byte| *byte == b'?');
            end = start + query.unwrap_or(route.len());
        }
        let bare = start..without_trailing_punctuation(text, start..end);
        let bytes = text.get(bare.clone()).unwrap_or_default();
        let stays = bytes.is_empty() || is_plain(bytes) || is_mark(bytes);
        if self.kind == ParameterKind::Fragment && !self.found {
            self.ended = true;
            if looks_like_a_key(bytes) {
                self.at = end;
                return Some(bare);
            }
        } else if bytes.is_empty() && !self.found && !matches!(text.get(end), Some(b'&' | b';')) {
            self.ended = true;
        } else {
            self.advance(text, end);
            if !stays {
                return Some(bare);
            }
        }
        None
    }

    /// Moves after the separator at `end`; ends the scan if there is none.
    fn advance(&mut self, text: &[u8], end: usize) {
        let separator = separator(text, end, self.encoded);
        self.ended = separator == 0;
        self.at = end + separator;
        if separator > 0 {
            self.at = skip_line_end(text, self.at);
        }
    }

    /// Whether the value of a parameter is kept.
    fn keeps(&self, text: &[u8], name: Range<usize>, value: Range<usize>) -> bool {
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
        rules::shows_value(name, value) && (self.is_clean)(value.as_bytes())
    }

    /// Whether a name has no token and no user information in it.
    fn is_clean_name(&self, name: &[u8]) -> bool {
        (name.len() < 16 || (self.is_clean)(name)) && !name.contains(&b'@')
    }

    /// Whether a name can start here. Inside a URL any byte can start one.
    fn starts_like_name(&self, text: &[u8], start: usize) -> bool {
        let begins = |byte: &u8| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'_' | b'[' | b'$' | b'%')
                || *byte >= 0x80
        };
        self.found || self.of_url || text.get(start).is_some_and(begins)
    }
}

/// The start of the next parameter, if a long URL was wrapped at `at`; else `at`.
fn skip_line_end(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    if !matches!(rest, [b'\n', ..] | [b'\r', b'\n', ..]) {
        return at;
    }
    // The indentation of the next line, or the `>` of a quoted mail.
    let blanks = rest.iter().take(MAX_INDENTATION);
    let blanks = blanks
        .take_while(|byte| byte.is_ascii_whitespace() || **byte == b'>')
        .count();
    let rest = rest.get(blanks..).unwrap_or_default();
    let name = rest.iter().take(MAX_BARE + 1);
    let name = name.take_while(|byte| is_name_byte(**byte)).count();
    count_visited(blanks + name);
    if name > 0 && rest.get(name) == Some(&b'=') {
        at + blanks
    } else {
        at
    }
}

fn is_mark(bytes: &[u8]) -> bool {
    bytes == REDACTED.as_bytes() || bytes == FILTERED.as_bytes()
}

/// Finds paths and hosts in front of a mark. Later calls do not read again what an earlier one has read.
#[derive(Default)]
pub(super) struct PathEnds {
    /// Everything before this was read.
    read: usize,
    /// Whether a path ends there.
    ends: bool,
}

impl PathEnds {
    /// Whether a path or a host ends at `at`.
    fn end_at(&mut self, text: &[u8], at: usize) -> bool {
        let from = if at < self.read { 0 } else { self.read };
        let before = text.get(from..at).unwrap_or_default();
        let decides = |(n, byte): (usize, &u8)| match byte {
            b'/' => Some(true),
            b'%' if slash_len(before, n).is_some() => Some(true),
            0..=b' ' | b'"' | b'<' | b'>' | b'`' => Some(false),
            _ => None,
        };
        count_visited(before.len());
        let found = before.iter().enumerate().rev().find_map(decides);
        self.ends = found.unwrap_or(from > 0 && self.ends);
        self.read = at;
        self.ends
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~[]$:+*@!".contains(&byte) || byte >= 0x80
}

/// The end of the name at `start`: before its equals sign, if there is one.
fn end_of_name(text: &[u8], start: usize) -> usize {
    let rest = text
        .get(start..text.len().min(start + MAX_NAME))
        .unwrap_or_default();
    let ends = |(n, byte): (usize, u8)| match byte {
        // An escape belongs to the name, unless it is an encoded end.
        b'%' => {
            equals(text, start + n).is_some()
                || ends_encoded(text, start + n)
                // The question mark of another query, which the scan finds by itself.
                || is_encoded(text, start + n, b'3', b'f')
                || !is_percent_escape(text, start + n)
        }
        0xc2.. => {
            ends_url(rest.get(n..).unwrap_or_default())
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

/// Whether an encoded `&` or `#` is at `at`.
fn ends_encoded(text: &[u8], at: usize) -> bool {
    is_encoded(text, at, b'2', b'6') || is_encoded(text, at, b'2', b'3')
}

/// The length of an equals sign at `at`, plain, encoded or escaped.
fn equals(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'=' => Some(1),
        b'%' => percent_escape(text, at)
            .filter(|(_, digits)| digits == b"3d")
            .map(|(length, _)| length),
        b'\\' => unicode_escape(text, at)
            .filter(|(_, byte)| *byte == b'=')
            .map(|(length, _)| length),
        _ => None,
    }
}

/// The length of the separator at `at`, 0 if there is none.
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
                // Characters around a URL in HTML.
                b"quot" | b"lt" | b"gt" | b"apos" | b"nbsp" | b"#34" | b"#39" | b"#x22"
                | b"#x27" => 0,
                _ => 1,
            }
        }
        [b'&' | b';', ..] => 1,
        [b'%', ..] if in_encoded => percent_escape(text, at)
            .filter(|(_, digits)| digits == b"26")
            .map_or(0, |(length, _)| length),
        [b'\\', ..] => unicode_escape(text, at)
            .filter(|(_, byte)| *byte == b'&')
            .map_or(0, |(length, _)| length),
        _ => 0,
    }
}

/// The end of the value at `start`.
fn end_of_value(text: &[u8], start: usize, in_encoded: bool) -> usize {
    let mut at = skip_angle_brackets(text, start);
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
            b'|' | b',' if starts_url(rest) => break,
            b',' if next <= b' ' || b"\"'<>`{[(".contains(&next) => break,
            b';' if next <= b' ' || b"\"'<>`),".contains(&next) || starts_parameter(rest) => {
                break;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth > 0 => depth -= 1,
            b')' | b']' | b'}'
                if !next.is_ascii_alphanumeric() || starts_url(rest) || is_filtered(text, at) =>
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
            // The ellipsis ends a text that was cut; inside a value it is a part of it.
            0xe2 if rest.starts_with(&[0x80, 0xa6])
                && rest
                    .get(2)
                    .is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'&') => {}
            0xc2.. if ends_url(text.get(at..).unwrap_or_default()) => break,
            _ => {}
        }
        at += 1;
    }
    at
}

/// The end of a value in angle brackets: `?token=<abc>`; `start` if there are none.
fn skip_angle_brackets(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let Some(inner) = rest.strip_prefix(b"<") else {
        return start;
    };
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"<>\"`/".contains(byte);
    let length = inner.iter().position(ends).unwrap_or(inner.len());
    count_visited(length);
    if length > 0 && inner.get(length) == Some(&b'>') {
        start + length + 2
    } else {
        start
    }
}

/// Whether a redacted secret ends at `at`.
fn is_filtered(text: &[u8], at: usize) -> bool {
    text.get(..=at)
        .is_some_and(|text| text.ends_with(FILTERED.as_bytes()))
}

/// Whether the backslash at `at` starts an escape that no value contains.
fn ends_at_escape(text: &[u8], at: usize) -> bool {
    match text.get(at + 1) {
        Some(b'n' | b'r' | b't' | b'"' | b'\'' | b'`' | b'0') | None => true,
        Some(b'x') => text.get(at + 2) == Some(&b'1'),
        Some(b'u') => {
            unicode_escape(text, at)
                .is_some_and(|(_, byte)| byte <= b' ' || b"&\"'<>#".contains(&byte))
                || text.get(at + 2) == Some(&b'{')
        }
        _ => false,
    }
}

fn starts_url(text: &[u8]) -> bool {
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

fn starts_parameter(text: &[u8]) -> bool {
    let name = text
        .iter()
        .take(MAX_BARE + 1)
        .take_while(|byte| is_plain_byte(**byte))
        .count();
    name > 0 && name <= MAX_BARE && text.get(name) == Some(&b'=')
}

/// The end of the value without the punctuation of a sentence after a URL.
fn without_trailing_punctuation(text: &[u8], value: Range<usize>) -> usize {
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

/// Whether a fragment looks like a key: services put keys of encrypted documents there, since fragments are not sent.
fn looks_like_a_key(bytes: &[u8]) -> bool {
    let has = |of: fn(&u8) -> bool| bytes.iter().any(of);
    segment::looks_random(bytes)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_digit)
}
