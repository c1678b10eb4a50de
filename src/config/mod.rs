//! Settings: defaults, a TOML file, the environment and code, in rising order of precedence.
//!
//! Every setting has a key, a default and a variable of its own: `WATCHPOST_` and the key in capitals
//! with `_` for `.`, so `WATCHPOST_LOG_SLOW` for `log.slow`. Nothing need be set.
//!
//! # Where a value comes from
//!
//! 1. the default in the table below,
//! 2. a TOML file: the one that `.file(path)` names, else the one that `WATCHPOST_CONFIG` names,
//! 3. the environment: the setting's own variable, else the others of the table from left to right,
//! 4. a call in code.
//!
//! The later wins; what the file, the environment and code give for `redact.keys` and `redact.paths` holds together. The environment is read once, when the monitor is built, and not at all with
//! `.env(false)`. A variable that is set to nothing counts as unset.
//!
//! # A file
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
//! [http]
//! trusted_proxies = ["10.0.0.0/8"]
//! timeout_statuses = [504]
//!
//! [metrics.histograms]
//! "http.server.request.duration" = [0.05, 0.1, 0.2, 0.4, 0.8]
//! "http.server.request.body.size" = "off"
//!
//! [worker]
//! max_queue_bytes = "16MiB"
//! ```
//!
//! # How values are written
//!
//! - A duration is a whole number with a unit, or several: `250ms`, `5s`, `2m`, `1h30m`, `1d`; `us` and `ns` for what is
//!   shorter.
//! - A size is a number of bytes, or a number with a unit: `4096`, `500kB`, `8MiB`.
//! - Whole numbers and sizes may have an exponent: `1e6` is 1000000, `1.5e3` is 1500. A fraction is refused.
//! - A share is a number from 0 to 1: `0.1`, `1e-3`.
//! - A URL's port is a number from 1 to 65535 or left out.
//! - A list is an array in a file and separated by commas elsewhere.
//! - Histograms are a table in a file; elsewhere, names with `off`, `default` or bounds separated by spaces:
//!   `http.server.request.duration=0.01 0.1 1,http.server.request.body.size=off`. A later source changes the histograms
//!   that it names, by the name in the program or by the name on the page, and leaves the others. Within one source the
//!   last entry of a histogram holds.
//!
//! # What is wrong is told at once
//!
//! A monitor is refused with every problem of every source: each names the key, the value, where it
//! came from and what to write ([`Error::problems`](crate::Error::problems)). The value of a secret is
//! never shown, nor is one that looks like a secret in a wrong place, nor that of an unknown key. Numbers, durations, sizes
//! and truth values of other settings are shown, and lists of them.
//!
//! Two things are warnings, after which the next source holds: a bad value in a variable that is not
//! ours (`OTEL_*`, `LOG_LEVEL`, `RUST_LOG`, `NODE_ENV`, ..), which may mean something to another
//! program, and a variable that begins with `WATCHPOST_` and is not known.
//!
//! # The settings
//!
//! | key | default | value | other variables | meaning |
//! |---|---|---|---|---|
//! | `service.name` | `"unknown_service"` | a text of 1 to 255 characters in one line | `OTEL_SERVICE_NAME`, `service.name` in `OTEL_RESOURCE_ATTRIBUTES` | The service's name |
//! | `service.version` | none | a text of 1 to 255 characters in one line | `WATCHPOST_VERSION`, `VERSION`, `service.version` in `OTEL_RESOURCE_ATTRIBUTES` | Its release |
//! | `service.environment` | none | a text of 1 to 255 characters in one line | `WATCHPOST_ENVIRONMENT`, `NODE_ENV`, `deployment.environment.name` in `OTEL_RESOURCE_ATTRIBUTES` | Where it runs, such as `production` |
//! | `service.instance` | none | a text of 1 to 255 characters in one line | `service.instance.id` in `OTEL_RESOURCE_ATTRIBUTES` | Which of several it is |
//! | `data_dir` | none | a directory's path | `STATE_DIRECTORY` (the first) | Where stores live; without it they live in memory alone |
//! | `log.level` | `"info"` | a level (`off`, `error`, `warn`, `info`, `debug`, `trace`) or directives such as `info,hyper=off,my_crate::db=debug` | `WATCHPOST_LOG`, `LOG_LEVEL`, `RUST_LOG` | Which `tracing` events get a line |
//! | `log.format` | `"auto"` | `auto`, `json` or `pretty` |  | How lines look; `auto` is pretty on a terminal, JSON otherwise |
//! | `log.console` | `true` | `true` or `false` |  | Lines go to standard output |
//! | `log.requests` | `"all"` | `all`, `off` or `errors` |  | Which requests get a line; `errors` are those that failed or were slow |
//! | `log.slow` | `"1s"` | a duration from `1ms` to `1d` |  | From here on a request is slow |
//! | `install.subscriber` | `true` | `true` or `false` |  | `install` sets the `tracing` subscriber |
//! | `install.log` | `true` | `true` or `false` |  | `install` sets the logger that turns records of the `log` crate into `tracing` events |
//! | `install.recorder` | `true` | `true` or `false` |  | `install` sets the recorder of the `metrics` facade |
//! | `install.propagator` | `true` | `true` or `false` |  | `install` sets OpenTelemetry's propagator |
//! | `install.tracer_provider` | `true` | `true` or `false` |  | `install` sets OpenTelemetry's tracer provider |
//! | `install.panic_hook` | `true` | `true` or `false` |  | `install` sets the panic hook |
//! | `install.capture_error` | `true` | `true` or `false` |  | `install` makes this monitor the one that captures outside requests |
//! | `errors.backtraces` | `"first"` | `first`, `all` or `off` |  | Which captured errors have a backtrace; `first` are five of a kind, or all where `RUST_BACKTRACE` asks |
//! | `errors.max_stored_bytes` | `"64MiB"` | a size from `4MiB` to `1GiB` |  | What stored errors may take of the data directory; the oldest make room |
//! | `sentry.dsn` | none | a DSN: `https://key@host/project` | `SENTRY_DSN` | Where captured errors are sent |
//! | `sentry.environment` | none | a text of 1 to 255 characters in one line | `SENTRY_ENVIRONMENT` | The environment there, in place of the service's |
//! | `sentry.release` | none | a text of 1 to 255 characters in one line | `SENTRY_RELEASE` | The release there, in place of the service's version |
//! | `http.trace_header` | `true` | `true` or `false` |  | The response carries `x-trace-id` |
//! | `http.public_endpoint` | `false` | `true` or `false` |  | Each request starts a trace of its own, except that a trusted proxy's trace goes on |
//! | `http.trusted_proxies` | `[]` | networks such as `10.0.0.0/8` |  | Whose word about the client's address and the sampling of a trace is believed |
//! | `http.allow_headers` | `[]` | header names such as `user-agent` |  | The request headers that lines show |
//! | `http.timeout_statuses` | `[]` | statuses from 400 to 599 |  | The statuses that say, beside 408, that time ran out |
//! | `http.long_poll` | `"100ms"` | a duration from `1ms` to `1m` |  | A longer poll is counted as one that blocks its thread |
//! | `http.known_methods` | `["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "QUERY"]` | request methods such as `GET` or `PROPFIND` | `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` | The request methods that can be labels; all others are `_OTHER` |
//! | `http.grpc_methods` | `[]` | paths such as `/grpc.health.v1.Health/Check` |  | The gRPC methods whose path is a route; with none, those that a response of theirs has shown |
//! | `redact.keys` | `[]` | keys such as `ticket` |  | Further keys whose values are secrets, in any case and as words of longer keys; all sources add up |
//! | `redact.paths` | `[]` | paths such as `/invites/{token}` |  | Paths whose `{name}` segments are secrets; `*` is any one segment, `{*name}` the rest; all sources add up |
//! | `redact.allow_query` | `[]` | names of query parameters such as `page` |  | Query parameters whose values are shown |
//! | `trace.propagators` | `["tracecontext", "baggage"]` | `tracecontext`, `baggage`, or `none` alone | `OTEL_PROPAGATORS` | The headers that carry a trace from service to service |
//! | `trace.disabled` | `false` | `true` or `false` | `OTEL_SDK_DISABLED` | No spans are made; ids and their headers go on |
//! | `trace.exporter` | `"otlp"` | `otlp` or `none` | `OTEL_TRACES_EXPORTER` | Where kept traces go, beside memory |
//! | `trace.sampler` | `"parentbased_traceidratio"` | `always_on`, `always_off`, `traceidratio`, `parentbased_always_on`, `parentbased_always_off` or `parentbased_traceidratio` | `OTEL_TRACES_SAMPLER` | Which traces are kept whatever becomes of them |
//! | `trace.sampler_arg` | `1` | a number from 0 to 1, such as `0.1` | `OTEL_TRACES_SAMPLER_ARG` | The share of traces, for a sampler that goes by one |
//! | `trace.max_per_second` | `100` | a whole number from 0 to 1000000 |  | Traces that are kept by their sampler in a second, at most |
//! | `trace.slow` | `"0s"` | a duration from `0s` to `1h` |  | From which duration on a trace is slow; 0: from what 99 of 100 requests of its route take |
//! | `trace.max_open` | `"1m"` | a duration from `1s` to `1h` |  | A trace that is open for so long is decided as it stands |
//! | `trace.max_open_bytes` | `"16MiB"` | a size from `64KiB` to `1GiB` |  | What the spans of undecided traces may hold together |
//! | `trace.max_bytes_per_second` | `"1MiB"` | a size from `0` to `1GiB` |  | What is kept of traces for what happened in them, a second on average |
//! | `trace.recent_bytes` | `"4MiB"` | a size from `0` to `1GiB` |  | What kept traces may hold in memory |
//! | `trace.level` | `"info"` | a level (`off`, `error`, `warn`, `info`, `debug`, `trace`) or directives such as `info,hyper=off,my_crate::db=debug` |  | Which `tracing` spans are recorded |
//! | `trace.spans` | `"watchpost"` | `watchpost` or `tracing-opentelemetry` |  | Who makes spans of `tracing` spans |
//! | `trace.events` | `true` | `true` or `false` |  | `tracing` events become events of their span |
//! | `trace.max_attributes` | `128` | a whole number from 0 to 1000 | `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`, `OTEL_ATTRIBUTE_COUNT_LIMIT` | Attributes of a span; those beyond are left out and counted on it |
//! | `trace.max_value_length` | `4096` | a whole number from 0 to 65536 | `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`, `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT` | Characters of an attribute's text; those beyond are cut off |
//! | `trace.max_events` | `128` | a whole number from 0 to 1000 | `OTEL_SPAN_EVENT_COUNT_LIMIT` | Events of a span |
//! | `trace.max_links` | `128` | a whole number from 0 to 1000 | `OTEL_SPAN_LINK_COUNT_LIMIT` | Links of a span |
//! | `trace.max_event_attributes` | `128` | a whole number from 0 to 1000 | `OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT` | Attributes of a span's event |
//! | `trace.max_link_attributes` | `128` | a whole number from 0 to 1000 | `OTEL_LINK_ATTRIBUTE_COUNT_LIMIT` | Attributes of a span's link |
//! | `otlp.endpoint` | none | a URL | `OTEL_EXPORTER_OTLP_ENDPOINT` | Where an OTLP receiver listens; `/v1/traces` is added |
//! | `otlp.traces_endpoint` | none | a URL | `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | The URL for traces as it is, in place of the above |
//! | `otlp.headers` | none | pairs such as `x-tenant=shop`, percent-encoded, separated by commas | `OTEL_EXPORTER_OTLP_TRACES_HEADERS`, `OTEL_EXPORTER_OTLP_HEADERS` | Headers that the receiver asks for |
//! | `otlp.timeout` | `"10s"` | a duration from `1ms` to `10m` | `OTEL_EXPORTER_OTLP_TRACES_TIMEOUT` (in ms), `OTEL_EXPORTER_OTLP_TIMEOUT` (in ms) | What one request may take |
//! | `otlp.compression` | `"gzip"` | `gzip` or `none` | `OTEL_EXPORTER_OTLP_TRACES_COMPRESSION`, `OTEL_EXPORTER_OTLP_COMPRESSION` | How requests are made smaller |
//! | `otlp.protocol` | `"http/protobuf"` | `http/protobuf` | `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL`, `OTEL_EXPORTER_OTLP_PROTOCOL` | How it is spoken |
//! | `otlp.certificate` | none | a PEM file's path | `OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE`, `OTEL_EXPORTER_OTLP_CERTIFICATE` | The authorities that are believed in place of the public ones |
//! | `otlp.schedule_delay` | `"5s"` | a duration from `10ms` to `10m` | `OTEL_BSP_SCHEDULE_DELAY` (in ms) | How long a span waits for others before it is sent |
//! | `otlp.max_queue_size` | `65536` | a whole number from 1 to 10000000 | `OTEL_BSP_MAX_QUEUE_SIZE` | Spans that may wait to be sent, 8 MiB at most |
//! | `otlp.max_export_batch_size` | `512` | a whole number from 1 to 100000 | `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` | Spans of one request |
//! | `otlp.export_timeout` | `"30s"` | a duration from `1ms` to `10m` | `OTEL_BSP_EXPORT_TIMEOUT` (in ms) | What one request may take at most, whatever `otlp.timeout` says |
//! | `metrics.max_series` | `20000` | a whole number from 1 to 10000000 |  | The most series in all |
//! | `metrics.max_series_per_metric` | `2000` | a whole number from 1 to 10000000 |  | The most series of one metric |
//! | `metrics.idle_after` | `"1h"` | a duration from `1s` to `30d` |  | A series that rests for so long is dropped |
//! | `metrics.keep_counter_names` | `false` | `true` or `false` |  | Whether counters of the `metrics` facade get no `_total` |
//! | `metrics.histograms` | none | names with `off`, `default` or bounds, such as `http.server.request.duration=0.01 0.1 1` |  | Histograms that are off or have other bounds than their own |
//! | `worker.max_queue_bytes` | `"8MiB"` | a size from `512KiB` to `1GiB` |  | What may wait to be formatted |
//! | `worker.max_sink_bytes` | `"4MiB"` | a size from `64KiB` to `1GiB` |  | What may wait to be written, for each sink |
//! | `health.failures` | `3` | a whole number from 1 to 100 |  | So many failures in a row turn a check down |
//! | `health.successes` | `2` | a whole number from 1 to 100 |  | So many successes in a row turn it up |
//! | `health.interval` | `"10s"` | a duration from `100ms` to `1h` |  | From one run of a check to the next |
//! | `health.timeout` | `"5s"` | a duration from `10ms` to `1h` |  | A check that takes longer has failed; at most the interval |
//! | `drain.wait` | `"3s"` | a duration from `0s` to `10m` |  | How long readyz says 503 before the service stops |
//! | `access.token` | none | 32 to 512 characters from A-Z, a-z, 0-9 and -._~+/= | `WATCHPOST_TOKEN` | Opens what is closed to strangers |

