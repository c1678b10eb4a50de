use std::fmt;

/// The settings as they hold, with where each came from; what `monitor.settings()` returns.
///
/// `Display` prints one a line, as TOML: `key = value  # origin`. Secrets are masked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(pub(super) Vec<Resolution>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolution {
    pub(super) key: &'static str,
    /// Masked TOML.
    pub(super) value: Option<String>,
    pub(super) origin: String,
}

impl Settings {
    /// The value of a key as TOML, masked where it is a secret; `None` where it is not set or there
    /// is no such key.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.find(key)?.value.as_deref()
    }

    /// Where the value came from: `default`, `file watchpost.toml line 3`, `variable WATCHPOST_LOG`,
    /// `call log_level(..)`. `None` where there is no such key.
    pub fn origin(&self, key: &str) -> Option<&str> {
        Some(&self.find(key)?.origin)
    }

    /// Every key, in the order of the guide's table.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|each| each.key)
    }

    fn find(&self, key: &str) -> Option<&Resolution> {
        self.0.iter().find(|each| each.key == key)
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|each| match &each.value {
            Some(value) => writeln!(f, "{} = {value}  # {}", each.key, each.origin),
            None => writeln!(f, "# {} is not set", each.key),
        })
    }
}
