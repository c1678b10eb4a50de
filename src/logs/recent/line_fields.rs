//! Reads the fields of a log line back. A line is one flat JSON object that this crate has written, so anything else is
//! an error and ends the reading.

use crate::trace::AttributeValue;

/// Iterates over the fields of a JSON line.
pub(super) fn fields(line: &[u8]) -> impl Iterator<Item = (String, AttributeValue)> {
    let text = std::str::from_utf8(line).unwrap_or_default();
    let mut rest = text.strip_prefix('{').unwrap_or_default();
    std::iter::from_fn(move || {
        let (key, after) = string(rest)?;
        let (value, after) = value(after.strip_prefix(':')?)?;
        // A comma between fields, a brace after the last one.
        rest = after.strip_prefix(',').unwrap_or_default();
        Some((key, value))
    })
}

/// Reads the value at the beginning of a text, and returns it with the text after it.
fn value(text: &str) -> Option<(AttributeValue, &str)> {
    if text.starts_with('"') {
        let (text, after) = string(text)?;
        return Some((AttributeValue::Str(text), after));
    }
    let (bare, after) = text.split_at(text.find([',', '}'])?);
    let value = match bare {
        "true" => AttributeValue::Bool(true),
        "false" => AttributeValue::Bool(false),
        _ => number(bare)?,
    };
    Some((value, after))
}

fn number(text: &str) -> Option<AttributeValue> {
    if let Ok(number) = text.parse() {
        return Some(AttributeValue::I64(number));
    }
    // An integer beyond 64 signed bits keeps its digits as a text.
    if text.parse::<u64>().is_ok() {
        return Some(AttributeValue::Str(text.to_owned()));
    }
    text.parse().ok().map(AttributeValue::F64)
}

/// Reads the quoted text at the beginning, and returns it without escapes, with the text after it.
fn string(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut out = String::new();
    loop {
        let (ordinary, special) = rest.split_at(rest.find(['"', '\\'])?);
        out.push_str(ordinary);
        let Some(escape) = special.strip_prefix('\\') else {
            return Some((out, special.get(1..)?));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_kind_of_value_is_read() {
        let line =
            br#"{"a":"b","n":-7,"big":18446744073709551615,"f":1.25,"t":true,"f2":false,"e":""}"#;
        let read: Vec<_> = fields(line).collect();
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
            use super::super::super::escape::{Escape, put_escaped};
            let mut line = b"{\"".to_vec();
            put_escaped(&mut line, (&*key).into(), Escape::Json, usize::MAX);
            line.extend_from_slice(b"\":\"");
            put_escaped(&mut line, (&*text).into(), Escape::Json, usize::MAX);
            line.extend_from_slice(b"\"}\n");
            let read: Vec<_> = fields(&line).collect();
            prop_assert_eq!(read, [(key, AttributeValue::Str(text))]);
            for end in 0..line.len() {
                let _cut = fields(&line[..end]).count();
            }
        }
    }
}
