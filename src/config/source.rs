//! A value from a source, its origin, and the text of a problem with it.

use std::fmt;
use std::path::PathBuf;

use crate::error::Error;

use super::mask;
use super::table::own_variable;
use super::value::RawValue;

/// A value of a setting that a source gives as text.
pub(super) struct TextValue {
    pub(super) raw: RawValue,
    pub(super) origin: ValueOrigin,
    /// Whether an invalid value is only a warning, so that the next source is used.
    pub(super) warns: bool,
}

/// The origin of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ValueOrigin {
    Default,
    File {
        path: PathBuf,
        line: usize,
    },
    Variable(&'static str),
    /// The variable `WATCHPOST_<KEY>` of this key.
    OwnVariable(&'static str),
    /// A variable and the name of an attribute in its list.
    Attribute(&'static str, &'static str),
    /// A call in code, as written in the host's code.
    Call(&'static str),
}

impl fmt::Display for ValueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => {
                let path = mask::escaped(&path.to_string_lossy());
                write!(f, "file {path} line {line}")
            }
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::OwnVariable(key) => write!(f, "variable {}", own_variable(key)),
            Self::Attribute(variable, attribute) => {
                write!(f, "variable {variable}, attribute {attribute}")
            }
            Self::Call(call) => write!(f, "call {call}"),
        }
    }
}

/// Formats a problem as `key = value (origin): what is wrong; what to write`, in one line. The value must already be
/// masked.
pub(super) fn problem(key: &str, shown: &str, origin: &dyn fmt::Display, advice: &str) -> String {
    format!("{key} = {shown} ({origin}): {advice}")
}

/// Returns the error for the value that a call on a running monitor gave for a setting.
pub(crate) fn call_error(key: &str, value: &str, call: &'static str, advice: &str) -> Error {
    let shown = mask::shown(value, false);
    Error::config(vec![problem(key, &shown, &ValueOrigin::Call(call), advice)])
}

/// Returns what to do about an unknown key. `near` is the known key that is probably meant.
pub(super) fn unknown_key_advice(near: Option<&str>) -> String {
    match near {
        Some(near) => {
            format!("the key is not known; write `{near}`, which is the nearest, or remove it")
        }
        None => "the key is not known; remove it".to_owned(),
    }
}
