//! The one pass over a text.

use std::borrow::Cow;
use std::ops::Range;

use super::{REDACTED, card, pair, shape, url};

/// With which a word begins that may be a token of a known shape, or a card's number.
const HEAD: u16 = 1;
/// At which a pair or an escape may begin.
const MARK: u16 = 2;
/// Two of which begin a URL's authority, or a key's block.
const SLASH: u16 = 4;
const DASH: u16 = 8;

/// What each byte is; in the high half, what the next byte is looked at for: a word has one beginning, and
/// of slashes and dashes the second counts.
static CLASSES: [u16; 256] = classes();
/// At the beginning, and behind the mark of a secret.
const ANEW: u16 = MARK | HEAD;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn classes() -> [u16; 256] {
    let mut classes = [ANEW << 8; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            classes[byte as usize] = MARK << 8;
        }
        if shape::seconds(byte) != 0 {
            classes[byte as usize] |= HEAD;
        }
        byte += 1;
    }
    let marks = b":=%\\";
    let mut n = 0;
    while n < marks.len() {
        classes[marks[n] as usize] |= MARK;
        n += 1;
    }
    classes[b'/' as usize] |= SLASH | SLASH << 8;
    classes[b'-' as usize] |= DASH | DASH << 8;
    classes
}

/// Passes over a text that holds secrets: what one replaces may lay bare another.
const PASSES: usize = 4;

/// The text with each secret replaced by `with`; in a URL's authority by `REDACTED`.
pub(super) fn scrub<'a>(text: &'a str, with: &'static str) -> Cow<'a, str> {
    let Some(mut scrubbed) = pass(text, with) else {
        return Cow::Borrowed(text);
    };
    for _ in 1..PASSES {
        match pass(&scrubbed, with) {
            Some(again) if again != scrubbed => scrubbed = again,
            _ => break,
        }
    }
    if scrubbed == text {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(scrubbed)
    }
}

/// Whether no secret is in a text.
pub(super) fn is_clean(text: &[u8]) -> bool {
    Scan::of(text).next_secret().is_none()
}

/// `None` where there is no secret.
fn pass(text: &str, with: &'static str) -> Option<String> {
    let mut scan = Scan::of(text.as_bytes());
    let mut secret = scan.next_secret()?;
    let mut out = String::with_capacity(text.len() + 16);
    let mut copied = 0;
    loop {
        // Secrets begin and end beside ASCII bytes: each range is one of whole characters.
        out.push_str(text.get(copied..secret.at.start).unwrap_or_default());
        out.push_str(secret.with.unwrap_or(with));
        copied = secret.at.end;
        match scan.next_secret() {
            Some(next) => secret = next,
            None => break,
        }
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Some(out)
}

struct Secret {
    at: Range<usize>,
    /// In place of the usual replacement.
    with: Option<&'static str>,
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the last secret ended.
    floor: usize,
    no_jwt_before: usize,
}

impl<'a> Scan<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            floor: 0,
            no_jwt_before: 0,
        }
    }

    fn next_secret(&mut self) -> Option<Secret> {
        let mut wanted = ANEW;
        loop {
            let (hit, byte) = self.next_hit(&mut wanted)?;
            let at = self.at;
            self.at += 1;
            let secret = if hit == HEAD {
                self.word(at, byte)
            } else {
                // Of two the first was passed.
                let first = at - usize::from(hit & (SLASH | DASH) != 0);
                let (secret, next) = self.mark(first, byte);
                if next > first + 1 {
                    wanted = ANEW;
                }
                self.at = self.at.max(next);
                secret
            };
            if let Some(secret) = secret.filter(|secret| secret.at.start < secret.at.end) {
                self.at = secret.at.end;
                self.floor = secret.at.end;
                return Some(secret);
            }
        }
    }

    /// Goes to where the next secret may begin: for what the byte there counts, and the byte.
    ///
    /// Not inlined: among what follows a hit its loop would take three times as many instructions.
    #[inline(never)]
    #[expect(clippy::indexing_slicing, reason = "a byte indexes a table of 256")]
    fn next_hit(&mut self, wanted: &mut u16) -> Option<(u16, u8)> {
        let mut last = *wanted;
        loop {
            let rest = self.text.get(self.at..)?;
            let mut hit = 0;
            let found = rest.iter().position(|byte| {
                let class = CLASSES[usize::from(*byte)];
                hit = class & last;
                last = class >> 8;
                hit != 0
            })?;
            self.at += found;
            let byte = *rest.get(found)?;
            let second = rest.get(found + 1).copied().unwrap_or_default();
            if hit != HEAD || shape::SECONDS[usize::from(byte)] >> (second & 31) & 1 != 0 {
                *wanted = last;
                return Some((hit, byte));
            }
            self.at += 1;
        }
    }

    #[inline]
    fn word(&mut self, at: usize, byte: u8) -> Option<Secret> {
        let found = if byte.is_ascii_digit() {
            card::number(self.text, at)
        } else {
            shape::token(self.text, at, &mut self.no_jwt_before)
        };
        // The only token that is a part of a URL by itself.
        let with = (byte == b'h').then_some(REDACTED);
        found.map(|at| Secret { at, with })
    }

    /// What begins at a mark, and where to go on without it.
    fn mark(&self, at: usize, byte: u8) -> (Option<Secret>, usize) {
        let next = self.text.get(at + 1).copied();
        let plain = |found: Option<Range<usize>>| found.map(|at| Secret { at, with: None });
        match byte {
            b'=' if next == Some(b'=') => (None, at + 2),
            // A path in source code.
            b':' if next == Some(b':') => (None, at + 2),
            b':' if next == Some(b'/') => (None, at + 1),
            b'=' | b':' => (
                plain(pair::secret(self.text, self.floor, at, at + 1)),
                at + 1,
            ),
            b'/' => (self.user_information(at + 2), at + 2),
            b'-' => (plain(shape::pem(self.text, at)), at + 1),
            b'%' => self.percent(at),
            // The letter of an escape belongs to no word.
            b'\\' if matches!(next, Some(b'n' | b'r' | b't')) => (None, at + 2),
            _ => (None, at + 1),
        }
    }

    /// An escape of URLs: an equals sign or a colon is what it stands for, the digits belong to no word.
    fn percent(&self, at: usize) -> (Option<Secret>, usize) {
        let Some([high, low]) = self.text.get(at + 1..at + 3) else {
            return (None, at + 1);
        };
        match (high, low.to_ascii_lowercase()) {
            (b'3', b'd' | b'a') => {
                let found = pair::secret(self.text, self.floor, at, at + 3);
                (found.map(|at| Secret { at, with: None }), at + 3)
            }
            _ if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => (None, at + 3),
            _ => (None, at + 1),
        }
    }

    fn user_information(&self, start: usize) -> Option<Secret> {
        let end = url::end_of_user_information(self.text, start)?;
        let has_password = self.text.get(start..end)?.contains(&b':');
        let with = if has_password {
            "REDACTED:REDACTED"
        } else {
            REDACTED
        };
        Some(Secret {
            at: start..end,
            with: Some(with),
        })
    }
}
