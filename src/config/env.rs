//! The one reader of the environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

/// A copy of the environment, taken once. Its `Debug` prints no value.
#[derive(Clone, Default)]
pub(crate) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// What this process was started with, if it is to be read; else no variable at all.
    pub(crate) fn of_process(read: bool) -> Self {
        let all = read.then(std::env::vars_os);
        Self(all.into_iter().flatten().collect())
    }

    /// These variables alone.
    #[cfg(test)]
    pub(crate) fn of<K: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let variables = variables.into_iter().map(|(k, v)| (k.into(), v.into()));
        Self(variables.collect())
    }

    /// A variable that is set and not empty: an empty one counts as unset, as OpenTelemetry asks.
    pub(crate) fn value(&self, name: &str) -> Option<&OsStr> {
        let value = self.0.get(OsStr::new(name))?;
        (!value.is_empty()).then_some(value)
    }

    /// [`value`](Self::value) as text; `None` where it is not UTF-8.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.to_str()
    }

    /// Whether backtraces are asked for, as the standard library reads it.
    pub(crate) fn asks_for_backtraces(&self) -> bool {
        let asked = |name| self.value(name).map(|value| value != "0");
        asked("RUST_LIB_BACKTRACE")
            .or_else(|| asked("RUST_BACKTRACE"))
            .unwrap_or_default()
    }

    /// The names that start with `prefix`, in order.
    pub(super) fn names_with(&self, prefix: &str) -> impl Iterator<Item = String> {
        self.0
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, _)| name.to_string_lossy())
            .filter(move |name| name.starts_with(prefix))
            .map(std::borrow::Cow::into_owned)
    }
}

/// The name of the program as its crate has it: what its own `tracing` targets begin with, as a rule.
pub(crate) fn program() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    Some(path.file_stem()?.to_str()?.replace('-', "_"))
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.0.len())
    }
}
