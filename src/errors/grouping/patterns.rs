//! What each rule replaces. A function returns the length of the text at a position, if it has the form.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::position::{At, is_word};

/// The labels of a host name that are examined.
const MAX_LABELS: usize = 16;
/// Domains at the end of a host name: the most frequent ones. `rs` is left out, since `main.rs` is a file.
const DOMAINS: [&str; 98] = [
    "com", "net", "org", "jp", "de", "uk", "fr", "br", "it", "ru", "es", "me", "gov", "pl", "ca",
    "au", "cn", "co", "in", "nl", "edu", "info", "eu", "ch", "id", "at", "kr", "cz", "mx", "be",
    "tv", "se", "tr", "tw", "al", "ua", "ir", "vn", "cl", "sk", "ly", "cc", "to", "no", "fi", "us",
    "pt", "dk", "ar", "hu", "tk", "gr", "il", "news", "ro", "my", "biz", "ie", "za", "nz", "sg",
    "ee", "th", "io", "xyz", "pe", "bg", "hk", "lt", "link", "ph", "club", "si", "site", "mobi",
    "by", "cat", "wiki", "la", "ga", "xxx", "cf", "hr", "ng", "jobs", "online", "kz", "ug", "gq",
    "ae", "is", "lv", "pro", "fm", "tips", "ms", "sa", "app",
];

/// The length of the longest prefix of these bytes.
pub(super) fn run(text: &str, of: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    bytes
        .iter()
        .position(|byte| !of(*byte))
        .unwrap_or(bytes.len())
}

fn hex_run(text: &str) -> usize {
    run(text, |byte| byte.is_ascii_hexdigit())
}

pub(super) fn digit_run(text: &str) -> usize {
    run(text, |byte| byte.is_ascii_digit())
}

fn part(text: &str, len: usize) -> &str {
    text.get(..len).unwrap_or_default()
}

fn rest(text: &str, len: usize) -> &str {
    text.get(len..).unwrap_or_default()
}

fn is_email_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte)
}

