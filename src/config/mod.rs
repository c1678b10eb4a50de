//! Settings: defaults, a TOML file, the environment and code, in rising order of precedence.
//!
//! Every setting has a key, a default and a variable: `WATCHPOST_` and the key in capitals with `_` for `.`, such as
//! `WATCHPOST_LOG_SLOW` for `log.slow`. Every setting can be set in code. No setting is required.
//!
//! # Where a value comes from
//!
//! Each source overrides those above it:
//!
//! 1. the default in the [table](#the-settings),
//! 2. a TOML file: the one that [`MonitorBuilder::file`](crate::MonitorBuilder::file) names, else the one that
//!    `WATCHPOST_CONFIG` names,
//! 3. the environment: of the variables in the table, the first one that is set,
//! 4. a call in code.
//!
//! The environment is read once, when the monitor is built; it is not read after `.env(false)`. An empty variable
//! counts as unset. The lists `redact.keys` and `redact.paths` are combined from all sources, and `metrics.histograms`
//! is merged by name.
//!
//! The service name comes from the first of these sources that gives one: the call
//! [`service_name`](crate::MonitorBuilder::service_name), the variables `WATCHPOST_SERVICE_NAME` and
//! `OTEL_SERVICE_NAME`, `service.name` in `OTEL_RESOURCE_ATTRIBUTES`, the file, and the name given to
//! [`Monitor::builder`](crate::Monitor::builder).
//!
//! [`Monitor::settings`](crate::Monitor::settings) returns the effective settings and the source of each. `Display` prints
//! them as a file that sets the same:
//!
//! ```text
//! service.name = "shop"  # call Monitor::builder(..)
//! # service.version is not set
//! log.level = "info"  # default
//! log.slow = "250ms"  # variable WATCHPOST_LOG_SLOW
//! http.long_poll = "50ms"  # call .http(..)
//! access.token = "[REDACTED]"  # variable WATCHPOST_TOKEN
//! ```
//!
//! # In code
//!
//! [`MonitorBuilder`](crate::MonitorBuilder) takes one config struct for each section of keys, and has separate methods
//! for the most common settings. A struct applies only the values that were set on it; the other settings come from the
//! file and the environment. A value is set if its setter was called, or if its field was assigned and differs from the
//! default: a field to which the default is assigned does not count as set.
//!
//! | keys | call | struct |
//! |---|---|---|
//! | `log.*` | [`logs`](crate::MonitorBuilder::logs) | [`LogsConfig`] |
//! | `elasticsearch.*` | [`elasticsearch`](crate::MonitorBuilder::elasticsearch) | [`ElasticsearchConfig`] |
//! | `errors.*`, `sentry.environment`, `sentry.release` | [`errors`](crate::MonitorBuilder::errors) | [`ErrorsConfig`] |
//! | `http.*` | [`http`](crate::MonitorBuilder::http) | [`HttpConfig`] |
//! | `trace.*` | [`trace`](crate::MonitorBuilder::trace) | [`TraceConfig`] |
//! | `otlp.*` | [`otlp`](crate::MonitorBuilder::otlp) | [`OtlpConfig`] |
//! | `metrics.*` | [`metrics`](crate::MonitorBuilder::metrics) | [`MetricsConfig`] |
//! | `worker.*` | [`worker`](crate::MonitorBuilder::worker) | [`WorkerConfig`] |
//! | `health.*` | [`health`](crate::MonitorBuilder::health) | [`HealthConfig`] |
//! | `history.*` | [`history`](crate::MonitorBuilder::history) | [`HistoryConfig`] |
//! | `anomaly.*` | [`anomaly`](crate::MonitorBuilder::anomaly) | [`AnomalyConfig`] |
//! | `dashboard.*` | [`dashboard`](crate::MonitorBuilder::dashboard) | [`DashboardConfig`] |
//! | `alerts.*` | [`alerts`](crate::MonitorBuilder::alerts) | [`AlertsConfig`] |
//! | `install.*` | [`install_global`](crate::MonitorBuilder::install_global) | |
//! | `service.*` | [`service_name`](crate::MonitorBuilder::service_name), [`service_version`](crate::MonitorBuilder::service_version), [`service_environment`](crate::MonitorBuilder::service_environment), [`service_instance`](crate::MonitorBuilder::service_instance) | |
//! | `redact.*` | [`redact_keys`](crate::MonitorBuilder::redact_keys), [`redact_paths`](crate::MonitorBuilder::redact_paths), [`allow_query`](crate::MonitorBuilder::allow_query) | |
//! | `data_dir`, `sentry.dsn`, `drain.wait`, `access.token`, `access.viewer_token` | [`data_dir`](crate::MonitorBuilder::data_dir), [`sentry_dsn`](crate::MonitorBuilder::sentry_dsn), [`drain_wait`](crate::MonitorBuilder::drain_wait), [`access_token`](crate::MonitorBuilder::access_token), [`access_viewer_token`](crate::MonitorBuilder::access_viewer_token) | |
//!
//! # A file
//!
//! A file has one table for each section of keys; every key may be left out:
//!
//! ```toml
//! data_dir = "/var/lib/contentmax"
//!
//! [service]
//! name = "contentmax"
//! environment = "production"
//!
//! [log]
//! level = "info,hyper=warn"
//! requests = "errors"
//! slow = "500ms"
//!
//! [errors]
//! backtraces = "first"
//!
//! [http]
//! trusted_proxies = ["10.0.0.0/8"]
//! timeout_statuses = [504]
//!
//! [redact]
//! keys = ["ticket"]
//! paths = ["/invites/{token}"]
//!
//! [trace]
//! sampler = "parentbased_traceidratio"
//! sampler_arg = 0.1
//! slow = "2s"
//! level = "info,shop::db=debug"
//!
//! [otlp]
//! endpoint = "http://collector:4318"
//! timeout = "5s"
//!
//! [metrics]
//! exporter = "otlp"
//! export_interval = "30s"
//!
//! [metrics.histograms]
//! "http.server.request.duration" = [0.05, 0.1, 0.2, 0.4, 0.8]
//! "http.server.request.body.size" = "off"
//!
//! [worker]
//! max_queue_bytes = "16MiB"
//!
//! [health]
//! interval = "10s"
//! timeout = "2s"
//!
//! [history]
//! interval = "10s"
//!
//! [anomaly]
//! false_alarms = 3
//!
//! [alerts]
//! interval = "30s"
//!
//! [drain]
//! wait = "5s"
//! ```
//!
//! # The environment
//!
//! The same settings as variables, and the secrets, which do not belong in a file:
//!
//! ```sh
//! WATCHPOST_CONFIG=/etc/contentmax/watchpost.toml
//! WATCHPOST_SERVICE_VERSION=1.4.2
//! WATCHPOST_LOG=info,hyper=warn
//! WATCHPOST_HTTP_TRUSTED_PROXIES=10.0.0.0/8,192.168.0.0/16
//! WATCHPOST_TRACE_SAMPLER_ARG=0.1
//! WATCHPOST_METRICS_HISTOGRAMS="http.server.request.duration=0.05 0.1 0.2 0.4 0.8,http.server.request.body.size=off"
//! WATCHPOST_SENTRY_DSN=https://0123456789abcdef@sentry.example.com/1
//! WATCHPOST_ACCESS_TOKEN=fHkG2vXq8RzLw5TnYc7BdM3sJp9EaUiW
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318
//! OTEL_EXPORTER_OTLP_HEADERS=x-tenant=contentmax
//! OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=production,service.instance.id=pod-7
//! ```
//!
//! # How values are written
//!
//! - A duration is a whole number with a unit, or several: `250ms`, `5s`, `2m`, `1h30m`, `1d`. The shorter units are `us`
//!   and `ns`.
//! - A size is a number of bytes, or a number with a unit: `4096`, `500kB`, `8MiB`.
//! - Whole numbers and sizes may have an exponent: `1e6` is 1000000, `1.5e3` is 1500. A fraction is refused.
//! - A ratio is a number from 0 to 1: `0.1`, `1e-3`.
//! - The port of a URL is a number from 1 to 65535, or is left out.
//! - A list is an array in a file. Elsewhere, commas separate its items.
//! - Histograms are a table in a file. Elsewhere, they are names with `off`, `default` or bounds separated by spaces:
//!   `http.server.request.duration=0.01 0.1 1,http.server.request.body.size=off`. A later source changes the histograms
//!   that it names, by the name in the program or on the metrics page, and leaves the others. Within one source, the
//!   last entry of a histogram wins.
//!
//! # What happens to a bad value
//!
//! [`build`](crate::MonitorBuilder::build) returns an error that lists every problem of every source. Each problem
//! contains the key, the value, its source and the fix ([`Error::problems`](crate::Error::problems)). These values are
//! never shown: the value of a secret, a value that looks like a secret in a wrong place, and the value of an unknown
//! key. Numbers, durations, sizes, booleans and lists of them are shown, unless the setting is a secret.
//!
//! ```text
//! the configuration has 2 problems
//!   log.slow = "5sec" (variable WATCHPOST_LOG_SLOW): not a duration; write numbers with units from d, h, m, s, ms, us and ns, such as `250ms`, `5s` or `1h30m`
//!   http.timeout_statuses = "504,200" (variable WATCHPOST_HTTP_TIMEOUT_STATUSES): item 2 is not a status of an error; write a number from 400 to 599
//! ```
//!
//! Three things are only warnings, which [`MonitorGuard::report`](crate::MonitorGuard::report) lists:
//!
//! - a bad value in a variable that does not begin with `WATCHPOST_` (`OTEL_*`, `LOG_LEVEL`, `RUST_LOG`, `NODE_ENV`, ..),
//!   since it may mean something to another program: the next source is used;
//! - a variable that begins with `WATCHPOST_` and is not known; a known name that resembles it is suggested, and beyond
//!   20 such variables only their number is reported;
//! - a value of `trace.max_attributes` or `trace.max_value_length` above its maximum: the maximum is used. For all other
//!   settings, a value outside the range is an error.
//!
//! # The settings
//!
//! Ranges include both ends. "none" means that the setting has no value by default.
//!
//! | key | variables | default | value | meaning |
//! |---|---|---|---|---|
//! | `service.name` | `WATCHPOST_SERVICE_NAME`, `OTEL_SERVICE_NAME`, `service.name` in `OTEL_RESOURCE_ATTRIBUTES` | `"unknown_service"` | a text of 1 to 255 characters in one line | The name of the service; without it, the name given to `Monitor::builder` |
//! | `service.version` | `WATCHPOST_SERVICE_VERSION`, `WATCHPOST_VERSION`, `VERSION`, `service.version` in `OTEL_RESOURCE_ATTRIBUTES` | none | a text of 1 to 255 characters in one line | The version of the service |
//! | `service.environment` | `WATCHPOST_SERVICE_ENVIRONMENT`, `WATCHPOST_ENVIRONMENT`, `NODE_ENV`, `deployment.environment.name` in `OTEL_RESOURCE_ATTRIBUTES` | none | a text of 1 to 255 characters in one line | Where the service runs, such as `production` |
//! | `service.instance` | `WATCHPOST_SERVICE_INSTANCE`, `service.instance.id` in `OTEL_RESOURCE_ATTRIBUTES` | none | a text of 1 to 255 characters in one line | Which instance of the service this is, such as a pod's name |
//! | `data_dir` | `WATCHPOST_DATA_DIR`, `STATE_DIRECTORY` (the first path) | none | a directory's path | The directory of the stores; without it, stores are in memory only |
//! | `log.level` | `WATCHPOST_LOG_LEVEL`, `WATCHPOST_LOG`, `LOG_LEVEL`, `RUST_LOG` | `"info"` | a level (`off`, `error`, `warn`, `info`, `debug`, `trace`) or directives such as `info,hyper=off,my_crate::db=debug` | Which `tracing` events become log records |
//! | `log.format` | `WATCHPOST_LOG_FORMAT` | `"auto"` | `auto`, `json` or `pretty` | The format of log lines; `auto` is pretty on a terminal, JSON otherwise |
//! | `log.console` | `WATCHPOST_LOG_CONSOLE` | `true` | `true` or `false` | Whether log lines are written to stdout |
//! | `log.requests` | `WATCHPOST_LOG_REQUESTS` | `"all"` | `all`, `off` or `errors` | Which requests get a log record; `errors` are those that failed or were slow |
//! | `log.slow` | `WATCHPOST_LOG_SLOW` | `"1s"` | a duration from `1ms` to `1d` | The duration from which a request is slow |
//! | `log.recent_bytes` | `WATCHPOST_LOG_RECENT_BYTES` | `"4MiB"` | a size from `0` to `1GiB` | The most bytes of the last log records in memory; `0` keeps none |
//! | `log.files` | `WATCHPOST_LOG_FILES` | `true` | `true` or `false` | Whether log records are written to files, if there is a directory for them |
//! | `log.dir` | `WATCHPOST_LOG_DIR` | none | a directory's path | The directory of the log files; without it, `logs` in the data directory |
//! | `log.max_bytes` | `WATCHPOST_LOG_MAX_BYTES` | `"512MiB"` | a size from `4MiB` to `1024GiB` | The most bytes of all log files; the oldest are removed first |
//! | `log.max_file_bytes` | `WATCHPOST_LOG_MAX_FILE_BYTES` | `"64MiB"` | a size from `64KiB` to `1GiB` | The size at which a log file is closed and compressed, at most a quarter of its share of `log.max_bytes` |
//! | `log.max_files` | `WATCHPOST_LOG_MAX_FILES` | `100` | a whole number from 1 to 10000 | The most closed log files of each name; the oldest are removed first |
//! | `log.permissions` | `WATCHPOST_LOG_PERMISSIONS` | `"0640"` | `0600`, or with read or write permissions of the group and read permission of others, up to `0664` | The permissions of the log files |
//! | `install.subscriber` | `WATCHPOST_INSTALL_SUBSCRIBER` | `true` | `true` or `false` | Whether `install` sets the `tracing` subscriber |
//! | `install.log` | `WATCHPOST_INSTALL_LOG` | `true` | `true` or `false` | Whether `install` sets the logger that turns records of the `log` crate into `tracing` events |
//! | `install.recorder` | `WATCHPOST_INSTALL_RECORDER` | `true` | `true` or `false` | Whether `install` sets the recorder of the `metrics` facade |
//! | `install.propagator` | `WATCHPOST_INSTALL_PROPAGATOR` | `true` | `true` or `false` | Whether `install` sets OpenTelemetry's propagator |
//! | `install.tracer_provider` | `WATCHPOST_INSTALL_TRACER_PROVIDER` | `true` | `true` or `false` | Whether `install` sets OpenTelemetry's tracer provider |
//! | `install.panic_hook` | `WATCHPOST_INSTALL_PANIC_HOOK` | `true` | `true` or `false` | Whether `install` sets the panic hook |
//! | `install.capture_error` | `WATCHPOST_INSTALL_CAPTURE_ERROR` | `true` | `true` or `false` | Whether `install` makes this monitor the one that captures errors outside requests |
//! | `errors.backtraces` | `WATCHPOST_ERRORS_BACKTRACES` | `"first"` | `first`, `all` or `off` | Which captured errors have a backtrace; `first` means five of a kind, or all if `RUST_BACKTRACE` asks for them |
//! | `errors.max_stored_bytes` | `WATCHPOST_ERRORS_MAX_STORED_BYTES` | `"64MiB"` | a size from `4MiB` to `1GiB` | The most bytes of stored errors in the data directory; the oldest are removed first |
//! | `sentry.dsn` | `WATCHPOST_SENTRY_DSN`, `SENTRY_DSN` | none | a DSN: `https://key@host/project` | Where captured errors are sent |
//! | `sentry.environment` | `WATCHPOST_SENTRY_ENVIRONMENT`, `SENTRY_ENVIRONMENT` | none | a text of 1 to 255 characters in one line | The environment of events at Sentry, in place of the service's |
//! | `sentry.release` | `WATCHPOST_SENTRY_RELEASE`, `SENTRY_RELEASE` | none | a text of 1 to 255 characters in one line | The release of events at Sentry, in place of the service's version |
//! | `http.trace_header` | `WATCHPOST_HTTP_TRACE_HEADER` | `true` | `true` or `false` | Whether responses carry `x-trace-id` |
//! | `http.public_endpoint` | `WATCHPOST_HTTP_PUBLIC_ENDPOINT` | `false` | `true` or `false` | Whether each request starts a trace of its own; the traces of trusted proxies continue all the same |
//! | `http.trusted_proxies` | `WATCHPOST_HTTP_TRUSTED_PROXIES` | `[]` | networks such as `10.0.0.0/8` | The proxies whose headers are trusted for the client's address and for the sampling of a trace |
//! | `http.allow_headers` | `WATCHPOST_HTTP_ALLOW_HEADERS` | `[]` | header names such as `user-agent` | The request headers that log records show |
//! | `http.timeout_statuses` | `WATCHPOST_HTTP_TIMEOUT_STATUSES` | `[]` | statuses from 400 to 599 | The statuses that count as timeouts, besides 408 |
//! | `http.long_poll` | `WATCHPOST_HTTP_LONG_POLL` | `"100ms"` | a duration from `1ms` to `1m` | The duration from which a poll counts as one that blocks its thread |
//! | `http.known_methods` | `WATCHPOST_HTTP_KNOWN_METHODS`, `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` | `["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "QUERY"]` | request methods such as `GET` or `PROPFIND` | The request methods that can be labels; all others are `_OTHER` |
//! | `http.grpc_methods` | `WATCHPOST_HTTP_GRPC_METHODS` | `[]` | paths such as `/grpc.health.v1.Health/Check` | The gRPC methods whose path is a route; if empty, methods are learned from gRPC responses |
//! | `redact.keys` | `WATCHPOST_REDACT_KEYS` | `[]` | keys such as `ticket` | Further keys whose values are secrets, in any case and as words of longer keys; all sources add up |
//! | `redact.paths` | `WATCHPOST_REDACT_PATHS` | `[]` | paths such as `/invites/{token}` | Paths whose `{name}` segments are secrets; `*` is any one segment, `{*name}` the rest; all sources add up |
//! | `redact.allow_query` | `WATCHPOST_REDACT_ALLOW_QUERY` | `[]` | names of query parameters such as `page` | The query parameters whose values are shown |
//! | `trace.propagators` | `WATCHPOST_TRACE_PROPAGATORS`, `OTEL_PROPAGATORS` | `["tracecontext", "baggage"]` | `tracecontext`, `baggage`, or `none` alone | The headers that carry a trace from service to service |
//! | `trace.disabled` | `WATCHPOST_TRACE_DISABLED`, `OTEL_SDK_DISABLED` | `false` | `true` or `false` | Whether no spans are recorded; IDs and their headers are still passed on |
//! | `trace.exporter` | `WATCHPOST_TRACE_EXPORTER`, `OTEL_TRACES_EXPORTER` | `"otlp"` | `otlp` or `none` | Where kept traces are sent, besides memory |
//! | `trace.sampler` | `WATCHPOST_TRACE_SAMPLER`, `OTEL_TRACES_SAMPLER` | `"parentbased_traceidratio"` | `always_on`, `always_off`, `traceidratio`, `parentbased_always_on`, `parentbased_always_off` or `parentbased_traceidratio` | Which traces are kept whatever happens in them |
//! | `trace.sampler_arg` | `WATCHPOST_TRACE_SAMPLER_ARG`, `OTEL_TRACES_SAMPLER_ARG` | `1` | a number from 0 to 1, such as `0.1` | The ratio of traces that a sampler with a ratio keeps |
//! | `trace.max_per_second` | `WATCHPOST_TRACE_MAX_PER_SECOND` | `100` | a whole number from 0 to 1000000 | The most traces a second that are kept by the sampler |
//! | `trace.slow` | `WATCHPOST_TRACE_SLOW` | `"0s"` | a duration from `0s` to `1h` | The duration from which a trace is slow and so is kept; `0s`: the 99th percentile of its route |
//! | `trace.max_open` | `WATCHPOST_TRACE_MAX_OPEN` | `"1m"` | a duration from `1s` to `1h` | How long a trace may be open before it is decided as it is |
//! | `trace.max_open_bytes` | `WATCHPOST_TRACE_MAX_OPEN_BYTES` | `"16MiB"` | a size from `64KiB` to `1GiB` | The most bytes that the spans of undecided traces may hold together |
//! | `trace.max_bytes_per_second` | `WATCHPOST_TRACE_MAX_BYTES_PER_SECOND` | `"1MiB"` | a size from `0` to `1GiB` | The average of bytes a second of traces that are kept for what happened in them |
//! | `trace.recent_bytes` | `WATCHPOST_TRACE_RECENT_BYTES` | `"4MiB"` | a size from `0` to `1GiB` | The most bytes of kept traces in memory |
//! | `trace.max_stored_bytes` | `WATCHPOST_TRACE_MAX_STORED_BYTES` | `"256MiB"` | a size from `0` to `1GiB` | The most bytes of kept traces in the data directory; the oldest of those that failed, were slow or were sampled, whichever take the most, are removed first, `0` stores none |
//! | `trace.level` | `WATCHPOST_TRACE_LEVEL` | `"info"` | a level (`off`, `error`, `warn`, `info`, `debug`, `trace`) or directives such as `info,hyper=off,my_crate::db=debug` | Which `tracing` spans are recorded |
//! | `trace.spans` | `WATCHPOST_TRACE_SPANS` | `"watchpost"` | `watchpost` or `tracing-opentelemetry` | Which layer makes spans of `tracing` spans |
//! | `trace.events` | `WATCHPOST_TRACE_EVENTS` | `true` | `true` or `false` | Whether `tracing` events become events of their span |
//! | `trace.max_attributes` | `WATCHPOST_TRACE_MAX_ATTRIBUTES`, `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`, `OTEL_ATTRIBUTE_COUNT_LIMIT` | `128` | a whole number from 0 to 1000; a larger one counts as 1000 | The most attributes of a span; the span counts those that are left out |
//! | `trace.max_value_length` | `WATCHPOST_TRACE_MAX_VALUE_LENGTH`, `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`, `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT` | `4096` | a whole number from 0 to 4096; a larger one counts as 4096 | The most characters of an attribute's text; the rest is cut off |
//! | `trace.max_events` | `WATCHPOST_TRACE_MAX_EVENTS`, `OTEL_SPAN_EVENT_COUNT_LIMIT` | `128` | a whole number from 0 to 1000 | The most events of a span |
//! | `trace.max_links` | `WATCHPOST_TRACE_MAX_LINKS`, `OTEL_SPAN_LINK_COUNT_LIMIT` | `128` | a whole number from 0 to 1000 | The most links of a span |
//! | `trace.max_event_attributes` | `WATCHPOST_TRACE_MAX_EVENT_ATTRIBUTES`, `OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT` | `128` | a whole number from 0 to 1000 | The most attributes of an event of a span |
//! | `trace.max_link_attributes` | `WATCHPOST_TRACE_MAX_LINK_ATTRIBUTES`, `OTEL_LINK_ATTRIBUTE_COUNT_LIMIT` | `128` | a whole number from 0 to 1000 | The most attributes of a link of a span |
//! | `otlp.endpoint` | `WATCHPOST_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_ENDPOINT` | none | a URL | The base URL of an OTLP receiver; `/v1/traces` or `/v1/metrics` is appended |
//! | `otlp.traces_endpoint` | `WATCHPOST_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | none | a URL | The full URL for traces, which overrides `otlp.endpoint` |
//! | `otlp.metrics_endpoint` | `WATCHPOST_OTLP_METRICS_ENDPOINT`, `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` | none | a URL | The full URL for metrics, which overrides `otlp.endpoint` |
//! | `otlp.headers` | `WATCHPOST_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_HEADERS` | none | pairs such as `x-tenant=shop`, percent-encoded, separated by commas | Headers of each request to the receiver |
//! | `otlp.traces_headers` | `WATCHPOST_OTLP_TRACES_HEADERS`, `OTEL_EXPORTER_OTLP_TRACES_HEADERS` | none | pairs such as `x-tenant=shop`, percent-encoded, separated by commas | Headers of requests with traces, in place of `otlp.headers` |
//! | `otlp.metrics_headers` | `WATCHPOST_OTLP_METRICS_HEADERS`, `OTEL_EXPORTER_OTLP_METRICS_HEADERS` | none | pairs such as `x-tenant=shop`, percent-encoded, separated by commas | Headers of requests with metrics, in place of `otlp.headers` |
//! | `otlp.timeout` | `WATCHPOST_OTLP_TIMEOUT`, `OTEL_EXPORTER_OTLP_TIMEOUT` (in ms) | `"10s"` | a duration from `1ms` to `10m` | The time that one request may take |
//! | `otlp.traces_timeout` | `WATCHPOST_OTLP_TRACES_TIMEOUT`, `OTEL_EXPORTER_OTLP_TRACES_TIMEOUT` (in ms) | none | a duration from `1ms` to `10m` | The time that one request with traces may take, in place of `otlp.timeout` |
//! | `otlp.metrics_timeout` | `WATCHPOST_OTLP_METRICS_TIMEOUT`, `OTEL_EXPORTER_OTLP_METRICS_TIMEOUT` (in ms) | none | a duration from `1ms` to `10m` | The time that one request with metrics may take, in place of `otlp.timeout` |
//! | `otlp.compression` | `WATCHPOST_OTLP_COMPRESSION`, `OTEL_EXPORTER_OTLP_COMPRESSION` | `"gzip"` | `gzip` or `none` | The compression of request bodies |
//! | `otlp.traces_compression` | `WATCHPOST_OTLP_TRACES_COMPRESSION`, `OTEL_EXPORTER_OTLP_TRACES_COMPRESSION` | none | `gzip` or `none` | The compression of request bodies with traces, in place of `otlp.compression` |
//! | `otlp.metrics_compression` | `WATCHPOST_OTLP_METRICS_COMPRESSION`, `OTEL_EXPORTER_OTLP_METRICS_COMPRESSION` | none | `gzip` or `none` | The compression of request bodies with metrics, in place of `otlp.compression` |
//! | `otlp.protocol` | `WATCHPOST_OTLP_PROTOCOL`, `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL`, `OTEL_EXPORTER_OTLP_METRICS_PROTOCOL`, `OTEL_EXPORTER_OTLP_PROTOCOL` | `"http/protobuf"` | `http/protobuf` | The protocol of the receiver |
//! | `otlp.certificate` | `WATCHPOST_OTLP_CERTIFICATE`, `OTEL_EXPORTER_OTLP_CERTIFICATE` | none | a PEM file's path | The authorities that are trusted in place of the public ones |
//! | `otlp.traces_certificate` | `WATCHPOST_OTLP_TRACES_CERTIFICATE`, `OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE` | none | a PEM file's path | The authorities of the receiver of traces, in place of `otlp.certificate` |
//! | `otlp.metrics_certificate` | `WATCHPOST_OTLP_METRICS_CERTIFICATE`, `OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE` | none | a PEM file's path | The authorities of the receiver of metrics, in place of `otlp.certificate` |
//! | `otlp.schedule_delay` | `WATCHPOST_OTLP_SCHEDULE_DELAY`, `OTEL_BSP_SCHEDULE_DELAY` (in ms) | `"5s"` | a duration from `10ms` to `10m` | How long a span may wait for others before it is sent |
//! | `otlp.max_queue_size` | `WATCHPOST_OTLP_MAX_QUEUE_SIZE`, `OTEL_BSP_MAX_QUEUE_SIZE` | `65536` | a whole number from 1 to 10000000 | The most spans that may wait to be sent; they also have 8 MiB at most |
//! | `otlp.max_export_batch_size` | `WATCHPOST_OTLP_MAX_EXPORT_BATCH_SIZE`, `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` | `512` | a whole number from 1 to 100000 | The most spans of one request |
//! | `otlp.export_timeout` | `WATCHPOST_OTLP_EXPORT_TIMEOUT`, `OTEL_BSP_EXPORT_TIMEOUT` (in ms) | `"30s"` | a duration from `1ms` to `10m` | The upper limit of the timeout of requests with traces |
//! | `metrics.max_series` | `WATCHPOST_METRICS_MAX_SERIES` | `20000` | a whole number from 1 to 10000000 | The most series of all metrics together |
//! | `metrics.max_series_per_metric` | `WATCHPOST_METRICS_MAX_SERIES_PER_METRIC` | `2000` | a whole number from 1 to 10000000 | The most series of one metric; at most `metrics.max_series` |
//! | `metrics.idle_after` | `WATCHPOST_METRICS_IDLE_AFTER` | `"1h"` | a duration from `1s` to `30d` | How long a series stays on the metrics page without a change |
//! | `metrics.keep_counter_names` | `WATCHPOST_METRICS_KEEP_COUNTER_NAMES` | `false` | `true` or `false` | Whether counters of the `metrics` facade get no `_total` |
//! | `metrics.histograms` | `WATCHPOST_METRICS_HISTOGRAMS` | none | names with `off`, `default` or bounds, such as `http.server.request.duration=0.01 0.1 1` | Histograms that are off or have other bounds than their own |
//! | `metrics.exporter` | `WATCHPOST_METRICS_EXPORTER`, `OTEL_METRICS_EXPORTER` | `"none"` | `otlp`, `none` or `prometheus` | Where metrics are pushed to; `prometheus` is the same as `none`, since they can always be scraped |
//! | `metrics.export_interval` | `WATCHPOST_METRICS_EXPORT_INTERVAL`, `OTEL_METRIC_EXPORT_INTERVAL` (in ms) | `"1m"` | a duration from `100ms` to `1d` | The time from one push of metrics to the next |
//! | `metrics.export_timeout` | `WATCHPOST_METRICS_EXPORT_TIMEOUT`, `OTEL_METRIC_EXPORT_TIMEOUT` (in ms) | `"30s"` | a duration from `1ms` to `10m` | The upper limit of the timeout of requests with metrics |
//! | `metrics.temporality` | `WATCHPOST_METRICS_TEMPORALITY`, `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` | `"cumulative"` | `cumulative`, `delta` or `lowmemory` | Whether pushed counters and histograms have their totals or the increases since the last push |
//! | `metrics.histogram_aggregation` | `WATCHPOST_METRICS_HISTOGRAM_AGGREGATION`, `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION` | `"base2_exponential_bucket_histogram"` | `base2_exponential_bucket_histogram` or `explicit_bucket_histogram` | The form of pushed histograms |
//! | `worker.max_queue_bytes` | `WATCHPOST_WORKER_MAX_QUEUE_BYTES` | `"8MiB"` | a size from `512KiB` to `1GiB` | The most bytes of records that may wait to be formatted |
//! | `worker.max_sink_bytes` | `WATCHPOST_WORKER_MAX_SINK_BYTES` | `"4MiB"` | a size from `64KiB` to `1GiB` | The most bytes that may wait to be written, for each sink |
//! | `elasticsearch.urls` | `WATCHPOST_ELASTICSEARCH_URLS`, `ELASTICSEARCH_URL` | `[]` | URLs such as `https://search-1:9200` | The nodes of an Elasticsearch or OpenSearch that gets the log records; the first one that works is used |
//! | `elasticsearch.username` | `WATCHPOST_ELASTICSEARCH_USERNAME`, `ELASTICSEARCH_USERNAME` | none | a text of 1 to 255 characters in one line | The user of that server |
//! | `elasticsearch.password` | `WATCHPOST_ELASTICSEARCH_PASSWORD`, `ELASTICSEARCH_PASSWORD` | none | a text of 1 to 2048 characters in one line | The password of that user |
//! | `elasticsearch.api_key` | `WATCHPOST_ELASTICSEARCH_API_KEY`, `ELASTICSEARCH_API_KEY` | none | a text of 1 to 2048 characters in one line | An encoded API key of that server, in place of a user |
//! | `elasticsearch.certificate` | `WATCHPOST_ELASTICSEARCH_CERTIFICATE` | none | a PEM file's path | The authorities of that server that are trusted in place of the public ones |
//! | `elasticsearch.index` | `WATCHPOST_ELASTICSEARCH_INDEX` | `"watchpost-logs"` | lower-case letters, digits, `-`, `_` and `.`, a letter or a digit first | The beginning of the names of the indices, which have the day at their end, or the name of the data stream |
//! | `elasticsearch.data_stream` | `WATCHPOST_ELASTICSEARCH_DATA_STREAM` | `false` | `true` or `false` | Whether `elasticsearch.index` is a data stream |
//! | `elasticsearch.template` | `WATCHPOST_ELASTICSEARCH_TEMPLATE` | `false` | `true` or `false` | Whether the index template is stored in that server at the start |
//! | `elasticsearch.timeout` | `WATCHPOST_ELASTICSEARCH_TIMEOUT` | `"30s"` | a duration from `1ms` to `10m` | The time that one request to that server may take |
//! | `elasticsearch.max_batch_bytes` | `WATCHPOST_ELASTICSEARCH_MAX_BATCH_BYTES` | `"4MiB"` | a size from `64KiB` to `64MiB` | The most bytes of documents in one request, before compression |
//! | `elasticsearch.max_batch_documents` | `WATCHPOST_ELASTICSEARCH_MAX_BATCH_DOCUMENTS` | `2000` | a whole number from 1 to 10000 | The most documents in one request |
//! | `health.failures` | `WATCHPOST_HEALTH_FAILURES` | `3` | a whole number from 1 to 100 | How many failures in a row take a check down |
//! | `health.successes` | `WATCHPOST_HEALTH_SUCCESSES` | `2` | a whole number from 1 to 100 | How many successes in a row bring a check up again |
//! | `health.interval` | `WATCHPOST_HEALTH_INTERVAL` | `"10s"` | a duration from `100ms` to `1h` | The time from the start of one run of a check to the start of the next |
//! | `health.timeout` | `WATCHPOST_HEALTH_TIMEOUT` | `"5s"` | a duration from `10ms` to `1h` | How long a run of a check may take before it is a failure; at most `health.interval` |
//! | `history.interval` | `WATCHPOST_HISTORY_INTERVAL` | `"10s"` | a duration from `100ms` to `1h` | The time from one snapshot of all metrics to the next |
//! | `history.memory_age` | `WATCHPOST_HISTORY_MEMORY_AGE` | `"2h"` | a duration from `1m` to `1d` | How long snapshots are kept in memory |
//! | `history.max_memory_bytes` | `WATCHPOST_HISTORY_MAX_MEMORY_BYTES` | `"16MiB"` | a size from `1MiB` to `1GiB` | The most bytes of snapshots in memory; the oldest are removed first |
//! | `history.max_bytes` | `WATCHPOST_HISTORY_MAX_BYTES` | `"2GiB"` | a size from `16MiB` to `1024GiB` | The most bytes of the history in the data directory; the oldest snapshots are removed first, then minutes and hours |
//! | `history.raw_age` | `WATCHPOST_HISTORY_RAW_AGE` | `"2d"` | a duration from `1h` to `3650d` | How long snapshots are kept in the data directory |
//! | `history.minute_age` | `WATCHPOST_HISTORY_MINUTE_AGE` | `"15d"` | a duration from `1h` to `3650d` | How long minutes are kept in the data directory |
//! | `history.hour_age` | `WATCHPOST_HISTORY_HOUR_AGE` | `"395d"` | a duration from `1h` to `3650d` | How long hours are kept in the data directory |
//! | `anomaly.false_alarms` | `WATCHPOST_ANOMALY_FALSE_ALARMS` | `3` | a number from 0.01 to 1000 | How many false alarms are expected of one series in 30 days |
//! | `anomaly.default_series` | `WATCHPOST_ANOMALY_DEFAULT_SERIES` | `true` | `true` or `false` | Whether the monitor's own series are watched for anomalies |
//! | `anomaly.max_series` | `WATCHPOST_ANOMALY_MAX_SERIES` | `2000` | a whole number from 1 to 5000 | How many series are watched for anomalies at most |
//! | `alerts.interval` | `WATCHPOST_ALERTS_INTERVAL` | `"30s"` | a duration from `1s` to `1h` | The time from one evaluation of all alert rules to the next |
//! | `alerts.default_rules` | `WATCHPOST_ALERTS_DEFAULT_RULES` | `true` | `true` or `false` | Whether the default alert rules are there |
//! | `alerts.file` | `WATCHPOST_ALERTS_FILE` | none | a text of 1 to 255 characters in one line | The TOML file with alert rules, which is read again when it changes |
//! | `alerts.group_wait` | `WATCHPOST_ALERTS_GROUP_WAIT` | `"10s"` | a duration from `0s` to `1h` | How long the first alert of a notification waits for others of its rule |
//! | `alerts.group_interval` | `WATCHPOST_ALERTS_GROUP_INTERVAL` | `"1m"` | a duration from `1s` to `1d` | The least time between two notifications of a rule |
//! | `alerts.dashboard_url` | `WATCHPOST_ALERTS_DASHBOARD_URL` | none | a URL | The address of the dashboard, for links in notifications |
//! | `alerts.internal_receivers` | `WATCHPOST_ALERTS_INTERNAL_RECEIVERS` | `false` | `true` or `false` | Whether receivers of notifications may be in private networks, without TLS |
//! | `alerts.slack_webhook_url` | `WATCHPOST_ALERTS_SLACK_WEBHOOK_URL`, `SLACK_WEBHOOK_URL` | none | a text of 1 to 2048 characters in one line | The URL of an incoming webhook of Slack |
//! | `alerts.smtp_config` | `WATCHPOST_ALERTS_SMTP_CONFIG`, `SMTP_CONFIG` | none | a text of 1 to 2048 characters in one line | The mail server: a URL such as `smtps://user:password@host:465`, or JSON |
//! | `alerts.email_from` | `WATCHPOST_ALERTS_EMAIL_FROM` | none | a text of 1 to 255 characters in one line | The sender of e-mails; without it, the user of the mail server |
//! | `alerts.email_to` | `WATCHPOST_ALERTS_EMAIL_TO` | `[]` | addresses such as `ops@example.com` | The recipients of e-mails |
//! | `alerts.pagerduty_routing_key` | `WATCHPOST_ALERTS_PAGERDUTY_ROUTING_KEY`, `PAGERDUTY_API_KEY` | none | a text of 1 to 2048 characters in one line | The integration key of PagerDuty's Events API v2 |
//! | `alerts.pagerduty_service_id` | `WATCHPOST_ALERTS_PAGERDUTY_SERVICE_ID`, `PAGERDUTY_SERVICE_ID` | none | a text of 1 to 255 characters in one line | Has no effect: the routing key decides which service of PagerDuty gets the alerts |
//! | `alerts.pagerduty_url` | `WATCHPOST_ALERTS_PAGERDUTY_URL` | none | a URL | The address of PagerDuty's Events API; without it, `https://events.pagerduty.com` |
//! | `alerts.webhook_url` | `WATCHPOST_ALERTS_WEBHOOK_URL` | none | a text of 1 to 2048 characters in one line | The URL of a receiver of your own |
//! | `alerts.webhook_secret` | `WATCHPOST_ALERTS_WEBHOOK_SECRET` | none | a text of 1 to 2048 characters in one line | The secret with which requests to that receiver are signed |
//! | `alerts.alertmanager_urls` | `WATCHPOST_ALERTS_ALERTMANAGER_URLS` | `[]` | URLs such as `http://alertmanager:9093` | The URLs of all Alertmanagers of a cluster |
//! | `alerts.heartbeat_url` | `WATCHPOST_ALERTS_HEARTBEAT_URL` | none | a text of 1 to 2048 characters in one line | The URL that is called while the alert rules are evaluated |
//! | `alerts.heartbeat_interval` | `WATCHPOST_ALERTS_HEARTBEAT_INTERVAL` | `"1m"` | a duration from `10s` to `1d` | The time between two heartbeats |
//! | `drain.wait` | `WATCHPOST_DRAIN_WAIT` | `"3s"` | a duration from `0s` to `10m` | How long `/readyz` responds 503 before `drain` completes |
//! | `access.token` | `WATCHPOST_ACCESS_TOKEN`, `WATCHPOST_TOKEN` | none | 32 to 512 characters from A-Z, a-z, 0-9 and -._~+/= | The token that opens protected pages |
//! | `access.viewer_token` | `WATCHPOST_ACCESS_VIEWER_TOKEN` | none | 32 to 512 characters from A-Z, a-z, 0-9 and -._~+/= | The token with which protected pages can be read, and nothing changed |
//! | `dashboard.serve` | `WATCHPOST_DASHBOARD_SERVE` | `false` | `true` or `false` | Whether `serve` serves the dashboard too, under `/monitoring` |
//! | `dashboard.max_clients` | `WATCHPOST_DASHBOARD_MAX_CLIENTS` | `64` | a whole number from 1 to 10000 | The most live connections of dashboards |
//! | `dashboard.max_clients_per_address` | `WATCHPOST_DASHBOARD_MAX_CLIENTS_PER_ADDRESS` | `8` | a whole number from 1 to 10000 | The most live connections of dashboards from one address |
//! | `dashboard.lines` | `WATCHPOST_DASHBOARD_LINES` | `[]` | lines such as `error_rate=0.01/0.05` | The warning and critical lines of cards that differ from the defaults |

