//! Reading, checking and printing of setting values: one parser for each kind of value.
//!
//! A value is given as text (a file, a variable) or typed (code). Text is parsed. Both are then validated, so that
//! every source has the same limits.
//!
//! No message repeats the input except for digits, because the input may be a secret in the wrong place.

mod dsn;
mod duration;
mod headers;
mod histograms;
mod index_name;
mod items;
mod list;
mod number;
mod optional;
mod permissions;
mod size;
mod texts;
mod url;
mod words;

use super::Config;

pub(super) use self::dsn::DsnParser;
pub(super) use self::duration::DurationParser;
pub(super) use self::headers::HeadersParser;
pub(super) use self::histograms::HistogramsParser;
pub(super) use self::index_name::IndexNameParser;
pub(super) use self::items::{
    DashboardLineItem, EmailItem, GrpcMethodItem, HeaderNameItem, NetworkItem, QueryNameItem,
    ReceiverUrlItem, RequestMethodItem, SearchUrlItem, SecretKeyItem, SecretPathItem, StatusItem,
};
pub(super) use self::list::{ListParser, PropagatorsParser};
pub(super) use self::number::{BoolParser, CappedParser, IntegerParser, RatioParser, RealParser};
pub(super) use self::optional::OptionalParser;
pub(super) use self::permissions::PermissionsParser;
pub(super) use self::size::SizeParser;
pub(super) use self::texts::{
    CertificateFileParser, DirectoryParser, OptionalTextParser, SecretTextParser, TextParser,
    TokenParser,
};
pub(super) use self::url::UrlParser;
pub(super) use self::words::{ChoiceParser, DirectivesParser};

/// A value from a text source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RawValue {
    Text(String),
    /// The items of an array in a file.
    Items(Vec<String>),
}

impl RawValue {
    /// Returns the value in one line, with items separated by commas.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Items(items) => items.join(","),
        }
    }
}

/// A TOML type that a file may use for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TomlType {
    String,
    Integer,
    Float,
    Boolean,
    /// A table whose entries become items `name=value`.
    Table,
}

/// The forms that a file may use for a setting.
#[derive(Debug, Clone, Copy)]
pub(super) struct TomlShape {
    pub(super) types: &'static [TomlType],
    pub(super) array: bool,
    /// A valid value, as TOML.
    pub(super) example: &'static str,
}

/// The parser of one kind of value.
pub(super) trait ValueParser: Sync {
    type Value: Clone + PartialEq;

    fn toml_shape(&self) -> TomlShape;

    /// Parses the value from text. Limits are checked by [`validate`](Self::validate).
    ///
    /// # Errors
    ///
    /// Returns the problem and the fix.
    fn parse(&self, raw: &RawValue) -> Result<Self::Value, String>;

    /// Checks a value of any source and normalizes it.
    ///
    /// # Errors
    ///
    /// The same as for [`parse`](Self::parse).
    fn validate(&self, value: Self::Value) -> Result<Self::Value, String>;

    /// Lowers a value that is above the maximum of its setting; returns a warning if it did.
    fn cap(&self, _value: &mut Self::Value) -> Option<String> {
        None
    }

    /// Merges the value of a source into the value of lower-precedence sources.
    fn merge(&self, into: &mut Self::Value, value: Self::Value) {
        *into = value;
    }

    /// Prints the value as TOML that [`parse`](Self::parse) accepts; `None` if it is not set.
    fn print(&self, value: &Self::Value) -> Option<String>;

    /// Formats the value for a problem, in the form that a variable would have.
    fn display(&self, value: &Self::Value) -> String {
        let printed = self.print(value).unwrap_or_default();
        let unquoted = printed
            .strip_prefix('"')
            .and_then(|it| it.strip_suffix('"'));
        unquoted.map_or_else(|| printed.clone(), str::to_owned)
    }

    /// Describes the accepted values in a few words.
    fn describe(&self) -> String;
}

/// A parser and the field of its value in the configuration.
pub(super) struct Binding<P: ValueParser> {
    pub(super) parser: P,
    pub(super) get: fn(&Config) -> &P::Value,
    pub(super) get_mut: fn(&mut Config) -> &mut P::Value,
}

/// A [`Binding`] with its type erased. The setters return a warning if the value was above its maximum.
pub(super) trait SettingField: Sync {
    fn toml_shape(&self) -> TomlShape;
    /// Sets the value from text.
    fn set_text(&self, raw: &RawValue, into: &mut Config) -> Result<Option<String>, String>;
    /// Copies the value from `from`.
    fn set_typed(&self, from: &Config, into: &mut Config) -> Result<Option<String>, String>;
    fn is_equal(&self, a: &Config, b: &Config) -> bool;
    fn print(&self, config: &Config) -> Option<String>;
    fn display(&self, config: &Config) -> String;
    #[cfg(test)]
    fn describe(&self) -> String;
}

impl<P: ValueParser> Binding<P> {
    fn set(&self, value: P::Value, into: &mut Config) -> Result<Option<String>, String> {
        let mut value = self.parser.validate(value)?;
        let warning = self.parser.cap(&mut value);
        self.parser.merge((self.get_mut)(into), value);
        Ok(warning)
    }
}

impl<P: ValueParser> SettingField for Binding<P> {
    fn toml_shape(&self) -> TomlShape {
        self.parser.toml_shape()
    }

    fn set_text(&self, raw: &RawValue, into: &mut Config) -> Result<Option<String>, String> {
        self.set(self.parser.parse(raw)?, into)
    }

    fn set_typed(&self, from: &Config, into: &mut Config) -> Result<Option<String>, String> {
        self.set((self.get)(from).clone(), into)
    }

    fn is_equal(&self, a: &Config, b: &Config) -> bool {
        (self.get)(a) == (self.get)(b)
    }

    fn print(&self, config: &Config) -> Option<String> {
        self.parser.print((self.get)(config))
    }

    fn display(&self, config: &Config) -> String {
        self.parser.display((self.get)(config))
    }

    #[cfg(test)]
    fn describe(&self) -> String {
        self.parser.describe()
    }
}

/// Formats a text as a TOML string.
fn quoted(text: &str) -> String {
    let mut toml = String::with_capacity(text.len() + 2);
    toml.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => toml.extend(['\\', c]),
            c if c.is_control() => toml.extend(["\\u", &format!("{:04X}", u32::from(c))]),
            c => toml.push(c),
        }
    }
    toml.push('"');
    toml
}

/// Returns whether the text is a short number, whose digits a message may repeat.
fn is_short_number(text: &str) -> bool {
    (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}
