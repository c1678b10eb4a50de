//! What stands before the query: scheme, authority and path, in whatever state.

use super::room::{Room, is_hidden};
use super::{REDACTED, at};

/// Stands for user information.
const NOBODY: &str = "REDACTED:REDACTED@";

/// What a part between slashes may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A scheme, or an authority without one, or the beginning of a path.
    First,
    Authority,
    Path,
}

/// Puts what stands before the query and the fragment; the rest begins with those.
pub(super) fn put<'a>(room: &mut Room, url: &'a str) -> &'a str {
    let mut head = Head {
        room,
        rest: url,
        last_at: at::end_of_last_at(url).map_or(usize::MAX, |end| url.len() - end),
    };
    let mut part = Part::First;
    loop {
        let ends_in_colon = match part {
            Part::First | Part::Authority => head.put_authority(part),
            Part::Path => head.put_part(head.part()),
        };
        let run = slashes(head.rest);
        if run.is_empty() {
            return head.rest;
        }
        let is_double = run.bytes().filter(|byte| is_slash(*byte)).nth(1).is_some();
        // A path may hold a URL, with two slashes or one.
        part = if ends_in_colon || part == Part::First && is_double {
            Part::Authority
        } else {
            Part::Path
        };
        head.room.put(run);
        head.skip(run.len());
        if head.room.is_full() {
            return "";
        }
    }
}

struct Head<'a, 'b> {
    room: &'b mut Room,
    rest: &'a str,
    /// Bytes behind the last `@` of the whole text; very many where there is none.
    last_at: usize,
}

impl<'a> Head<'a, '_> {
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn has_at_ahead(&self) -> bool {
        self.last_at < self.rest.len()
    }

    /// What goes up to the next slash, query or fragment.
    fn part(&self) -> &'a str {
        let end = self.rest.find(['/', '\\', '?', '#']);
        self.rest
            .get(..end.unwrap_or(self.rest.len()))
            .unwrap_or_default()
    }

    /// Puts an authority without its user information; whether it ends in a colon.
    fn put_authority(&mut self, part: Part) -> bool {
        let mut authority = self.part();
        let mut is_redacted = false;
        // What is left may look like user information again.
        while self.has_at_ahead() {
            let end = if let Some(at) = authority.rfind('@') {
                at + 1
            } else if !ends_in_port(authority, part)
                && let Some((before, rest)) = split_from_end(self.rest, self.last_at)
            {
                // A password with a slash or a question mark in it: what follows the colon is no port.
                is_redacted = true;
                self.rest = rest;
                if before.contains(['?', '#']) {
                    // Or there is a query with that `@` in a value: nothing of it can be told from a host.
                    self.room.put(NOBODY);
                    self.room.put(REDACTED);
                    self.rest = "";
                    return false;
                }
                authority = self.part();
                continue;
            } else if let Some(end) = at::end_of_last_at(authority) {
                end
            } else {
                break;
            };
            self.skip(end);
            authority = authority.get(end..).unwrap_or_default();
            is_redacted = true;
        }
        if is_redacted {
            self.room.put(NOBODY);
        }
        if part == Part::Authority
            && !ends_in_port(authority, part)
            && let Some((host, _)) = authority.split_once(':')
        {
            self.room.put(host);
            self.room.put(":");
            self.room.put(REDACTED);
            self.skip(authority.len());
            return false;
        }
        self.put_part(authority)
    }

    /// Puts a part, without the user information of an encoded URL in it; whether it ends in a colon.
    fn put_part(&mut self, part: &str) -> bool {
        let authority = if self.has_at_ahead() {
            authority_of_encoded(part)
        } else {
            None
        };
        self.skip(part.len());
        let ends = authority.and_then(|start| {
            let end = at::end_of_last_at(part.get(start..)?)?;
            Some((part.get(..start)?, part.get(start + end..)?))
        });
        if let Some((before, behind)) = ends {
            self.room.put(before);
            self.room.put(NOBODY);
            self.room.put(behind);
        } else {
            self.room.put(part);
        }
        let part = part.trim_end_matches(is_hidden);
        let tail = part.len().checked_sub(3).and_then(|at| part.get(at..));
        part.ends_with(':') || tail.is_some_and(|tail| tail.eq_ignore_ascii_case("%3a"))
    }
}

/// Splits off the last bytes of a text.
fn split_from_end(text: &str, bytes: usize) -> Option<(&str, &str)> {
    text.split_at_checked(text.len().checked_sub(bytes)?)
}

/// Where the authority of a URL begins that stands with encoded slashes in a part of a path.
fn authority_of_encoded(part: &str) -> Option<usize> {
    if !part.contains('%') {
        return None;
    }
    let bytes = part.as_bytes();
    let slash = |at: usize| at::length(bytes.get(at..)?, b'/', *b"2f");
    let mut start = (0..bytes.len()).find_map(|at| {
        let colon = at + at::length(bytes.get(at..)?, b':', *b"3a")?;
        Some(colon + slash(colon)?)
    })?;
    while let Some(length) = slash(start) {
        start += length;
    }
    Some(start)
}

/// Whether what follows the host may be a port.
fn ends_in_port(authority: &str, part: Part) -> bool {
    let port = match authority.split_once(']') {
        Some((host, port)) if host.starts_with('[') => port.strip_prefix(':'),
        _ if part == Part::First => authority.rsplit_once(':').map(|(_, port)| port),
        _ => authority.split_once(':').map(|(_, port)| port),
    };
    port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Slashes of either kind, and what is not seen between them.
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
