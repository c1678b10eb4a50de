//! Masking of values in problems and printed settings.

/// The replacement for text that is not shown.
pub(super) const REDACTED: &str = "[REDACTED]";
/// The maximum number of characters shown of an invalid value.
const SHOWN: usize = 40;
/// The length from which a run of characters may be a key.
const RUN: usize = 20;

/// The prefixes of well-known tokens.
const TOKEN_STARTS: [&str; 14] = [
    "sk-",
    "pk-",
    "sk_",
    "rk_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xox",
    "AKIA",
    "eyJ",
    "SG.",
    "-----BEGIN",
];
/// Words that announce a secret after a following `=` or `:`.
const SECRET_WORDS: [&str; 10] = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "authorization",
    "bearer",
];

/// Formats an invalid value in quotes: at most 40 characters, control characters escaped, without anything that looks
/// like a secret.
pub(super) fn shown(value: &str, secret: bool) -> String {
    let hidden = looks_secret(value) || looks_random(value) || value.contains('{');
    if secret || hidden && !is_plain(value) {
        return REDACTED.to_owned();
    }
    format!("\"{}\"", cut(value))
}

/// Returns whether the text is a number, a duration, a size or a boolean, or a list of them. Such a text cannot be a
/// secret.
pub(super) fn is_plain(text: &str) -> bool {
    text.split([',', ' ']).all(|item| {
        let unsigned = item.trim_start_matches(['+', '-']);
        item.is_empty()
            || matches!(
                item,
                "true" | "false" | "on" | "off" | "inf" | "+inf" | "-inf" | "nan"
            )
            || item.len() - unsigned.len() <= 1 && (is_number(unsigned) || has_units(unsigned))
    })
}

/// Returns whether the text consists of digits, at most one point, and an exponent.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.trim_start_matches(['+', '-']);
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let points = mantissa.bytes().filter(|byte| *byte == b'.').count();
    digits > 0
        && points <= 1
        && digits + points == mantissa.len()
        && (1..=4).contains(&exponent.len())
        && exponent.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether the text consists of numbers with units, each unit at most once. A hexadecimal key does not match.
fn has_units(text: &str) -> bool {
    const UNITS: [&str; 14] = [
        "d", "h", "m", "s", "ms", "us", "ns", "B", "kB", "MB", "GB", "KiB", "MiB", "GiB",
    ];
    let (mut rest, mut seen) = (text, Vec::new());
    while !rest.is_empty() {
        let behind = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = rest.strip_suffix(behind).unwrap_or_default();
        rest = behind.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let unit = behind.strip_suffix(rest).unwrap_or_default();
        if !is_number(number) || !UNITS.contains(&unit) || seen.contains(&unit) {
            return false;
        }
        seen.push(unit);
    }
    !seen.is_empty()
}

/// Formats a name that may come from an untrusted source, such as an unknown key.
pub(super) fn name(name: &str) -> String {
    if looks_secret(name) || looks_random(name) {
        return REDACTED.to_owned();
    }
    cut(name)
}

/// Escapes control characters in a text, for a path.
pub(super) fn escaped(text: &str) -> String {
    text.chars().flat_map(escape).collect()
}

/// Truncates a text to 40 characters and escapes control characters.
pub(super) fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(escape).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Escapes characters that move the cursor or change the direction of the following text.
fn escape(c: char) -> impl Iterator<Item = char> {
    let hidden = c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let escape = hidden.then(|| c.escape_default());
    let plain = (!hidden).then_some(c);
    escape.into_iter().flatten().chain(plain)
}

/// Returns whether the text looks like a well-known secret: a URL's password, a token's prefix, `password=..`.
pub(super) fn looks_secret(text: &str) -> bool {
    has_userinfo(text) || begins_like_a_token(text) || names_a_secret(text)
}

fn has_userinfo(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or(rest);
        // A password may contain a `/`, with the `@` after it.
        authority.contains('@') || (authority.contains(':') && rest.contains('@'))
    })
}

fn begins_like_a_token(text: &str) -> bool {
    text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '=' | ',' | ':' | '[' | '('))
        .any(|word| TOKEN_STARTS.iter().any(|start| word.starts_with(start)))
}

fn names_a_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| {
        text.match_indices(word).any(|(at, _)| {
            let rest = text.get(at + word.len()..).unwrap_or_default();
            let rest =
                rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
            rest.starts_with(['=', ':']) || (*word == "bearer" && !rest.is_empty())
        })
    })
}

/// Returns whether the text contains a long run of mixed characters, as keys do.
fn looks_random(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '-' | '=')))
        .filter(|run| run.len() >= RUN)
        .any(is_mixed)
}

fn is_mixed(run: &str) -> bool {
    let count = |is: fn(&char) -> bool| run.chars().filter(is).count();
    let digits = count(char::is_ascii_digit);
    let letters = count(char::is_ascii_alphabetic);
    let both_cases = count(char::is_ascii_uppercase) > 1 && count(char::is_ascii_lowercase) > 1;
    digits > 0 && letters > 0 && (both_cases || digits * 4 >= run.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_not_shown() {
        for secret in [
            "postgres://app:hunter2@db/x",
            "https://hooks:pa/ss@example.com",
            "sk-live-abc",
            "info,eyJhbGciOi",
            "password = x",
            "PASSWORD: x",
            "Authorization: Bearer x",
            "Bearer abc",
            "q8Zr2LxW0vN5tYbK7sPd",
            "0123456789abcdef0123456789abcdef",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "12d34d5678901234567890d12d34d",
            "0x12345678901234567890abcdef",
            "1234567890123456789012e30123",
            "12345678901234567890ms,q8Zr2LxW0vN5tYbK7sPd",
        ] {
            assert_eq!(shown(secret, false), REDACTED, "{secret}");
            assert_eq!(name(secret), REDACTED, "{secret}");
        }
        assert_eq!(shown("x", true), REDACTED);
    }

    #[test]
    fn a_plain_value_is_shown() {
        for value in [
            "5",
            "18446744073709551616ms",
            "123456789012345678d1h2m3s",
            "-99999999999999999999999MiB",
            "1234567890123456789012e30",
            "18446744073709551616ms, true,1e9999",
            "info,hyper=off,my_crate::db=debug",
            "/var/lib/contentmax2/data",
            "2001:db8:85a3::/48",
            "http://example.com/a@b",
            "tokenizer",
        ] {
            assert_eq!(shown(value, false), format!("\"{value}\""));
        }
    }

    #[test]
    fn a_value_is_cut_and_escaped() {
        assert_eq!(
            shown("a\nb\u{1b}[1m\u{202e}", false),
            "\"a\\nb\\u{1b}[1m\\u{202e}\""
        );
        assert_eq!(
            shown(&"ä".repeat(41), false),
            format!("\"{}…\"", "ä".repeat(40))
        );
    }
}
