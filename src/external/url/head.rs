//! The part before the query: scheme, authority and path, well-formed or not.

use super::buffer::{REDACTED, UrlBuffer, is_hidden};
use super::percent;

/// Replaces user information.
const REDACTED_USER: &str = "REDACTED:REDACTED@";

/// What a text between slashes may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UrlPart {
    /// A scheme, an authority without a scheme, or the start of a path.
    First,
    Authority,
    Path,
}

/// Appends the part before the query and the fragment. Returns the rest, which begins with `?` or `#`.
pub(super) fn push<'a>(buffer: &mut UrlBuffer, url: &'a str) -> &'a str {
    let mut head = UrlHead {
        buffer,
        rest: url,
        after_last_at: percent::end_of_last_at(url).map_or(usize::MAX, |end| url.len() - end),
    };
    let mut part = UrlPart::First;
    loop {
        let ends_in_colon = match part {
            UrlPart::First | UrlPart::Authority => head.push_authority(part),
            UrlPart::Path => head.push_part(head.part()),
        };
        let run = slashes(head.rest);
        if run.is_empty() {
            return head.rest;
        }
        let is_double = run.bytes().filter(|byte| is_slash(*byte)).nth(1).is_some();
        // A path may contain another URL, after a colon and one or two slashes.
        part = if ends_in_colon || part == UrlPart::First && is_double {
            UrlPart::Authority
        } else {
            UrlPart::Path
        };
        head.buffer.push(run);
        head.skip(run.len());
        if head.buffer.is_full() {
            return "";
        }
    }
}

/// The state while a URL is read from the left.
struct UrlHead<'a, 'b> {
    buffer: &'b mut UrlBuffer,
    rest: &'a str,
    /// The number of bytes after the last `@` of the whole text; `usize::MAX` if there is none.
    after_last_at: usize,
}

impl<'a> UrlHead<'a, '_> {
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn has_at_ahead(&self) -> bool {
        self.after_last_at < self.rest.len()
    }

    /// The text up to the next slash, query or fragment.
    fn part(&self) -> &'a str {
        let end = self.rest.find(['/', '\\', '?', '#']);
        self.rest
            .get(..end.unwrap_or(self.rest.len()))
            .unwrap_or_default()
    }

    /// Appends an authority without its user information. Returns whether it ends in a colon.
    fn push_authority(&mut self, part: UrlPart) -> bool {
        let mut authority = self.part();
        let mut is_redacted = false;
        // What follows the user information may look like user information again.
        while self.has_at_ahead() {
            let end = if let Some(at) = authority.rfind('@') {
                at + 1
            } else if !ends_in_port(authority, part)
                && let Some((before, rest)) = split_from_end(self.rest, self.after_last_at)
            {
                // The text after the colon is not a port, so it is a password that contains a slash or a question mark.
                is_redacted = true;
                self.rest = rest;
                if before.contains(['?', '#']) {
                    // Or the `@` is in a value of a query. The host cannot be distinguished from either.
                    self.buffer.push(REDACTED_USER);
                    self.buffer.push(REDACTED);
                    self.rest = "";
                    return false;
                }
                authority = self.part();
                continue;
            } else if let Some(end) = percent::end_of_last_at(authority) {
                end
            } else {
                break;
            };
            self.skip(end);
            authority = authority.get(end..).unwrap_or_default();
            is_redacted = true;
        }
        if is_redacted {
            self.buffer.push(REDACTED_USER);
        }
        if part == UrlPart::Authority
            && !ends_in_port(authority, part)
            && let Some((host, _)) = authority.split_once(':')
        {
            self.buffer.push(host);
            self.buffer.push(":");
            self.buffer.push(REDACTED);
            self.skip(authority.len());
            return false;
        }
        self.push_part(authority)
    }

    /// Appends a part without the user information of an encoded URL in it. Returns whether it ends in a colon.
    fn push_part(&mut self, part: &str) -> bool {
        let authority = if self.has_at_ahead() {
            encoded_authority(part)
        } else {
            None
        };
        self.skip(part.len());
        let ends = authority.and_then(|start| {
            let end = percent::end_of_last_at(part.get(start..)?)?;
            Some((part.get(..start)?, part.get(start + end..)?))
        });
        if let Some((before, behind)) = ends {
            self.buffer.push(before);
            self.buffer.push(REDACTED_USER);
            self.buffer.push(behind);
        } else {
            self.buffer.push(part);
        }
        let part = part.trim_end_matches(is_hidden);
        let tail = part.len().checked_sub(3).and_then(|at| part.get(at..));
        part.ends_with(':') || tail.is_some_and(|tail| tail.eq_ignore_ascii_case("%3a"))
    }
}

/// Splits a text before its last `bytes` bytes.
fn split_from_end(text: &str, bytes: usize) -> Option<(&str, &str)> {
    text.split_at_checked(text.len().checked_sub(bytes)?)
}

/// Where the authority of a URL starts that is part of a path, with encoded slashes.
fn encoded_authority(part: &str) -> Option<usize> {
    if !part.contains('%') {
        return None;
    }
    let bytes = part.as_bytes();
    let slash = |at: usize| percent::length(bytes.get(at..)?, b'/', *b"2f");
    let mut start = (0..bytes.len()).find_map(|at| {
        let colon = at + percent::length(bytes.get(at..)?, b':', *b"3a")?;
        Some(colon + slash(colon)?)
    })?;
    while let Some(length) = slash(start) {
        start += length;
    }
    Some(start)
}

/// Whether the text after the host may be a port.
fn ends_in_port(authority: &str, part: UrlPart) -> bool {
    let port = match authority.split_once(']') {
        Some((host, port)) if host.starts_with('[') => port.strip_prefix(':'),
        _ if part == UrlPart::First => authority.rsplit_once(':').map(|(_, port)| port),
        _ => authority.split_once(':').map(|(_, port)| port),
    };
    port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The slashes and backslashes at the start of a text, with invisible characters between them.
fn slashes(text: &str) -> &str {
    if !text.bytes().next().is_some_and(is_slash) {
        return "";
    }
    let end = text.find(|c: char| !matches!(c, '/' | '\\') && !is_hidden(c));
    let run = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
    run.trim_end_matches(is_hidden)
}

fn is_slash(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\')
}