mod attributes;
mod code;
mod env;
mod file;
mod install;
mod mask;
mod resolve;
mod service;
mod settings;
mod source;
mod suggest;
mod table;
mod value;
mod variables;

use std::path::PathBuf;
use std::time::Duration;

pub use self::settings::Settings;
pub use crate::worker::WorkerConfig;

pub(crate) use self::code::CodeSettings;
pub(crate) use self::env::{Environment, program};
pub(crate) use self::install::InstallConfig;
pub(crate) use self::resolve::{ResolvedConfig, Sources, resolve};
pub(crate) use self::service::ServiceConfig;
pub(crate) use self::source::call_error;
pub(crate) use self::suggest::suggest;

use crate::alerts::AlertsConfig;
use crate::anomaly::AnomalyConfig;
use crate::dashboard::DashboardConfig;
use crate::errors::ErrorsConfig;
use crate::health::HealthConfig;
use crate::history::HistoryConfig;
use crate::http::HttpConfig;
use crate::logs::{ElasticsearchConfig, LogsConfig};
use crate::metrics::MetricsConfig;
use crate::model::{ExplicitKeys, Secret};
use crate::redact::RedactConfig;
use crate::trace::{OtlpConfig, TraceConfig};

#[cfg(test)]
mod tests;

/// Every setting, grouped by the module that uses it.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) service: ServiceConfig,
    /// The directory of the stores. If `None`, stores are in memory only.
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) logs: LogsConfig,
    pub(crate) elasticsearch: ElasticsearchConfig,
    pub(crate) install: InstallConfig,
    pub(crate) errors: ErrorsConfig,
    pub(crate) http: HttpConfig,
    pub(crate) redact: RedactConfig,
    pub(crate) metrics: MetricsConfig,
    pub(crate) worker: WorkerConfig,
    pub(crate) health: HealthConfig,
    pub(crate) history: HistoryConfig,
    pub(crate) anomaly: AnomalyConfig,
    pub(crate) alerts: AlertsConfig,
    pub(crate) trace: TraceConfig,
    pub(crate) otlp: OtlpConfig,
    /// How long `drain` responds 503 on `/readyz` before it completes.
    pub(crate) drain_wait: Duration,
    /// The token that opens protected pages.
    pub(crate) access_token: Option<Secret>,
    pub(crate) access_viewer_token: Option<Secret>,
    pub(crate) dashboard: DashboardConfig,
}

