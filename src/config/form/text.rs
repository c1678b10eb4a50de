use std::path::PathBuf;

use crate::model::Secret;

use super::{Form, Raw, Takes, Type, quoted};

/// The most characters of a name, a version and the like.
const MOST: usize = 255;
/// The fewest and the most characters of a token.
const TOKEN: std::ops::RangeInclusive<usize> = 32..=512;
/// A token of fewer different characters was not drawn by chance.
const TOKEN_DIFFERENT: usize = 8;

/// A text of one line.
pub(in crate::config) struct Text;

impl Form for Text {
    type Value = String;

    fn takes(&self) -> Takes {
        Takes {
            types: &[Type::String],
            array: false,
            example: "\"contentmax\"",
        }
    }

    fn read(&self, raw: &Raw) -> Result<String, String> {
        let line = raw.line();
        let text = line.trim();
        let what = if text.is_empty() {
            "empty"
        } else if text.chars().any(is_break) {
            "a text with control characters"
        } else if text.chars().count() > MOST {
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
        format!("a text of 1 to {MOST} characters in one line")
    }
}

/// A text that may be left out.
pub(in crate::config) struct Optional;

impl Form for Optional {
    type Value = Option<String>;

    fn takes(&self) -> Takes {
        Text.takes()
    }

    fn read(&self, raw: &Raw) -> Result<Option<String>, String> {
        Text.read(raw).map(Some)
    }

    fn print(&self, value: &Option<String>) -> Option<String> {
        value.as_deref().map(quoted)
    }

    fn describe(&self) -> String {
        Text.describe()
    }
}

/// A directory's path. Whether it is there is not asked here.
pub(in crate::config) struct Directory;

impl Form for Directory {
    type Value = Option<PathBuf>;

    fn takes(&self) -> Takes {
        Takes {
            types: &[Type::String],
            array: false,
            example: "\"/var/lib/contentmax\"",
        }
    }

    fn read(&self, raw: &Raw) -> Result<Option<PathBuf>, String> {
        path(raw).map(Some).map_err(|what| {
            format!(
                "{what}; write {} such as `/var/lib/contentmax`",
                self.describe()
            )
        })
    }

    fn print(&self, value: &Option<PathBuf>) -> Option<String> {
        value.as_deref().map(|path| quoted(&path.to_string_lossy()))
    }

    fn describe(&self) -> String {
        "a directory's path".to_owned()
    }
}

/// A file of certificates. It is read when it is used.
pub(in crate::config) struct CertificateFile;

impl Form for CertificateFile {
    type Value = Option<PathBuf>;

    fn takes(&self) -> Takes {
        Takes {
            types: &[Type::String],
            array: false,
            example: "\"/etc/ssl/collector.pem\"",
        }
    }

    fn read(&self, raw: &Raw) -> Result<Option<PathBuf>, String> {
        path(raw).map(Some).map_err(|what| {
            format!(
                "{what}; write {} such as `/etc/ssl/collector.pem`",
                self.describe()
            )
        })
    }

    fn print(&self, value: &Option<PathBuf>) -> Option<String> {
        value.as_deref().map(|path| quoted(&path.to_string_lossy()))
    }

    fn describe(&self) -> String {
        "a PEM file's path".to_owned()
    }
}

/// What would break the line: control characters, and Unicode's own ends of lines and paragraphs.
fn is_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn path(raw: &Raw) -> Result<PathBuf, &'static str> {
    let line = raw.line();
    if line.trim().is_empty() {
        Err("empty")
    } else if line.chars().any(char::is_control) {
        Err("a path with control characters")
    } else if line.contains("://") {
        Err("a URL")
    } else if line.trim_start().starts_with(['~', '$']) {
        Err("a path that a shell would change, as nothing does here")
    } else if line.len() > 4096 {
        Err("too long")
    } else {
        Ok(PathBuf::from(line))
    }
}

/// A secret that a client sends as a bearer token.
pub(in crate::config) struct Token;

impl Form for Token {
    type Value = Option<Secret>;

    fn takes(&self) -> Takes {
        Takes {
            types: &[Type::String],
            array: false,
            example: "\"the output of `openssl rand -hex 32`\"",
        }
    }

    fn read(&self, raw: &Raw) -> Result<Option<Secret>, String> {
        let line = raw.line();
        let text = line.trim();
        let mut different: Vec<u8> = text.bytes().collect();
        different.sort_unstable();
        different.dedup();
        let what = if text.len() < *TOKEN.start() {
            "too short"
        } else if text.len() > *TOKEN.end() {
            "too long"
        } else if !text.bytes().all(is_bearer) {
            "not a bearer token"
        } else if different.len() < TOKEN_DIFFERENT {
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
            TOKEN.start(),
            TOKEN.end()
        )
    }
}

/// RFC 6750, section 2.1.
fn is_bearer(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}
