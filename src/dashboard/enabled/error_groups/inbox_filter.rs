//! Which groups the inbox lists, from the query of a URL.

use super::state_counts::STATES;
use crate::dashboard::enabled::documents::{OverviewRange, query_text, query_value};
use crate::errors::{ErrorFilter, ErrorQuery, EventKind};

/// The maximum number of groups of a list.
const MAX_LIMIT: usize = 200;
const DEFAULT_LIMIT: usize = 100;
/// The longest text that is searched for, in bytes.
const MAX_SEARCHED: usize = 256;

/// The order of the groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum InboxOrder {
    /// Regressed, spiking and new ones first, then those with most events in the range.
    #[default]
    Change,
    LastSeen,
    Count,
    Users,
    FirstSeen,
}

const ORDERS: [(&str, InboxOrder); 5] = [
    ("change", InboxOrder::Change),
    ("last", InboxOrder::LastSeen),
    ("count", InboxOrder::Count),
    ("users", InboxOrder::Users),
    ("first", InboxOrder::FirstSeen),
];

const KINDS: [EventKind; 3] = [EventKind::Error, EventKind::Message, EventKind::Panic];

/// The query of the inbox.
#[derive(Debug, Clone)]
pub(in crate::dashboard::enabled) struct InboxFilter {
    pub(super) range: OverviewRange,
    pub(super) state: ErrorFilter,
    /// All conditions but the state.
    pub(super) others: ErrorQuery,
    pub(super) order: InboxOrder,
    pub(super) limit: usize,
}

impl InboxFilter {
    /// Reads the query of a URL.
    ///
    /// # Errors
    ///
    /// Returns a sentence that names the part that is not valid.
    pub(in crate::dashboard::enabled) fn of_query(query: &str) -> Result<Self, &'static str> {
        let text = |name| match query_value(query, name) {
            None | Some("") => Ok(None),
            Some(value) => query_text(value)
                .filter(|text| text.len() <= MAX_SEARCHED)
                .map(Some)
                .ok_or(
                    "A value of the filter is not encoded correctly, or is longer than 256 bytes.",
                ),
        };
        let range = OverviewRange::of_query(query)
            .ok_or("The range must be 15m, 1h, 6h, 24h, 7d or 30d, or from and to.")?;
        let state = query_value(query, "state").unwrap_or("open");
        let state = STATES
            .iter()
            .find(|(name, _)| *name == state)
            .ok_or("The state must be open, new, spiking, regressed, muted, resolved or all.")?;
        let order = query_value(query, "sort").unwrap_or("change");
        let order = ORDERS
            .iter()
            .find(|(name, _)| *name == order)
            .ok_or("The order must be change, last, count, users or first.")?;
        let limit = match query_value(query, "limit") {
            None => DEFAULT_LIMIT,
            Some(limit) => limit
                .parse()
                .ok()
                .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                .ok_or("The limit must be from 1 to 200.")?,
        };
        let mut others = ErrorQuery::default();
        // The empty name stands for events outside a request.
        if query_value(query, "route").is_some() {
            others = others.route(text("route")?.unwrap_or_default());
        }
        if let Some(release) = text("release")? {
            others = others.release(release);
        }
        if let Some(text) = text("text")? {
            others = others.text(text);
        }
        if let Some(kind) = query_value(query, "kind").filter(|kind| !kind.is_empty()) {
            let kind = KINDS.into_iter().find(|it| it.as_str() == kind);
            others = others.kind(kind.ok_or("The kind must be error, message or panic.")?);
        }
        Ok(Self {
            range,
            state: state.1,
            others,
            order: order.1,
            limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_valid_is_named() {
        let read = |query: &str| InboxFilter::of_query(query);
        let filter =
            read("range=6h&state=muted&sort=count&limit=200&route=%2Fa&kind=panic").unwrap();
        assert_eq!((filter.state, filter.limit), (ErrorFilter::Muted, 200));
        assert_eq!(filter.order, InboxOrder::Count);
        for (query, word) in [
            ("range=2h", "range"),
            ("", "range"),
            ("range=1h&state=closed", "state"),
            ("range=1h&sort=size", "order"),
            ("range=1h&limit=0", "limit"),
            ("range=1h&limit=201", "limit"),
            ("range=1h&kind=warning", "kind"),
            ("range=1h&text=%zz", "encoded"),
        ] {
            assert!(read(query).unwrap_err().contains(word), "{query}");
        }
        let long = format!("range=1h&text={}", "x".repeat(257));
        assert!(read(&long).is_err());
    }
}
