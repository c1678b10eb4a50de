//! How the text of a setting becomes its value: one form for each kind of value.
//!
//! No advice repeats what was read, since that may be a secret in the wrong place; digits are the
//! exception.

mod dsn;
mod duration;
mod headers;
mod histograms;
mod items;
mod list;
mod log;
mod number;
mod size;
mod text;
mod url;

use super::Config;

pub(super) use self::dsn::SentryDsn;
pub(super) use self::duration::Span;
pub(super) use self::headers::Headers;
pub(super) use self::histograms::Histograms;
pub(super) use self::items::{
    GrpcMethod, Header, Network, QueryName, RequestMethod, SecretKey, SecretPath, Status,
};
pub(super) use self::list::{List, PropagatorNames};
pub(super) use self::log::{Choice, Directives};
pub(super) use self::number::{Ratio, Switch, Whole};
pub(super) use self::size::Size;
pub(super) use self::text::{CertificateFile, Directory, Optional, Text, Token};
pub(super) use self::url::Url;

/// A value as a source gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raw {
    One(String),
    /// The items of a file's array.
    Many(Vec<String>),
}

impl Raw {
    /// The value in one line.
    pub(super) fn line(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Many(items) => items.join(","),
        }
    }
}

/// A type of TOML's that a file may use for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Integer,
    Float,
    Boolean,
    /// Entries that become items `name=value`.
    Table,
}

/// What a file may write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Takes {
    pub(super) types: &'static [Type],
    pub(super) array: bool,
    /// A good value, as TOML.
    pub(super) example: &'static str,
}

/// One kind of value.
pub(super) trait Form: Sync {
    type Value;

    fn takes(&self) -> Takes;

    /// The value, or what is wrong and what to write.
    fn read(&self, raw: &Raw) -> Result<Self::Value, String>;

    /// Puts what a source gives over what held so far.
    fn merge(&self, into: &mut Self::Value, read: Self::Value) {
        *into = read;
    }

    /// The value as TOML that [`read`](Self::read) would take; `None` where it is not set.
    fn print(&self, value: &Self::Value) -> Option<String>;

    /// What is taken, in a few words.
    fn describe(&self) -> String;
}

/// A form and the place of its value.
pub(super) struct At<F: Form>(pub(super) F, pub(super) fn(&mut Config) -> &mut F::Value);

/// [`At`] without its type.
pub(super) trait Field: Sync {
    fn takes(&self) -> Takes;
    fn read(&self, raw: &Raw, into: &mut Config) -> Result<(), String>;
    fn print(&self, config: &mut Config) -> Option<String>;
    #[cfg(test)]
    fn describe(&self) -> String;
}

impl<F: Form> Field for At<F> {
    fn takes(&self) -> Takes {
        self.0.takes()
    }

    fn read(&self, raw: &Raw, into: &mut Config) -> Result<(), String> {
        let read = self.0.read(raw)?;
        self.0.merge((self.1)(into), read);
        Ok(())
    }

    fn print(&self, config: &mut Config) -> Option<String> {
        self.0.print((self.1)(config))
    }

    #[cfg(test)]
    fn describe(&self) -> String {
        self.0.describe()
    }
}

/// A text as a TOML string.
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

/// Digits that may stand in an advice.
fn is_short_number(text: &str) -> bool {
    (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}
