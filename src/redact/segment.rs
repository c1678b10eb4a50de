//! Tokens in the segments of a path: webhooks, one-time links, secret addresses.

use std::ops::Range;

use super::escape::{ends_url, is_encoded, slash_len};
use super::mark::{FILTERED, REDACTED};

/// Segments after a keyword that are checked.
const MAX_SEGMENTS: usize = 6;
/// Bytes of a keyword.
const MAX_KEYWORD: usize = 24;
/// Bytes of a host that are checked.
const MAX_HOST: usize = 96;

/// Segments that tokens follow, in alphabetical order. The scan looks for their first letters.
const KEYWORDS: [&[u8]; 57] = [
    b"activate",
    b"activation",
    b"auth",
    b"build_hooks",
    b"claim",
    b"confirm",
    b"confirm-email",
    b"confirm_email",
    b"confirmation",
    b"deploy",
    b"deploy_hooks",
    b"email-verification",
    b"fcm",
    b"forgot-password",
    b"heartbeat",
    b"hook",
    b"hooks",
    b"ical",
    b"incoming-webhooks",
    b"inputs",
    b"integration",
    b"integrations",
    b"interactions",
    b"invitation",
    b"invitations",
    b"invite",
    b"invites",
    b"key",
    b"login",
    b"magic",
    b"magic-link",
    b"magic_link",
    b"optout",
    b"password",
    b"password-reset",
    b"password_reset",
    b"receiver",
    b"recover",
    b"reset",
    b"reset-password",
    b"reset_password",
    b"session",
    b"sessions",
    b"set-password",
    b"share",
    b"shared",
    b"signin",
    b"sso",
    b"token",
    b"trigger",
    b"unsubscribe",
    b"verification",
    b"verify",
    b"verify-email",
    b"webhook",
    b"webhooks",
    b"wpush",
];

/// Keywords whose following segments all are parts of a secret.
const WHOLE: [&[u8]; 1] = [b"webhookb2"];

/// Hosts whose paths are secrets: anyone who has such an address may use it.
const HOSTS: [&[u8]; 11] = [
    b".webhook.office.com",
    b"outlook.office.com",
    b"hc-ping.com",
    b"api.day.app",
    b".make.com",
    b"hook.integromat.com",
    b"hooks.zapier.com",
    b".infura.io",
    b".alchemy.com",
    b".quiknode.pro",
    b"rpc.ankr.com",
];

/// The second letters of keywords, by the first letter: a bit for the last five bits of each.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(super) static SECOND_LETTERS: [u32; 256] = {
    let mut all = [0; 256];
    let mut n = 0;
    while n < KEYWORDS.len() + WHOLE.len() {
        let word = if n < KEYWORDS.len() {
            KEYWORDS[n]
        } else {
            WHOLE[n - KEYWORDS.len()]
        };
        all[word[0] as usize] |= 1 << (word[1] & 31);
        all[word[0].to_ascii_uppercase() as usize] |= 1 << (word[1] & 31);
        n += 1;
    }
    all
};

/// The range of the keywords that start with a letter, by its last five bits.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler"
)]
static BY_LETTER: [(u8, u8); 32] = {
    let mut all = [(0, 0); 32];
    let mut n = 0;
    while n < KEYWORDS.len() {
        let letter = (KEYWORDS[n][0] & 31) as usize;
        if all[letter].1 == 0 {
            all[letter].0 = n as u8;
        }
        all[letter].1 = n as u8 + 1;
        n += 1;
    }
    all
};

/// The keywords that start with this letter.
fn keywords_of(letter: u8) -> &'static [&'static [u8]] {
    let at = BY_LETTER.get(usize::from(letter & 31));
    at.and_then(|(start, end)| KEYWORDS.get(usize::from(*start)..usize::from(*end)))
        .unwrap_or_default()
}

/// The end of the segment at `start`.
pub(super) fn end(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let ends = |(n, byte): (usize, &u8)| match byte {
        0..=b' '
        | 0x7f
        | b'/'
        | b'?'
        | b'#'
        | b'"'
        | b'\''
        | b'<'
        | b'>'
        | b'`'
        | b'|'
        | b'\\'
        | b'&' => true,
        b'%' => slash_len(text, start + n).is_some() || is_encoded(text, start + n, b'3', b'f'),
        // Punctuation of a sentence or a list, unless a segment continues after it.
        b',' | b';' | b')' | b']' | b'}' | b'.' | b'!' | b':' => {
            let next = rest.get(n + 1);
            !next.is_some_and(|next| next.is_ascii_alphanumeric() || matches!(next, b'_' | b'-'))
        }
        0xc2.. => ends_url(rest.get(n..).unwrap_or_default()),
        _ => false,
    };
    let length = rest
        .iter()
        .enumerate()
        .position(|(n, byte)| ends((n, byte)));
    start + length.unwrap_or(rest.len())
}

