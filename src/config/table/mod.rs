//! The table of settings, which the code that reads, prints and documents settings shares.

#[cfg(test)]
mod documentation;
mod parsers;
mod setting;

use self::parsers::{
    AGGREGATIONS, ATTRIBUTE_COUNT, BACKTRACES, COMPRESSIONS, EXPORTERS, FALSE_ALARMS, FORMATS,
    HOUR, METRICS_EXPORTERS, MINUTE, PROTOCOLS, REQUESTS, SAMPLERS, SECOND, SPANS, TEMPORALITIES,
    VALUE_LENGTH, WATCHED_SERIES, clients, duration, integer, series, size, size_of_files,
};
use super::value::{
    Binding, BoolParser, CertificateFileParser, DashboardLineItem, DirectivesParser,
    DirectoryParser, DsnParser, GrpcMethodItem, HeaderNameItem, HeadersParser, HistogramsParser,
    ListParser, NetworkItem, OptionalParser, OptionalTextParser, PermissionsParser,
    PropagatorsParser, QueryNameItem, RatioParser, ReceiverUrlItem, RequestMethodItem,
    SecretKeyItem, SecretPathItem, SecretTextParser, StatusItem, TextParser, TokenParser,
    UrlParser,
};
use crate::trace::SpanLimits;

pub(super) use self::setting::{Setting, Variable};

/// The prefix of the variables of this crate.
pub(super) const PREFIX: &str = "WATCHPOST_";
/// The variable that names the file.
pub(super) const FILE_VARIABLE: &str = "WATCHPOST_CONFIG";
/// The variable with OpenTelemetry's list of resource attributes.
pub(super) const ATTRIBUTES_VARIABLE: &str = "OTEL_RESOURCE_ATTRIBUTES";

use Variable::{Attribute, FirstPath, Millis, Value as Named};

/// Binds a parser to the place of its value in [`Config`](super::Config).
macro_rules! field {
    ($parser:expr, $($part:ident).+) => {
        &Binding {
            parser: $parser,
            get: |config| &config.$($part).+,
            get_mut: |config| &mut config.$($part).+,
        }
    };
}

