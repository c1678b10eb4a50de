//! How values are written that have no form of their own in JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::ser::{Serialize, Serializer};

use crate::logs::TimestampWriter;

/// A duration as a number of milliseconds, with the fraction.
pub(super) struct Millis<'a>(pub(super) &'a Duration);

impl Serialize for Millis<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_secs_f64() * 1e3)
    }
}

/// As [`Millis`]; `null` for `None`.
pub(super) struct OptionalMillis<'a>(pub(super) &'a Option<Duration>);

impl Serialize for OptionalMillis<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(duration) => serializer.serialize_some(&Millis(duration)),
            None => serializer.serialize_none(),
        }
    }
}

/// The level of a log record by its name in capitals, as in log records.
pub(super) struct LevelWord<'a>(pub(super) &'a tracing::Level);

impl Serialize for LevelWord<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

/// A time as RFC 3339 in UTC with six decimals, as in log records.
pub(super) struct Time<'a>(pub(super) &'a SystemTime);

impl Serialize for Time<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let since_epoch = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanos = u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX);
        let mut text = Vec::new();
        TimestampWriter::default().put(&mut text, nanos);
        serializer.serialize_str(&String::from_utf8_lossy(&text))
    }
}

/// As [`Time`]; `null` for `None`.
pub(super) struct OptionalTime<'a>(pub(super) &'a Option<SystemTime>);

impl Serialize for OptionalTime<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(time) => serializer.serialize_some(&Time(time)),
            None => serializer.serialize_none(),
        }
    }
}

/// Pairs as a map. The types keep each key once.
pub(super) struct Map<'a, V>(pub(super) &'a Vec<(String, V)>);

impl<V: Serialize> Serialize for Map<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}
