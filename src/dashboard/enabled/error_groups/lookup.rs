//! Which group a page is about: one by its number, or that of an event.

use crate::dashboard::enabled::documents::{OverviewRange, query_text, query_value};
use crate::dashboard::enabled::setup::DashboardSetup;
use crate::errors::{ErrorGroup, ErrorQuery};
use crate::logs::{LogQuery, LogRecord};
use crate::model::EventId;
use crate::semconv;
use crate::trace::AttributeValue;

/// Keys of the log record of a captured error.
const EVENT_ID: &str = "event_id";
const CODE_FILE: &str = "code.file.path";
const CODE_LINE: &str = "code.line.number";
/// How many log records are looked at for that of an event.
const MAX_RECORDS: usize = 2000;

/// The query of the page of a group.
#[derive(Debug, Clone)]
pub(in crate::dashboard::enabled) struct ErrorRequest {
    pub(super) range: OverviewRange,
    pub(super) wanted: WantedGroup,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WantedGroup {
    Number(u64),
    OfEvent(EventId),
}

impl ErrorRequest {
    /// Reads the query of a URL.
    ///
    /// # Errors
    ///
    /// Returns a sentence that names the part that is not valid.
    pub(in crate::dashboard::enabled) fn of_query(query: &str) -> Result<Self, &'static str> {
        let range = OverviewRange::of_query(query)
            .ok_or("The range must be 15m, 1h, 6h, 24h, 7d or 30d, or from and to.")?;
        let wanted = match (query_value(query, "id"), query_value(query, "event")) {
            (Some(id), _) => id.parse().ok().map(WantedGroup::Number),
            (None, Some(event)) => query_text(event)
                .and_then(|event| event.parse().ok())
                .map(WantedGroup::OfEvent),
            (None, None) => None,
        };
        let wanted = wanted.ok_or(
            "The id must be the number of a group of errors, or event the ID of a captured error.",
        )?;
        Ok(Self { range, wanted })
    }
}

/// Finds the group.
pub(super) fn find(setup: &DashboardSetup, wanted: WantedGroup) -> Option<ErrorGroup> {
    let errors = setup.errors.error_groups();
    match wanted {
        WantedGroup::Number(number) => errors.show(number),
        WantedGroup::OfEvent(id) => {
            let groups = errors.list(&ErrorQuery::default());
            let holds = |group: &&ErrorGroup| {
                group.last_event == id || group.samples.iter().any(|event| event.id == id)
            };
            let found = groups.iter().find(holds);
            found.cloned().or_else(|| by_record(setup, &groups, id))
        }
    }
}

/// The group of an event that is no sample, by the type and the place in its log record.
fn by_record(setup: &DashboardSetup, groups: &[ErrorGroup], id: EventId) -> Option<ErrorGroup> {
    let id = id.to_string();
    let query = LogQuery::default().limit(MAX_RECORDS).without_requests();
    let found = setup.logs.read(&query);
    let is_it = |record: &&LogRecord| text(record, EVENT_ID) == Some(id.as_str());
    let record = found.records.iter().find(is_it)?;
    let (file, line) = (text(record, CODE_FILE)?, integer(record, CODE_LINE)?);
    let place = format!("{file}:{line}:");
    let error_type = text(record, semconv::EXCEPTION_TYPE).unwrap_or_default();
    let of_place = groups
        .iter()
        .filter(|group| group.error_type == error_type && group.location.starts_with(&place));
    // The same place may have groups of several messages.
    let is_same = |group: &&ErrorGroup| group.message == record.message;
    of_place
        .clone()
        .find(is_same)
        .or(of_place.clone().next())
        .cloned()
}

fn text<'a>(record: &'a LogRecord, key: &str) -> Option<&'a str> {
    match field(record, key)? {
        AttributeValue::Str(text) => Some(text),
        _ => None,
    }
}

fn integer(record: &LogRecord, key: &str) -> Option<i64> {
    match field(record, key)? {
        AttributeValue::I64(value) => Some(*value),
        _ => None,
    }
}

fn field<'a>(record: &'a LogRecord, key: &str) -> Option<&'a AttributeValue> {
    let mut fields = record.fields.iter();
    fields.find(|(name, _)| name == key).map(|(_, value)| value)
}
