use std::collections::HashMap;
use std::time::SystemTime;

use super::cursor::LogCursor;
use super::file_search::SearchOutcome;
use super::found::SearchEnd;
use super::line_head::LineHead;
use super::visitor::LineVisitor;
use crate::logs::line_fields::fields;
use crate::model::prefix;

/// The maximum number of different values that are counted.
const MAX_VALUES: usize = 10_000;
/// The maximum number of bytes of a value. A longer one is cut.
const MAX_VALUE: usize = 256;

/// The values of a field, with the number of log records that have each.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogFacet {
    /// The most frequent values, as they are on the line and cut at 256 bytes, the most frequent first.
    pub values: Vec<(String, u64)>,
    /// The records that have another value.
    pub others: u64,
    /// The records that do not have the field.
    pub missing: u64,
    /// Why the search ended.
    pub end: SearchEnd,
    /// How far it got, see [`FoundLogs::reached`](super::FoundLogs::reached).
    pub reached: Option<SystemTime>,
    /// Files that could not be read completely, see [`FoundLogs::unreadable`](super::FoundLogs::unreadable).
    pub unreadable: u32,
}

/// Counts the values of a field.
pub(super) struct FacetCounter {
    name: String,
    values: HashMap<String, u64>,
    others: u64,
    missing: u64,
}

impl FacetCounter {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: super::grammar::canonical_name(name).to_owned(),
            values: HashMap::new(),
            others: 0,
            missing: 0,
        }
    }

    pub(super) fn finish(self, limit: usize, outcome: &SearchOutcome) -> LogFacet {
        let mut values: Vec<_> = self.values.into_iter().collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let rest = values.split_off(limit.min(values.len()));
        let of_rest: u64 = rest.iter().map(|(_, count)| count).sum();
        LogFacet {
            values,
            others: self.others + of_rest,
            missing: self.missing,
            end: outcome.end,
            reached: outcome.progress.reached_time(),
            unreadable: outcome.progress.unreadable,
        }
    }
}

impl LineVisitor for FacetCounter {
    fn visit(&mut self, line: &str, _head: LineHead, _cursor: LogCursor) {
        let mut all = fields(line);
        let Some((_, value)) = all.find(|(key, _)| *key == self.name) else {
            self.missing += 1;
            return;
        };
        let value = prefix(value.as_text(), MAX_VALUE);
        if let Some(count) = self.values.get_mut(value) {
            *count += 1;
        } else if self.values.len() < MAX_VALUES {
            self.values.insert(value.to_owned(), 1);
        } else {
            self.others += 1;
        }
    }
}
