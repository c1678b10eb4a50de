//! Writing JSON strings.

/// Appends `text` as a JSON string with its quotes. The string is always one line.
///
/// It escapes control characters (C0, DEL, C1), quotes, backslashes, and the separators U+2028 and U+2029.
pub(crate) fn push_str(out: &mut Vec<u8>, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut plain = 0;
    for (at, char) in text.char_indices() {
        let short = match char {
            '"' => b'"',
            '\\' => b'\\',
            '\n' => b'n',
            '\r' => b'r',
            '\t' => b't',
            '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' => b'u',
            _ => continue,
        };
        out.extend_from_slice(text.get(plain..at).unwrap_or_default().as_bytes());
        plain = at + char.len_utf8();
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            let code = char as u32;
            for shift in [12, 8, 4, 0] {
                let digit = DIGITS.get((code >> shift & 15) as usize);
                out.extend(digit);
            }
        }
    }
    out.extend_from_slice(text.get(plain..).unwrap_or_default().as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        push_str(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_could_break_a_line_or_a_string_is_escaped() {
        for (text, json) in [
            ("", r#""""#),
            ("plain grün 中", "\"plain grün 中\""),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("a\nb\r\tc", r#""a\nb\r\tc""#),
            ("\0\x1b[31m\x7f\u{9b}", r#""\u0000\u001b[31m\u007f\u009b""#),
            ("\u{2028}\u{2029}", r#""\u2028\u2029""#),
        ] {
            assert_eq!(written(text), json);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_one_line_and_reads_back(text in any::<String>()) {
            let json = written(&text);
            prop_assert!(!json.chars().any(char::is_control));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
