//! The index or the data stream that gets the documents, and its template.

use serde_json::{Value, json};

/// The names of the indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexNames {
    name: String,
    is_stream: bool,
}

impl IndexNames {
    pub(super) fn new(name: &str, is_stream: bool) -> Self {
        Self {
            name: name.to_owned(),
            is_stream,
        }
    }

    /// The index of a day. The day of a document is that of its line, so that a document which is sent again goes to the same
    /// index, where its ID is known.
    pub(super) fn of_day(&self, day: &str) -> String {
        if self.is_stream {
            self.name.clone()
        } else {
            format!("{}-{day}", self.name)
        }
    }

    /// The path of the request that creates an index.
    pub(super) fn creation_path(&self, index: &str) -> String {
        if self.is_stream {
            format!("/_data_stream/{index}")
        } else {
            format!("/{index}")
        }
    }

    /// The path and the body of the request that stores the index template.
    pub(super) fn template(&self) -> (String, String) {
        let pattern = if self.is_stream {
            self.name.clone()
        } else {
            format!("{}-*", self.name)
        };
        let keyword = json!({"type": "keyword", "ignore_above": 1024});
        let mut properties = json!({
            "@timestamp": {"type": "date"},
            "message": {"type": "text"},
            "error.message": {"type": "text"},
            "event.duration": {"type": "long"},
            "http.response.status_code": {"type": "long"},
            "http.request.body.bytes": {"type": "long"},
            "http.response.body.bytes": {"type": "long"},
            "log.origin.file.line": {"type": "long"},
            "time_to_headers_ms": {"type": "double"},
        });
        for name in [
            "log.level",
            "log.logger",
            "log.origin.file.name",
            "trace.id",
            "span.id",
            "parent.id",
            "service.name",
            "service.version",
            "service.environment",
            "service.node.name",
            "event.id",
            "error.type",
            "http.request.method",
            "http.route",
            "url.path",
            "url.query",
            "client.address",
            "user.id",
            "user_agent.original",
            "watchpost.outcome",
        ] {
            if let Some(properties) = properties.as_object_mut() {
                properties.insert(name.to_owned(), keyword.clone());
            }
        }
        let mut template = json!({
            "index_patterns": [pattern],
            // Above the templates of the server itself, which have 100.
            "priority": 200,
            "template": {
                "settings": {
                    // A value of another type than the first one of its field is kept, and not indexed.
                    "index.mapping.ignore_malformed": true,
                    "index.mapping.total_fields.limit": 2000,
                },
                "mappings": {
                    "dynamic_templates": [
                        {"texts": {"match_mapping_type": "string", "mapping": keyword}},
                    ],
                    "properties": properties,
                },
            },
        });
        if self.is_stream
            && let Some(template) = template.as_object_mut()
        {
            template.insert(
                "data_stream".to_owned(),
                Value::Object(serde_json::Map::new()),
            );
        }
        (
            format!("/_index_template/{}", self.name),
            template.to_string(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_has_the_day_of_its_documents_and_a_stream_has_none() {
        let indices = IndexNames::new("logs", false);
        assert_eq!(indices.of_day("2026.11.30"), "logs-2026.11.30");
        assert_eq!(indices.creation_path("logs-2026.11.30"), "/logs-2026.11.30");
        let stream = IndexNames::new("logs", true);
        assert_eq!(stream.of_day("2026.11.30"), "logs");
        assert_eq!(stream.creation_path("logs"), "/_data_stream/logs");
    }

    #[test]
    fn the_template_is_for_the_indices_of_this_name() {
        for (is_stream, pattern) in [(false, "logs-*"), (true, "logs")] {
            let (path, body) = IndexNames::new("logs", is_stream).template();
            assert_eq!(path, "/_index_template/logs");
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["index_patterns"], json!([pattern]));
            assert_eq!(body.get("data_stream").is_some(), is_stream);
            assert_eq!(
                body["template"]["mappings"]["properties"]["event.duration"]["type"],
                "long"
            );
            assert_eq!(
                body["template"]["mappings"]["properties"]["trace.id"]["type"],
                "keyword"
            );
        }
    }
}
