//! Tokens of known forms.

use std::ops::Range;

use super::mark::REDACTED;

type ByteClass = fn(u8) -> bool;

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

fn base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

pub(super) fn url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn any_base64(byte: u8) -> bool {
    base64(byte) || url_safe(byte)
}

/// The characters of a token in an `Authorization` header.
fn token68(byte: u8) -> bool {
    any_base64(byte) || matches!(byte, b'.' | b'~')
}

/// The number of bytes at the front that belong to the set. It ends before a redacted secret, so that no token grows
/// over one.
fn run_len(text: &[u8], set: ByteClass) -> usize {
    let mark = REDACTED.as_bytes();
    let is_mark = |at| text.get(at..).is_some_and(|rest| rest.starts_with(mark));
    text.iter()
        .enumerate()
        .position(|(at, &byte)| !set(byte) || byte == b'R' && is_mark(at))
        .unwrap_or(text.len())
}

/// The length of `prefix` and of at least `min` bytes of the set after it.
fn prefixed(text: &[u8], prefix: &[u8], set: ByteClass, min: usize) -> Option<usize> {
    let length = run_len(text.strip_prefix(prefix)?, set);
    (length >= min).then_some(prefix.len() + length)
}

/// Like [`prefixed`], with exactly this length and no alphanumeric character after it.
fn exactly(text: &[u8], prefix: &[u8], set: ByteClass, length: usize) -> Option<usize> {
    let end = prefix.len() + length;
    (prefixed(text, prefix, set, length)? == end
        && !text.get(end).is_some_and(u8::is_ascii_alphanumeric))
    .then_some(end)
}

/// The second letters of tokens and card numbers, by the first letter: a bit for the last five bits of each.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(super) static SECOND_LETTERS: [u32; 256] = {
    let mut all = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        all[byte as usize] = second_letters(byte);
        byte += 1;
    }
    all
};

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(super) const fn second_letters(first: u8) -> u32 {
    let letters: &[u8] = match first {
        b'A' => b"3BCGIKST",
        b'B' | b'b' => b"ae",
        b'E' => b"A",
        b'G' => b"o",
        b'M' | b'N' | b'O' => b"DTjzR",
        b'P' => b"M",
        b'S' => b"GK",
        b'd' => b"acop",
        b'e' => b"y",
        b'f' | b'l' => b"i",
        b'g' => b"hils",
        b'h' => b"ofv",
        b'm' => b"ya",
        b'n' => b"fp",
        b'o' => b"p",
        b'p' => b"yis",
        b'r' => b"k8ue",
        // A dot counts as `n`.
        b's' => b"bghknqs",
        b't' => b"s",
        b'w' => b"h",
        b'x' => b"aok",
        b'y' => b"a",
        b'2'..=b'6' => b"0123456789",
        _ => b"",
    };
    let (mut bits, mut n) = (0, 0);
    while n < letters.len() {
        bits |= 1 << (letters[n] & 31);
        n += 1;
    }
    bits
}

