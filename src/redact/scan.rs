//! The pass over a text that finds its secrets.

use std::borrow::Cow;
use std::ops::Range;

use super::authority::{AtSignSearch, UserInfo, end_of_encoded_user, end_of_user_information};
use super::escape::{percent_escape, slash_len, unicode_escape};
use super::mark::REDACTED;
use super::parameters::{ParameterKind, ParameterScan, PathEnds};
use super::{ansi, card, command, form, option, pair, rules, segment, shape};

/// A byte that starts a word which may be a token of a known shape, or a card number.
const HEAD: u16 = 1;
/// A punctuation mark at which a pair or an escape may start.
const MARK: u16 = 2;
/// Two of them start a URL's authority.
const SLASH: u16 = 4;
/// Two of them start an option of a command line, or the header of a PEM block.
const DASH: u16 = 8;
/// A byte that starts a segment of a path which may be a keyword.
const SEGMENT: u16 = 16;

/// The classes of each byte. The high half has the classes that the next byte is checked for: a word starts once, and
/// of two slashes or dashes the second counts.
static CLASSES: [u16; 256] = classes();
/// The classes to check for at the start of a text and after a redacted secret.
const WORD_START: u16 = MARK | HEAD;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn classes() -> [u16; 256] {
    let mut classes = [WORD_START << 8; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            classes[byte as usize] = MARK << 8;
        }
        if shape::second_letters(byte) != 0 {
            classes[byte as usize] |= HEAD;
        }
        if segment::SECOND_LETTERS[byte as usize] != 0 {
            classes[byte as usize] |= SEGMENT;
        }
        byte += 1;
    }
    let marks = b":=%\\?#@\x1b(<'";
    let mut n = 0;
    while n < marks.len() {
        classes[marks[n] as usize] |= MARK;
        n += 1;
    }
    classes[b'/' as usize] |= SLASH | (SLASH | SEGMENT) << 8;
    classes[b'-' as usize] |= DASH | DASH << 8;
    classes
}

/// Passes over a text with secrets: replacing one can reveal another.
const PASSES: usize = 4;

/// Secrets of a text that are replaced one by one, and the bytes of text for which one more is. The text after more
/// secrets is replaced as a whole.
const MAX_SECRETS: usize = 64;
const BYTES_A_SECRET: usize = 64;

