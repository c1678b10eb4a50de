//! The only module that reads the environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

/// A copy of the environment, taken once. Its `Debug` prints no value.
#[derive(Clone, Default)]
pub(crate) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Copies the environment of this process if `read` is set; otherwise returns an empty environment.
    pub(crate) fn of_process(read: bool) -> Self {
        let all = read.then(std::env::vars_os);
        Self(all.into_iter().flatten().collect())
    }

    /// Creates an environment with only these variables.
    #[cfg(test)]
    pub(crate) fn of<K: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let variables = variables.into_iter().map(|(k, v)| (k.into(), v.into()));
        Self(variables.collect())
    }

    /// Returns a variable that is set and not empty. As OpenTelemetry specifies, an empty variable counts as unset.
    pub(crate) fn value(&self, name: &str) -> Option<&OsStr> {
        let value = self.0.get(OsStr::new(name))?;
        (!value.is_empty()).then_some(value)
    }

    /// Returns [`value`](Self::value) as text; `None` if it is not UTF-8.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.to_str()
    }

    /// Returns whether the environment enables backtraces, by the rules of the standard library.
    pub(crate) fn asks_for_backtraces(&self) -> bool {
        let asked = |name| self.value(name).map(|value| value != "0");
        asked("RUST_LIB_BACKTRACE")
            .or_else(|| asked("RUST_BACKTRACE"))
            .unwrap_or_default()
    }

    /// Returns the names that start with `prefix`, in order.
    pub(super) fn names_with(&self, prefix: &str) -> impl Iterator<Item = String> {
        self.0
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, _)| name.to_string_lossy())
            .filter(move |name| name.starts_with(prefix))
            .map(std::borrow::Cow::into_owned)
    }
}

/// Returns the name of the program in the form of a crate name, which usually is the prefix of its own `tracing`
/// targets.
pub(crate) fn program() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    Some(path.file_stem()?.to_str()?.replace('-', "_"))
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.0.len())
    }
}
