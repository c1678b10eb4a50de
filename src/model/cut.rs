//! Truncation of texts.

use std::borrow::Cow;

use crate::redact;

/// Look-ahead past the truncation point, so that a secret that straddles it is still recognized.
pub(crate) const LOOKAHEAD: usize = 512;

/// The longest prefix of at most `max` bytes that ends at a character.
#[inline]
pub(crate) fn prefix(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    shorter(text, max)
}

#[cold]
fn shorter(text: &str, max: usize) -> &str {
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Truncates a text to at most `max` bytes.
///
/// A text that is too long is redacted first, because a secret that is cut in half would not be recognized later. A
/// shorter text is returned unchanged; the caller redacts it before showing it.
#[inline]
pub(crate) fn cut(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    scrubbed_and_cut(text, max)
}

#[cold]
fn scrubbed_and_cut(text: &str, max: usize) -> Cow<'_, str> {
    let read = prefix(text, max + LOOKAHEAD);
    let scrubbed = redact::text(read);
    // The last bytes that were read may be half a secret. Redaction of earlier secrets may shorten the text and move
    // them in front of the limit, so they are removed. `read` may end up to three bytes early, at a character boundary.
    let may_go_on = read.len() + 4 > max + LOOKAHEAD;
    let sure = scrubbed
        .len()
        .saturating_sub(if may_go_on { LOOKAHEAD } else { 0 });
    Cow::Owned(prefix(&scrubbed, max.min(sure)).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token that is recognized by its shape.
    const TOKEN: &str = "ghp_a1Bc2De3Fg4Hi5Jk6Lm7No8Pq9Rs0Tu1Vw2X";

    #[test]
    fn no_part_of_a_secret_at_the_cut_is_kept() {
        for at in 0..600 {
            let text = format!("{} {TOKEN} {}", "é".repeat(at), "x".repeat(at * 3));
            let shown = cut(&text, 600);
            assert!(shown.len() <= 600);
            if text.len() > 600 {
                assert!(!shown.contains("ghp_"), "{at}: {shown}");
            } else {
                assert_eq!(shown, text);
            }
        }
    }

    #[test]
    fn what_became_shorter_brings_no_half_secret_into_sight() {
        let many = format!("{TOKEN} ").repeat(200);
        for max in 1_000..1_100 {
            let shown = cut(&many, max);
            assert!(shown.len() <= max && !shown.contains("ghp_"), "{shown}");
        }
    }

    #[test]
    fn a_text_without_secrets_is_cut_at_its_limit() {
        let text = "é".repeat(2_000);
        assert_eq!(cut(&text, 1_001), prefix(&text, 1_001));
        assert_eq!(cut(&text, 1_001).len(), 1_000);
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "longe");
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(prefix("aää", 2), "a");
        assert_eq!(prefix("aää", 3), "aä");
        assert_eq!(prefix("abc", 9), "abc");
        assert_eq!(prefix("ä", 0), "");
    }
}