/// Replaces each secret by `with`; in a URL's authority and query, and for path patterns, by `REDACTED`.
pub(super) fn scrub<'a>(text: &'a str, with: &'static str) -> Cow<'a, str> {
    let Some(mut scrubbed) = pass_with_patterns(text, with) else {
        return Cow::Borrowed(text);
    };
    for _ in 1..PASSES {
        match pass_with_patterns(&scrubbed, with) {
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

/// Whether a text has no secret.
pub(super) fn is_clean(text: &[u8]) -> bool {
    TextScan::of(text).next_secret().is_none()
        && (!rules::has_patterns()
            || rules::without_custom_paths(&String::from_utf8_lossy(text)).is_none())
}

/// One pass, after the path patterns, whose matches are replaced as a whole. `None` if there is no secret.
fn pass_with_patterns(text: &str, with: &'static str) -> Option<String> {
    if rules::has_patterns()
        && let Some(scrubbed) = rules::without_custom_paths(text)
    {
        return Some(pass(&scrubbed, with).unwrap_or(scrubbed));
    }
    pass(text, with)
}

/// One pass. `None` if there is no secret.
fn pass(text: &str, with: &'static str) -> Option<String> {
    let mut scan = TextScan::of(text.as_bytes());
    let mut secret = scan.next_secret()?;
    let mut out = String::with_capacity(text.len() + 16);
    let mut copied = 0;
    let mut secrets = 0;
    loop {
        // Secrets start and end at ASCII bytes, so each range has whole characters.
        out.push_str(text.get(copied..secret.at.start).unwrap_or_default());
        out.push_str(secret.with.unwrap_or(with));
        copied = secret.at.end;
        secrets += 1;
        if secrets > MAX_SECRETS + text.len() / BYTES_A_SECRET {
            out.push(' ');
            out.push_str(with);
            return Some(out);
        }
        match scan.next_secret() {
            Some(next) => secret = next,
            None => break,
        }
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Some(out)
}

struct SecretMatch {
    at: Range<usize>,
    /// Instead of the usual replacement.
    with: Option<&'static str>,
}

struct TextScan<'a> {
    text: &'a [u8],
    at: usize,
    /// The end of the last secret.
    floor: usize,
    no_jwt_before: usize,
    /// The parameters that are being read.
    parameters: Option<ParameterScan>,
    memory: ScanMemory,
}

/// The text already read around marks, so that it is not read again for each of them.
#[derive(Default)]
struct ScanMemory {
    paths: PathEnds,
    behind: AtSignSearch,
    user: UserInfo,
    option: pair::PrecedingWord,
    grants: usize,
    commands: usize,
}

impl<'a> TextScan<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            floor: 0,
            no_jwt_before: 0,
            parameters: None,
            memory: ScanMemory::default(),
        }
    }

    fn next_secret(&mut self) -> Option<SecretMatch> {
        let mut wanted = WORD_START;
        loop {
            if let Some(secret) = self.next_in_parameters() {
                return Some(secret);
            }
            let (hit, byte) = self.next_hit(&mut wanted)?;
            let at = self.at;
            self.at += 1;
            let secret = if hit & (HEAD | SEGMENT) != 0 {
                self.word(hit, at, byte)
            } else {
                // `at` is the second of two; the mark starts at the first.
                let first = at - usize::from(hit & (SLASH | DASH) != 0);
                let (secret, next) = self.mark(first, byte);
                if next > first + 1 {
                    let slash = matches!(byte, b'%' | b'\\') && self.ends_in_slash(next);
                    wanted = if slash {
                        WORD_START | SEGMENT
                    } else {
                        WORD_START
                    };
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

    /// The next secret of the parameters that are being read.
    fn next_in_parameters(&mut self) -> Option<SecretMatch> {
        let parameters = self.parameters.as_mut()?;
        let found = parameters.next(self.text);
        self.at = self
            .at
            .max(found.as_ref().map_or(parameters.end(), |at| at.end));
        let Some(at) = found else {
            self.parameters = None;
            return None;
        };
        self.floor = at.end;
        Some(SecretMatch {
            at,
            with: Some(REDACTED),
        })
    }

    /// Starts to read the parameters after the mark at `mark`, from `at` on.
    fn start_parameters(&mut self, mark: usize, at: usize, kind: ParameterKind) {
        let paths = &mut self.memory.paths;
        let scan = ParameterScan::new(self.text, mark, at, kind, paths, is_clean);
        self.parameters = Some(scan);
    }

    /// Whether an encoded or an escaped slash ends at `at`.
    fn ends_in_slash(&self, at: usize) -> bool {
        let before = self.text.get(..at).unwrap_or_default();
        matches!(before, [.., b'2', b'f' | b'F'] | [.., b'\\', b'/'])
    }

    /// Advances to the next byte that can start a secret; returns its classes and the byte.
    ///
    /// Not inlined: inside the caller its loop takes three times as many instructions.
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
            let continues =
                |seconds: &[u32; 256]| seconds[usize::from(byte)] >> (second & 31) & 1 != 0;
            if hit & (HEAD | SEGMENT) == 0
                || hit & HEAD != 0 && continues(&shape::SECOND_LETTERS)
                || hit & SEGMENT != 0 && continues(&segment::SECOND_LETTERS)
            {
                *wanted = last;
                return Some((hit, byte));
            }
            self.at += 1;
        }
    }

    #[inline]
    fn word(&mut self, hit: u16, at: usize, byte: u8) -> Option<SecretMatch> {
        if hit & SEGMENT != 0
            && let Some(at) = segment::secret(self.text, at)
        {
            return Some(SecretMatch {
                at,
                with: Some(REDACTED),
            });
        }
        let found = if byte.is_ascii_digit() {
            card::number(self.text, at)
        } else {
            shape::token(self.text, at, &mut self.no_jwt_before).or_else(|| {
                let head = self.text.get(at..at + 3)?;
                if matches!(head, b"mys" | b"mar" | b"ssh" | b"red") {
                    command::secret(self.text, at, &mut self.memory.commands)
                } else {
                    None
                }
            })
        };
        // Only a hook's token is a part of a URL.
        let of_hook = self.text.get(at + 1) == Some(&b'o') && byte == b'h';
        let with = of_hook.then_some(REDACTED);
        found.map(|at| SecretMatch { at, with })
    }

    /// The secret that starts at a mark, and where to continue without one.
    fn mark(&mut self, at: usize, byte: u8) -> (Option<SecretMatch>, usize) {
        let next = self.text.get(at + 1).copied();
        let plain = |found: Option<Range<usize>>| found.map(|at| SecretMatch { at, with: None });
        match byte {
            b'=' if next == Some(b'=') => (None, at + 2),
            // A path in source code.
            b':' if next == Some(b':') => (None, at + 2),
            b':' if next == Some(b'/') => (None, at + 1),
            b'=' => (self.pair_or_query(at), at + 1),
            b':' => {
                let found =
                    shape::telegram_token(self.text, self.floor, at, at + 1).or_else(|| {
                        pair::user_option(self.text, self.floor, at, &mut self.memory.option)
                    });
                let found = plain(found).or_else(|| self.pair_or_query(at));
                (found, at + 1)
            }
            b'/' => (self.authority(at + 2), at + 2),
            b'-' => (
                plain(shape::pem_block(self.text, at).or_else(|| option::secret(self.text, at))),
                at + 1,
            ),
            b'%' => self.percent(at),
            b'?' => {
                self.start_parameters(at, at + 1, ParameterKind::Query);
                (None, at + 1)
            }
            b'#' => {
                self.start_parameters(at, at + 1, ParameterKind::Fragment);
                (None, at + 1)
            }
            b'@' => (self.without_scheme(at), at + 1),
            b'(' => (plain(form::tuple_value(self.text, self.floor, at)), at + 1),
            b'<' => (plain(form::element_text(self.text, at)), at + 1),
            b'\'' => (plain(form::sql_literal(self.text, self.floor, at)), at + 1),
            b'\\' => self.backslash(at),
            // The last letter of a sequence is not part of a word.
            0x1b => (None, at + ansi::sequence_len(self.text, at).max(1)),
            _ => (None, at + 1),
        }
    }

    /// The value of a key, or the parameters of a query that is a field's value: `query: Some("a=b")`.
    fn pair_or_query(&mut self, at: usize) -> Option<SecretMatch> {
        let found = self.pair(at, at + 1);
        if found.is_none()
            && let Some(start) = pair::start_of_query(self.text, self.floor, at)
        {
            self.start_parameters(start - 1, start, ParameterKind::Query);
        }
        found
    }

    fn pair(&mut self, separator: usize, after: usize) -> Option<SecretMatch> {
        let at = pair::secret(
            self.text,
            self.floor,
            separator,
            after,
            &mut self.memory.grants,
        )?;
        Some(SecretMatch { at, with: None })
    }

    fn backslash(&mut self, at: usize) -> (Option<SecretMatch>, usize) {
        match self.text.get(at + 1..).unwrap_or_default() {
            [b'/', b'\\', b'/', ..] => (self.authority(at + 4), at + 4),
            // The letter of an escape is not part of a word.
            [b'/' | b'n' | b'r' | b't', ..] => (None, at + 2),
            [b'x' | b'u' | b'0', ..] if ansi::sequence_len(self.text, at) > 0 => {
                (None, at + ansi::sequence_len(self.text, at))
            }
            [b'u', ..] => match unicode_escape(self.text, at) {
                Some((length, b'=' | b':')) => (self.pair(at, at + length), at + length),
                Some((length, b'?')) => {
                    self.start_parameters(at, at + length, ParameterKind::Query);
                    (None, at + length)
                }
                Some((length, _)) => (None, at + length),
                None => (None, at + 1),
            },
            _ => (None, at + 1),
        }
    }

    /// A percent escape: an encoded mark counts as that mark, and the digits are not part of a word.
    fn percent(&mut self, at: usize) -> (Option<SecretMatch>, usize) {
        let Some((length, digits)) = percent_escape(self.text, at) else {
            return (None, at + 1);
        };
        let next = at + length;
        match &digits {
            b"3d" => (self.pair(at, next), next),
            b"3a" => {
                let token = shape::telegram_token(self.text, self.floor, at, next);
                let token = token.map(|at| SecretMatch { at, with: None });
                (token.or_else(|| self.pair(at, next)), next)
            }
            b"3f" => {
                self.start_parameters(at, next, ParameterKind::Query);
                (None, next)
            }
            b"2f" => match slash_len(self.text, next) {
                Some(second) => {
                    let found = end_of_encoded_user(self.text, next + second);
                    let secret = found.map(|end| SecretMatch {
                        at: next + second..end,
                        with: Some("REDACTED:REDACTED"),
                    });
                    (secret, next + second)
                }
                None => (None, next),
            },
            _ if digits.iter().all(u8::is_ascii_hexdigit) => (None, next),
            _ => (None, at + 1),
        }
    }

    /// The user information of the authority at `start`, or the secret path of a known host.
    fn authority(&mut self, start: usize) -> Option<SecretMatch> {
        let Some(end) = end_of_user_information(self.text, start, &mut self.memory.behind) else {
            let at = segment::host_secret(self.text, start)?;
            return Some(SecretMatch {
                at,
                with: Some(REDACTED),
            });
        };
        self.user(start..end)
    }

    /// User information before the `@` at `at`, without a scheme.
    fn without_scheme(&mut self, at: usize) -> Option<SecretMatch> {
        let start = self.memory.user.start(self.text, self.floor, at)?;
        self.user(start..at)
    }

    fn user(&self, at: Range<usize>) -> Option<SecretMatch> {
        let has_password = self.text.get(at.clone())?.contains(&b':');
        let with = if has_password {
            "REDACTED:REDACTED"
        } else {
            REDACTED
        };
        Some(SecretMatch {
            at,
            with: Some(with),
        })
    }
}