/// The token at `start`, where a word starts whose second letter is one of [`SECOND_LETTERS`]. `no_jwt_before` is the
/// result of an earlier call, so that no text is read more than twice.
#[inline]
pub(super) fn token(text: &[u8], start: usize, no_jwt_before: &mut usize) -> Option<Range<usize>> {
    let rest = text.get(start..)?;
    let first = |ends: &[Option<usize>]| ends.iter().find_map(|end| *end);
    let end = match rest {
        [b'B' | b'b', b'e' | b'E', ..] => return bearer(rest).map(|found| shift(found, start)),
        [b'B' | b'b', b'a' | b'A', ..] => return basic(rest).map(|found| shift(found, start)),
        [b'A', b'3' | b'B' | b'C' | b'K' | b'S', ..] => aws(rest),
        [b'M' | b'N' | b'O', b'D' | b'T' | b'j' | b'z', ..] => discord_bot(rest),
        [b'p', b'i', b'_', ..] => client_secret(rest),
        [b'A', b'I', ..] => prefixed(rest, b"AIza", url_safe, 30),
        [b'G', b'O', ..] => prefixed(rest, b"GOCSPX-", url_safe, 20),
        [b'S', b'G', ..] => send_grid(rest),
        [b'S', b'K', ..] => exactly(rest, b"SK", hex, 32),
        [b'd', b'o', _, b'_', ..] => {
            let family = [b"doo_v1_", b"dop_v1_", b"dor_v1_"];
            family
                .iter()
                .find_map(|prefix| prefixed(rest, *prefix, hex, 32))
        }
        [b'e', b'y', ..] if start >= *no_jwt_before => jwt(rest).unwrap_or_else(|read| {
            *no_jwt_before = start + read;
            None
        }),
        [b'g', b'h', b'p' | b'o' | b'u' | b's' | b'r', b'_', ..] => {
            prefixed(rest.get(4..)?, b"", alphanumeric, 20).map(|length| 4 + length)
        }
        [b'g', b'i', ..] => prefixed(rest, b"github_pat_", url_safe, 22),
        [b'g', b'l', ..] => {
            let family: [&[u8]; 4] = [b"glpat-", b"gldt-", b"glrt-", b"glptt-"];
            family
                .iter()
                .find_map(|prefix| prefixed(rest, prefix, url_safe, 20))
        }
        [b'h', b'o', b'o', ..] => return slack_hook(rest).map(|found| shift(found, start)),
        [b'n', b'p', b'm', ..] => prefixed(rest, b"npm_", alphanumeric, 30),
        [b'p', b'y', b'p', ..] => prefixed(rest, b"pypi-AgE", url_safe, 29),
        [b'r' | b's', b'k', b'_', ..] => stripe(rest),
        [b's', b'k', b'-', ..] => first(&[
            prefixed(rest, b"sk-ant-", url_safe, 20),
            prefixed(rest, b"sk-proj-", url_safe, 20),
            prefixed(rest, b"sk-svcacct-", url_safe, 20),
            prefixed(rest, b"sk-admin-", url_safe, 20),
            prefixed(rest, b"sk-", alphanumeric, 32),
        ]),
        [b's', b'.', ..] => vault(rest).filter(|_| !is_part(text, start)),
        [b's', b'n', b't', ..] => first(&[
            prefixed(rest, b"sntryu_", hex, 32),
            prefixed(rest, b"sntrys_", any_base64, 20),
        ]),
        [b'w', b'h', b's', ..] => prefixed(rest, b"whsec_", base64, 20),
        [b'x', b'a', b'p', ..] => prefixed(rest, b"xapp-", url_safe, 20),
        [b'x', b'o', b'x', family, b'-', ..] if family.is_ascii_lowercase() => {
            prefixed(rest.get(5..)?, b"", url_safe, 10).map(|length| 5 + length)
        }
        [b'y', b'a', b'2', ..] => prefixed(rest, b"ya29.", url_safe, 20),
        _ => None,
    };
    end.or_else(|| vendor(rest)).map(|end| start..start + end)
}

/// Prefixes of further vendors, each with the least length after it.
const VENDORS: [(&[u8], usize); 34] = [
    (b"AGE-SECRET-KEY-1", 50),
    (b"ATATT3x", 60),
    (b"ATBB", 28),
    (b"EAAA", 40),
    (b"NRAK-", 20),
    (b"PMAK-", 30),
    (b"dapi", 32),
    (b"dckr_pat_", 20),
    (b"dp.ct.", 30),
    (b"dp.pt.", 30),
    (b"dp.st.", 30),
    (b"figd_", 30),
    (b"glc_", 32),
    (b"glsa_", 32),
    (b"gsk_", 40),
    (b"hf_", 30),
    (b"hvb.", 24),
    (b"hvs.", 24),
    (b"lin_api_", 32),
    (b"nfp_", 30),
    (b"ops_eyJ", 40),
    (b"pscale_pw_", 30),
    (b"pscale_tkn_", 30),
    (b"r8_", 30),
    (b"rubygems_", 40),
    (b"sbp_", 36),
    (b"sgp_", 32),
    (b"shpat_", 30),
    (b"shpca_", 30),
    (b"shpss_", 30),
    (b"sq0atp-", 20),
    (b"tskey-", 24),
    (b"xai-", 60),
    (b"xkeysib-", 60),
];

/// A token with the prefix of one of the [`VENDORS`].
fn vendor(rest: &[u8]) -> Option<usize> {
    // Most words with the same first two letters are not tokens.
    if !matches!(
        rest.get(..3)?,
        b"AGE"
            | b"ATA"
            | b"ATB"
            | b"EAA"
            | b"NRA"
            | b"PMA"
            | b"dap"
            | b"dck"
            | b"dp."
            | b"fig"
            | b"glc"
            | b"gls"
            | b"gsk"
            | b"hf_"
            | b"hvb"
            | b"hvs"
            | b"lin"
            | b"nfp"
            | b"ops"
            | b"psc"
            | b"r8_"
            | b"rub"
            | b"sbp"
            | b"sgp"
            | b"shp"
            | b"sq0"
            | b"tsk"
            | b"xai"
            | b"xke"
    ) {
        return None;
    }
    VENDORS.iter().find_map(|(prefix, least)| {
        let length = prefixed(rest, prefix, url_safe, *least)?;
        let tail = rest.get(prefix.len()..length)?;
        // Words of an identifier have no digits.
        let digits = tail.iter().filter(|byte| byte.is_ascii_digit()).count();
        (digits >= 2).then_some(length)
    })
}

