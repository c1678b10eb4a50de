//! Writes JSON documents.

use crate::model::{json, prefix};

/// The maximum length of a name or a sentence from outside, in bytes.
pub(super) const MAX_TEXT: usize = 256;

/// The maximum length of a value of an attribute, or of a message, in bytes.
const MAX_LONG_TEXT: usize = 4096;

/// Writes the members of an object.
pub(super) struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
}

/// Writes the items of a list.
pub(super) struct ListWriter<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
}

/// Returns the text of an object.
pub(super) fn object(write: impl FnOnce(&mut ObjectWriter<'_>)) -> String {
    let mut out = Vec::with_capacity(512);
    put_object(&mut out, write);
    into_string(out)
}

/// Returns the text of a list.
pub(super) fn list(write: impl FnOnce(&mut ListWriter<'_>)) -> String {
    let mut out = Vec::with_capacity(512);
    put_list(&mut out, write);
    into_string(out)
}

/// All that is written is UTF-8.
fn into_string(out: Vec<u8>) -> String {
    String::from_utf8(out).unwrap_or_else(|_| "null".to_owned())
}

fn put_object(out: &mut Vec<u8>, write: impl FnOnce(&mut ObjectWriter<'_>)) {
    out.push(b'{');
    write(&mut ObjectWriter {
        out,
        is_first: true,
    });
    out.push(b'}');
}

fn put_list(out: &mut Vec<u8>, write: impl FnOnce(&mut ListWriter<'_>)) {
    out.push(b'[');
    write(&mut ListWriter {
        out,
        is_first: true,
    });
    out.push(b']');
}

impl ObjectWriter<'_> {
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
        json::push_str(self.out, key);
        self.out.push(b':');
        self.out
    }

    /// A text, cut at 256 bytes.
    pub(super) fn text(&mut self, key: &str, value: &str) {
        put_text(self.key(key), value);
    }

    /// A text, cut at 4 KiB.
    pub(super) fn long_text(&mut self, key: &str, value: &str) {
        let cut = prefix(value, MAX_LONG_TEXT);
        let more = if cut.len() < value.len() { "…" } else { "" };
        json::push_str(self.key(key), &format!("{cut}{more}"));
    }

    /// A whole number that may be negative.
    pub(super) fn signed(&mut self, key: &str, value: i64) {
        let out = self.key(key);
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A text or `null`.
    pub(super) fn optional_text(&mut self, key: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(key, value),
            None => self.raw(key, "null"),
        }
    }

    /// A number with four significant digits, or `null`.
    pub(super) fn number(&mut self, key: &str, value: Option<f64>) {
        put_number(self.key(key), value);
    }

    pub(super) fn integer(&mut self, key: &str, value: impl Into<Option<u64>>) {
        let out = self.key(key);
        match value.into() {
            Some(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
            None => out.extend_from_slice(b"null"),
        }
    }

    pub(super) fn bool(&mut self, key: &str, value: bool) {
        self.raw(key, if value { "true" } else { "false" });
    }

    /// A value that is JSON already.
    pub(super) fn raw(&mut self, key: &str, value: &str) {
        self.key(key).extend_from_slice(value.as_bytes());
    }

    pub(super) fn object(&mut self, key: &str, write: impl FnOnce(&mut ObjectWriter<'_>)) {
        put_object(self.key(key), write);
    }

    /// An object or `null`.
    pub(super) fn optional<T>(
        &mut self,
        key: &str,
        value: Option<T>,
        write: impl FnOnce(&mut ObjectWriter<'_>, T),
    ) {
        match value {
            Some(value) => self.object(key, |object| write(object, value)),
            None => self.raw(key, "null"),
        }
    }

    pub(super) fn list(&mut self, key: &str, write: impl FnOnce(&mut ListWriter<'_>)) {
        put_list(self.key(key), write);
    }

    pub(super) fn numbers(&mut self, key: &str, values: &[Option<f64>]) {
        self.list(key, |list| {
            for value in values {
                put_number(list.item(), *value);
            }
        });
    }
}

impl ListWriter<'_> {
    fn item(&mut self) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
        self.out
    }

    /// A text, cut at 1 KiB.
    pub(super) fn long_text(&mut self, value: &str) {
        json::push_str(self.item(), prefix(value, 1024));
    }

    pub(super) fn object(&mut self, write: impl FnOnce(&mut ObjectWriter<'_>)) {
        put_object(self.item(), write);
    }

    /// A value that is JSON already.
    pub(super) fn raw(&mut self, value: &str) {
        self.item().extend_from_slice(value.as_bytes());
    }
}

fn put_text(out: &mut Vec<u8>, value: &str) {
    let cut = prefix(value, MAX_TEXT);
    if cut.len() == value.len() {
        json::push_str(out, value);
    } else {
        json::push_str(out, &format!("{cut}…"));
    }
}

fn put_number(out: &mut Vec<u8>, value: Option<f64>) {
    let rounded = value.and_then(|value| format!("{value:.3e}").parse::<f64>().ok());
    match rounded.filter(|value| value.is_finite()) {
        None => out.extend_from_slice(b"null"),
        // Rust writes no exponent by itself, and such numbers would have hundreds of digits.
        Some(value) if value != 0.0 && !(1e-9..1e15).contains(&value.abs()) => {
            out.extend_from_slice(format!("{value:e}").as_bytes());
        }
        Some(value) => out.extend_from_slice(format!("{value}").as_bytes()),
    }
}

/// Reads the text of `key` from an object with this member alone, as `JSON.stringify` writes it. `None` for anything else.
pub(super) fn only_text(json: &[u8], key: &str) -> Option<String> {
    let text = std::str::from_utf8(json).ok()?;
    let rest = text.trim().strip_prefix('{')?.trim_start();
    let rest = rest
        .strip_prefix('"')?
        .strip_prefix(key)?
        .strip_prefix('"')?;
    let mut rest = rest
        .trim_start()
        .strip_prefix(':')?
        .trim_start()
        .strip_prefix('"')?
        .chars();
    let mut value = String::new();
    loop {
        match rest.next()? {
            '"' => break,
            '\\' => match rest.next()? {
                escaped @ ('"' | '\\' | '/') => value.push(escaped),
                _ => return None,
            },
            plain => value.push(plain),
        }
    }
    (rest.as_str().trim() == "}").then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        for (value, text) in [
            (Some(0.213_384), "0.2134"),
            (Some(0.0), "0"),
            (Some(1234.56), "1235"),
            (Some(1e-300), "1e-300"),
            (Some(1e300), "1e300"),
            (Some(f64::NAN), "null"),
            (None, "null"),
        ] {
            let mut out = Vec::new();
            put_number(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn only_an_object_with_the_one_text_is_read() {
        for (json, value) in [
            (r#"{"token":"abc"}"#, Some("abc")),
            (r#" { "token" : "a\"b\\c" } "#, Some(r#"a"b\c"#)),
            (r#"{"token":"abc","x":1}"#, None),
            (r#"{"token":1}"#, None),
            (r#"{"token":"abc"#, None),
            (r#"{"token":"\u0041"}"#, None),
            (r#"{"tokens":"abc"}"#, None),
            ("token=abc", None),
            ("", None),
        ] {
            assert_eq!(
                only_text(json.as_bytes(), "token").as_deref(),
                value,
                "{json}"
            );
        }
        assert_eq!(only_text(b"{\"token\":\"\xff\"}", "token"), None);
    }

    proptest! {
        #[test]
        fn any_document_reads_back(text in any::<String>(), number in any::<f64>()) {
            let written = object(|it| {
                it.text("text", &text);
                it.number("number", Some(number));
                it.list("list", |list| {
                    list.long_text(&text);
                    list.object(|it| it.integer("n", 7));
                });
            });
            let read: Value = serde_json::from_str(&written).unwrap();
            let found = read["text"].as_str().unwrap();
            prop_assert!(found == text || found.len() <= MAX_TEXT + 3);
            prop_assert_eq!(&read["list"][1]["n"], 7);
            if number.is_finite() && number != 0.0 && number.abs() < 1e300 {
                let read = read["number"].as_f64().unwrap();
                prop_assert!((read / number - 1.0).abs() < 0.001);
            }
        }
    }
}