/// The tokens after the segment at `start`, if that is a keyword.
pub(super) fn secret(text: &[u8], start: usize) -> Option<Range<usize>> {
    let window = text.get(start..text.len().min(start + MAX_KEYWORD))?;
    let length = window
        .iter()
        .position(|byte| matches!(byte, b'/' | b'%' | b'\\'))?;
    let word = window.get(..length)?;
    let separator = slash_len(text, start + length)?;
    let is = |keyword: &&[u8]| keyword.len() == length && word.eq_ignore_ascii_case(keyword);
    let whole = WHOLE.iter().any(is);
    if !whole && !keywords_of(*word.first()?).iter().any(is) {
        return None;
    }
    let from = start + length + separator;
    if is(&(b"hooks" as &[u8])) && text.get(from..)?.starts_with(b"catch/") {
        // Zapier: short tokens after the number of an account.
        let account = end(text, from + 6);
        let hook = account + slash_len(text, account)?;
        let range = hook..end(text, hook);
        return (range.len() >= 5 && !is_mark(text.get(range.clone())?)).then_some(range);
    }
    tokens(text, from, whole)
}

/// The tokens in the path after the host at `start`, if the host is one of [`HOSTS`].
pub(super) fn host_secret(text: &[u8], start: usize) -> Option<Range<usize>> {
    let window = text.get(start..text.len().min(start + MAX_HOST))?;
    let length = window
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'.' | b'-'))?;
    let host = window.get(..length)?;
    let is_known = |known: &&[u8]| {
        let tail = host.len().checked_sub(known.len());
        let tail = tail.and_then(|at| Some((host.get(..at)?, host.get(at..)?)));
        tail.is_some_and(|(head, tail)| {
            tail.eq_ignore_ascii_case(known) && (head.is_empty() || known.starts_with(b"."))
        })
    };
    if !HOSTS.iter().any(is_known) {
        return None;
    }
    let separator = slash_len(text, start + length)?;
    tokens(text, start + length + separator, false)
}

/// From the first to the last token of the segments at `start`, or all segments.
fn tokens(text: &[u8], start: usize, whole: bool) -> Option<Range<usize>> {
    let mut found: Option<Range<usize>> = None;
    let mut at = start;
    for _ in 0..MAX_SEGMENTS {
        let end = end(text, at);
        if whole && end > at || is_token(text.get(at..end)?) {
            let start = found.map_or(at, |found| found.start);
            found = Some(start..end);
        }
        let Some(length) = slash_len(text, end) else {
            break;
        };
        at = end + length;
    }
    found.filter(|found| text.get(found.clone()).is_some_and(|found| !is_mark(found)))
}

fn is_mark(segment: &[u8]) -> bool {
    segment == REDACTED.as_bytes() || segment == FILTERED.as_bytes()
}

/// Whether a segment looks like a token and not like words, a number or a file name.
fn is_token(segment: &[u8]) -> bool {
    if segment.len() < 16 || segment.len() > 4096 {
        return false;
    }
    let is_sign = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~=@:%+".contains(byte);
    segment.iter().all(is_sign)
        && (is_uuid(segment.get(..36).unwrap_or_default())
            || looks_random(segment)
            || is_long_alphanumeric(segment))
}

/// Whether a segment has more letters and digits in a row than any word.
fn is_long_alphanumeric(segment: &[u8]) -> bool {
    segment.len() >= 28
        && segment.iter().all(u8::is_ascii_alphanumeric)
        && segment.iter().any(u8::is_ascii_alphabetic)
}

fn is_uuid(segment: &[u8]) -> bool {
    segment.len() == 36
        && segment.iter().enumerate().all(|(n, byte)| match n {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether letters and digits alternate as in a token: more often than in camel case and versions.
pub(super) fn looks_random(text: &[u8]) -> bool {
    if text.len() < 16 {
        return false;
    }
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        b'0'..=b'9' => 3,
        _ => 0,
    };
    let (mut turns, mut digits) = (0, 0);
    let mut before = 0;
    for byte in text {
        let kind = kind(*byte);
        digits += usize::from(kind == 3);
        // A capital at the start of a word is not a change of kind.
        turns +=
            usize::from(kind != 0 && before != 0 && kind != before && (before, kind) != (2, 1));
        before = kind;
    }
    let of = if digits > 0 { 5 } else { 4 };
    turns >= text.len().div_ceil(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_from_words() {
        for token in [
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "a1Bc2De3Fg4Hi5Jk6Lm7",
            "9f86d081884c7d65",
            "QwErTyUiOpAsDfGh",
            "abcdefghijklmnopqrstuvwxyzabcdef",
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301@3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "eyJhbGciOiJIUzI1NiJ9",
            "x8Kp_2vQ-7LmZ4rT9w",
        ] {
            assert!(is_token(token.as_bytes()), "{token}");
        }
        for word in [
            "1234567890123456789",
            "email-address-2024-update",
            "emailAddressOfUser",
            "my-very-long-slug-of-an-article",
            "report.2024-11-28.pdf",
            "UserRegistrationForm",
            "short",
            "20241128T123000Z",
            "getting_started_with_v2",
        ] {
            assert!(!is_token(word.as_bytes()), "{word}");
        }
    }
}
