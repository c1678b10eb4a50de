//! Reads the small JSON objects that pages send.

use std::iter::Peekable;
use std::str::Chars;

/// The maximum number of items of a list.
const MAX_ITEMS: usize = 32;

/// A value of such an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FlatValue {
    Text(String),
    Number(u64),
    Texts(Vec<String>),
    Null,
}

/// Reads an object whose values are texts, whole numbers, lists of texts or `null`. `None` for anything else, and if a name
/// occurs twice.
pub(super) fn flat_object(json: &[u8]) -> Option<Vec<(String, FlatValue)>> {
    let text = std::str::from_utf8(json).ok()?;
    let mut reader = FlatReader {
        chars: text.chars().peekable(),
    };
    let mut members: Vec<(String, FlatValue)> = Vec::new();
    reader.expect('{')?;
    if !reader.accept('}') {
        loop {
            let name = reader.text()?;
            if members.iter().any(|(other, _)| *other == name) {
                return None;
            }
            reader.expect(':')?;
            members.push((name, reader.value()?));
            if !reader.accept(',') {
                break;
            }
        }
        reader.expect('}')?;
    }
    reader.skip();
    reader.chars.next().is_none().then_some(members)
}

struct FlatReader<'a> {
    chars: Peekable<Chars<'a>>,
}

impl FlatReader<'_> {
    fn skip(&mut self) {
        let is_space = |char: &char| matches!(char, ' ' | '\t' | '\n' | '\r');
        while self.chars.next_if(is_space).is_some() {}
    }

    fn accept(&mut self, wanted: char) -> bool {
        self.skip();
        self.chars.next_if_eq(&wanted).is_some()
    }

    fn expect(&mut self, wanted: char) -> Option<()> {
        self.accept(wanted).then_some(())
    }

    fn value(&mut self) -> Option<FlatValue> {
        self.skip();
        match *self.chars.peek()? {
            '"' => self.text().map(FlatValue::Text),
            '[' => self.texts().map(FlatValue::Texts),
            'n' => {
                for wanted in "null".chars() {
                    self.chars.next_if_eq(&wanted)?;
                }
                Some(FlatValue::Null)
            }
            _ => self.number().map(FlatValue::Number),
        }
    }

    fn texts(&mut self) -> Option<Vec<String>> {
        let mut items = Vec::new();
        self.expect('[')?;
        if self.accept(']') {
            return Some(items);
        }
        while items.len() < MAX_ITEMS {
            items.push(self.text()?);
            if !self.accept(',') {
                self.expect(']')?;
                return Some(items);
            }
        }
        None
    }

    fn number(&mut self) -> Option<u64> {
        let mut digits = String::new();
        while let Some(digit) = self.chars.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        // JSON writes no zeros in front.
        let is_plain = digits.len() == 1 || !digits.starts_with('0');
        digits.parse().ok().filter(|_| is_plain)
    }

    fn text(&mut self) -> Option<String> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            match self.chars.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escaped()?),
                char if char < ' ' => return None,
                char => text.push(char),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.chars.next()? {
            char @ ('"' | '\\' | '/') => char,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let unit = self.unit()?;
                let code = match unit {
                    0xd800..=0xdbff => {
                        self.chars.next_if_eq(&'\\')?;
                        self.chars.next_if_eq(&'u')?;
                        let low = self
                            .unit()?
                            .checked_sub(0xdc00)
                            .filter(|low| *low < 0x400)?;
                        0x1_0000 + ((unit - 0xd800) << 10) + low
                    }
                    unit => unit,
                };
                char::from_u32(code)?
            }
            _ => return None,
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit * 16 + self.chars.next()?.to_digit(16)?;
        }
        Some(unit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn flat_objects_are_read_and_nothing_else() {
        let text = |text: &str| FlatValue::Text(text.to_owned());
        let read = flat_object(
            br#" {"a":"x\n\u00e9\ud83d\ude00", "b" : 60,"c":["m=1",""],"d":null,"e":[]} "#,
        );
        let expected = [
            ("a", text("x\né😀")),
            ("b", FlatValue::Number(60)),
            ("c", FlatValue::Texts(vec!["m=1".to_owned(), String::new()])),
            ("d", FlatValue::Null),
            ("e", FlatValue::Texts(Vec::new())),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(read, Some(expected.to_vec()));
        assert_eq!(flat_object(b"{}"), Some(Vec::new()));
        for json in [
            "",
            "{",
            "null",
            "[]",
            r#"{"a":1,}"#,
            r#"{"a":{}}"#,
            r#"{"a":-1}"#,
            r#"{"a":1.5}"#,
            r#"{"a":01}"#,
            r#"{"a":true}"#,
            r#"{"a":[1]}"#,
            r#"{"a":1}x"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":"\ud83d"}"#,
            r#"{"a":"\ud83d\u0041"}"#,
            r#"{"a":"\x"}"#,
            "{\"a\":\"\n\"}",
            r#"{"a":99999999999999999999}"#,
            r#"{"a":nul}"#,
            r"{a:1}",
        ] {
            assert_eq!(flat_object(json.as_bytes()), None, "{json}");
        }
        let many = format!("{{\"a\":[{}\"\"]}}", "\"\",".repeat(MAX_ITEMS));
        assert_eq!(flat_object(many.as_bytes()), None);
    }

    proptest! {
        #[test]
        fn what_serde_writes_is_read(name in any::<String>(), value in any::<String>(), number in any::<u64>(), items in proptest::collection::vec(any::<String>(), 0..5)) {
            prop_assume!(name != "n" && name != "l");
            let json = serde_json::json!({&name: &value, "n": number, "l": &items}).to_string();
            let read = flat_object(json.as_bytes()).unwrap();
            let of = |wanted: &str| read.iter().find(|(name, _)| name == wanted).unwrap().1.clone();
            prop_assert_eq!(of(&name), FlatValue::Text(value));
            prop_assert_eq!(of("n"), FlatValue::Number(number));
            prop_assert_eq!(of("l"), FlatValue::Texts(items));
        }

        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            flat_object(&bytes);
        }
    }
}
