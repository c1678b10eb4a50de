use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::Level;

use super::grammar::{LogSeverity, micros_of_timestamp};

/// The bytes of a line before its time, of the time, and between it and the level.
const BEFORE_TIME: &str = "{\"timestamp\":\"";
const TIME: usize = 27;
const BEFORE_LEVEL: &str = "\",\"level\":\"";

/// What is known of a line from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LineHead {
    /// Microseconds since the Unix epoch.
    pub(super) micros: u64,
    pub(super) severity: LogSeverity,
}

impl LineHead {
    /// `None` if the line is not ours.
    #[inline]
    pub(super) fn read(line: &str) -> Option<Self> {
        let (time, rest) = line.strip_prefix(BEFORE_TIME)?.split_at_checked(TIME)?;
        let level = rest.strip_prefix(BEFORE_LEVEL)?;
        let level = level.get(..level.bytes().take(6).position(|byte| byte == b'"')?)?;
        Some(Self {
            micros: micros_of_timestamp(time.as_bytes())?,
            severity: LogSeverity::parse(level)?,
        })
    }

    pub(super) fn time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(self.micros)
    }

    pub(super) fn level(self) -> Level {
        level_of(self.severity)
    }
}

pub(super) fn level_of(severity: LogSeverity) -> Level {
    match severity {
        LogSeverity::Trace => Level::TRACE,
        LogSeverity::Debug => Level::DEBUG,
        LogSeverity::Info => Level::INFO,
        LogSeverity::Warn => Level::WARN,
        LogSeverity::Error => Level::ERROR,
    }
}
