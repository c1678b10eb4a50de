use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use super::assembly::{AssemblyInput, assemble};
use super::globals::Global;
use super::guard::MonitorGuard;
use super::handle::Monitor;
use crate::alerts::AlertsConfig;
use crate::anomaly::AnomalyConfig;
use crate::clock::Clock;
use crate::config::{
    self, CodeSettings, Config, Environment, ResolvedConfig, Sources, WorkerConfig,
};
use crate::dashboard::DashboardConfig;
use crate::error::Result;
use crate::errors::{Backtraces, BeforeSend, ErrorEvent, ErrorsConfig};
use crate::health::HealthConfig;
use crate::history::HistoryConfig;
use crate::http::HttpConfig;
use crate::logs::{ElasticsearchConfig, LogFormat, LogsConfig, RequestLogs};
use crate::metrics::{Buckets, MetricsConfig};
use crate::model::Secret;
use crate::trace::{OtlpConfig, SamplerKind, SpanBackend, TraceConfig};

/// Configures a monitor. Created by [`Monitor::builder`].
///
/// Settings made in code override the environment, the environment overrides the file, and the file overrides the
/// defaults. The name given to [`Monitor::builder`] is the exception: it is a fallback that every other source
/// overrides.
///
/// A method that takes a config struct, such as [`http`](Self::http), applies only the values that were set on the
/// struct. The other settings come from the file and the environment. A value is set if its setter was called, or if its
/// field was assigned and differs from the default: assigning the default to a field is not noticed, so call the setter
/// to override the file or the environment with the default. A later call overrides an earlier one.
/// [`build`](Self::build) returns an error for a value that is out of range, whichever source it comes from.
/// [`config`](crate::config) lists all settings with their variables and ranges; each method names those that it sets.
///
/// ```
/// use std::time::Duration;
/// use watchpost::Monitor;
/// use watchpost::health::HealthConfig;
/// use watchpost::http::HttpConfig;
///
/// # fn main() -> watchpost::Result<()> {
/// let monitor = Monitor::builder("shop")
///     .http(HttpConfig::default().long_poll(Duration::from_millis(50)))
///     .health(HealthConfig::default().failures(5))
///     .data_dir("/var/lib/shop")
/// #   .env(false).console(false).data_dir(std::env::temp_dir().join("watchpost-doc-builder"))
///     .build()?;
/// assert_eq!(monitor.settings().origin("health.failures"), Some("call .health(..)"));
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `install` or `build`"]
pub struct MonitorBuilder {
    fallback_name: String,
    env: bool,
    environment: Option<Environment>,
    file: Option<PathBuf>,
    code: Vec<CodeSettings>,
    console: Option<Box<dyn Write + Send>>,
    before_send: Option<BeforeSend>,
    clock: Clock,
}

impl Monitor {
    /// Creates a builder for a monitor.
    ///
    /// `name` is the service name if no other source gives one. These sources override it, highest precedence first:
    /// the variables `WATCHPOST_SERVICE_NAME` and `OTEL_SERVICE_NAME`, `service.name` in `OTEL_RESOURCE_ATTRIBUTES`,
    /// and the file. [`MonitorBuilder::service_name`] overrides them all.
    pub fn builder(name: impl Into<String>) -> MonitorBuilder {
        MonitorBuilder::new(name.into())
    }
}

impl MonitorBuilder {
    fn new(fallback_name: String) -> Self {
        Self {
            fallback_name,
            env: true,
            environment: None,
            file: None,
            code: Vec::new(),
            console: None,
            before_send: None,
            clock: Clock::system(),
        }
    }

