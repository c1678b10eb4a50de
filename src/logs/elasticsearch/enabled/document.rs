//! Log lines as documents with the names of the Elastic Common Schema.

use std::time::Duration;

use serde_json::{Map, Value, map::Entry};

/// The names of a line's fields, and those of a document's.
const NAMES: [(&str, &str); 15] = [
    ("timestamp", "@timestamp"),
    ("level", "log.level"),
    ("target", "log.logger"),
    ("trace_id", "trace.id"),
    ("span_id", "span.id"),
    ("parent_span_id", "parent.id"),
    ("service.instance.id", "service.node.name"),
    ("deployment.environment.name", "service.environment"),
    ("http.request.body.size", "http.request.body.bytes"),
    ("http.response.body.size", "http.response.body.bytes"),
    ("event_id", "event.id"),
    ("exception.type", "error.type"),
    ("exception.message", "error.message"),
    ("code.file.path", "log.origin.file.name"),
    ("code.line.number", "log.origin.file.line"),
];

/// The field with a duration in milliseconds, and that in nanoseconds.
const DURATION: (&str, &str) = ("duration_ms", "event.duration");

/// Names that are objects in other documents, so that a plain value under one of them would be refused.
const OBJECTS: [&str; 20] = [
    "client",
    "code",
    "deployment",
    "event",
    "exception",
    "host",
    "http",
    "log",
    "network",
    "parent",
    "process",
    "rpc",
    "server",
    "service",
    "source",
    "span",
    "trace",
    "url",
    "user",
    "user_agent",
];

/// A document: the day of its index, such as `2026.11.30`, and its JSON in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EcsDocument {
    pub(super) day: String,
    pub(super) json: String,
}

impl EcsDocument {
    /// Makes a document of a log line. `None` if it is not a log line of this crate.
    pub(super) fn of_line(line: &[u8]) -> Option<Self> {
        let fields: Map<String, Value> = serde_json::from_slice(line).ok()?;
        let day = day(fields.get("timestamp")?.as_str()?)?;
        let mut document = Map::new();
        let mut others = Vec::new();
        // The fields of this crate first: their names are theirs whatever the host calls its own.
        for (name, value) in fields {
            if let Some((_, ecs)) = NAMES.iter().find(|(ours, _)| *ours == name) {
                document.insert((*ecs).to_owned(), value);
            } else if name == DURATION.0 {
                document.insert(DURATION.1.to_owned(), nanoseconds(value));
            } else {
                others.push((name, value));
            }
        }
        for (name, value) in others {
            add(&mut document, name, value);
        }
        let json = serde_json::to_string(&document).ok()?;
        Some(Self { day, json })
    }
}

/// Adds a field whose name stays, if nothing speaks against it.
fn add(document: &mut Map<String, Value>, name: String, value: Value) {
    let is_plain = !value.is_object();
    // What most hosts call the text of an error.
    let name = if name == "error" && is_plain {
        "error.message".to_owned()
    } else if is_plain && OBJECTS.contains(&&*name) {
        format!("attributes.{name}")
    } else {
        name
    };
    match document.entry(name) {
        Entry::Vacant(entry) => {
            entry.insert(value);
        }
        Entry::Occupied(entry) => {
            let name = format!("attributes.{}", entry.key());
            document.insert(name, value);
        }
    }
}

/// The day of a time such as `2026-11-30T11:06:11.621101Z`.
fn day(timestamp: &str) -> Option<String> {
    let (date, rest) = timestamp.split_at_checked(10)?;
    let is_date = date.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    (is_date && rest.starts_with('T')).then(|| date.replace('-', "."))
}

