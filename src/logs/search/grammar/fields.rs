//! The fields of log lines, as a search sees them.

/// Fields whose values are compared as a whole: names, IDs and codes. Elasticsearch has them as `keyword`.
const WHOLE: [&str; 25] = [
    "client.address",
    "code.file.path",
    "db.namespace",
    "db.system.name",
    "deployment.environment.name",
    "error.type",
    "event_id",
    "exception.type",
    "http.request.method",
    "http.route",
    "log.module_path",
    "parent_span_id",
    "rpc.method",
    "rpc.system.name",
    "server.address",
    "service.instance.id",
    "service.name",
    "service.version",
    "span_id",
    "target",
    "trace_id",
    "url.path",
    "user.id",
    "watchpost.outcome",
    "watchpost.record",
];

/// Names of the Elastic Common Schema, and those in the lines.
const ALIASES: [(&str, &str); 14] = [
    ("@timestamp", "timestamp"),
    ("error.message", "exception.message"),
    ("event.id", "event_id"),
    ("http.request.body.bytes", "http.request.body.size"),
    ("http.response.body.bytes", "http.response.body.size"),
    ("log.level", "level"),
    ("log.logger", "target"),
    ("log.origin.file.line", "code.line.number"),
    ("log.origin.file.name", "code.file.path"),
    ("parent.id", "parent_span_id"),
    ("service.environment", "deployment.environment.name"),
    ("service.node.name", "service.instance.id"),
    ("span.id", "span_id"),
    ("trace.id", "trace_id"),
];

/// The name of a field in the lines.
pub(in crate::logs) fn canonical_name(name: &str) -> &str {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    alias.map_or(name, |(_, name)| name)
}

/// Whether the values of a field are compared as a whole.
pub(in crate::logs) fn is_whole(name: &str) -> bool {
    WHOLE.binary_search(&name).is_ok()
}

/// Whether a word without a field is looked for in this one. Time, level and what is the same in all lines of a service
/// would hide what is looked for.
pub(in crate::logs) fn is_found_by_words(name: &str) -> bool {
    !matches!(name, "timestamp" | "level" | "deployment.environment.name")
        && !name.starts_with("service.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_for_the_search_in_it() {
        assert!(WHOLE.is_sorted());
        assert!(is_whole("user.id") && is_whole("client.address") && !is_whole("message"));
        for (alias, name) in ALIASES {
            assert_eq!((canonical_name(alias), canonical_name(name)), (name, name));
        }
    }
}
