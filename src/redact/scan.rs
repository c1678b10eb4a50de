//! The one pass over a text.

use std::borrow::Cow;
use std::ops::Range;

use super::{REDACTED, card, pair, shape, url};

/// Letters and digits.
const WORD: u8 = 1;
/// With which a word begins that may be a token of a known shape, or a card's number.
const HEAD: u8 = 2;
/// At which a pair, a URL's authority, a key's block or an escape may begin.
const MARK: u8 = 4;

static CLASSES: [u8; 256] = classes();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            classes[byte as usize] = WORD;
        }
        byte += 1;
    }
    let heads = b"ABGSbdeghnprswxy23456";
    let mut n = 0;
    while n < heads.len() {
        classes[heads[n] as usize] = WORD | HEAD;
        n += 1;
    }
    let marks = b":=/-%\\";
    n = 0;
    while n < marks.len() {
        classes[marks[n] as usize] = MARK;
        n += 1;
    }
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

/// `None` where there is no secret.
fn pass(text: &str, with: &'static str) -> Option<String> {
    let mut scan = Scan {
        text: text.as_bytes(),
        at: 0,
        floor: 0,
        no_jwt_before: 0,
    };
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

impl Scan<'_> {
    #[expect(clippy::indexing_slicing, reason = "a byte indexes a table of 256")]
    fn next_secret(&mut self) -> Option<Secret> {
        // What precedes is no letter: the beginning, or the mark of the last secret.
        let mut before = 0;
        loop {
            let rest = self.text.get(self.at..)?;
            let found = rest.iter().position(|byte| {
                let class = CLASSES[usize::from(*byte)];
                let hit = class & (MARK | HEAD & !(before << 1));
                before = class;
                hit != 0
            });
            let at = self.at + found?;
            let byte = *self.text.get(at)?;
            let secret = if CLASSES[usize::from(byte)] & MARK == 0 {
                self.at = at + 1;
                self.word(at, byte)
            } else {
                let (secret, next) = self.mark(at, byte);
                if next > at + 1 {
                    before = 0;
                }
                self.at = next;
                secret
            };
            if let Some(secret) = secret.filter(|secret| secret.at.start < secret.at.end) {
                self.at = secret.at.end;
                self.floor = secret.at.end;
                return Some(secret);
            }
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
            b'/' if next == Some(b'/') => (self.user_information(at + 2), at + 2),
            b'-' if next == Some(b'-') => (plain(shape::pem(self.text, at)), at + 1),
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