    /// Records the settings that a call makes: those in `keys`, and any others that `set` changes.
    fn set(
        mut self,
        call: &'static str,
        keys: &[&'static str],
        set: impl FnOnce(&mut Config),
    ) -> Self {
        self.code.push(CodeSettings::typed(call, keys, set));
        self
    }

    /// Records a setting that the host gives as text.
    fn set_text(mut self, settings: CodeSettings) -> Self {
        self.code.push(settings);
        self
    }

    /// Sets whether the environment is read. Default: `true`.
    pub fn env(mut self, env: bool) -> Self {
        self.env = env;
        self
    }

    /// Reads settings from a TOML file. Default: the file named by the variable `WATCHPOST_CONFIG`, if any.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Sets how log records are written: the settings `log.*`, whose variables are `WATCHPOST_LOG_*`.
    pub fn logs(self, config: LogsConfig) -> Self {
        self.set(".logs(..)", &[], |all| all.logs = config)
    }

    /// Sets how inbound requests are recorded: the settings `http.*`, whose variables are `WATCHPOST_HTTP_*`.
    ///
    /// Settings made on an [`EndpointLayer`](crate::EndpointLayer) override these for that layer.
    pub fn http(self, config: HttpConfig) -> Self {
        self.set(".http(..)", &[], |all| all.http = config)
    }

    /// Sets how errors are captured: the settings `errors.*`, `sentry.environment` and `sentry.release`, whose
    /// variables are `WATCHPOST_ERRORS_*`, `WATCHPOST_SENTRY_ENVIRONMENT` and `WATCHPOST_SENTRY_RELEASE`.
    pub fn errors(self, config: ErrorsConfig) -> Self {
        self.set(".errors(..)", &[], |all| all.errors = config)
    }

    /// Sets which traces are recorded and kept: the settings `trace.*`, whose variables are `WATCHPOST_TRACE_*`. Rules
    /// are appended to those of earlier calls.
    pub fn trace(self, config: TraceConfig) -> Self {
        self.set(".trace(..)", &[], |all| all.trace = config)
    }

    /// Sets where traces and pushed metrics are sent: the settings `otlp.*`, whose variables are `WATCHPOST_OTLP_*`.
    pub fn otlp(self, config: OtlpConfig) -> Self {
        self.set(".otlp(..)", &[], |all| all.otlp = config)
    }

    /// Sets the Elasticsearch or OpenSearch that gets the log records: the settings `elasticsearch.*`, whose variables are
    /// `WATCHPOST_ELASTICSEARCH_*`.
    pub fn elasticsearch(self, config: ElasticsearchConfig) -> Self {
        self.set(".elasticsearch(..)", &[], |all| all.elasticsearch = config)
    }

    /// Sets the metric limits, the histogram buckets and whether metrics are pushed: the settings `metrics.*`, whose
    /// variables are `WATCHPOST_METRICS_*`.
    pub fn metrics(self, config: MetricsConfig) -> Self {
        self.set(".metrics(..)", &[], |all| all.metrics = config)
    }

    /// Sets how health checks run and when they change state: the settings `health.*`, whose variables are
    /// `WATCHPOST_HEALTH_*`.
    pub fn health(self, config: HealthConfig) -> Self {
        self.set(".health(..)", &[], |all| all.health = config)
    }

    /// Sets how often a snapshot of all metrics is taken, and how much of the history is kept: the settings `history.*`,
    /// whose variables are `WATCHPOST_HISTORY_*`.
    pub fn history(self, config: HistoryConfig) -> Self {
        self.set(".history(..)", &[], |all| all.history = config)
    }

    /// Sets which series are watched for anomalies, and how many false alarms are accepted: the settings `anomaly.*`, whose
    /// variables are `WATCHPOST_ANOMALY_*`.
    pub fn anomaly(self, config: AnomalyConfig) -> Self {
        self.set(".anomaly(..)", &[], |all| all.anomaly = config)
    }

    /// Sets how often the alert rules are evaluated, and whether the default ones are there: the settings `alerts.*`, whose
    /// variables are `WATCHPOST_ALERTS_*`.
    pub fn alerts(self, config: AlertsConfig) -> Self {
        self.set(".alerts(..)", &[], |all| all.alerts = config)
    }

    /// Sets how much data may be queued in memory: the settings `worker.*`, whose variables are `WATCHPOST_WORKER_*`.
    pub fn worker(self, config: WorkerConfig) -> Self {
        self.set(".worker(..)", &[], |all| all.worker = config)
    }

    /// Sets the service name and overrides every other source. Default: the name from the environment or the file, else
    /// the name given to [`Monitor::builder`].
    ///
    /// Setting: `service.name`; variable: `WATCHPOST_SERVICE_NAME`.
    pub fn service_name(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.set(".service_name(..)", &["service.name"], |all| {
            all.service.name = name;
        })
    }

    /// Sets the service version, which is a field of every log record. Default: the value from the environment or the
    /// file, else none.
    ///
    /// Setting: `service.version`; variable: `WATCHPOST_SERVICE_VERSION`.
    pub fn service_version(self, version: impl Into<String>) -> Self {
        let version = Some(version.into());
        self.set(".service_version(..)", &["service.version"], |all| {
            all.service.version = version;
        })
    }

    /// Sets the deployment environment, such as `production`. Default: the value from the environment or the file, else
    /// none.
    ///
    /// Setting: `service.environment`; variable: `WATCHPOST_SERVICE_ENVIRONMENT`.
    pub fn service_environment(self, environment: impl Into<String>) -> Self {
        let environment = Some(environment.into());
        let keys = ["service.environment"];
        self.set(".service_environment(..)", &keys, |all| {
            all.service.environment = environment;
        })
    }

    /// Sets the instance of the service, such as a pod's name. Default: the value from the environment or the file,
    /// else none.
    ///
    /// Setting: `service.instance`; variable: `WATCHPOST_SERVICE_INSTANCE`.
    pub fn service_instance(self, instance: impl Into<String>) -> Self {
        let instance = Some(instance.into());
        self.set(".service_instance(..)", &["service.instance"], |all| {
            all.service.instance = instance;
        })
    }

    /// Sets the directory of the on-disk stores. Default: the variable `WATCHPOST_DATA_DIR`, else systemd's
    /// `STATE_DIRECTORY`, else none. Without a directory, the stores are in memory only.
    ///
    /// Setting: `data_dir`; variable: `WATCHPOST_DATA_DIR`.
    pub fn data_dir(self, path: impl Into<PathBuf>) -> Self {
        let path = Some(path.into());
        self.set(".data_dir(..)", &["data_dir"], |all| all.data_dir = path)
    }

    /// Sets which `tracing` events become log records: directives such as `info,hyper=off,shop::db=debug`.
    ///
    /// Default: `info`.
    ///
    /// Setting: `log.level`; variable: `WATCHPOST_LOG_LEVEL`.
    pub fn log_level(self, directives: impl Into<String>) -> Self {
        self.set(".log_level(..)", &[], |all| {
            all.logs = LogsConfig::default().level(directives);
        })
    }

    /// Sets the format of log records. Default: pretty on a terminal, JSON otherwise.
    ///
    /// Setting: `log.format`; variable: `WATCHPOST_LOG_FORMAT`.
    pub fn log_format(self, format: LogFormat) -> Self {
        self.set(".log_format(..)", &[], |all| {
            all.logs = LogsConfig::default().format(format);
        })
    }

    /// Sets which requests get a log record. Default: all.
    ///
    /// Setting: `log.requests`; variable: `WATCHPOST_LOG_REQUESTS`.
    pub fn request_logs(self, requests: RequestLogs) -> Self {
        self.set(".request_logs(..)", &[], |all| {
            all.logs = LogsConfig::default().requests(requests);
        })
    }

    /// Sets the duration at which a request counts as slow, from 1 ms to 1 day. Default: 1 s.
    ///
    /// Setting: `log.slow`; variable: `WATCHPOST_LOG_SLOW`.
    pub fn slow_request_threshold(self, slow: Duration) -> Self {
        self.set(".slow_request_threshold(..)", &[], |all| {
            all.logs = LogsConfig::default().slow(slow);
        })
    }

    /// Sets whether log records are written to stdout. Default: `true`.
    ///
    /// Setting: `log.console`; variable: `WATCHPOST_LOG_CONSOLE`.
    pub fn console(self, console: bool) -> Self {
        self.set(".console(..)", &[], |all| {
            all.logs = LogsConfig::default().console(console);
        })
    }

    /// Writes log records to `writer` instead of stdout. The writer is called on a thread of this crate, so it may
    /// block, fail or panic.
    pub fn console_to(mut self, writer: impl Write + Send + 'static) -> Self {
        self.console = Some(Box::new(writer));
        self
    }

    /// Sets which captured errors have a backtrace. Default: the first five errors of one type at one location, or all
    /// errors if `RUST_LIB_BACKTRACE` or `RUST_BACKTRACE` enables backtraces.
    ///
    /// Setting: `errors.backtraces`; variable: `WATCHPOST_ERRORS_BACKTRACES`.
    pub fn backtraces(self, backtraces: Backtraces) -> Self {
        self.set(".backtraces(..)", &[], |all| {
            all.errors = ErrorsConfig::default().backtraces(backtraces);
        })
    }

    /// Sets the Sentry DSN that captured errors are sent to. Default: the variable `SENTRY_DSN`, else none. Requires
    /// the feature `sentry`.
    ///
    /// Setting: `sentry.dsn`; variable: `WATCHPOST_SENTRY_DSN`.
    pub fn sentry_dsn(self, dsn: impl Into<String>) -> Self {
        self.set_text(CodeSettings::text(".sentry_dsn(..)", "sentry.dsn", dsn))
    }

    /// Sets a hook that runs for each event before it is sent to Sentry. The hook may change the event, and returns
    /// `true` to send it. It runs on a thread of this crate and must return quickly. If it panics, the event is dropped
    /// and counted.
    pub fn before_send(
        mut self,
        before_send: impl Fn(&mut ErrorEvent) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.before_send = Some(Box::new(before_send));
        self
    }

    /// Adds keys whose values are redacted, in addition to the built-in ones such as `password` and `api_key`. Matching
    /// ignores case, the characters `-_. []` and `camelCase`. A key also matches as whole words of a longer key:
    /// `ticket` redacts `casTicket=..`, but not `ticket_count=..`. See [`logs`](crate::logs#what-is-redacted).
    ///
    /// The keys are added to those of earlier calls, the file and the environment.
    ///
    /// Setting: `redact.keys`; variable: `WATCHPOST_REDACT_KEYS`.
    pub fn redact_keys<K: Into<String>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        let keys = keys.into_iter().map(Into::into).collect();
        self.set(".redact_keys(..)", &["redact.keys"], |all| {
            all.redact.keys = keys;
        })
    }

