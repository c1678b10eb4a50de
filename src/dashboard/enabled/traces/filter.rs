//! Which traces a list shows, as the query of a URL has it.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::dashboard::enabled::documents::{OverviewRange, query_text, query_value};
use crate::dashboard::enabled::past::time;
use crate::model::{KeepReason, TraceId};
use crate::trace::{StoredTraceQuery, TraceCursor};

/// The maximum number of traces of one page of the list, and the default.
const MAX_LIMIT: usize = 200;
const DEFAULT_LIMIT: usize = 50;
/// The longest duration that a filter may have, in milliseconds: a year.
const MAX_MILLIS: f64 = 366.0 * 86_400_000.0;
/// The longest text of an ID, in bytes.
const MAX_ID: usize = 256;

/// Which traces to list.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::dashboard::enabled) struct TraceFilter {
    pub(super) range: OverviewRange,
    pub(super) route: Option<String>,
    pub(super) min: Option<Duration>,
    pub(super) max: Option<Duration>,
    pub(super) status: Option<RangeInclusive<u16>>,
    pub(super) kept: Option<KeepReason>,
    pub(super) id: Option<SearchedId>,
    pub(super) cursor: TraceCursor,
    pub(super) limit: usize,
}

/// What somebody pasted to find a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dashboard::enabled) enum SearchedId {
    Trace(TraceId),
    /// The lower half of a trace ID, as 16 hexadecimal digits or as a decimal number.
    LowHalf(u64),
    Request(String),
}

impl SearchedId {
    /// What a text most likely is.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.len() > MAX_ID {
            return None;
        }
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
        let low = match text.len() {
            16 if is_hex => u64::from_str_radix(text, 16).ok(),
            17..=20 if is_decimal => text.parse().ok(),
            _ => None,
        };
        Some(match (text.parse(), low) {
            (Ok(id), _) => Self::Trace(id),
            (_, Some(low)) => Self::LowHalf(low),
            _ => Self::Request(text.to_owned()),
        })
    }

    /// Selects the traces with this ID.
    pub(super) fn select(&self, query: StoredTraceQuery) -> StoredTraceQuery {
        match self {
            Self::Trace(id) => query.trace_id(*id),
            Self::LowHalf(low) => query.low_trace_id(*low),
            Self::Request(id) => query.request_id(id),
        }
    }
}

impl TraceFilter {
    /// Reads the query of a URL.
    ///
    /// # Errors
    ///
    /// Returns a sentence that names the part that is not valid.
    pub(in crate::dashboard::enabled) fn of_query(query: &str) -> Result<Self, &'static str> {
        let text = |name| match query_value(query, name) {
            None | Some("") => Ok(None),
            Some(value) => query_text(value)
                .map(Some)
                .ok_or("A part of the query is not encoded as the query of a URL."),
        };
        let range = OverviewRange::of_query(query)
            .ok_or("The range must be 15m, 1h, 6h, 24h, 7d or 30d, or from and to.")?;
        let millis = |name| match text(name)? {
            None => Ok(None),
            Some(value) => duration_of(&value)
                .map(Some)
                .ok_or("min_ms and max_ms must be numbers of milliseconds, from 0 to a year."),
        };
        let status = text("status")?.map(|status| {
            status_of(&status).ok_or("The status must be 1xx to 5xx, or a code from 100 to 599.")
        });
        let kept = text("kept")?.map(|kept| {
            let mut all = KeepReason::ALL.into_iter();
            all.find(|reason| reason.as_str() == kept)
                .ok_or("kept must be panic, timeout, error, captured, slow, parent or head.")
        });
        let id = text("id")?.map(|id| {
            SearchedId::parse(&id)
                .ok_or("The id must be a trace ID or a request ID of at most 256 bytes.")
        });
        let cursor = text("cursor")?.map(|cursor| {
            TraceCursor::parse(&cursor)
                .ok_or("The cursor must be the `next` of an earlier response.")
        });
        let limit = text("limit")?.map(|limit| {
            let limit = limit
                .parse()
                .ok()
                .filter(|limit| (1..=MAX_LIMIT).contains(limit));
            limit.ok_or("The limit must be a number from 1 to 200.")
        });
        Ok(Self {
            range,
            route: text("route")?,
            min: millis("min_ms")?,
            max: millis("max_ms")?,
            status: status.transpose()?,
            kept: kept.transpose()?,
            id: id.transpose()?,
            cursor: cursor.transpose()?.unwrap_or(TraceCursor::START),
            limit: limit.transpose()?.unwrap_or(DEFAULT_LIMIT),
        })
    }

    /// The range in milliseconds since the Unix epoch.
    pub(super) fn bounds(&self, now: u64) -> (u64, u64) {
        match self.range {
            OverviewRange::Last(length) => (now.saturating_sub(length), now),
            OverviewRange::Between(from, to) => (from, to),
        }
    }

    /// The traces of the range and of the route: those that the selected ones are compared with.
    pub(super) fn base_query(&self, now: u64) -> StoredTraceQuery {
        let (from, to) = self.bounds(now);
        let mut query = StoredTraceQuery::default().since(time(from));
        if matches!(self.range, OverviewRange::Between(..)) {
            query = query.until(time(to));
        }
        match &self.route {
            Some(route) => query.route(route),
            None => query,
        }
    }

    /// The traces that the list shows. An ID is searched at all times.
    pub(super) fn query(&self, now: u64) -> StoredTraceQuery {
        if let Some(id) = &self.id {
            return id.select(StoredTraceQuery::default().limit(self.limit));
        }
        let mut query = self.base_query(now).limit(self.limit);
        if let Some(min) = self.min {
            query = query.min_duration(min);
        }
        if let Some(max) = self.max {
            query = query.max_duration(max);
        }
        if let Some(status) = &self.status {
            query = query.status(status.clone());
        }
        if let Some(kept) = self.kept {
            query = query.kept(kept);
        }
        query
    }

    /// Whether it selects among the traces of the range and route.
    pub(super) fn selects(&self) -> bool {
        self.min.is_some() || self.max.is_some() || self.status.is_some() || self.kept.is_some()
    }
}

