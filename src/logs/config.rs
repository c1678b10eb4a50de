use std::time::Duration;

use crate::model::ExplicitKeys;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LogFormat {
    /// Pretty on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For reading by eye: time, level, message, then `key=value`.
    Pretty,
}

/// Which requests get a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RequestLogs {
    /// Every request.
    #[default]
    All,
    /// None.
    Off,
    /// Those that failed and those that took longer than [`LogsConfig::slow`].
    ErrorsAndSlow,
}

/// What is written as lines, and how.
///
/// ```
/// use watchpost::logs::{LogFormat, LogsConfig};
///
/// let config = LogsConfig::default().format(LogFormat::Json).level("info,hyper=off");
/// assert!(config.console);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogsConfig {
    /// Whether lines go to the standard output.
    pub console: bool,
    /// How they look.
    pub format: LogFormat,
    /// Which requests get a line.
    pub requests: RequestLogs,
    /// From which duration on a request is slow.
    pub slow: Duration,
    /// Which events get a line: directives such as `info,hyper=off,my_crate::db=debug`.
    pub level: String,
    pub(crate) explicit: ExplicitKeys,
}

impl LogsConfig {
    /// Lines go to the standard output.
    pub const DEFAULT_CONSOLE: bool = true;
    /// From one second on a request is slow.
    pub const DEFAULT_SLOW: Duration = Duration::from_secs(1);
    /// Events from `INFO` up.
    pub const DEFAULT_LEVEL: &'static str = "info";

    /// Whether lines go to the standard output. Default: [`DEFAULT_CONSOLE`](Self::DEFAULT_CONSOLE).
    #[must_use]
    pub fn console(mut self, console: bool) -> Self {
        self.explicit.add("log.console");
        self.console = console;
        self
    }

    /// How lines look. Default: [`LogFormat::Auto`].
    #[must_use]
    pub fn format(mut self, format: LogFormat) -> Self {
        self.explicit.add("log.format");
        self.format = format;
        self
    }

    /// Which requests get a line. Default: [`RequestLogs::All`].
    #[must_use]
    pub fn requests(mut self, requests: RequestLogs) -> Self {
        self.explicit.add("log.requests");
        self.requests = requests;
        self
    }

    /// From which duration on a request is slow. Default: [`DEFAULT_SLOW`](Self::DEFAULT_SLOW).
    #[must_use]
    pub fn slow(mut self, slow: Duration) -> Self {
        self.explicit.add("log.slow");
        self.slow = slow;
        self
    }

    /// Which events get a line: directives as in the section "Levels" of [the module](crate::logs). Default:
    /// [`DEFAULT_LEVEL`](Self::DEFAULT_LEVEL).
    #[must_use]
    pub fn level(mut self, level: impl Into<String>) -> Self {
        self.explicit.add("log.level");
        self.level = level.into();
        self
    }
}

impl Default for LogsConfig {
    fn default() -> Self {
        Self {
            console: Self::DEFAULT_CONSOLE,
            format: LogFormat::default(),
            requests: RequestLogs::default(),
            slow: Self::DEFAULT_SLOW,
            level: Self::DEFAULT_LEVEL.to_owned(),
            explicit: ExplicitKeys::default(),
        }
    }
}

/// Who writes the lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServiceFields {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) instance: Option<String>,
}