pub(super) fn email(at: At<'_>) -> Option<usize> {
    // A position inside of the part before the `@` was examined with its first character.
    if at
        .before
        .is_some_and(|char| char.is_ascii() && is_email_byte(char as u8))
    {
        return None;
    }
    let local = run(at.rest, is_email_byte);
    let domain = rest(at.rest, local).strip_prefix('@')?;
    let label = |text: &str| run(text, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let mut len = label(domain);
    if local == 0 || len == 0 {
        return None;
    }
    while let Some(next) = rest(domain, len).strip_prefix('.') {
        match label(next) {
            0 => break,
            more => len += 1 + more,
        }
    }
    Some(local + 1 + len)
}

pub(super) fn url(at: At<'_>) -> Option<usize> {
    if !at.is_word_start() {
        return None;
    }
    let schemes = ["https://", "http://", "wss://", "ws://", "ftp://"];
    let scheme = schemes.iter().find(|it| at.rest.starts_with(**it))?;
    let address = rest(at.rest, scheme.len());
    let len = address.find(char::is_whitespace).unwrap_or(address.len());
    let is_address = !address.starts_with(['/', '$', '.', '?', '#']);
    (len > 1 && is_address).then_some(scheme.len() + len)
}

pub(super) fn hostname(at: At<'_>) -> Option<usize> {
    if !at.is_word_start() {
        return None;
    }
    let mut len = 0;
    for _ in 0..MAX_LABELS {
        let label = run(at.after(len), |byte| {
            byte.is_ascii_alphanumeric() || byte == b'-'
        });
        if label == 0 || label > 63 {
            return None;
        }
        let text = part(at.after(len), label);
        if len > 0 && is_domain(text) && at.is_word_end(len + label) {
            return Some(len + label);
        }
        len += label;
        if !at.after(len).starts_with('.') {
            return None;
        }
        len += 1;
    }
    None
}

/// Whether a label is one of the domains, in lower or in upper case.
fn is_domain(label: &str) -> bool {
    let is_lower = !label.bytes().any(|byte| byte.is_ascii_uppercase());
    let is_upper = !label.bytes().any(|byte| byte.is_ascii_lowercase());
    (is_lower || is_upper) && DOMAINS.iter().any(|it| it.eq_ignore_ascii_case(label))
}

pub(super) fn ip(at: At<'_>) -> Option<usize> {
    if at.before.is_some_and(is_word) {
        return None;
    }
    ipv6(at).or_else(|| ipv4(at))
}

fn ipv4(at: At<'_>) -> Option<usize> {
    let mut len = 0;
    for octet in 0..4 {
        if octet > 0 {
            len += usize::from(at.after(len).starts_with('.'));
        }
        len += digit_run(at.after(len));
    }
    let is_address = part(at.rest, len).parse::<Ipv4Addr>().is_ok();
    (is_address && at.is_word_end(len)).then_some(len)
}

fn ipv6(at: At<'_>) -> Option<usize> {
    let run = run(at.rest, |byte| {
        byte.is_ascii_hexdigit() || byte == b':' || byte == b'.'
    });
    // A colon or a point behind the address belongs to the sentence.
    let mut text = part(at.rest, run);
    if text.bytes().filter(|byte| *byte == b':').count() < 2 {
        return None;
    }
    while text.ends_with('.') || text.ends_with(':') && !text.ends_with("::") {
        text = part(text, text.len() - 1);
    }
    let is_address = text.parse::<Ipv6Addr>().is_ok();
    let is_end = !at.after(text.len()).starts_with(char::is_alphanumeric);
    (is_address && is_end).then_some(text.len())
}

/// The length of groups of hexadecimal digits with dashes between them, as one word.
fn hex_groups(at: At<'_>, groups: &[usize], is_lower: bool) -> Option<usize> {
    if !at.is_word_start() {
        return None;
    }
    let mut len = 0;
    for (index, group) in groups.iter().enumerate() {
        if index > 0 {
            len += rest(at.rest, len).starts_with('-').then_some(1)?;
        }
        if hex_run(at.after(len)) != *group {
            return None;
        }
        let text = part(at.after(len), *group);
        if is_lower && text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        len += group;
    }
    at.is_word_end(len).then_some(len)
}

pub(super) fn traceparent(at: At<'_>) -> Option<usize> {
    let w3c = hex_groups(at, &[2, 32, 16, 2], true).filter(|len| {
        at.rest.starts_with("00-") && ["00", "01"].contains(&rest(part(at.rest, *len), len - 2))
    });
    let of_aws = || hex_groups(at, &[1, 8, 24], true).filter(|_| at.rest.starts_with("1-"));
    w3c.or_else(of_aws)
}

pub(super) fn uuid(at: At<'_>) -> Option<usize> {
    hex_groups(at, &[8, 4, 4, 4, 12], false)
}

pub(super) fn sha1(at: At<'_>) -> Option<usize> {
    hex_groups(at, &[40], false)
}

pub(super) fn md5(at: At<'_>) -> Option<usize> {
    hex_groups(at, &[32], false)
}

/// A duration. Rust prints one with a fraction and one of five units.
pub(super) fn duration(at: At<'_>) -> Option<usize> {
    if !at.is_word_start() {
        return None;
    }
    let mut len = digit_run(at.rest);
    if len == 0 {
        return None;
    }
    if let Some(fraction) = at.after(len).strip_prefix('.') {
        len += match digit_run(fraction) {
            0 => 0,
            digits => 1 + digits,
        };
    }
    let units = ["ns", "µs", "us", "ms", "s"];
    let unit = units
        .iter()
        .find(|unit| at.after(len).starts_with(**unit))?;
    let len = len + unit.len();
    at.is_word_end(len).then_some(len)
}

/// A transaction ID of `OpenStack` Swift.
pub(super) fn transaction(at: At<'_>) -> Option<usize> {
    if !at.is_word_start() {
        return None;
    }
    let id = at.rest.strip_prefix("tx")?;
    let has_form =
        hex_run(id) == 21 && rest(id, 21).starts_with('-') && hex_run(rest(id, 22)) >= 10;
    let len = at.rest.find(char::is_whitespace).unwrap_or(at.rest.len());
    has_form.then_some(len)
}

pub(super) fn hex(at: At<'_>) -> Option<usize> {
    if !at.is_word_start() {
        return None;
    }
    if at.rest.starts_with("0x") || at.rest.starts_with("0X") {
        let digits = hex_run(at.after(2));
        return (digits > 0 && at.is_word_end(2 + digits)).then_some(2 + digits);
    }
    let len = hex_run(at.rest);
    let word = part(at.rest, len).as_bytes();
    let is_mixed =
        word.iter().any(u8::is_ascii_lowercase) && word.iter().any(u8::is_ascii_uppercase);
    let has_digit = word.iter().any(u8::is_ascii_digit);
    ((8..=128).contains(&len) && has_digit && !is_mixed && at.is_word_end(len)).then_some(len)
}

pub(super) fn git_sha(at: At<'_>) -> Option<usize> {
    if !at.is_word_start() || hex_run(at.rest) != 7 || !at.is_word_end(7) {
        return None;
    }
    let word = part(at.rest, 7).as_bytes();
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_lower = !word.iter().any(u8::is_ascii_uppercase);
    (is_lower && (1..7).contains(&digits)).then_some(7)
}

pub(super) fn float(at: At<'_>) -> Option<usize> {
    let sign = usize::from(at.rest.starts_with('-'));
    if sign == 0 && !at.is_word_start() {
        return None;
    }
    let whole = digit_run(at.after(sign));
    let fraction = digit_run(at.after(sign + whole).strip_prefix('.')?);
    let len = sign + whole + 1 + fraction;
    (whole > 0 && fraction > 0 && at.is_word_end(len)).then_some(len)
}

pub(super) fn int(at: At<'_>) -> Option<usize> {
    let sign = usize::from(at.rest.starts_with('-'));
    // A dash between two words is no sign.
    if at.before.is_some_and(is_word) {
        return None;
    }
    // A longer number is hexadecimal, as the rule before says.
    let digits = digit_run(at.after(sign));
    let len = sign + digits;
    ((1..=7).contains(&digits) && at.is_word_end(len)).then_some(len)
}

/// A quoted value, as in `name="value"`.
pub(super) fn value_quoted(at: At<'_>) -> Option<usize> {
    let quote = at
        .rest
        .chars()
        .next()
        .filter(|it| ['\'', '"'].contains(it))?;
    let end = at.after(1).find(quote).filter(|end| *end > 0)?;
    (at.before == Some('=')).then_some(end + 2)
}

/// A boolean value, as in `name=true`.
pub(super) fn value_bool(at: At<'_>) -> Option<usize> {
    let values = ["True", "true", "False", "false"];
    let value = values.iter().find(|value| at.rest.starts_with(**value))?;
    (at.before == Some('=')).then_some(value.len())
}

/// What `Debug` prints of a text: it is quoted, with escaped quotes inside, and in one line.
pub(super) fn quoted(at: At<'_>) -> Option<usize> {
    if !at.rest.starts_with('"') || at.before.is_some_and(is_word) {
        return None;
    }
    let mut is_escaped = false;
    for (index, char) in at.rest.char_indices().skip(1) {
        match char {
            '\n' => return None,
            '"' if !is_escaped => return Some(index + 1),
            _ => is_escaped = char == '\\' && !is_escaped,
        }
    }
    None
}

/// A long word of letters and several digits.
pub(super) fn identifier(at: At<'_>) -> Option<usize> {
    if !at.is_word_start() {
        return None;
    }
    let len = run(at.rest, |byte| byte.is_ascii_alphanumeric());
    let word = part(at.rest, len);
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    (len >= 16 && digits >= 2 && digits < len && at.is_word_end(len)).then_some(len)
}
