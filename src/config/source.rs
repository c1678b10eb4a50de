//! A value as a source gives it, where it came from, and the text of a problem with it.

use std::fmt;
use std::path::PathBuf;

use super::mask;
use super::table::own_variable;
use super::value::RawValue;

/// A value that a source gives for a setting as text.
pub(super) struct TextValue {
    pub(super) raw: RawValue,
    pub(super) origin: ValueOrigin,
    /// A bad value is a warning, and the next source is used.
    pub(super) warns: bool,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ValueOrigin {
    Default,
    File {
        path: PathBuf,
        line: usize,
    },
    Variable(&'static str),
    /// `WATCHPOST_<KEY>` of a key.
    OwnVariable(&'static str),
    /// A variable, and one attribute of the list in it.
    Attribute(&'static str, &'static str),
    /// A call in code, as the host wrote it.
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

/// `key = value (origin): what is wrong; what to write`, in one line. The value is masked already.
pub(super) fn problem(key: &str, shown: &str, origin: &dyn fmt::Display, advice: &str) -> String {
    format!("{key} = {shown} ({origin}): {advice}")
}
