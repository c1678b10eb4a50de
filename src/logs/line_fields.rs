//! Reads the fields of a log line back. A line is one flat JSON object that this crate has written, so anything else is
//! an error and ends the reading.

use std::borrow::Cow;

use crate::trace::AttributeValue;

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum LineValue<'a> {
    /// A text without its escapes.
    Text(Cow<'a, str>),
    /// A number, `true` or `false`, as it is written.
    Bare(&'a str),
}

impl LineValue<'_> {
    /// The value on its own.
    pub(super) fn into_attribute(self) -> AttributeValue {
        match self {
            Self::Text(text) => AttributeValue::Str(text.into_owned()),
            Self::Bare("true") => AttributeValue::Bool(true),
            Self::Bare("false") => AttributeValue::Bool(false),
            Self::Bare(text) => match (text.parse(), text.parse::<u64>(), text.parse()) {
                (Ok(number), _, _) => AttributeValue::I64(number),
                // An integer beyond 64 signed bits keeps its digits as a text.
                (_, Err(_), Ok(number)) => AttributeValue::F64(number),
                _ => AttributeValue::Str(text.to_owned()),
            },
        }
    }

    /// The value as a text.
    pub(super) fn as_text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Bare(text) => text,
        }
    }
}

/// Iterates over the fields of a JSON line.
pub(super) fn fields(line: &str) -> impl Iterator<Item = (Cow<'_, str>, LineValue<'_>)> {
    let mut rest = line.strip_prefix('{').unwrap_or_default();
    std::iter::from_fn(move || {
        let (key, after) = string(rest)?;
        let (value, after) = value(after.strip_prefix(':')?)?;
        // A comma between fields, a brace after the last one.
        rest = after.strip_prefix(',').unwrap_or_default();
        Some((key, value))
    })
}

/// Reads the value at the beginning of a text, and returns it with the text after it.
fn value(text: &str) -> Option<(LineValue<'_>, &str)> {
    if text.starts_with('"') {
        let (text, after) = string(text)?;
        return Some((LineValue::Text(text), after));
    }
    let (bare, after) = text.split_at_checked(text.find([',', '}'])?)?;
    let begins_number = bare.starts_with(|it: char| it == '-' || it.is_ascii_digit());
    let is_value = begins_number || matches!(bare, "true" | "false");
    is_value.then_some((LineValue::Bare(bare), after))
}

/// Reads the quoted text at the beginning, and returns it without escapes, with the text after it.
fn string(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let text = text.strip_prefix('"')?;
    let (ordinary, special) = text.split_at_checked(end_of_run(text)?)?;
    if let Some(after) = special.strip_prefix('"') {
        return Some((Cow::Borrowed(ordinary), after));
    }
    let mut out = ordinary.to_owned();
    let mut rest = special;
    loop {
        let (ordinary, special) = rest.split_at_checked(end_of_run(rest)?)?;
        out.push_str(ordinary);
        let Some(escape) = special.strip_prefix('\\') else {
            return Some((Cow::Owned(out), special.get(1..)?));
        };
        let mut after = escape.chars();
        let char = match after.next()? {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            // The writer escapes only single characters of the basic plane.
            'u' => {
                let code = u32::from_str_radix(after.as_str().get(..4)?, 16).ok()?;
                after = after.as_str().get(4..)?.chars();
                char::from_u32(code)?
            }
            char => char,
        };
        out.push(char);
        rest = after.as_str();
    }
}

/// Where the first quote or backslash is.
fn end_of_run(text: &str) -> Option<usize> {
    text.bytes().position(|it| matches!(it, b'"' | b'\\'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_kind_of_value_is_read() {
        let line =
            r#"{"a":"b","n":-7,"big":18446744073709551615,"f":1.25,"t":true,"f2":false,"e":""}"#;
        let read: Vec<_> = fields(line)
            .map(|(key, value)| (key.into_owned(), value.into_attribute()))
            .collect();
        let text = |text: &str| AttributeValue::Str(text.to_owned());
        let expected = [
            ("a", text("b")),
            ("n", AttributeValue::I64(-7)),
            ("big", text("18446744073709551615")),
            ("f", AttributeValue::F64(1.25)),
            ("t", AttributeValue::Bool(true)),
            ("f2", AttributeValue::Bool(false)),
            ("e", text("")),
        ];
        assert_eq!(read, expected.map(|(key, value)| (key.to_owned(), value)));
    }

    proptest! {
        #[test]
        fn a_text_reads_back_as_it_was_and_no_cut_panics(key in ".{0,20}", text in ".{0,40}|[\\x00-\\xff]{0,40}") {
            use super::super::escape::{Escape, put_escaped};
            let mut line = b"{\"".to_vec();
            put_escaped(&mut line, (&*key).into(), Escape::Json, usize::MAX);
            line.extend_from_slice(b"\":\"");
            put_escaped(&mut line, (&*text).into(), Escape::Json, usize::MAX);
            line.extend_from_slice(b"\"}\n");
            let line = String::from_utf8(line).unwrap();
            let read: Vec<_> = fields(&line).collect();
            prop_assert_eq!(read, [(key.into(), LineValue::Text(text.into()))]);
            for end in (0..line.len()).filter(|end| line.is_char_boundary(*end)) {
                let _cut = fields(&line[..end]).count();
            }
        }
    }
}
