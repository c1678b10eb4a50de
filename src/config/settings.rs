use std::fmt;

/// The effective settings and the source of each. Returned by [`Monitor::settings`](crate::Monitor::settings).
///
/// `Display` prints one setting per line, as TOML: `key = value  # origin`. Secrets are redacted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(pub(super) Vec<ResolvedSetting>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvedSetting {
    pub(super) key: &'static str,
    /// The value as TOML, redacted if it is a secret.
    pub(super) value: Option<String>,
    pub(super) origin: String,
}

impl Settings {
    /// Returns the value of a key as TOML, redacted if it is a secret. `None` if the setting has no value or the key does
    /// not exist.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.find(key)?.value.as_deref()
    }

    /// Returns the source of a value: `default`, `file watchpost.toml line 3`, `variable WATCHPOST_LOG`, `call
    /// .log_level(..)`. `None` if the key does not exist.
    pub fn origin(&self, key: &str) -> Option<&str> {
        Some(&self.find(key)?.origin)
    }

    /// Returns every key, in the order of the [table](crate::config#the-settings).
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|each| each.key)
    }

    fn find(&self, key: &str) -> Option<&ResolvedSetting> {
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
