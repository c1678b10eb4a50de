//! Texts in the limits of receivers.

use crate::clock::rfc3339;

use super::super::notify::millis;
use std::time::SystemTime;

/// Cuts a text to this number of characters. What is cut ends with `…`.
pub(super) fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(max.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// One line: control characters, and those that change the direction of a text, are removed.
pub(super) fn line(text: &str) -> String {
    text.chars()
        .map(|char| {
            if char == '\n' || char == '\t' {
                ' '
            } else {
                char
            }
        })
        .filter(|char| !char.is_control() && !is_format(*char))
        .collect()
}

fn is_format(char: char) -> bool {
    matches!(
        char,
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

/// A time as RFC 3339, in UTC.
pub(super) fn rfc3339_of(time: SystemTime) -> String {
    rfc3339(millis(time))
}

/// A URL that a reader can follow, or none.
pub(super) fn link(url: Option<&str>) -> Option<&str> {
    let url = url?;
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"<>\"|\\^`".contains(&byte);
    (is_web && url.len() <= 2048 && url.bytes().all(is_plain)).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_has_at_most_so_many_characters() {
        assert_eq!(cut("grün", 4), "grün");
        assert_eq!(cut("grüner", 4), "grü…");
        assert_eq!(cut("abc", 0), "…");
        assert_eq!(line("a\r\nb\0\u{202e}c\td"), "a bc d");
    }

    #[test]
    fn only_plain_web_addresses_become_links() {
        for (url, is_link) in [
            ("https://wiki.example/a?b=c&d#e", true),
            ("http://10.0.0.1/", true),
            ("javascript:alert(1)", false),
            ("https://a|b", false),
            ("https://a/> <!here>", false),
            ("wiki", false),
        ] {
            assert_eq!(link(Some(url)).is_some(), is_link, "{url}");
        }
    }
}
