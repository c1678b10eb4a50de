//! Paths that the service declares to have a secret in them.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::escape::slash_len;
use super::mark::REDACTED;
use super::segment;

/// Bytes and segments of a pattern.
const MAX_BYTES: usize = 256;
const MAX_SEGMENTS: usize = 16;

/// A path with a secret in it, such as `/invites/{token}`.
///
/// A segment is a literal, `*` for any one segment, or has one `{name}` for a secret, by itself or between literal text
/// (`bot{token}`, `{token}.ics`). `{*name}` as the last segment is the rest of the path. At least one segment holds a
/// secret, and the first one starts with a literal. A pattern matches at any position where its segments follow each
/// other, so that the mount path of a service makes no difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathPattern {
    text: String,
    segments: Vec<PatternSegment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PatternSegment {
    Literal(String),
    Any,
    Secret { before: String, after: String },
    Rest,
}

impl FromStr for PathPattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?#\"'<>`|\\,".contains(&byte);
        if text.len() > MAX_BYTES || !text.bytes().all(is_plain) {
            return Err("not a path of at most 256 printable characters");
        }
        let path = text.strip_prefix('/').ok_or("without its first `/`")?;
        let segments: Vec<_> = path.split('/').map(segment).collect::<Result<_, _>>()?;
        if segments.len() > MAX_SEGMENTS {
            return Err("a path of more than 16 segments");
        }
        if !matches!(segments.first(), Some(PatternSegment::Literal(_)))
            && !matches!(segments.first(), Some(PatternSegment::Secret { before, .. }) if !before.is_empty())
        {
            return Err("a path that does not begin with a literal");
        }
        let (last, others) = segments.split_last().ok_or("empty")?;
        let is_secret = |segment: &PatternSegment| {
            matches!(
                segment,
                PatternSegment::Secret { .. } | PatternSegment::Rest
            )
        };
        if !is_secret(last) && !others.iter().any(is_secret) {
            return Err("a path without a secret, such as `{token}`");
        }
        if others.contains(&PatternSegment::Rest) {
            return Err("a path with `{*..}` before its last segment");
        }
        Ok(Self {
            text: text.to_owned(),
            segments,
        })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn segment(text: &str) -> Result<PatternSegment, &'static str> {
    if text.is_empty() {
        return Err("a path with an empty segment");
    }
    if text == "*" {
        return Ok(PatternSegment::Any);
    }
    let Some((before, rest)) = text.split_once('{') else {
        let is_literal = !text.contains(['}', '*']);
        return is_literal
            .then(|| PatternSegment::Literal(text.to_owned()))
            .ok_or("a path with `*` or `}` inside a segment");
    };
    let (name, after) = rest
        .split_once('}')
        .ok_or("a path with a `{` that is not closed")?;
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if let Some(name) = name.strip_prefix('*')
        && is_name(name)
        && before.is_empty()
        && after.is_empty()
    {
        return Ok(PatternSegment::Rest);
    }
    if !is_name(name) || before.contains(['}', '*']) || after.contains(['{', '}', '*']) {
        return Err("a path with a bad `{name}`");
    }
    Ok(PatternSegment::Secret {
        before: before.to_owned(),
        after: after.to_owned(),
    })
}

