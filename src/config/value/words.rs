use crate::model::LevelDirectives;

use super::{RawValue, TomlShape, TomlType, ValueParser, quoted};

/// One of a fixed set of words.
pub(in crate::config) struct ChoiceParser<T: 'static>(
    pub(in crate::config) &'static [(&'static str, T)],
);

impl<T: Copy + PartialEq + Sync> ValueParser for ChoiceParser<T> {
    type Value = T;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::String],
            array: false,
            example: "\"all\"",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<T, String> {
        let line = raw.line();
        let text = line.trim();
        self.0
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(text))
            .map(|(_, value)| *value)
            .ok_or_else(|| format!("not a choice; write {}", self.describe()))
    }

    fn validate(&self, value: T) -> Result<T, String> {
        Ok(value)
    }

    fn print(&self, value: &T) -> Option<String> {
        let (word, _) = self.0.iter().find(|(_, each)| each == value)?;
        Some(quoted(word))
    }

    fn describe(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| format!("`{word}`")).collect();
        match words.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
            None => String::new(),
        }
    }
}

/// Directives by target: `info,hyper=off,my_crate::db=debug`.
pub(in crate::config) struct DirectivesParser;

impl ValueParser for DirectivesParser {
    type Value = String;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::String],
            array: false,
            example: "\"info,hyper=off\"",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<String, String> {
        Ok(raw.line())
    }

    fn validate(&self, value: String) -> Result<String, String> {
        let text = value.trim();
        LevelDirectives::parse(text).map(|_| text.to_owned())
    }

    fn print(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }

    fn describe(&self) -> String {
        LevelDirectives::DESCRIPTION.to_owned()
    }
}
