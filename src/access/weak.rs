//! Detection of tokens that are too easy to guess.

/// The minimum length of a token, in bytes.
const MIN_LEN: usize = 32;
/// The maximum length of a token, in bytes.
pub(super) const MAX_LEN: usize = 512;

/// Prefixes of tokens in examples and in lists of leaked passwords.
const KNOWN: [&str; 14] = [
    "admin",
    "changeme",
    "change-me",
    "change_me",
    "default",
    "example",
    "insert",
    "letmein",
    "password",
    "placeholder",
    "qwerty",
    "replace",
    "secret",
    "your",
];

/// Returns why `token` must not be used, as the end of a sentence that begins with its name; `None` if it is strong
/// enough.
pub(super) fn weakness(token: &str) -> Option<&'static str> {
    let bytes = token.as_bytes();
    let lower = token.to_ascii_lowercase();
    if bytes.is_empty() {
        Some("is not set")
    } else if bytes.len() < MIN_LEN {
        Some("is shorter than 32 characters")
    } else if bytes.len() > MAX_LEN {
        Some("is longer than 512 characters")
    } else if !bytes.iter().all(u8::is_ascii_graphic) {
        Some("has characters that a header cannot carry (spaces, controls, letters beyond ASCII)")
    } else if KNOWN.iter().any(|known| lower.starts_with(known)) {
        Some("begins like a well-known example")
    } else if repeats(bytes) {
        Some("repeats itself")
    } else if is_run(bytes) {
        Some("is a run of neighbouring characters")
    } else {
        None
    }
}

/// Returns whether the text repeats a prefix of at most half its length.
fn repeats(bytes: &[u8]) -> bool {
    (1..=bytes.len() / 2).any(|period| {
        let shifted = bytes.iter().skip(period);
        shifted.zip(bytes).all(|(a, b)| a == b)
    })
}

/// Returns whether most characters equal or neighbour the previous one, as in `abcdef..` or `aaaabbbb..`.
fn is_run(bytes: &[u8]) -> bool {
    let near = bytes
        .iter()
        .zip(bytes.iter().skip(1))
        .filter(|(a, b)| a.abs_diff(**b) <= 1)
        .count();
    near * 4 > bytes.len() * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessable_texts_are_refused() {
        for (token, why) in [
            ("", "is not set"),
            ("short", "shorter"),
            ("0123456789abcdef0123456789abcde", "shorter"),
            ("changeme-changeme-changeme-changeme", "example"),
            ("ChangeMe1234567890!@#$%^&*()_+kjhg", "example"),
            ("password.kd83jfla93jfka93jfka93jfk", "example"),
            ("your-token-goes-here-8fj3k2l1m5n6b", "example"),
            ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "repeats"),
            ("0123456789abcdef0123456789abcdef", "repeats"),
            ("kx7-kx7-kx7-kx7-kx7-kx7-kx7-kx7-kx7", "repeats"),
            ("abcdefghijklmnopqrstuvwxyzABCDEFGH", "neighbouring"),
            ("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbc", "neighbouring"),
            ("a token with spaces 8fj3k2l1m5n6b7", "header"),
            ("grün-8fj3k2l1m5n6b7v8c9x0z1a2s3d4f", "header"),
            ("line\nbreak8fj3k2l1m5n6b7v8c9x0z1a2s", "header"),
        ] {
            let said = weakness(token).unwrap_or_else(|| panic!("{token:?} was taken"));
            assert!(said.contains(why), "{token:?}: {said}");
        }
        assert!(weakness(&"a1B2-".repeat(200)).unwrap().contains("longer"));
    }

    #[test]
    fn random_texts_are_taken() {
        for token in [
            "9f86d081884c7d659a2feaa0c55ad015",
            "a3bf4f1b2b0b822cd15d6c15b0f00a089f86d081884c7d659a2feaa0c55ad015",
            "correct-horse-battery-staple-tango",
            "kJ8s/2Lx+9QwErTy7UiOp0AsDfGhJkLz=",
        ] {
            assert_eq!(weakness(token), None, "{token}");
        }
    }
}