/// Replaces the secrets of the patterns; `None` if there are none.
pub(super) fn scrub(patterns: &[PathPattern], text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(separator) = next_separator(bytes, at) {
        at = separator.end;
        for pattern in patterns {
            let end = pattern.find(bytes, separator.end, &mut found);
            if pattern.segments.last() == Some(&PatternSegment::Rest) {
                at = at.max(end);
            }
        }
    }
    found.retain(|range| bytes.get(range.clone()) != Some(REDACTED.as_bytes()));
    if found.is_empty() {
        return None;
    }
    found.sort_by_key(|range| (range.start, usize::MAX - range.end));
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for range in found {
        if range.start >= copied {
            out.push_str(text.get(copied..range.start).unwrap_or_default());
            out.push_str(REDACTED);
        }
        copied = copied.max(range.end);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Some(out)
}

impl PathPattern {
    /// Adds the secrets of this pattern, if it matches at `start`. Returns the end of the match, or `start`.
    fn find(&self, text: &[u8], start: usize, found: &mut Vec<Range<usize>>) -> usize {
        let before = found.len();
        self.matches(text, start, found).unwrap_or_else(|| {
            found.truncate(before);
            start
        })
    }

    fn matches(&self, text: &[u8], mut at: usize, found: &mut Vec<Range<usize>>) -> Option<usize> {
        for (n, segment) in self.segments.iter().enumerate() {
            if n > 0 {
                at += slash_len(text, at)?;
            }
            let end = segment::end(text, at);
            let bytes = text.get(at..end)?;
            if bytes.is_empty() {
                return None;
            }
            match segment {
                PatternSegment::Literal(literal)
                    if bytes.eq_ignore_ascii_case(literal.as_bytes()) => {}
                PatternSegment::Literal(_) => return None,
                PatternSegment::Any => {}
                PatternSegment::Secret { before, after } => {
                    let (head, _) = bytes.split_at_checked(before.len())?;
                    if !head.eq_ignore_ascii_case(before.as_bytes()) || bytes.len() == head.len() {
                        return None;
                    }
                    // Without the literal end the text may have been cut.
                    let tail = if bytes.ends_with(after.as_bytes()) {
                        after.len()
                    } else {
                        0
                    };
                    let range = at + before.len()..end - tail;
                    if !range.is_empty() {
                        found.push(range);
                    }
                }
                PatternSegment::Rest => {
                    let mut end = end;
                    while let Some(more) = slash_len(text, end) {
                        end = segment::end(text, end + more);
                    }
                    found.push(at..end);
                    return Some(end);
                }
            }
            at = end;
        }
        Some(at)
    }
}

fn next_separator(text: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    rest.iter().enumerate().find_map(|(n, byte)| {
        if !matches!(byte, b'/' | b'%' | b'\\') {
            return None;
        }
        let length = slash_len(text, from + n)?;
        Some(from + n..from + n + length)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubbed(patterns: &[&str], text: &str) -> String {
        let patterns: Vec<PathPattern> = patterns.iter().map(|it| it.parse().unwrap()).collect();
        scrub(&patterns, text).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn patterns_match_wherever_their_segments_follow_each_other() {
        let cases = [
            ("/invites/{token}", "/invites/abc", "/invites/REDACTED"),
            (
                "/invites/{token}",
                "/api/v1/invites/abc/accept?x",
                "/api/v1/invites/REDACTED/accept?x",
            ),
            (
                "/invites/{token}",
                "see https://h/Invites/abc, then",
                "see https://h/Invites/REDACTED, then",
            ),
            (
                "/invites/{token}",
                "%2Finvites%2Fabc%2F",
                "%2Finvites%2FREDACTED%2F",
            ),
            (
                "/invites/{token}",
                r#""https:\/\/h\/invites\/abc""#,
                r#""https:\/\/h\/invites\/REDACTED""#,
            ),
            (
                "/invites/{token}",
                "/invites and /invites/ and /inviteskey/abc",
                "same",
            ),
            (
                "/users/*/keys/{key}",
                "/users/17/keys/abc",
                "/users/17/keys/REDACTED",
            ),
            ("/users/*/keys/{key}", "/users/keys/abc", "same"),
            ("/a/{x}/b/{y}", "/a/1/b/2/c", "/a/REDACTED/b/REDACTED/c"),
            ("/a/{x}/b/{y}", "/a/1/c/2", "same"),
            ("/a/{x}/b", "/a/1/b?c", "/a/REDACTED/b?c"),
            ("/a/{x}/b", "/a/1/c and /a/1", "same"),
            ("/bot{token}", "/bot12:ab/send", "/botREDACTED/send"),
            ("/cal/{key}.ics", "/cal/abc.ics", "/cal/REDACTED.ics"),
            ("/cal/{key}.ics", "/cal/abc", "/cal/REDACTED"),
            ("/files/{*path}", "/files/a/b/c?d=1", "/files/REDACTED?d=1"),
            ("/files/{*path}", "/files/", "same"),
        ];
        for (pattern, input, expected) in cases {
            let expected = if expected == "same" { input } else { expected };
            let once = scrubbed(&[pattern], input);
            assert_eq!(once, expected, "{pattern}");
            assert_eq!(scrubbed(&[pattern], &once), once, "{pattern}");
        }
        let both = scrubbed(
            &[
                "/a/{x}",
                "/b/{y}",
                "/{z}x/{y}".replace("{z}x", "c").as_str(),
            ],
            "/a/1 /b/2 /c/3",
        );
        assert_eq!(both, "/a/REDACTED /b/REDACTED /c/REDACTED");
    }

    #[test]
    fn invalid_patterns_are_refused() {
        for text in [
            "",
            "/",
            "a/{b}",
            "/a",
            "/a/",
            "/{b}",
            "/*/{b}",
            "/a/{b",
            "/a/b}",
            "/a/{}",
            "/a/{b}{c}",
            "/a/{*b}/{c}",
            "/a/*b/{c}",
            "/a/{b c}",
            "/a?/{b}",
            "/a//{b}",
            "/a/{*}",
            "/a/x{*b}",
        ] {
            assert!(text.parse::<PathPattern>().is_err(), "{text}");
        }
        assert!(
            format!("/{}/{{a}}", "x".repeat(300))
                .parse::<PathPattern>()
                .is_err()
        );
        assert!(
            format!("{}/{{a}}", "/x".repeat(16))
                .parse::<PathPattern>()
                .is_err()
        );
        assert_eq!(
            "/a/{b}".parse::<PathPattern>().unwrap().to_string(),
            "/a/{b}"
        );
    }
}