impl Config {
    /// The default drain wait of 3 s, long enough for a load balancer to notice.
    pub(crate) const DEFAULT_DRAIN_WAIT: Duration = Duration::from_secs(3);

    /// Returns the keys of all setters that were called on the config structs.
    fn explicit_keys(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            &self.logs.explicit,
            &self.elasticsearch.explicit,
            &self.errors.explicit,
            &self.http.explicit,
            &self.metrics.explicit,
            &self.worker.explicit,
            &self.health.explicit,
            &self.history.explicit,
            &self.anomaly.explicit,
            &self.dashboard.explicit,
            &self.alerts.explicit,
            &self.trace.explicit,
            &self.otlp.explicit,
        ];
        all.into_iter().flat_map(ExplicitKeys::iter)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            service: ServiceConfig::default(),
            data_dir: None,
            logs: LogsConfig::default(),
            elasticsearch: ElasticsearchConfig::default(),
            install: InstallConfig::default(),
            errors: ErrorsConfig::default(),
            http: HttpConfig::default(),
            redact: RedactConfig::default(),
            metrics: MetricsConfig::default(),
            worker: WorkerConfig::default(),
            health: HealthConfig::default(),
            history: HistoryConfig::default(),
            anomaly: AnomalyConfig::default(),
            alerts: AlertsConfig::default(),
            trace: TraceConfig::default(),
            otlp: OtlpConfig::default(),
            drain_wait: Self::DEFAULT_DRAIN_WAIT,
            access_token: None,
            access_viewer_token: None,
            dashboard: DashboardConfig::default(),
        }
    }
}
