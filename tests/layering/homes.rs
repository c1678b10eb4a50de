//! Which files may use a crate or a module that is used in few places only.

/// Paths that are used in few places only: the path's beginning, and the files or directories below `src/` that may
/// use it.
pub(crate) const HOMES: [(&[&str], &[&str]); 36] = [
    (&["axum"], &["http/axum.rs", "monitor/", "dashboard/"]),
    (
        &["hyper"],
        &[
            "dashboard/",
            "external/error_kind/",
            "http/upload.rs",
            "monitor/serve/",
            "worker/client/",
        ],
    ),
    (
        &["hyper_util"],
        &[
            "dashboard/",
            "external/error_kind/",
            "monitor/serve/",
            "worker/client/",
        ],
    ),
    (&["rustls"], &["worker/client/"]),
    (&["tokio_rustls"], &["worker/client/"]),
    (&["webpki_roots"], &["worker/client/"]),
    (&["lettre"], &["alerts/enabled/channels/email/"]),
    (&["reqwest"], &["external/error_kind/", "external/reqwest/"]),
    (&["rcgen"], &[]),
    (&["httpdate"], &["external/limits/", "worker/remote/"]),
    (&["opentelemetry_http"], &["trace/otlp/"]),
    (&["opentelemetry_otlp"], &["trace/otlp/"]),
    (&["opentelemetry_proto"], &["trace/otlp/"]),
    (&["prost"], &["trace/otlp/"]),
    (&["deadpool"], &["db/deadpool_postgres/"]),
    (&["deadpool_postgres"], &["db/deadpool_postgres/"]),
    (&["futures_sink"], &["db/tokio_postgres/copy.rs"]),
    (
        &["futures_core"],
        &[
            "db/rows.rs",
            "db/sqlx/",
            "db/stream.rs",
            "db/tokio_postgres/copy.rs",
            "db/tokio_postgres/rows.rs",
        ],
    ),
    (
        &["tokio_postgres"],
        &["db/deadpool_postgres/", "db/tokio_postgres/"],
    ),
    (&["sqlx"], &["db/sqlx/"]),
    (&["sqlx_core"], &["db/sqlx/"]),
    (&["toml"], &["alerts/enabled/rule_file.rs", "config/"]),
    (
        &["crc32fast"],
        &[
            "files/",
            "history/enabled/disk/",
            "logs/search/index/",
            "users/",
            "worker/spool/",
        ],
    ),
    (
        &["flate2"],
        &[
            "dashboard/",
            "history/enabled/disk/",
            "logs/elasticsearch/",
            "logs/files/",
            "metrics/",
            "trace/otlp/",
        ],
    ),
    (
        &["serde_json"],
        &[
            "alerts/enabled/channels/",
            "errors/sentry/",
            "history/enabled/prometheus/",
            "logs/elasticsearch/",
        ],
    ),
    (&["metrics_exporter_prometheus"], &["metrics/"]),
    (&["metrics_process"], &["system/"]),
    (&["tokio_metrics"], &["metrics/"]),
    (&["subtle"], &["access/"]),
    (
        &["getrandom"],
        &["access/", "dashboard/", "logs/files/", "users/"],
    ),
    (&["ring"], &["alerts/enabled/channels/", "dashboard/"]),
    (&["exaloglog"], &["users/"]),
    (
        &["siphasher"],
        &["alerts/enabled/labels.rs", "logs/elasticsearch/", "users/"],
    ),
    (&["rustix"], &["clock/", "system/"]),
    (&["std", "env"], &["config/env.rs"]),
    (&["crate", "otel"], &["otel/", "monitor/", "lib.rs"]),
];