mod attributes;
mod code;
mod env;
mod file;
mod install;
mod mask;
mod problem;
mod resolve;
mod service;
mod settings;
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
pub(crate) use self::suggest::suggest;

use self::resolve::TextValue;
use crate::errors::ErrorsConfig;
use crate::health::HealthConfig;
use crate::http::HttpConfig;
use crate::logs::LogsConfig;
use crate::metrics::MetricsConfig;
use crate::model::Secret;
use crate::redact::RedactConfig;
use crate::trace::{OtlpConfig, TraceConfig};

#[cfg(test)]
mod tests;

/// Every setting, grouped by the module that uses it.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) service: ServiceConfig,
    /// Where stores live; `None`: in memory only.
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) logs: LogsConfig,
    pub(crate) install: InstallConfig,
    pub(crate) errors: ErrorsConfig,
    pub(crate) http: HttpConfig,
    pub(crate) redact: RedactConfig,
    pub(crate) metrics: MetricsConfig,
    pub(crate) worker: WorkerConfig,
    pub(crate) health: HealthConfig,
    pub(crate) trace: TraceConfig,
    pub(crate) otlp: OtlpConfig,
    /// How long `drain` answers 503 on `/readyz` before it completes.
    pub(crate) drain_wait: Duration,
    /// The token that opens protected pages.
    pub(crate) access_token: Option<Secret>,
}

impl Config {
    /// Long enough for a load balancer to notice.
    pub(crate) const DEFAULT_DRAIN_WAIT: Duration = Duration::from_secs(3);

    /// The keys of all setters that were called on the config structs.
    fn explicit_keys(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            &self.logs.explicit,
            &self.errors.explicit,
            &self.http.explicit,
            &self.metrics.explicit,
            &self.worker.explicit,
            &self.health.explicit,
            &self.trace.explicit,
            &self.otlp.explicit,
        ];
        all.into_iter().flat_map(|keys| keys.iter())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            service: ServiceConfig::default(),
            data_dir: None,
            logs: LogsConfig::default(),
            install: InstallConfig::default(),
            errors: ErrorsConfig::default(),
            http: HttpConfig::default(),
            redact: RedactConfig::default(),
            metrics: MetricsConfig::default(),
            worker: WorkerConfig::default(),
            health: HealthConfig::default(),
            trace: TraceConfig::default(),
            otlp: OtlpConfig::default(),
            drain_wait: Self::DEFAULT_DRAIN_WAIT,
            access_token: None,
        }
    }
}