/// Returns the variable of a key: `WATCHPOST_<KEY>`.
pub(super) fn own_variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// All settings, in the order in which they are printed.
pub(super) static SETTINGS: &[Setting] = &[
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
    Setting::new(
        "trace.propagators",
        field!(PropagatorsParser, trace.propagators),
        "The headers that carry a trace from service to service",
    )
    .variables(&[Named("OTEL_PROPAGATORS")]),
    Setting::new(
        "trace.disabled",
        field!(BoolParser, trace.disabled),
        "Whether no spans are recorded; IDs and their headers are still passed on",
    )
    .variables(&[Named("OTEL_SDK_DISABLED")]),
    Setting::new(
        "trace.exporter",
        field!(EXPORTERS, trace.exporter),
        "Where kept traces are sent, besides memory",
    )
    .variables(&[Named("OTEL_TRACES_EXPORTER")]),
    Setting::new(
        "trace.sampler",
        field!(SAMPLERS, trace.sampler),
        "Which traces are kept whatever happens in them",
    )
    .variables(&[Named("OTEL_TRACES_SAMPLER")]),
    Setting::new(
        "trace.sampler_arg",
        field!(RatioParser, trace.sampler_arg),
        "The ratio of traces that a sampler with a ratio keeps",
    )
    .variables(&[Named("OTEL_TRACES_SAMPLER_ARG")]),
    Setting::new(
        "trace.max_per_second",
        field!(integer(0, 1_000_000), trace.max_per_second),
        "The most traces a second that are kept by the sampler",
    ),
    Setting::new(
        "trace.slow",
        field!(duration(0, HOUR), trace.slow),
        "The duration from which a trace is slow and so is kept; `0s`: the 99th percentile of its route",
    ),
    Setting::new(
        "trace.max_open",
        field!(duration(1_000, HOUR), trace.max_open),
        "How long a trace may be open before it is decided as it is",
    ),
    Setting::new(
        "trace.max_open_bytes",
        field!(size(64 << 10), trace.max_open_bytes),
        "The most bytes that the spans of undecided traces may hold together",
    ),
    Setting::new(
        "trace.max_bytes_per_second",
        field!(size(0), trace.max_bytes_per_second),
        "The average of bytes a second of traces that are kept for what happened in them",
    ),
    Setting::new(
        "trace.recent_bytes",
        field!(size(0), trace.recent_bytes),
        "The most bytes of kept traces in memory",
    ),
    Setting::new(
        "trace.max_stored_bytes",
        field!(size(0), trace.max_stored_bytes),
        "The most bytes of kept traces in the data directory; the oldest are removed first, `0` stores none",
    ),
    Setting::new(
        "trace.level",
        field!(DirectivesParser, trace.level),
        "Which `tracing` spans are recorded",
    ),
    Setting::new(
        "trace.spans",
        field!(SPANS, trace.spans),
        "Which layer makes spans of `tracing` spans",
    ),
    Setting::new(
        "trace.events",
        field!(BoolParser, trace.events),
        "Whether `tracing` events become events of their span",
    ),
    Setting::new(
        "trace.max_attributes",
        field!(ATTRIBUTE_COUNT, trace.limits.attributes),
        "The most attributes of a span; the span counts those that are left out",
    )
    .variables(&[
        Named("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"),
        Named("OTEL_ATTRIBUTE_COUNT_LIMIT"),
    ]),
    Setting::new(
        "trace.max_value_length",
        field!(VALUE_LENGTH, trace.limits.value_length),
        "The most characters of an attribute's text; the rest is cut off",
    )
    .variables(&[
        Named("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
        Named("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
    ]),
    Setting::new(
        "trace.max_events",
        field!(integer(0, SpanLimits::MAX_ATTRIBUTES), trace.limits.events),
        "The most events of a span",
    )
    .variables(&[Named("OTEL_SPAN_EVENT_COUNT_LIMIT")]),
    Setting::new(
        "trace.max_links",
        field!(integer(0, SpanLimits::MAX_ATTRIBUTES), trace.limits.links),
        "The most links of a span",
    )
    .variables(&[Named("OTEL_SPAN_LINK_COUNT_LIMIT")]),
    Setting::new(
        "trace.max_event_attributes",
        field!(
            integer(0, SpanLimits::MAX_ATTRIBUTES),
            trace.limits.event_attributes
        ),
        "The most attributes of an event of a span",
    )
    .variables(&[Named("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT")]),
    Setting::new(
        "trace.max_link_attributes",
        field!(
            integer(0, SpanLimits::MAX_ATTRIBUTES),
            trace.limits.link_attributes
        ),
        "The most attributes of a link of a span",
    )
    .variables(&[Named("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT")]),
    Setting::new(
        "otlp.endpoint",
        field!(UrlParser { query: false }, otlp.endpoint),
        "The base URL of an OTLP receiver; `/v1/traces` or `/v1/metrics` is appended",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_ENDPOINT")]),
    Setting::new(
        "otlp.traces_endpoint",
        field!(UrlParser { query: true }, otlp.traces_endpoint),
        "The full URL for traces, which overrides `otlp.endpoint`",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")]),
    Setting::new(
        "otlp.metrics_endpoint",
        field!(UrlParser { query: true }, otlp.metrics_endpoint),
        "The full URL for metrics, which overrides `otlp.endpoint`",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")]),
    Setting::new(
        "otlp.headers",
        field!(HeadersParser, otlp.headers),
        "Headers of each request to the receiver",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_HEADERS")])
    .secret(),
    Setting::new(
        "otlp.traces_headers",
        field!(HeadersParser, otlp.traces_headers),
        "Headers of requests with traces, in place of `otlp.headers`",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_TRACES_HEADERS")])
    .secret(),
    Setting::new(
        "otlp.metrics_headers",
        field!(HeadersParser, otlp.metrics_headers),
        "Headers of requests with metrics, in place of `otlp.headers`",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_METRICS_HEADERS")])
    .secret(),
    Setting::new(
        "otlp.timeout",
        field!(duration(1, 10 * MINUTE), otlp.timeout),
        "The time that one request may take",
    )
    .variables(&[Millis("OTEL_EXPORTER_OTLP_TIMEOUT")]),
    Setting::new(
        "otlp.traces_timeout",
        field!(
            OptionalParser(duration(1, 10 * MINUTE)),
            otlp.traces_timeout
        ),
        "The time that one request with traces may take, in place of `otlp.timeout`",
    )
    .variables(&[Millis("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT")]),
    Setting::new(
        "otlp.metrics_timeout",
        field!(
            OptionalParser(duration(1, 10 * MINUTE)),
            otlp.metrics_timeout
        ),
        "The time that one request with metrics may take, in place of `otlp.timeout`",
    )
    .variables(&[Millis("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT")]),
    Setting::new(
        "otlp.compression",
        field!(COMPRESSIONS, otlp.compression),
        "The compression of request bodies",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_COMPRESSION")]),
    Setting::new(
        "otlp.traces_compression",
        field!(OptionalParser(COMPRESSIONS), otlp.traces_compression),
        "The compression of request bodies with traces, in place of `otlp.compression`",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION")]),
    Setting::new(
        "otlp.metrics_compression",
        field!(OptionalParser(COMPRESSIONS), otlp.metrics_compression),
        "The compression of request bodies with metrics, in place of `otlp.compression`",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION")]),
    Setting::new(
        "otlp.protocol",
        field!(PROTOCOLS, otlp.protocol),
        "The protocol of the receiver",
    )
    .variables(&[
        Named("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
        Named("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"),
        Named("OTEL_EXPORTER_OTLP_PROTOCOL"),
    ]),
    Setting::new(
        "otlp.certificate",
        field!(CertificateFileParser, otlp.certificate),
        "The authorities that are trusted in place of the public ones",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_CERTIFICATE")]),
    Setting::new(
        "otlp.traces_certificate",
        field!(CertificateFileParser, otlp.traces_certificate),
        "The authorities of the receiver of traces, in place of `otlp.certificate`",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE")]),
    Setting::new(
        "otlp.metrics_certificate",
        field!(CertificateFileParser, otlp.metrics_certificate),
        "The authorities of the receiver of metrics, in place of `otlp.certificate`",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE")]),
    Setting::new(
        "otlp.schedule_delay",
        field!(duration(10, 10 * MINUTE), otlp.schedule_delay),
        "How long a span may wait for others before it is sent",
    )
    .variables(&[Millis("OTEL_BSP_SCHEDULE_DELAY")]),
    Setting::new(
        "otlp.max_queue_size",
        field!(integer(1, 10_000_000), otlp.max_queue_size),
        "The most spans that may wait to be sent; they also have 8 MiB at most",
    )
    .variables(&[Named("OTEL_BSP_MAX_QUEUE_SIZE")]),
    Setting::new(
        "otlp.max_export_batch_size",
        field!(integer(1, 100_000), otlp.max_export_batch_size),
        "The most spans of one request",
    )
    .variables(&[Named("OTEL_BSP_MAX_EXPORT_BATCH_SIZE")]),
    Setting::new(
        "otlp.export_timeout",
        field!(duration(1, 10 * MINUTE), otlp.export_timeout),
        "The upper limit of the timeout of requests with traces",
    )
    .variables(&[Millis("OTEL_BSP_EXPORT_TIMEOUT")]),
    Setting::new(
        "metrics.max_series",
        field!(series(), metrics.max_series),
        "The most series of all metrics together",
    ),
    Setting::new(
        "metrics.max_series_per_metric",
        field!(series(), metrics.max_series_per_metric),
        "The most series of one metric; at most `metrics.max_series`",
    ),
    Setting::new(
        "metrics.idle_after",
        field!(duration(SECOND, 720 * HOUR), metrics.idle_after),
        "How long a series stays on the metrics page without a change",
    ),
    Setting::new(
        "metrics.keep_counter_names",
        field!(BoolParser, metrics.keep_counter_names),
        "Whether counters of the `metrics` facade get no `_total`",
    ),
    Setting::new(
        "metrics.histograms",
        field!(HistogramsParser, metrics.histograms),
        "Histograms that are off or have other bounds than their own",
    ),
    Setting::new(
        "metrics.exporter",
        field!(METRICS_EXPORTERS, metrics.exporter),
        "Where metrics are pushed to; `prometheus` is the same as `none`, since they can always be scraped",
    )
    .variables(&[Named("OTEL_METRICS_EXPORTER")]),
    Setting::new(
        "metrics.export_interval",
        field!(duration(100, 24 * HOUR), metrics.export_interval),
        "The time from one push of metrics to the next",
    )
    .variables(&[Millis("OTEL_METRIC_EXPORT_INTERVAL")]),
    Setting::new(
        "metrics.export_timeout",
        field!(duration(1, 10 * MINUTE), metrics.export_timeout),
        "The upper limit of the timeout of requests with metrics",
    )
    .variables(&[Millis("OTEL_METRIC_EXPORT_TIMEOUT")]),
    Setting::new(
        "metrics.temporality",
        field!(TEMPORALITIES, metrics.temporality),
        "Whether pushed counters and histograms have their totals or the increases since the last push",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE")]),
    Setting::new(
        "metrics.histogram_aggregation",
        field!(AGGREGATIONS, metrics.histogram_aggregation),
        "The form of pushed histograms",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION")]),
    Setting::new(
        "worker.max_queue_bytes",
        field!(size(512 << 10), worker.max_queue_bytes),
        "The most bytes of records that may wait to be formatted",
    ),
    Setting::new(
        "worker.max_sink_bytes",
        field!(size(64 << 10), worker.max_sink_bytes),
        "The most bytes that may wait to be written, for each sink",
    ),
    Setting::new(
        "health.failures",
        field!(integer(1, 100), health.failures),
        "How many failures in a row take a check down",
    ),
    Setting::new(
        "health.successes",
        field!(integer(1, 100), health.successes),
        "How many successes in a row bring a check up again",
    ),
    Setting::new(
        "health.interval",
        field!(duration(100, HOUR), health.interval),
        "The time from the start of one run of a check to the start of the next",
    ),
    Setting::new(
        "health.timeout",
        field!(duration(10, HOUR), health.timeout),
        "How long a run of a check may take before it is a failure; at most `health.interval`",
    ),
    Setting::new(
        "history.interval",
        field!(duration(100, HOUR), history.interval),
        "The time from one snapshot of all metrics to the next",
    ),
    Setting::new(
        "history.memory_age",
        field!(duration(MINUTE, 24 * HOUR), history.memory_age),
        "How long snapshots are kept in memory",
    ),
    Setting::new(
        "history.max_memory_bytes",
        field!(size(1 << 20), history.max_memory_bytes),
        "The most bytes of snapshots in memory; the oldest are removed first",
    ),
    Setting::new(
        "history.max_bytes",
        field!(size_of_files(16 << 20), history.max_bytes),
        "The most bytes of the history in the data directory; the oldest snapshots are removed first, then minutes and hours",
    ),
    Setting::new(
        "history.raw_age",
        field!(duration(HOUR, 3650 * 24 * HOUR), history.raw_age),
        "How long snapshots are kept in the data directory",
    ),
    Setting::new(
        "history.minute_age",
        field!(duration(HOUR, 3650 * 24 * HOUR), history.minute_age),
        "How long minutes are kept in the data directory",
    ),
    Setting::new(
        "history.hour_age",
        field!(duration(HOUR, 3650 * 24 * HOUR), history.hour_age),
        "How long hours are kept in the data directory",
    ),
    Setting::new(
        "anomaly.false_alarms",
        field!(FALSE_ALARMS, anomaly.false_alarms),
        "How many false alarms are expected of one series in 30 days",
    ),
    Setting::new(
        "anomaly.default_series",
        field!(BoolParser, anomaly.default_series),
        "Whether the monitor's own series are watched for anomalies",
    ),
    Setting::new(
        "anomaly.max_series",
        field!(WATCHED_SERIES, anomaly.max_series),
        "How many series are watched for anomalies at most",
    ),
    Setting::new(
        "alerts.interval",
        field!(duration(SECOND, HOUR), alerts.interval),
        "The time from one evaluation of all alert rules to the next",
    ),
    Setting::new(
        "alerts.default_rules",
        field!(BoolParser, alerts.default_rules),
        "Whether the default alert rules are there",
    ),
    Setting::new(
        "alerts.file",
        field!(OptionalTextParser, alerts.file),
        "The TOML file with alert rules, which is read again when it changes",
    ),
    Setting::new(
        "alerts.group_wait",
        field!(duration(0, HOUR), alerts.group_wait),
        "How long the first alert of a notification waits for others of its rule",
    ),
    Setting::new(
        "alerts.group_interval",
        field!(duration(SECOND, 24 * HOUR), alerts.group_interval),
        "The least time between two notifications of a rule",
    ),
    Setting::new(
        "alerts.dashboard_url",
        field!(UrlParser { query: false }, alerts.dashboard_url),
        "The address of the dashboard, for links in notifications",
    ),
    Setting::new(
        "alerts.internal_receivers",
        field!(BoolParser, alerts.internal_receivers),
        "Whether receivers of notifications may be in private networks, without TLS",
    ),
    Setting::new(
        "alerts.slack_webhook_url",
        field!(SecretTextParser, alerts.slack_webhook_url),
        "The URL of an incoming webhook of Slack",
    )
    .variables(&[Named("SLACK_WEBHOOK_URL")])
    .secret(),
    Setting::new(
        "alerts.pagerduty_routing_key",
        field!(SecretTextParser, alerts.pagerduty_routing_key),
        "The integration key of PagerDuty's Events API v2",
    )
    .variables(&[Named("PAGERDUTY_API_KEY")])
    .secret(),
    Setting::new(
        "alerts.pagerduty_service_id",
        field!(OptionalTextParser, alerts.pagerduty_service_id),
        "Has no effect: the routing key decides which service of PagerDuty gets the alerts",
    )
    .variables(&[Named("PAGERDUTY_SERVICE_ID")]),
    Setting::new(
        "alerts.pagerduty_url",
        field!(UrlParser { query: false }, alerts.pagerduty_url),
        "The address of PagerDuty's Events API; without it, `https://events.pagerduty.com`",
    ),
    Setting::new(
        "alerts.webhook_url",
        field!(SecretTextParser, alerts.webhook_url),
        "The URL of a receiver of your own",
    )
    .secret(),
    Setting::new(
        "alerts.webhook_secret",
        field!(SecretTextParser, alerts.webhook_secret),
        "The secret with which requests to that receiver are signed",
    )
    .secret(),
    Setting::new(
        "alerts.alertmanager_urls",
        field!(ListParser::<ReceiverUrlItem>::NEW, alerts.alertmanager_urls),
        "The URLs of all Alertmanagers of a cluster",
    ),
    Setting::new(
        "alerts.heartbeat_url",
        field!(SecretTextParser, alerts.heartbeat_url),
        "The URL that is called while the alert rules are evaluated",
    )
    .secret(),
    Setting::new(
        "alerts.heartbeat_interval",
        field!(duration(10 * SECOND, 24 * HOUR), alerts.heartbeat_interval),
        "The time between two heartbeats",
    ),
    Setting::new(
        "drain.wait",
        field!(duration(0, 10 * MINUTE), drain_wait),
        "How long `/readyz` responds 503 before `drain` completes",
    ),
    Setting::new(
        "access.token",
        field!(TokenParser, access_token),
        "The token that opens protected pages",
    )
    .variables(&[Named("WATCHPOST_TOKEN")])
    .secret(),
    Setting::new(
        "access.viewer_token",
        field!(TokenParser, access_viewer_token),
        "The token with which protected pages can be read, and nothing changed",
    )
    .secret(),
    Setting::new(
        "dashboard.serve",
        field!(BoolParser, dashboard.serve),
        "Whether `serve` serves the dashboard too, under `/monitoring`",
    ),
    Setting::new(
        "dashboard.max_clients",
        field!(clients(), dashboard.max_clients),
        "The most live connections of dashboards",
    ),
    Setting::new(
        "dashboard.max_clients_per_address",
        field!(clients(), dashboard.max_clients_per_address),
        "The most live connections of dashboards from one address",
    ),
    Setting::new(
        "dashboard.lines",
        field!(ListParser::<DashboardLineItem>::NEW, dashboard.lines),
        "The warning and critical lines of cards that differ from the defaults",
    ),
];

/// Returns the index of the setting with this key.
pub(super) fn position(key: &str) -> Option<usize> {
    SETTINGS.iter().position(|setting| setting.key == key)
}

/// Returns whether the section contains any keys.
pub(super) fn is_section(path: &str) -> bool {
    SETTINGS.iter().any(|setting| {
        setting
            .key
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// Returns every section, some of them several times.
pub(super) fn sections() -> impl Iterator<Item = &'static str> + Clone {
    keys().filter_map(|key| Some(key.rsplit_once('.')?.0))
}

/// Returns every key.
pub(super) fn keys() -> impl Iterator<Item = &'static str> + Clone {
    SETTINGS.iter().map(|setting| setting.key)
}

#[cfg(test)]
pub(super) use self::documentation::documentation;
