use std::time::Duration;

use crate::model::ExplicitKeys;

/// The format of log records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LogFormat {
    /// [`Pretty`](Self::Pretty) on a terminal, [`Json`](Self::Json) otherwise.
    #[default]
    Auto,
    /// One JSON object in each line.
    Json,
    /// A human-readable form: time, level, message, then `key=value`.
    Pretty,
}

/// Which requests get a log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RequestLogs {
    /// Every request.
    #[default]
    All,
    /// No request.
    Off,
    /// Requests that failed, and requests that took at least [`LogsConfig::slow`].
    ErrorsAndSlow,
}

/// Settings of log records: their selection, format and output.
///
/// Every field is the setting of the same name under `log`. The [table](crate::config#the-settings) of settings also
/// lists their variables and ranges.
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
    /// Whether log records are written to standard output. Default: `true`.
    pub console: bool,
    /// The format of log records. Default: [`LogFormat::Auto`].
    pub format: LogFormat,
    /// Which requests get a log record. Default: [`RequestLogs::All`].
    pub requests: RequestLogs,
    /// The shortest duration of a slow request, from 1 ms to 1 day. Default: 1 s.
    pub slow: Duration,
    /// The directives that select which events get a log record, such as `info,hyper=off,my_crate::db=debug`.
    /// Default: `info`.
    pub level: String,
    /// The maximum size, in bytes, of the last log records in memory, up to 1 GiB; 0 keeps none. Default: 4 MiB.
    pub recent_bytes: usize,
    pub(crate) explicit: ExplicitKeys,
}

impl LogsConfig {
    /// Log records are written to standard output by default.
    pub const DEFAULT_CONSOLE: bool = true;
    /// The default shortest duration of a slow request: one second.
    pub const DEFAULT_SLOW: Duration = Duration::from_secs(1);
    /// The default directives: events of the levels `INFO`, `WARN` and `ERROR`.
    pub const DEFAULT_LEVEL: &'static str = "info";
    /// The default size of the last log records in memory: 4 MiB, or about 10,000 records.
    pub const DEFAULT_RECENT_BYTES: usize = 4 << 20;

    /// Sets whether log records are written to standard output. Default: `true`.
    #[must_use]
    pub fn console(mut self, console: bool) -> Self {
        self.explicit.add("log.console");
        self.console = console;
        self
    }

    /// Sets the format of log records. Default: [`LogFormat::Auto`].
    #[must_use]
    pub fn format(mut self, format: LogFormat) -> Self {
        self.explicit.add("log.format");
        self.format = format;
        self
    }

    /// Sets which requests get a log record. Default: [`RequestLogs::All`].
    #[must_use]
    pub fn requests(mut self, requests: RequestLogs) -> Self {
        self.explicit.add("log.requests");
        self.requests = requests;
        self
    }

    /// Sets the shortest duration of a slow request, for [`RequestLogs::ErrorsAndSlow`], from 1 ms to 1 day. Default:
    /// 1 s.
    #[must_use]
    pub fn slow(mut self, slow: Duration) -> Self {
        self.explicit.add("log.slow");
        self.slow = slow;
        self
    }

    /// Sets which events get a log record, by [directives](crate::logs#levels). Default: `info`.
    #[must_use]
    pub fn level(mut self, level: impl Into<String>) -> Self {
        self.explicit.add("log.level");
        self.level = level.into();
        self
    }

    /// Sets the maximum size, in bytes, of the last log records in memory, up to 1 GiB; 0 keeps none. Default: 4 MiB.
    #[must_use]
    pub fn recent_bytes(mut self, bytes: usize) -> Self {
        self.explicit.add("log.recent_bytes");
        self.recent_bytes = bytes;
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
            recent_bytes: Self::DEFAULT_RECENT_BYTES,
            explicit: ExplicitKeys::default(),
        }
    }
}

/// The service fields of every log record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServiceFields {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) instance: Option<String>,
}