    /// Adds path patterns that contain a secret, such as `/invites/{token}`. `{name}` is redacted, alone or next to
    /// literal text (`bot{token}`); `*` matches any one segment, and `{*name}` matches the rest of the path. A pattern
    /// matches consecutive segments anywhere in a path or URL, including one inside a text. A literal may follow the
    /// secret: `/invites/{token}/accept`.
    ///
    /// The patterns are added to those of earlier calls, the file and the environment.
    ///
    /// Setting: `redact.paths`; variable: `WATCHPOST_REDACT_PATHS`.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop")
    ///     .redact_paths(["/invites/{token}", "/users/*/keys/{key}"])
    ///     .allow_query(["offset", "page"])
    /// #   .env(false).console(false)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn redact_paths<P: Into<String>>(self, paths: impl IntoIterator<Item = P>) -> Self {
        let paths = paths.into_iter().map(Into::into).collect();
        self.set_text(CodeSettings::items(
            ".redact_paths(..)",
            "redact.paths",
            paths,
        ))
    }

    /// Sets the query parameters whose values are not redacted in log records of requests, in spans, in errors and in
    /// URLs inside a text. Names are compared exactly. Default: none.
    ///
    /// A value that contains a secret is still redacted. The name of a secret (`token`) is rejected. Some names hold a
    /// credential in one query and a filter in another (`code`, `state`, `key`): their values are shown only if they
    /// are a lower-case word of at most 16 letters or a number of at most five digits.
    ///
    /// Setting: `redact.allow_query`; variable: `WATCHPOST_REDACT_ALLOW_QUERY`.
    pub fn allow_query<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        self.set(".allow_query(..)", &["redact.allow_query"], |all| {
            all.redact.allow_query = names;
        })
    }

    /// Sets whether responses carry `x-trace-id`. Default: `true`.
    ///
    /// Setting: `http.trace_header`; variable: `WATCHPOST_HTTP_TRACE_HEADER`.
    pub fn trace_header(self, trace_header: bool) -> Self {
        self.set(".trace_header(..)", &[], |all| {
            all.http = HttpConfig::default().trace_header(trace_header);
        })
    }

    /// Sets whether callers are untrusted. If so, each request starts a new trace, the log record also contains the
    /// caller's trace ID, and the caller's baggage is ignored. Default: `false`.
    ///
    /// A [trusted proxy](crate::http::EndpointLayer::trusted_proxies) is exempt: its trace and baggage are continued. A
    /// trusted load balancer that passes a client's `traceparent` through unchanged must remove it.
    ///
    /// Setting: `http.public_endpoint`; variable: `WATCHPOST_HTTP_PUBLIC_ENDPOINT`.
    pub fn public_endpoint(self, public_endpoint: bool) -> Self {
        self.set(".public_endpoint(..)", &[], |all| {
            all.http = HttpConfig::default().public_endpoint(public_endpoint);
        })
    }

    /// Sets the request methods that can be labels; all others are `_OTHER`. Default: those of the semantic
    /// conventions, `GET` to `QUERY`.
    ///
    /// Setting: `http.known_methods`; variable: `WATCHPOST_HTTP_KNOWN_METHODS`.
    pub fn known_methods(self, methods: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let methods = methods.into_iter().map(|it| it.as_ref().to_owned());
        self.set(".known_methods(..)", &[], |all| {
            all.http = HttpConfig::default().known_methods(methods);
        })
    }

    /// Sets whether spans are recorded. Default: `true`. The setting has the opposite meaning.
    ///
    /// Setting: `trace.disabled`; variable: `WATCHPOST_TRACE_DISABLED`.
    pub fn record_spans(self, record: bool) -> Self {
        self.set(".record_spans(..)", &[], |all| {
            all.trace = TraceConfig::default().disabled(!record);
        })
    }

    /// Sets which layer turns `tracing` spans into recorded spans. Default: this crate's own layer.
    ///
    /// Setting: `trace.spans`; variable: `WATCHPOST_TRACE_SPANS`.
    pub fn spans(self, spans: SpanBackend) -> Self {
        self.set(".spans(..)", &[], |all| {
            all.trace = TraceConfig::default().spans(spans);
        })
    }

    /// Sets the ratio of traces that are kept regardless of their outcome, from 0 to 1. Default: 1, up to 100 traces
    /// per second. It also sets `trace.sampler` to `traceidratio`, which does not follow the sampling decision of a
    /// caller; [`TraceConfig::sampler_arg`] sets the ratio alone. Traces that fail, panic, time out, are slow or have a
    /// captured error are kept in addition.
    ///
    /// Setting: `trace.sampler_arg`; variable: `WATCHPOST_TRACE_SAMPLER_ARG`.
    pub fn trace_ratio(self, ratio: f64) -> Self {
        self.set(".trace_ratio(..)", &[], |all| {
            all.trace = TraceConfig::default()
                .sampler(SamplerKind::TraceIdRatio)
                .sampler_arg(ratio);
        })
    }

    /// Adds a ratio, from 0 to 1, for the routes that match a pattern: an exact route, or a prefix followed by `*`. The
    /// first matching rule applies. Rules have no setting in a file or the environment.
    pub fn trace_rule(self, route: impl Into<String>, ratio: f64) -> Self {
        self.set(".trace_rule(..)", &[], |all| {
            all.trace = TraceConfig::default().rule(route, ratio);
        })
    }

    /// Sets the maximum number of traces per second that are kept by ratio or for a trusted caller. Default: 100.
    /// Routes and jobs [share](crate::trace#how-budgets-are-shared) this budget.
    ///
    /// Setting: `trace.max_per_second`; variable: `WATCHPOST_TRACE_MAX_PER_SECOND`.
    pub fn max_traces_per_second(self, traces: u32) -> Self {
        self.set(".max_traces_per_second(..)", &[], |all| {
            all.trace = TraceConfig::default().max_per_second(traces);
        })
    }

    /// Sets the duration at which a trace counts as slow and is kept, up to 1 hour. By default, and for zero, the
    /// threshold is the 99th percentile of the trace's route, once the route has had 500 requests.
    ///
    /// Setting: `trace.slow`; variable: `WATCHPOST_TRACE_SLOW`.
    pub fn slow_trace_threshold(self, slow: Duration) -> Self {
        self.set(".slow_trace_threshold(..)", &[], |all| {
            all.trace = TraceConfig::default().slow(slow);
        })
    }

    /// Sets the maximum number of series of one metric. Default: 2,000.
    ///
    /// Setting: `metrics.max_series_per_metric`; variable: `WATCHPOST_METRICS_MAX_SERIES_PER_METRIC`.
    pub fn max_series_per_metric(self, series: usize) -> Self {
        self.set(".max_series_per_metric(..)", &[], |all| {
            all.metrics = MetricsConfig::default().max_series_per_metric(series);
        })
    }

    /// Sets the maximum number of series of all metrics together. Default: 20,000.
    ///
    /// Setting: `metrics.max_series`; variable: `WATCHPOST_METRICS_MAX_SERIES`.
    pub fn max_series(self, series: usize) -> Self {
        self.set(".max_series(..)", &[], |all| {
            all.metrics = MetricsConfig::default().max_series(series);
        })
    }

    /// Sets whether counters of the `metrics` facade are exposed under their own name, without an added `_total`, as
    /// with metrics-exporter-prometheus. Default: `false`.
    ///
    /// Setting: `metrics.keep_counter_names`; variable: `WATCHPOST_METRICS_KEEP_COUNTER_NAMES`.
    pub fn keep_counter_names(self, keep: bool) -> Self {
        self.set(".keep_counter_names(..)", &[], |all| {
            all.metrics = MetricsConfig::default().keep_counter_names(keep);
        })
    }

    /// Sets how long an unchanged series stays exposed, from 1 s to 30 days. Default: 1 h.
    ///
    /// Setting: `metrics.idle_after`; variable: `WATCHPOST_METRICS_IDLE_AFTER`.
    pub fn idle_after(self, idle: Duration) -> Self {
        self.set(".idle_after(..)", &[], |all| {
            all.metrics = MetricsConfig::default().idle_after(idle);
        })
    }

    /// Sets the upper bounds of a histogram's buckets, in the histogram's unit and in any order: at most 128 finite
    /// numbers. `name` is either the name in the program (`http.server.request.duration`) or the exposed one
    /// (`http_server_request_duration_seconds`). The last call for a histogram, under either name, overrides earlier
    /// calls, the environment and the file. Default: the histogram's own bounds.
    ///
    /// Setting: `metrics.histograms`; variable: `WATCHPOST_METRICS_HISTOGRAMS`.
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop")
    ///     .histogram_bounds("http.server.request.duration", [0.05, 0.1, 0.2, 0.4, 0.8])
    ///     .histogram_off("http.server.request.body.size")
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn histogram_bounds(
        self,
        name: impl fmt::Display,
        bounds: impl IntoIterator<Item = f64>,
    ) -> Self {
        let buckets = Buckets::Bounds(bounds.into_iter().collect());
        self.set(".histogram_bounds(..)", &[], |all| {
            all.metrics = MetricsConfig::default().histogram(name.to_string(), buckets);
        })
    }

    /// Disables a histogram: it records nothing and is not exposed. `name` is as for
    /// [`histogram_bounds`](Self::histogram_bounds).
    ///
    /// Setting: `metrics.histograms`; variable: `WATCHPOST_METRICS_HISTOGRAMS`.
    pub fn histogram_off(self, name: impl fmt::Display) -> Self {
        self.set(".histogram_off(..)", &[], |all| {
            all.metrics = MetricsConfig::default().histogram(name.to_string(), Buckets::Off);
        })
    }

    /// Sets the token of [`Access::from_settings`](crate::Access::from_settings) and of the monitor's own port. It
    /// overrides the variables `WATCHPOST_ACCESS_TOKEN` and `WATCHPOST_TOKEN` and the file. [`build`](Self::build)
    /// returns an error for a token that has fewer than 32 characters or few distinct ones. A token that is easy to
    /// guess in another way is replaced by a random one; see [`Access`](crate::Access).
    ///
    /// Setting: `access.token`; variable: `WATCHPOST_ACCESS_TOKEN`.
    pub fn access_token(self, token: impl Into<String>) -> Self {
        let token = Some(Secret::new(token));
        self.set(".access_token(..)", &["access.token"], |all| {
            all.access_token = token;
        })
    }

    /// Sets the token with which the pages of [`Access::from_settings`](crate::Access::from_settings) can be read: its
    /// [`Role`](crate::Role) is that of a viewer. [`build`](Self::build) returns an error for a token that has fewer than
    /// 32 characters or few distinct ones. One that is easy to guess in another way opens nothing, which is reported.
    ///
    /// Setting: `access.viewer_token`; variable: `WATCHPOST_ACCESS_VIEWER_TOKEN`.
    pub fn access_viewer_token(self, token: impl Into<String>) -> Self {
        let token = Some(Secret::new(token));
        let keys = &["access.viewer_token"];
        self.set(".access_viewer_token(..)", keys, |all| {
            all.access_viewer_token = token;
        })
    }

    /// Sets where the dashboard is served, how many live connections it has, and the lines of its cards: the settings
    /// `dashboard.*`, see [`DashboardConfig`].
    pub fn dashboard(self, config: DashboardConfig) -> Self {
        self.set(".dashboard(..)", &[], |all| all.dashboard = config)
    }

    /// Sets the URL of the OTLP receiver that kept traces are sent to, such as `http://localhost:4318`; `/v1/traces` is
    /// appended. [Metrics](crate::metrics#pushing-to-a-collector) are sent there if `metrics.exporter` is `otlp`. Default:
    /// the value from the environment or the file, else none.
    ///
    /// Setting: `otlp.endpoint`; variable: `WATCHPOST_OTLP_ENDPOINT`.
    pub fn otlp_endpoint(self, url: impl Into<String>) -> Self {
        self.set_text(CodeSettings::text(
            ".otlp_endpoint(..)",
            "otlp.endpoint",
            url,
        ))
    }

    /// Sets the headers that the OTLP receiver requires: `name=value`, percent-encoded, separated by commas. Default:
    /// the value from the environment or the file, else none.
    ///
    /// Setting: `otlp.headers`; variable: `WATCHPOST_OTLP_HEADERS`.
    pub fn otlp_headers(self, headers: impl Into<String>) -> Self {
        self.set_text(CodeSettings::text(
            ".otlp_headers(..)",
            "otlp.headers",
            headers,
        ))
    }

    /// Sets the maximum size of the records queued for the worker, from 512 KiB to 1 GiB. Default: 8 MiB.
    ///
    /// Setting: `worker.max_queue_bytes`; variable: `WATCHPOST_WORKER_MAX_QUEUE_BYTES`.
    pub fn max_queue_bytes(self, bytes: usize) -> Self {
        self.set(".max_queue_bytes(..)", &[], |all| {
            all.worker = WorkerConfig::default().max_queue_bytes(bytes);
        })
    }

    /// Sets the maximum size of the log records queued for one sink, from 64 KiB to 1 GiB. Default: 4 MiB.
    ///
    /// Setting: `worker.max_sink_bytes`; variable: `WATCHPOST_WORKER_MAX_SINK_BYTES`.
    pub fn max_sink_bytes(self, bytes: usize) -> Self {
        self.set(".max_sink_bytes(..)", &[], |all| {
            all.worker = WorkerConfig::default().max_sink_bytes(bytes);
        })
    }

    /// Sets how long [`Monitor::drain`] waits after `/readyz` responds 503, up to 10 minutes. Default: 3 s.
    ///
    /// Setting: `drain.wait`; variable: `WATCHPOST_DRAIN_WAIT`.
    pub fn drain_wait(self, wait: Duration) -> Self {
        self.set(".drain_wait(..)", &["drain.wait"], |all| {
            all.drain_wait = wait;
        })
    }

    #[cfg(feature = "testing")]
    pub(crate) fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets whether [`install`](Self::install) and [`Monitor::install`] set this process global. Default: `true` for
    /// each global.
    ///
    /// [`Global::setting`] returns the setting of a global, such as `install.recorder`, whose variable is
    /// `WATCHPOST_INSTALL_RECORDER`.
    ///
    /// ```no_run
    /// use watchpost::{Global, Monitor};
    ///
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = Monitor::builder("shop")
    ///     .install_global(Global::Recorder, false)
    ///     .install_global(Global::TracerProvider, false)
    ///     .install()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn install_global(self, global: Global, wanted: bool) -> Self {
        self.set(".install_global(..)", &[global.setting()], |all| {
            *global.is_wanted_mut(&mut all.install) = wanted;
        })
    }

    /// Builds the monitor without setting any process global. A host that has its own `tracing` subscriber adds
    /// [`tracing_layer`](Monitor::tracing_layer) to it and then calls [`Monitor::install`] to set the other globals.
    ///
    /// # Errors
    ///
    /// Returns an error that lists every invalid setting, or an error if the worker thread cannot be started. A data
    /// directory that cannot be used is not an error: nothing is stored on disk, and a notice reports it.
    pub fn build(self) -> Result<MonitorGuard> {
        let mut builder = self;
        let (resolved, environment) = builder.resolve()?;
        let input = AssemblyInput {
            resolved,
            environment,
            console: builder.console,
            before_send: builder.before_send,
            clock: builder.clock,
        };
        Ok(MonitorGuard::new(assemble(input)?))
    }

    /// Builds the monitor and sets the process globals: [`build`](Self::build) followed by [`Monitor::install`]. Use it
    /// in a host that sets no `tracing` subscriber: this call sets one, and a later `init()` of another subscriber
    /// fails. [`MonitorGuard::report`] lists the globals that were left unchanged.
    ///
    /// # Errors
    ///
    /// The same as for [`build`](Self::build).
    pub fn install(self) -> Result<MonitorGuard> {
        let monitor = self.build()?;
        monitor.install();
        Ok(monitor)
    }

    /// Merges the settings of all sources; returns them with the environment.
    fn resolve(&mut self) -> Result<(ResolvedConfig, Environment)> {
        let env = self.env;
        let environment = self.environment.take();
        let environment = environment.unwrap_or_else(|| Environment::of_process(env));
        let sources = Sources {
            fallback_name: Some(std::mem::take(&mut self.fallback_name)),
            file: self.file.take(),
            environment: environment.clone(),
            code: std::mem::take(&mut self.code),
        };
        Ok((config::resolve(sources)?, environment))
    }
}

impl fmt::Debug for MonitorBuilder {
    /// Omits the values, because some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.code.iter().flat_map(CodeSettings::keys).collect();
        f.debug_struct("MonitorBuilder")
            .field("set", &keys)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