fn duration_of(text: &str) -> Option<Duration> {
    let millis: f64 = text.parse().ok()?;
    let is_valid = (0.0..=MAX_MILLIS).contains(&millis);
    is_valid.then(|| Duration::from_secs_f64(millis / 1000.0))
}

fn status_of(text: &str) -> Option<RangeInclusive<u16>> {
    if let Some(class) = text.strip_suffix("xx") {
        let class: u16 = class.parse().ok().filter(|class| (1..=5).contains(class))?;
        return Some(class * 100..=class * 100 + 99);
    }
    let code = text
        .parse()
        .ok()
        .filter(|code| (100..=599).contains(code))?;
    Some(code..=code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read_and_what_is_not_valid_is_named() {
        let all = "range=6h&route=%2Forders%2F%7Bid%7D&min_ms=1.5&max_ms=2000&status=5xx&kept=slow&cursor=ff-10&limit=7";
        let filter = TraceFilter::of_query(all).unwrap();
        assert_eq!(filter.route.as_deref(), Some("/orders/{id}"));
        assert_eq!(filter.min, Some(Duration::from_micros(1500)));
        assert_eq!(filter.max, Some(Duration::from_secs(2)));
        assert_eq!(filter.status, Some(500..=599));
        assert_eq!(filter.kept, Some(KeepReason::Slow));
        assert_eq!(
            (filter.cursor.to_string().as_str(), filter.limit),
            ("ff-10", 7)
        );
        assert!(filter.selects());
        let least = TraceFilter::of_query("range=1h&route=&status=").unwrap();
        assert_eq!((least.limit, least.route.as_deref()), (DEFAULT_LIMIT, None));
        assert!(!least.selects());
        for wrong in [
            "",
            "range=2h",
            "range=1h&status=6xx",
            "range=1h&status=99",
            "range=1h&min_ms=-1",
            "range=1h&max_ms=NaN",
            "range=1h&max_ms=1e300",
            "range=1h&kept=loud",
            "range=1h&cursor=1",
            "range=1h&limit=0",
            "range=1h&limit=201",
            "range=1h&route=%zz",
        ] {
            let sentence = TraceFilter::of_query(wrong).unwrap_err();
            assert!(sentence.ends_with('.'), "{wrong}");
        }
        assert!(TraceFilter::of_query(&format!("range=1h&id={}", "x".repeat(257))).is_err());
    }

    #[test]
    fn the_forms_of_an_id_are_told_apart() {
        let whole = "4f1c8a0b7d2e4e5f93a1c6d0b8f79e02";
        let low = 0x93a1_c6d0_b8f7_9e02_u64;
        for (text, id) in [
            (whole, SearchedId::Trace(whole.parse().unwrap())),
            (
                " 4F1C8A0B7D2E4E5F93A1C6D0B8F79E02 ",
                SearchedId::Trace(whole.parse().unwrap()),
            ),
            ("93a1c6d0b8f79e02", SearchedId::LowHalf(low)),
            (
                "10638104012351938050",
                SearchedId::LowHalf(10_638_104_012_351_938_050),
            ),
            // More than 64 bits.
            (
                "99999999999999999999",
                SearchedId::Request("99999999999999999999".to_owned()),
            ),
            (
                "01J0QF8V3E6T9W",
                SearchedId::Request("01J0QF8V3E6T9W".to_owned()),
            ),
            // A UUID is what most proxies send.
            (
                "4f1c8a0b-7d2e-4e5f-93a1-c6d0b8f79e02",
                SearchedId::Request("4f1c8a0b-7d2e-4e5f-93a1-c6d0b8f79e02".to_owned()),
            ),
        ] {
            assert_eq!(SearchedId::parse(text), Some(id), "{text}");
        }
        assert_eq!(SearchedId::parse("  "), None);
    }
}
