use super::sentry::Dsn;
use crate::model::ExplicitKeys;

/// Which captured errors get a backtrace. A backtrace costs about ten times the rest of a capture.
///
/// Resolving the first backtrace takes about 40 MB of memory in a release build, and up to the size of the program's
/// file more with debug information; the standard library keeps it. Backtraces are not resolved while less than 64 MiB
/// and the size of the program's file are available under a memory limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Backtraces {
    /// The first five errors of one type at one location; all errors if `RUST_LIB_BACKTRACE` or `RUST_BACKTRACE` is
    /// set and not `0`.
    #[default]
    First,
    /// All errors, except those that are captured while another backtrace is being resolved.
    All,
    /// No errors.
    Off,
}

/// Settings of error capture: backtraces, storage and Sentry.
///
/// The fields are the settings `errors.backtraces`, `errors.max_stored_bytes`, `sentry.environment` and
/// `sentry.release`. The [table](crate::config#the-settings) of settings also lists their variables and ranges.
///
/// ```
/// use watchpost::errors::{Backtraces, ErrorsConfig};
///
/// let config = ErrorsConfig::default()
///     .backtraces(Backtraces::Off)
///     .max_stored_bytes(16 << 20);
/// assert_eq!(config.max_stored_bytes, 16_777_216);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorsConfig {
    /// The DSN that events are sent to. Set with [`MonitorBuilder::sentry_dsn`](crate::MonitorBuilder::sentry_dsn),
    /// because a DSN is a secret.
    pub(crate) dsn: Option<Dsn>,
    /// The environment of events at Sentry. If `None`, the service's environment is used.
    pub sentry_environment: Option<String>,
    /// The release of events at Sentry. If `None`, the service's version is used.
    pub sentry_release: Option<String>,
    /// Selects the errors that get a backtrace. Default: [`Backtraces::First`].
    pub backtraces: Backtraces,
    /// The maximum total size of the files in which events are stored, in bytes, from 4 MiB to 1 GiB. Default: 64 MiB.
    pub max_stored_bytes: usize,
    pub(crate) explicit: ExplicitKeys,
}

impl Default for ErrorsConfig {
    fn default() -> Self {
        Self {
            dsn: None,
            sentry_environment: None,
            sentry_release: None,
            backtraces: Backtraces::default(),
            max_stored_bytes: Self::DEFAULT_MAX_STORED_BYTES,
            explicit: ExplicitKeys::default(),
        }
    }
}

impl ErrorsConfig {
    /// The default size limit of stored events: 64 MiB, or about 30,000 events.
    pub const DEFAULT_MAX_STORED_BYTES: usize = 64 << 20;

    /// Sets the maximum total size of the files in which events are stored, in bytes, from 4 MiB to 1 GiB. When it is
    /// reached, the oldest events are removed. Default: 64 MiB, or about 30,000 events.
    #[must_use]
    pub fn max_stored_bytes(mut self, bytes: usize) -> Self {
        self.explicit.add("errors.max_stored_bytes");
        self.max_stored_bytes = bytes;
        self
    }

    /// Sets the environment of events at Sentry: 1 to 255 characters in one line. Default: the service's environment.
    #[must_use]
    pub fn sentry_environment(mut self, environment: impl Into<String>) -> Self {
        self.explicit.add("sentry.environment");
        self.sentry_environment = Some(environment.into());
        self
    }

    /// Sets the release of events at Sentry: 1 to 255 characters in one line. Default: the service's version.
    #[must_use]
    pub fn sentry_release(mut self, release: impl Into<String>) -> Self {
        self.explicit.add("sentry.release");
        self.sentry_release = Some(release.into());
        self
    }

    /// Sets which errors get a backtrace. Default: [`Backtraces::First`].
    #[must_use]
    pub fn backtraces(mut self, backtraces: Backtraces) -> Self {
        self.explicit.add("errors.backtraces");
        self.backtraces = backtraces;
        self
    }
}