fn nanoseconds(millis: Value) -> Value {
    let duration = millis
        .as_f64()
        .and_then(|millis| Duration::try_from_secs_f64(millis / 1e3).ok());
    let nanos = duration.and_then(|it| u64::try_from(it.as_nanos()).ok());
    nanos.map_or(millis, Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(line: &str) -> Value {
        let document = EcsDocument::of_line(line.as_bytes()).unwrap();
        assert_eq!(document.day, "2026.11.29");
        assert!(!document.json.contains('\n'));
        serde_json::from_str(&document.json).unwrap()
    }

    #[test]
    fn the_record_of_a_request_has_names_of_the_schema() {
        let document = converted(
            r#"{"timestamp":"2026-11-29T11:06:11.621101Z","level":"ERROR","message":"GET /orders/{id} 500 1.101 ms","service.name":"shop","service.instance.id":"a-1","deployment.environment.name":"test","trace_id":"4433808d45890a008fb200197c911045","span_id":"22b5b5514c4d2b63","parent_span_id":"1","http.request.method":"GET","http.route":"/orders/{id}","http.response.status_code":500,"watchpost.outcome":"completed","error.type":"500","time_to_headers_ms":1.101,"duration_ms":1.101,"http.request.body.size":3,"http.response.body.size":0}"#,
        );
        let expected = serde_json::json!({
            "@timestamp": "2026-11-29T11:06:11.621101Z", "log.level": "ERROR", "message": "GET /orders/{id} 500 1.101 ms",
            "service.name": "shop", "service.node.name": "a-1", "service.environment": "test",
            "trace.id": "4433808d45890a008fb200197c911045", "span.id": "22b5b5514c4d2b63", "parent.id": "1",
            "http.request.method": "GET", "http.route": "/orders/{id}", "http.response.status_code": 500,
            "watchpost.outcome": "completed", "error.type": "500", "time_to_headers_ms": 1.101,
            "event.duration": 1_101_000, "http.request.body.bytes": 3, "http.response.body.bytes": 0,
        });
        assert_eq!(document, expected);
    }

    #[test]
    fn the_record_of_an_error_has_names_of_the_schema() {
        let document = converted(
            r#"{"timestamp":"2026-11-29T11:06:11.621101Z","level":"ERROR","message":"m","event_id":"e","exception.type":"Io","exception.message":"no","exception.causes":["a"],"code.file.path":"src/a.rs","code.line.number":7}"#,
        );
        assert_eq!(document["event.id"], "e");
        assert_eq!(document["error.type"], "Io");
        assert_eq!(document["error.message"], "no");
        assert_eq!(document["log.origin.file.name"], "src/a.rs");
        assert_eq!(document["log.origin.file.line"], 7);
        assert_eq!(document["exception.causes"], serde_json::json!(["a"]));
    }

    #[test]
    fn fields_of_the_host_do_not_take_the_names_of_objects_or_of_ours() {
        let document = converted(
            r#"{"timestamp":"2026-11-29T11:06:11.621101Z","level":"WARN","message":"m","target":"shop","error":"it broke","user":"ann","trace_id":"t","trace.id":"mine","order":7,"url":{"path":"/a"}}"#,
        );
        assert_eq!(document["error.message"], "it broke");
        assert_eq!(document["attributes.user"], "ann");
        assert_eq!(document["trace.id"], "t");
        assert_eq!(document["attributes.trace.id"], "mine");
        assert_eq!(document["log.logger"], "shop");
        assert_eq!(document["order"], 7);
        assert_eq!(document["url"]["path"], "/a");
        assert!(document.get("user").is_none() && document.get("error").is_none());
    }

    #[test]
    fn other_lines_are_no_documents() {
        for line in [
            "",
            "text",
            "7",
            "[]",
            "{}",
            r#"{"timestamp":7}"#,
            r#"{"timestamp":"now"}"#,
            r#"{"timestamp":"2026/11/29T00:00:00Z"}"#,
            r#"{"timestamp":"é026-11-29T00:00:00Z"}"#,
            r#"{"timestamp":"2026-11-29"}"#,
            r#"{"timestamp":"2026-11-29T00:00:00Z""#,
        ] {
            assert_eq!(EcsDocument::of_line(line.as_bytes()), None, "{line}");
        }
        let odd = br#"{"timestamp":"2026-11-29T00:00:00Z","duration_ms":"long"}"#;
        let odd = EcsDocument::of_line(odd).unwrap();
        assert_eq!(
            odd.json,
            r#"{"@timestamp":"2026-11-29T00:00:00Z","event.duration":"long"}"#
        );
    }
}
