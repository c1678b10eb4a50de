//! Settings made by calls in code.

use std::fmt;

use super::Config;
use super::value::RawValue;

/// The settings that one call in code makes.
#[derive(Clone)]
pub(crate) struct CodeSettings {
    /// The call as written in the host's code, such as `.log_level(..)`.
    pub(super) call: &'static str,
    pub(super) values: CodeValues,
}

#[derive(Clone)]
pub(super) enum CodeValues {
    /// The value of one setting as the host passed it, such as a DSN or a URL.
    Text { key: &'static str, raw: RawValue },
    /// The values of these keys in `config`, and of all other keys that differ from their defaults there.
    Typed {
        keys: Vec<&'static str>,
        config: Box<Config>,
    },
}

impl CodeSettings {
    /// Creates a setting that the host gives as text.
    pub(crate) fn text(call: &'static str, key: &'static str, text: impl Into<String>) -> Self {
        let raw = RawValue::Text(text.into());
        Self {
            call,
            values: CodeValues::Text { key, raw },
        }
    }

    /// Creates a list setting whose items the host gives as text.
    pub(crate) fn items(call: &'static str, key: &'static str, items: Vec<String>) -> Self {
        let raw = RawValue::Items(items);
        Self {
            call,
            values: CodeValues::Text { key, raw },
        }
    }

    /// Creates the settings that `set` makes. Those of `keys` are included even if they keep their defaults.
    pub(crate) fn typed(
        call: &'static str,
        keys: &[&'static str],
        set: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Box::<Config>::default();
        set(&mut config);
        let mut keys = keys.to_vec();
        keys.extend(config.explicit_keys());
        Self {
            call,
            values: CodeValues::Typed { keys, config },
        }
    }

    /// Returns the keys that are certainly set, for `Debug`.
    pub(crate) fn keys(&self) -> &[&'static str] {
        match &self.values {
            CodeValues::Text { key, .. } => std::slice::from_ref(key),
            CodeValues::Typed { keys, .. } => keys,
        }
    }
}

impl fmt::Debug for CodeSettings {
    /// Omits the values, because some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} by {}", self.keys(), self.call)
    }
}
