//! The grouping of events: normalized messages and the hash of a group.

/// The bytes of a message that count for its group.
const MAX_BYTES: usize = 1024;

/// The message with placeholders in place of what differs from one event to the next: quoted text, UUIDs, hexadecimal
/// and other IDs, numbers.
pub(super) fn normalize_message(message: &str) -> String {
    let message = crate::model::prefix(message, MAX_BYTES);
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(first) = rest.chars().next() {
        let (len, placeholder) = token(rest, first, out.chars().next_back());
        let (this, after) = rest.split_at_checked(len).unwrap_or((rest, ""));
        match placeholder {
            Some(placeholder) => out.push_str(placeholder),
            None => replace_numbers(this, &mut out),
        }
        rest = after;
    }
    out
}

/// The length of the first token, and the placeholder that replaces it as a whole, if one does.
fn token(text: &str, first: char, before: Option<char>) -> (usize, Option<&'static str>) {
    // An apostrophe inside a word (`don't`) opens no quotation.
    if matches!(first, '"' | '\'' | '`')
        && !before.is_some_and(char::is_alphanumeric)
        && let Some(len) = quoted(text, first)
    {
        return (len, Some("<text>"));
    }
    if !first.is_alphanumeric() {
        return (first.len_utf8(), None);
    }
    if is_uuid(text) {
        return (36, Some("<uuid>"));
    }
    // Words with digits are examined as a whole, so that an ID does not leave its letters behind as text that differs
    // from event to event.
    let len = text
        .find(|char: char| !char.is_alphanumeric())
        .unwrap_or(text.len());
    let word = text.get(..len).unwrap_or_default();
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let hex = word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let prefixed = word.strip_prefix("0x").unwrap_or_default();
    let placeholder = if !prefixed.is_empty()
        && prefixed.bytes().all(|byte| byte.is_ascii_hexdigit())
        || hex && len >= 7 && digits > 0 && digits < len
    {
        Some("<hex>")
    } else if len >= 16 && digits >= 2 && digits < len {
        Some("<id>")
    } else {
        None
    };
    (len, placeholder)
}

/// The length of a quoted text with its quotes, if the closing quote is on the same line.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let inside = text.get(1..)?;
    let end = inside.find([quote, '\n'])?;
    inside.get(end..)?.starts_with(quote).then_some(end + 2)
}

fn is_uuid(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = bytes
        .get(36)
        .is_none_or(|byte| !byte.is_ascii_alphanumeric());
    ends && bytes.len() >= 36
        && bytes
            .iter()
            .take(36)
            .enumerate()
            .all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => *byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
}

/// Appends a word with a placeholder for each run of digits.
fn replace_numbers(word: &str, out: &mut String) {
    let mut in_number = false;
    for char in word.chars() {
        let digit = char.is_ascii_digit();
        if !digit {
            out.push(char);
        } else if !in_number {
            out.push_str("<n>");
        }
        in_number = digit;
    }
}

/// A hash that is equal in every process and release (FNV-1a): the number of a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupHash(u64);

impl GroupHash {
    /// A hash of only the version of the grouping, which is incremented when the grouping changes.
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325).with("1")
    }

    /// Adds a part. A separator after each part distinguishes `ab`, `c` from `a`, `bc`.
    pub(super) fn with(self, part: &str) -> Self {
        let bytes = part.bytes().chain([0xff]);
        Self(bytes.fold(self.0, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    pub(super) fn finish(self) -> u64 {
        // FNV mixes the high bits of short inputs badly.
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 29
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_replace_what_differs_between_events() {
        for (message, normal) in [
            ("row 42 of 1000 failed", "row <n> of <n> failed"),
            ("user42 is gone", "user<n> is gone"),
            ("no such file \"/tmp/a b\"", "no such file <text>"),
            ("can't open 'x'", "can't open <text>"),
            ("don't", "don't"),
            ("at 0x7ffe01 and deadbee5", "at <hex> and <hex>"),
            ("facade of decades", "facade of decades"),
            (
                "id 0af76519-16cd-43dd-8448-eb211c80319c gone",
                "id <uuid> gone",
            ),
            ("key Ab3dEf6hIj9lMn2p bad", "key <id> bad"),
            ("10.0.0.1:5432 refused", "<n>.<n>.<n>.<n>:<n> refused"),
            ("größe 3µs", "größe <n>µs"),
            ("", ""),
        ] {
            assert_eq!(normalize_message(message), normal);
            assert_eq!(normalize_message(normal), normal, "twice");
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other_and_the_number_is_fixed() {
        let number = |parts: &[&str]| {
            let hash = parts
                .iter()
                .fold(GroupHash::new(), |hash, part| hash.with(part));
            hash.finish()
        };
        assert_ne!(number(&["ab", "c"]), number(&["a", "bc"]));
        assert_ne!(number(&["a"]), number(&["a", ""]));
        assert_eq!(number(&["a", "b"]), number(&["a", "b"]));
    }
}
