use std::path::{Path, PathBuf};

use crate::model::Secret;

use super::{RawValue, TomlShape, TomlType, ValueParser, quoted};

/// The maximum number of characters of a name, a version and similar texts.
const MAX_CHARS: usize = 255;
/// The maximum length of a path, in bytes.
const MAX_PATH: usize = 4096;
/// The maximum number of characters of a secret text.
const MAX_SECRET: usize = 2048;
/// The minimum and maximum number of characters of a token.
const TOKEN_LENGTH: std::ops::RangeInclusive<usize> = 32..=512;
/// The minimum number of distinct characters of a token; a random token has more.
const MIN_DISTINCT: usize = 8;

/// A one-line text.
pub(in crate::config) struct TextParser;

impl ValueParser for TextParser {
    type Value = String;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::String],
            array: false,
            example: "\"contentmax\"",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<String, String> {
        Ok(raw.line())
    }

    fn validate(&self, value: String) -> Result<String, String> {
        let text = value.trim();
        let what = if text.is_empty() {
            "empty"
        } else if text.chars().any(is_break) {
            "a text with control characters"
        } else if text.chars().count() > MAX_CHARS {
            "too long"
        } else {
            return Ok(text.to_owned());
        };
        Err(format!("{what}; write {}", self.describe()))
    }

    fn print(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }

    fn describe(&self) -> String {
        format!("a text of 1 to {MAX_CHARS} characters in one line")
    }
}

/// An optional one-line text.
pub(in crate::config) struct OptionalTextParser;

impl ValueParser for OptionalTextParser {
    type Value = Option<String>;

    fn toml_shape(&self) -> TomlShape {
        TextParser.toml_shape()
    }

    fn parse(&self, raw: &RawValue) -> Result<Option<String>, String> {
        TextParser.parse(raw).map(Some)
    }

    fn validate(&self, value: Option<String>) -> Result<Option<String>, String> {
        value.map(|text| TextParser.validate(text)).transpose()
    }

    fn print(&self, value: &Option<String>) -> Option<String> {
        value.as_deref().map(quoted)
    }

    fn describe(&self) -> String {
        TextParser.describe()
    }
}

/// The path of a directory. Whether the directory exists is checked when it is opened.
pub(in crate::config) struct DirectoryParser;

impl ValueParser for DirectoryParser {
    type Value = Option<PathBuf>;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::String],
            array: false,
            example: "\"/var/lib/contentmax\"",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<Option<PathBuf>, String> {
        Ok(Some(PathBuf::from(raw.line())))
    }

    fn validate(&self, value: Option<PathBuf>) -> Result<Option<PathBuf>, String> {
        match value.as_deref().and_then(path_problem) {
            Some(what) => Err(format!(
                "{what}; write {} such as `/var/lib/contentmax`",
                self.describe()
            )),
            None => Ok(value),
        }
    }

    fn print(&self, value: &Option<PathBuf>) -> Option<String> {
        value.as_deref().map(|path| quoted(&path.to_string_lossy()))
    }

    fn describe(&self) -> String {
        "a directory's path".to_owned()
    }
}

/// The path of a certificate file, which is read when it is used.
pub(in crate::config) struct CertificateFileParser;

impl ValueParser for CertificateFileParser {
    type Value = Option<PathBuf>;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::String],
            array: false,
            example: "\"/etc/ssl/collector.pem\"",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<Option<PathBuf>, String> {
        Ok(Some(PathBuf::from(raw.line())))
    }

    fn validate(&self, value: Option<PathBuf>) -> Result<Option<PathBuf>, String> {
        match value.as_deref().and_then(path_problem) {
            Some(what) => Err(format!(
                "{what}; write {} such as `/etc/ssl/collector.pem`",
                self.describe()
            )),
            None => Ok(value),
        }
    }

    fn print(&self, value: &Option<PathBuf>) -> Option<String> {
        value.as_deref().map(|path| quoted(&path.to_string_lossy()))
    }

    fn describe(&self) -> String {
        "a PEM file's path".to_owned()
    }
}

/// Returns whether the character breaks a line: control characters, and Unicode's line and paragraph separators.
fn is_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Returns the problem with a path, if any. A path need not be UTF-8.
fn path_problem(path: &Path) -> Option<&'static str> {
    let text = path.to_string_lossy();
    if text.trim().is_empty() {
        Some("empty")
    } else if text.chars().any(char::is_control) {
        Some("a path with control characters")
    } else if text.contains("://") {
        Some("a URL")
    } else if text.trim_start().starts_with(['~', '$']) {
        Some("a path that only a shell would expand")
    } else if path.as_os_str().len() > MAX_PATH {
        Some("too long")
    } else {
        None
    }
}

/// A secret that a client sends as a bearer token.
pub(in crate::config) struct TokenParser;

impl ValueParser for TokenParser {
    type Value = Option<Secret>;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::String],
            array: false,
            example: "\"the output of `openssl rand -hex 32`\"",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<Option<Secret>, String> {
        Ok(Some(Secret::new(raw.line())))
    }

    fn validate(&self, value: Option<Secret>) -> Result<Option<Secret>, String> {
        let Some(secret) = value else {
            return Ok(None);
        };
        let text = secret.reveal().trim();
        let mut distinct: Vec<u8> = text.bytes().collect();
        distinct.sort_unstable();
        distinct.dedup();
        let what = if text.len() < *TOKEN_LENGTH.start() {
            "too short"
        } else if text.len() > *TOKEN_LENGTH.end() {
            "too long"
        } else if !text.bytes().all(is_bearer) {
            "not a bearer token"
        } else if distinct.len() < MIN_DISTINCT {
            "easy to guess"
        } else {
            return Ok(Some(Secret::new(text)));
        };
        Err(format!(
            "{what}; write {}, such as the output of `openssl rand -hex 32`",
            self.describe()
        ))
    }

    fn print(&self, value: &Option<Secret>) -> Option<String> {
        value.as_ref().map(|secret| quoted(&secret.to_string()))
    }

    fn describe(&self) -> String {
        format!(
            "{} to {} characters from A-Z, a-z, 0-9 and -._~+/=",
            TOKEN_LENGTH.start(),
            TOKEN_LENGTH.end()
        )
    }
}

/// A secret in one line: a URL, a key or a password.
pub(in crate::config) struct SecretTextParser;

impl ValueParser for SecretTextParser {
    type Value = Option<Secret>;

    fn toml_shape(&self) -> TomlShape {
        TomlShape {
            types: &[TomlType::String],
            array: false,
            example: "\"https://hooks.slack.com/services/T000/B000/XXXX\"",
        }
    }

    fn parse(&self, raw: &RawValue) -> Result<Option<Secret>, String> {
        Ok(Some(Secret::new(raw.line())))
    }

    fn validate(&self, value: Option<Secret>) -> Result<Option<Secret>, String> {
        let Some(secret) = value else {
            return Ok(None);
        };
        let text = secret.reveal().trim();
        let what = if text.is_empty() {
            "empty"
        } else if text.chars().any(is_break) {
            "a text with control characters"
        } else if text.chars().count() > MAX_SECRET {
            "too long"
        } else {
            return Ok(Some(Secret::new(text)));
        };
        Err(format!("{what}; write {}", self.describe()))
    }

    fn print(&self, value: &Option<Secret>) -> Option<String> {
        value.as_ref().map(|secret| quoted(&secret.to_string()))
    }

    fn describe(&self) -> String {
        format!("a text of 1 to {MAX_SECRET} characters in one line")
    }
}

/// Returns whether a bearer token may contain the byte, by RFC 6750, section 2.1.
fn is_bearer(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}
