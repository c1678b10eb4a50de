use std::path::PathBuf;
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
    /// Whether log records are written to files, if there is a directory for them. Default: `true`.
    pub files: bool,
    /// The directory of the log files. Default: `logs` in the data directory, and no files without one.
    pub dir: Option<PathBuf>,
    /// The maximum size of all log files, in bytes, from 4 MiB to 1 TiB (2 GiB on 32-bit systems). Default: 512 MiB.
    pub max_bytes: usize,
    /// The size in bytes at which a log file is closed, from 64 KiB to 1 GiB. Default: 64 MiB.
    pub max_file_bytes: usize,
    /// The maximum number of closed log files of each name, from 1 to 10,000. Default: 100.
    pub max_files: u32,
    /// The permissions of the log files, as a number of Unix, from `0o600` to `0o664`. Default: `0o640`.
    pub permissions: u32,
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
    /// Log records are written to files by default, if there is a directory for them.
    pub const DEFAULT_FILES: bool = true;
    /// The default maximum size of all log files: 512 MiB.
    pub const DEFAULT_MAX_BYTES: usize = 512 << 20;
    /// The default size at which a log file is closed: 64 MiB.
    pub const DEFAULT_MAX_FILE_BYTES: usize = 64 << 20;
    /// The default maximum number of closed log files of each name: 100.
    pub const DEFAULT_MAX_FILES: u32 = 100;
    /// The default permissions of the log files: the owner reads and writes, the group reads.
    pub const DEFAULT_PERMISSIONS: u32 = 0o640;

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

    /// Sets whether log records are written to [files](crate::logs#files), if there is a directory for them. Default:
    /// `true`.
    #[must_use]
    pub fn files(mut self, files: bool) -> Self {
        self.explicit.add("log.files");
        self.files = files;
        self
    }

    /// Sets the directory of the log files. It is created if it is missing. A second process that has the same directory
    /// uses the sub-directory `2`, a third one `3`. Default: `logs` in the data directory, and no files without one.
    #[must_use]
    pub fn dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.explicit.add("log.dir");
        self.dir = Some(path.into());
        self
    }

    /// Sets the maximum size of all log files, in bytes, from 4 MiB to 1 TiB (2 GiB on 32-bit systems). The oldest files
    /// are removed first. Seven eighths are for `combined.log` and its closed files. Default: 512 MiB.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.explicit.add("log.max_bytes");
        self.max_bytes = bytes;
        self
    }

    /// Sets the size in bytes at which a log file is closed, from 64 KiB to 1 GiB. It is closed sooner if it is larger than a
    /// quarter of its share of [`max_bytes`](Self::max_bytes). Default: 64 MiB.
    #[must_use]
    pub fn max_file_bytes(mut self, bytes: usize) -> Self {
        self.explicit.add("log.max_file_bytes");
        self.max_file_bytes = bytes;
        self
    }

    /// Sets the maximum number of closed log files of each name, from 1 to 10,000. Default: 100.
    #[must_use]
    pub fn max_files(mut self, files: u32) -> Self {
        self.explicit.add("log.max_files");
        self.max_files = files;
        self
    }

    /// Sets the permissions of the log files, as a number of Unix, from `0o600` to `0o664`. Other systems ignore it. Default:
    /// `0o640`.
    #[must_use]
    pub fn permissions(mut self, permissions: u32) -> Self {
        self.explicit.add("log.permissions");
        self.permissions = permissions;
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
            files: Self::DEFAULT_FILES,
            dir: None,
            max_bytes: Self::DEFAULT_MAX_BYTES,
            max_file_bytes: Self::DEFAULT_MAX_FILE_BYTES,
            max_files: Self::DEFAULT_MAX_FILES,
            permissions: Self::DEFAULT_PERMISSIONS,
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