/// A token of Vault before it had a longer prefix: 24 letters and digits of all kinds.
fn vault(rest: &[u8]) -> Option<usize> {
    let length = exactly(rest, b"s.", alphanumeric, 24)?;
    let token = rest.get(2..length)?;
    let count = |of: fn(&u8) -> bool| token.iter().filter(|byte| of(byte)).count();
    let mixed = count(u8::is_ascii_digit) >= 2
        && count(u8::is_ascii_uppercase) >= 2
        && count(u8::is_ascii_lowercase) >= 2;
    let continues = match rest.get(length) {
        Some(b'_' | b'(' | b'-') => true,
        Some(b'.') => rest.get(length + 1).is_some_and(u8::is_ascii_alphanumeric),
        _ => false,
    };
    (mixed && !continues).then_some(length)
}

/// Whether `start` is inside a dotted name: `self.s.x`.
fn is_part(text: &[u8], start: usize) -> bool {
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    matches!(before, Some(b'.' | b'_' | b'-'))
}

/// The token of a Discord bot: its number in base 64, a time and a signature.
fn discord_bot(rest: &[u8]) -> Option<usize> {
    let number = run_len(rest.get(..rest.len().min(32))?, alphanumeric);
    let time = number + prefixed(rest.get(number..)?, b".", url_safe, 6)?;
    let signature = prefixed(rest.get(time..)?, b".", url_safe, 25)?;
    (number >= 23 && time == number + 7).then_some(time + signature)
}

/// The client secret of a payment (Stripe).
fn client_secret(rest: &[u8]) -> Option<usize> {
    let head = 3 + run_len(rest.get(3..rest.len().min(64))?, alphanumeric);
    prefixed(rest.get(head..)?, b"_secret_", alphanumeric, 16).map(|tail| head + tail)
}

fn shift(found: Range<usize>, by: usize) -> Range<usize> {
    found.start + by..found.end + by
}

fn aws(rest: &[u8]) -> Option<usize> {
    let known = [b"AKIA", b"ASIA", b"ABIA", b"ACCA"];
    let begins = known.iter().any(|prefix| rest.starts_with(*prefix)) || rest.starts_with(b"A3T");
    let upper: ByteClass = |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if begins {
        exactly(rest, b"", upper, 20)
    } else {
        None
    }
}

fn stripe(rest: &[u8]) -> Option<usize> {
    let kinds: [&[u8]; 3] = [b"test_", b"live_", b"prod_"];
    let tail = rest.get(3..)?;
    kinds
        .iter()
        .find_map(|kind| prefixed(tail, kind, alphanumeric, 10))
        .map(|length| 3 + length)
}

fn send_grid(rest: &[u8]) -> Option<usize> {
    let head = prefixed(rest, b"SG.", url_safe, 16)?;
    prefixed(rest.get(head..)?, b".", url_safe, 16).map(|tail| head + tail)
}

/// The end of a signed or encrypted JSON web token with all its parts; else the end of what was read.
fn jwt(rest: &[u8]) -> Result<Option<usize>, usize> {
    if !rest.starts_with(b"eyJ") {
        return Ok(None);
    }
    let mut end = run_len(rest, url_safe);
    let payload = |end| prefixed(rest.get(end..)?, b".", url_safe, 10);
    if end < 13 || payload(end).is_none() {
        return Err(end);
    }
    while let Some(part) = rest
        .get(end..)
        .and_then(|rest| prefixed(rest, b".", url_safe, 1))
    {
        end += part;
    }
    Ok(Some(end))
}

/// The secret part of a webhook's address.
fn slack_hook(rest: &[u8]) -> Option<Range<usize>> {
    let host = b"hooks.slack.com/";
    let path = rest.strip_prefix(host)?;
    let kinds: [&[u8]; 3] = [b"services/", b"workflows/", b"triggers/"];
    let kind = kinds.iter().find(|kind| path.starts_with(kind))?;
    let start = host.len() + kind.len();
    let length = run_len(rest.get(start..)?, |byte| base64(byte) || url_safe(byte));
    (length >= 16).then_some(start..start + length)
}

