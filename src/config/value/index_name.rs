use super::{RawValue, TomlShape, TomlType, ValueParser, quoted};

/// The maximum length of the name of an index, in bytes; `-2026.11.30` may follow, and a server allows 255.
const MAX_LENGTH: usize = 200;

/// The name of an index of Elasticsearch or OpenSearch, or the beginning of one.
pub(in crate::config) struct IndexNameParser;

impl ValueParser for IndexNameParser {
    type Value = String;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::String],
            array: false,
            example: "\"watchpost-logs\"",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<String, String> {
        Ok(raw.line().trim().to_owned())
    }

    fn validate(&self, value: String) -> Result<String, String> {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        let begins = value
            .bytes()
            .next()
            .is_some_and(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
        if begins && value.len() <= MAX_LENGTH && value.bytes().all(is_plain) {
            Ok(value)
        } else {
            Err(format!(
                "not the name of an index; write {}",
                self.describe()
            ))
        }
    }

    fn print(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }

    fn describe(&self) -> String {
        "lower-case letters, digits, `-`, `_` and `.`, a letter or a digit first".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_server_takes_is_a_name() {
        for name in ["watchpost-logs", "a", "7.b_c", &"a".repeat(MAX_LENGTH)] {
            assert_eq!(
                IndexNameParser.validate(name.to_owned()),
                Ok(name.to_owned())
            );
        }
        for name in [
            "",
            "-a",
            "_a",
            ".a",
            "Logs",
            "a b",
            "a/b",
            "a*",
            "a,b",
            "a\"b",
            "é",
            &"a".repeat(MAX_LENGTH + 1),
        ] {
            assert!(IndexNameParser.validate(name.to_owned()).is_err(), "{name}");
        }
    }
}
