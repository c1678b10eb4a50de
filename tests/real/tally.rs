//! The counts of the client.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::AnyError;

/// The values that identify a kind of request in series and log lines. Absent values are empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    method: String,
    route: String,
    status: String,
    outcome: String,
    error_type: String,
}

impl Key {
    /// The values for a request whose end the client knows.
    pub(crate) fn new(method: &str, route: &str, status: Option<u16>, outcome: &str) -> Self {
        let status = status.map(|status| status.to_string()).unwrap_or_default();
        let error_type = if status.starts_with('5') {
            status.clone()
        } else if matches!(
            outcome,
            "completed" | "upgraded" | "cancelled" | "body_dropped"
        ) {
            String::new()
        } else {
            outcome.to_owned()
        };
        let [method, route, outcome] = [method, route, outcome].map(str::to_owned);
        Self {
            method,
            route,
            status,
            outcome,
            error_type,
        }
    }

    /// The values of a series.
    pub(crate) fn of_labels(labels: &BTreeMap<String, String>) -> Self {
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        Self {
            method: label("http_request_method"),
            route: label("http_route"),
            status: label("http_response_status_code"),
            outcome: label("watchpost_outcome"),
            error_type: label("error_type"),
        }
    }

    /// The values of the attributes of a data point.
    pub(crate) fn of_attributes(attributes: &BTreeMap<String, Value>) -> Self {
        let text = |name: &str| {
            let value = attributes.get(name);
            let text = value.and_then(|it| it.as_object()?.values().next()?.as_str());
            text.unwrap_or_default().to_owned()
        };
        Self {
            method: text("http.request.method"),
            route: text("http.route"),
            status: text("http.response.status_code"),
            outcome: text("watchpost.outcome"),
            error_type: text("error.type"),
        }
    }

    /// The values of the log line of a request.
    pub(crate) fn of_line(line: &Value) -> Self {
        let field = |name: &str| match &line[name] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self {
            method: field("http.request.method"),
            route: field("http.route"),
            status: field("http.response.status_code"),
            outcome: field("watchpost.outcome"),
            error_type: field("error.type"),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            method,
            route,
            status,
            outcome,
            error_type,
        } = self;
        write!(
            f,
            "{method} {route} status={status} {outcome} error.type={error_type}"
        )
    }
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: BTreeMap<Key, u64>,
    /// The trace IDs of the responses.
    pub(crate) traces: Vec<String>,
    /// The number of web sockets that were opened and closed.
    pub(crate) sockets: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, key: Key) {
        *self.counts.entry(key).or_default() += 1;
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Checks that both have the same counts for each kind, and no others.
    pub(crate) fn compare(&self, theirs: &BTreeMap<Key, u64>) -> Result<String, AnyError> {
        let mut keys: Vec<&Key> = self.counts.keys().chain(theirs.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        let count = |counts: &BTreeMap<Key, u64>, key| counts.get(key).copied().unwrap_or_default();
        let differ: Vec<String> = keys
            .iter()
            .map(|key| (key, count(&self.counts, key), count(theirs, key)))
            .filter(|(_, ours, theirs)| ours != theirs)
            .map(|(key, ours, theirs)| format!("{key}: {theirs}, the client had {ours}"))
            .collect();
        if differ.is_empty() {
            Ok(format!("{} requests of {} kinds", self.total(), keys.len()))
        } else {
            Err(differ.join("; ").into())
        }
    }
}