/// The start of the credentials of an `Authorization` value, after the scheme and a space.
fn after_scheme(rest: &[u8], scheme: &[u8]) -> Option<usize> {
    let (head, tail) = rest.split_at_checked(scheme.len())?;
    if !head.eq_ignore_ascii_case(scheme) {
        return None;
    }
    let space = match tail {
        [b' ' | b'\t', ..] => run_len(tail, |byte| matches!(byte, b' ' | b'\t')),
        [b'+', ..] => 1,
        [b'%', b'2', b'0', ..] => 3,
        _ => return None,
    };
    Some(scheme.len() + space)
}

/// The token after `Bearer`, unless it is a word of prose.
fn bearer(rest: &[u8]) -> Option<Range<usize>> {
    let start = after_scheme(rest, b"Bearer")?;
    let token = rest.get(start..)?;
    let token = without_trailing_dots(token.get(..run_len(token, token68))?);
    // In a word of prose only the first letter may be upper-case.
    let mut before = b'A';
    let looks_random = token.iter().any(|&byte| {
        let inner = byte.is_ascii_uppercase() && before.is_ascii_lowercase();
        before = byte;
        inner || byte.is_ascii_digit() || matches!(byte, b'_' | b'~' | b'+' | b'.')
    });
    (token.len() >= 16 || looks_random && token.len() >= 6).then_some(start..start + token.len())
}

/// The token after `Basic`: base64 of a text with a colon, or a text that can hardly be a word.
fn basic(rest: &[u8]) -> Option<Range<usize>> {
    let start = after_scheme(rest, b"Basic")?;
    let token = rest.get(start..)?;
    let token = token.get(..run_len(token, any_base64))?;
    let has = |what: ByteClass| token.iter().any(|byte| what(*byte));
    let mixed = token
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()));
    let unlike_a_word =
        mixed && token.len() >= 12 && has(|byte| byte.is_ascii_digit() || byte == b'=');
    (unlike_a_word || decodes_to_a_pair(token)).then_some(start..start + token.len())
}

/// Whether base64 decodes to a colon before any byte that no text contains. A longer token never turns the result from
/// `true` to `false`, so cutting a token does not change what it is.
fn decodes_to_a_pair(token: &[u8]) -> bool {
    let (mut bits, mut count) = (0_u32, 0_u32);
    for &byte in token.iter().take_while(|byte| **byte != b'=') {
        let sextet = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(sextet);
        count += 6;
        if count >= 8 {
            count -= 8;
            match (bits >> count & 0xff) as u8 {
                b':' => return true,
                0x20..=0x7e | 0x80..=0xf4 => {}
                _ => return false,
            }
        }
    }
    false
}

/// A private or public key in PEM form, to the end of its block; without an end, to the end of the text.
pub(super) fn pem_block(text: &[u8], start: usize) -> Option<Range<usize>> {
    let rest = text.get(start..)?.strip_prefix(b"-----BEGIN ")?;
    let label = run_len(rest, |byte| {
        byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' '
    });
    let is_key = rest.get(..label)?.windows(3).any(|three| three == b"KEY");
    if !is_key || !rest.get(label..)?.starts_with(b"-----") {
        return None;
    }
    let end_mark = b"-----END ";
    let found = text
        .get(start..)?
        .windows(end_mark.len())
        .position(|window| window == end_mark);
    let Some(end) = found.map(|found| start + found + end_mark.len()) else {
        return Some(start..text.len());
    };
    let label = run_len(text.get(end..)?, |byte| {
        byte.is_ascii_uppercase() || byte == b' '
    });
    let dashes = run_len(text.get(end + label..)?, |byte| byte == b'-');
    Some(start..end + label + dashes)
}

/// The token of a Telegram bot around the colon at `separator`: its number, and at least 30 characters that start with
/// `A`, or in a path after `bot` at least 20 of any. The number starts at `floor` or later.
pub(super) fn telegram_token(
    text: &[u8],
    floor: usize,
    separator: usize,
    after: usize,
) -> Option<Range<usize>> {
    let tail = text.get(after..)?;
    if !tail.first()?.is_ascii_alphanumeric() {
        return None;
    }
    let before = text.get(floor..separator)?;
    let digits = before.iter().rev().take(17);
    let digits = digits.take_while(|byte| byte.is_ascii_digit()).count();
    if !(6..=16).contains(&digits) {
        return None;
    }
    let head = before.get(..before.len() - digits)?;
    let of_bot = head.ends_with(b"bot");
    if !of_bot && head.last().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let length = run_len(tail, url_safe);
    let least = if of_bot { 20 } else { 30 };
    (length >= least && (of_bot || tail.starts_with(b"A")))
        .then_some(separator - digits..after + length)
}

/// The text without the dots at the end of a sentence.
fn without_trailing_dots(mut text: &[u8]) -> &[u8] {
    while let [head @ .., b'.'] = text {
        text = head;
    }
    text
}
