//! Settings of the service, its data directory, its log records, its errors and its requests.

use super::parsers::{
    BACKTRACES, FORMATS, HOUR, MINUTE, REQUESTS, duration, integer, size, size_of_files,
};
use super::setting::Setting;
use super::setting::Variable::{Attribute, FirstPath, Value as Named};
use crate::config::value::{
    Binding, BoolParser, DirectivesParser, DirectoryParser, DsnParser, GrpcMethodItem,
    HeaderNameItem, ListParser, NetworkItem, OptionalTextParser, PermissionsParser, QueryNameItem,
    RequestMethodItem, SecretKeyItem, SecretPathItem, StatusItem, TextParser,
};

pub(super) const SERVICE: &[Setting] = &[
    Setting::new(
        "service.name",
        field!(TextParser, service.name),
        "The name of the service; without it, the name given to `Monitor::builder`",
    )
    .variables(&[Named("OTEL_SERVICE_NAME"), Attribute("service.name")]),
    Setting::new(
        "service.version",
        field!(OptionalTextParser, service.version),
        "The version of the service",
    )
    .variables(&[
        Named("WATCHPOST_VERSION"),
        Named("VERSION"),
        Attribute("service.version"),
    ]),
    Setting::new(
        "service.environment",
        field!(OptionalTextParser, service.environment),
        "Where the service runs, such as `production`",
    )
    .variables(&[
        Named("WATCHPOST_ENVIRONMENT"),
        Named("NODE_ENV"),
        Attribute("deployment.environment.name"),
    ]),
    Setting::new(
        "service.instance",
        field!(OptionalTextParser, service.instance),
        "Which instance of the service this is, such as a pod's name",
    )
    .variables(&[Attribute("service.instance.id")]),
    Setting::new(
        "data_dir",
        field!(DirectoryParser, data_dir),
        "The directory of the stores; without it, stores are in memory only",
    )
    .variables(&[FirstPath("STATE_DIRECTORY")]),
    Setting::new(
        "log.level",
        field!(DirectivesParser, logs.level),
        "Which `tracing` events become log records",
    )
    .variables(&[
        Named("WATCHPOST_LOG"),
        Named("LOG_LEVEL"),
        Named("RUST_LOG"),
    ]),
    Setting::new(
        "log.format",
        field!(FORMATS, logs.format),
        "The format of log lines; `auto` is pretty on a terminal, JSON otherwise",
    ),
    Setting::new(
        "log.console",
        field!(BoolParser, logs.console),
        "Whether log lines are written to stdout",
    ),
    Setting::new(
        "log.requests",
        field!(REQUESTS, logs.requests),
        "Which requests get a log record; `errors` are those that failed or were slow",
    ),
    Setting::new(
        "log.slow",
        field!(duration(1, 24 * HOUR), logs.slow),
        "The duration from which a request is slow",
    ),
    Setting::new(
        "log.recent_bytes",
        field!(size(0), logs.recent_bytes),
        "The most bytes of the last log records in memory; `0` keeps none",
    ),
    Setting::new(
        "log.files",
        field!(BoolParser, logs.files),
        "Whether log records are written to files, if there is a directory for them",
    ),
    Setting::new(
        "log.dir",
        field!(DirectoryParser, logs.dir),
        "The directory of the log files; without it, `logs` in the data directory",
    ),
    Setting::new(
        "log.max_bytes",
        field!(size_of_files(4 << 20), logs.max_bytes),
        "The most bytes of all log files; the oldest are removed first",
    ),
    Setting::new(
        "log.max_file_bytes",
        field!(size(64 << 10), logs.max_file_bytes),
        "The size at which a log file is closed and compressed, at most a quarter of its share of `log.max_bytes`",
    ),
    Setting::new(
        "log.max_files",
        field!(integer(1, 10_000), logs.max_files),
        "The most closed log files of each name; the oldest are removed first",
    ),
    Setting::new(
        "log.permissions",
        field!(PermissionsParser, logs.permissions),
        "The permissions of the log files",
    ),
    Setting::new(
        "install.subscriber",
        field!(BoolParser, install.subscriber),
        "Whether `install` sets the `tracing` subscriber",
    ),
    Setting::new(
        "install.log",
        field!(BoolParser, install.log),
        "Whether `install` sets the logger that turns records of the `log` crate into `tracing` events",
    ),
    Setting::new(
        "install.recorder",
        field!(BoolParser, install.recorder),
        "Whether `install` sets the recorder of the `metrics` facade",
    ),
    Setting::new(
        "install.propagator",
        field!(BoolParser, install.propagator),
        "Whether `install` sets OpenTelemetry's propagator",
    ),
    Setting::new(
        "install.tracer_provider",
        field!(BoolParser, install.tracer_provider),
        "Whether `install` sets OpenTelemetry's tracer provider",
    ),
    Setting::new(
        "install.panic_hook",
        field!(BoolParser, install.panic_hook),
        "Whether `install` sets the panic hook",
    ),
    Setting::new(
        "install.capture_error",
        field!(BoolParser, install.capture_error),
        "Whether `install` makes this monitor the one that captures errors outside requests",
    ),
    Setting::new(
        "errors.backtraces",
        field!(BACKTRACES, errors.backtraces),
        "Which captured errors have a backtrace; `first` means five of a kind, or all if `RUST_BACKTRACE` asks for them",
    ),
    Setting::new(
        "errors.max_stored_bytes",
        field!(size(4 << 20), errors.max_stored_bytes),
        "The most bytes of stored errors in the data directory; the oldest are removed first",
    ),
    Setting::new(
        "sentry.dsn",
        field!(DsnParser, errors.dsn),
        "Where captured errors are sent",
    )
    .variables(&[Named("SENTRY_DSN")])
    .secret(),
    Setting::new(
        "sentry.environment",
        field!(OptionalTextParser, errors.sentry_environment),
        "The environment of events at Sentry, in place of the service's",
    )
    .variables(&[Named("SENTRY_ENVIRONMENT")]),
    Setting::new(
        "sentry.release",
        field!(OptionalTextParser, errors.sentry_release),
        "The release of events at Sentry, in place of the service's version",
    )
    .variables(&[Named("SENTRY_RELEASE")]),
    Setting::new(
        "http.trace_header",
        field!(BoolParser, http.trace_header),
        "Whether responses carry `x-trace-id`",
    ),
    Setting::new(
        "http.public_endpoint",
        field!(BoolParser, http.public_endpoint),
        "Whether each request starts a trace of its own; the traces of trusted proxies continue all the same",
    ),
    Setting::new(
        "http.trusted_proxies",
        field!(ListParser::<NetworkItem>::NEW, http.trusted_proxies),
        "The proxies whose headers are trusted for the client's address and for the sampling of a trace",
    ),
    Setting::new(
        "http.allow_headers",
        field!(ListParser::<HeaderNameItem>::NEW, http.allow_headers),
        "The request headers that log records show",
    ),
    Setting::new(
        "http.timeout_statuses",
        field!(ListParser::<StatusItem>::NEW, http.timeout_statuses),
        "The statuses that count as timeouts, besides 408",
    ),
    Setting::new(
        "http.long_poll",
        field!(duration(1, MINUTE), http.long_poll),
        "The duration from which a poll counts as one that blocks its thread",
    ),
    Setting::new(
        "http.known_methods",
        field!(ListParser::<RequestMethodItem>::NEW, http.known_methods),
        "The request methods that can be labels; all others are `_OTHER`",
    )
    .variables(&[Named("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS")]),
    Setting::new(
        "http.grpc_methods",
        field!(ListParser::<GrpcMethodItem>::NEW, http.grpc_methods),
        "The gRPC methods whose path is a route; if empty, methods are learned from gRPC responses",
    ),
    Setting::new(
        "redact.keys",
        field!(ListParser::<SecretKeyItem>::NEW, redact.keys),
        "Further keys whose values are secrets, in any case and as words of longer keys; all sources add up",
    ),
    Setting::new(
        "redact.paths",
        field!(ListParser::<SecretPathItem>::NEW, redact.paths),
        "Paths whose `{name}` segments are secrets; `*` is any one segment, `{*name}` the rest; all sources add up",
    ),
    Setting::new(
        "redact.allow_query",
        field!(ListParser::<QueryNameItem>::NEW, redact.allow_query),
        "The query parameters whose values are shown",
    ),
];
