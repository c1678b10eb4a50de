use std::time::Duration;

use crate::model::ExplicitKeys;

/// How often the rules are evaluated, and which rules there are from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlertsConfig {
    /// The time from one evaluation of all rules to the next.
    pub interval: Duration,
    /// Whether the default rules are there.
    pub default_rules: bool,
    /// The path of the file with rules.
    pub file: Option<String>,
    pub(crate) explicit: ExplicitKeys,
}

impl AlertsConfig {
    /// The default time between evaluations: 30 s.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);

    /// Sets the time from one evaluation of all rules to the next, from 1 s to 1 h: `alerts.interval`. Default: 30 s.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.explicit.add("alerts.interval");
        self.interval = interval;
        self
    }

    /// Sets whether the [default rules](crate::alerts#default-rules) are there: `alerts.default_rules`. Default: `true`.
    #[must_use]
    pub fn default_rules(mut self, default_rules: bool) -> Self {
        self.explicit.add("alerts.default_rules");
        self.default_rules = default_rules;
        self
    }

    /// Sets the path of the [file with rules](crate::alerts#rules-in-a-file): `alerts.file`. Default: none.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>) -> Self {
        self.explicit.add("alerts.file");
        self.file = Some(path.into());
        self
    }
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self {
            interval: Self::DEFAULT_INTERVAL,
            default_rules: true,
            file: None,
            explicit: ExplicitKeys::default(),
        }
    }
}
