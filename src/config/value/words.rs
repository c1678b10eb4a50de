use super::{RawValue, TomlShape, TomlType, ValueParser, quoted};

/// The maximum length of the directives, in bytes.
const MAX_DIRECTIVES: usize = 4096;
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

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
        let wrong = if text.len() > MAX_DIRECTIVES {
            Some("too long".to_owned())
        } else if text.contains(['[', '{']) {
            Some("directives with spans, which are not known here".to_owned())
        } else {
            wrong_directive(text)
        };
        match wrong {
            None => Ok(text.to_owned()),
            Some(what) => Err(format!("{what}; write {}", self.describe())),
        }
    }

    fn print(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }

    fn describe(&self) -> String {
        "a level (`off`, `error`, `warn`, `info`, `debug`, `trace`) or directives such as `info,hyper=off,my_crate::db=debug`"
            .to_owned()
    }
}

fn wrong_directive(text: &str) -> Option<String> {
    let mut for_all = 0;
    for (number, directive) in (1..).zip(text.split(',')) {
        let (target, level) = match directive.trim().split_once('=') {
            Some((target, level)) => (Some(target.trim()), level.trim()),
            None => (None, directive.trim()),
        };
        for_all += usize::from(target.is_none());
        let what = if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
            "has no level"
        } else if target.is_some_and(|target| !is_target(target)) {
            "has no target before its `=`"
        } else if for_all > 1 {
            "is a second level for all"
        } else {
            continue;
        };
        return Some(format!("directive {number} {what}"));
    }
    None
}

fn is_target(target: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.' | '/');
    !target.is_empty() && target.chars().all(word)
}
