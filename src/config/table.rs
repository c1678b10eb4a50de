//! The one table of settings. What reads, prints and documents settings goes by it.

use std::time::Duration;

use crate::errors::Backtraces;
use crate::logs::{LogFormat, RequestLogs};
use crate::trace::otlp::{Compression, Protocol};
use crate::trace::{Exporter, SamplerKind, Spans};

use super::form::{
    At, CertificateFile, Choice, Directives, Directory, Field, GrpcMethod, Header, Headers,
    Histograms, List, Network, Optional, PropagatorNames, QueryName, Ratio, RequestMethod,
    SecretKey, SecretPath, SentryDsn, Size, Span, Status, Switch, Text, Token, Url, Whole,
};

/// What the name of every variable of ours begins with.
pub(super) const PREFIX: &str = "WATCHPOST_";
/// Names the file.
pub(super) const FILE_VARIABLE: &str = "WATCHPOST_CONFIG";
/// OpenTelemetry's list of attributes.
pub(super) const ATTRIBUTES_VARIABLE: &str = "OTEL_RESOURCE_ATTRIBUTES";

pub(super) struct Setting {
    pub(super) key: &'static str,
    pub(super) field: &'static dyn Field,
    /// Beside `WATCHPOST_<KEY>`, which every setting has and which comes first. The first that is
    /// set wins.
    pub(super) variables: &'static [Variable],
    pub(super) secret: bool,
    /// One sentence without its full stop.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the documentation's table is checked against it")
    )]
    pub(super) doc: &'static str,
}

/// How a variable holds a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    Whole(&'static str),
    /// The first of several, separated by colons.
    First(&'static str),
    /// An attribute of `OTEL_RESOURCE_ATTRIBUTES`.
    Attribute(&'static str),
    /// A number of milliseconds without its unit.
    Millis(&'static str),
}

use Variable::{Attribute, First, Millis, Whole as Named};

impl Setting {
    const fn new(key: &'static str, field: &'static dyn Field, doc: &'static str) -> Self {
        Self {
            key,
            field,
            variables: &[],
            secret: false,
            doc,
        }
    }

    const fn variables(mut self, variables: &'static [Variable]) -> Self {
        self.variables = variables;
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// `WATCHPOST_<KEY>`.
pub(super) fn own_variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

const fn whole(least: u32, most: u32) -> Whole<u32> {
    Whole { least, most }
}

const fn series() -> Whole<usize> {
    Whole {
        least: 1,
        most: 10_000_000,
    }
}

const fn span(least_millis: u64, most_millis: u64) -> Span {
    Span {
        least: Duration::from_millis(least_millis),
        most: Duration::from_millis(most_millis),
    }
}

const fn size(least: usize) -> Size {
    Size {
        least,
        most: 1 << 30,
    }
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

const FORMATS: Choice<LogFormat> = Choice(&[
    ("auto", LogFormat::Auto),
    ("json", LogFormat::Json),
    ("pretty", LogFormat::Pretty),
]);
const REQUESTS: Choice<RequestLogs> = Choice(&[
    ("all", RequestLogs::All),
    ("off", RequestLogs::Off),
    ("errors", RequestLogs::ErrorsAndSlow),
]);

const SPANS: Choice<Spans> = Choice(&[
    ("watchpost", Spans::Watchpost),
    ("tracing-opentelemetry", Spans::TracingOpentelemetry),
]);
const BACKTRACES: Choice<Backtraces> = Choice(&[
    ("first", Backtraces::First),
    ("all", Backtraces::All),
    ("off", Backtraces::Off),
]);
const EXPORTERS: Choice<Exporter> = Choice(&[("otlp", Exporter::Otlp), ("none", Exporter::None)]);
const SAMPLERS: Choice<SamplerKind> = Choice(&[
    ("always_on", SamplerKind::AlwaysOn),
    ("always_off", SamplerKind::AlwaysOff),
    ("traceidratio", SamplerKind::Ratio),
    ("parentbased_always_on", SamplerKind::ParentAlwaysOn),
    ("parentbased_always_off", SamplerKind::ParentAlwaysOff),
    ("parentbased_traceidratio", SamplerKind::ParentRatio),
]);
const COMPRESSIONS: Choice<Compression> =
    Choice(&[("gzip", Compression::Gzip), ("none", Compression::None)]);
const PROTOCOLS: Choice<Protocol> = Choice(&[("http/protobuf", Protocol::HttpProtobuf)]);

/// Every setting, in the order of the print-out.
pub(super) static SETTINGS: &[Setting] = &[
    Setting::new(
        "service.name",
        &At(Text, |c| &mut c.service.name),
        "The service's name",
    )
    .variables(&[Named("OTEL_SERVICE_NAME"), Attribute("service.name")]),
    Setting::new(
        "service.version",
        &At(Optional, |c| &mut c.service.version),
        "Its release",
    )
    .variables(&[
        Named("WATCHPOST_VERSION"),
        Named("VERSION"),
        Attribute("service.version"),
    ]),
    Setting::new(
        "service.environment",
        &At(Optional, |c| &mut c.service.environment),
        "Where it runs, such as `production`",
    )
    .variables(&[
        Named("WATCHPOST_ENVIRONMENT"),
        Named("NODE_ENV"),
        Attribute("deployment.environment.name"),
    ]),
    Setting::new(
        "service.instance",
        &At(Optional, |c| &mut c.service.instance),
        "Which of several it is",
    )
    .variables(&[Attribute("service.instance.id")]),
    Setting::new(
        "data_dir",
        &At(Directory, |c| &mut c.data_dir),
        "Where stores live; without it they live in memory alone",
    )
    .variables(&[First("STATE_DIRECTORY")]),
    Setting::new(
        "log.level",
        &At(Directives, |c| &mut c.logs.level),
        "Which `tracing` events get a line",
    )
    .variables(&[
        Named("WATCHPOST_LOG"),
        Named("LOG_LEVEL"),
        Named("RUST_LOG"),
    ]),
    Setting::new(
        "log.format",
        &At(FORMATS, |c| &mut c.logs.format),
        "How lines look; `auto` is pretty on a terminal, JSON otherwise",
    ),
    Setting::new(
        "log.console",
        &At(Switch, |c| &mut c.logs.console),
        "Lines go to standard output",
    ),
    Setting::new(
        "log.requests",
        &At(REQUESTS, |c| &mut c.logs.requests),
        "Which requests get a line; `errors` are those that failed or were slow",
    ),
    Setting::new(
        "log.slow",
        &At(span(1, 24 * HOUR), |c| &mut c.logs.slow),
        "From here on a request is slow",
    ),
    Setting::new(
        "install.subscriber",
        &At(Switch, |c| &mut c.install.subscriber),
        "`install` sets the `tracing` subscriber",
    ),
    Setting::new(
        "install.log",
        &At(Switch, |c| &mut c.install.log),
        "`install` sets the logger that turns records of the `log` crate into `tracing` events",
    ),
    Setting::new(
        "install.recorder",
        &At(Switch, |c| &mut c.install.recorder),
        "`install` sets the recorder of the `metrics` facade",
    ),
    Setting::new(
        "install.propagator",
        &At(Switch, |c| &mut c.install.propagator),
        "`install` sets OpenTelemetry's propagator",
    ),
    Setting::new(
        "install.tracer_provider",
        &At(Switch, |c| &mut c.install.tracer_provider),
        "`install` sets OpenTelemetry's tracer provider",
    ),
    Setting::new(
        "install.panic_hook",
        &At(Switch, |c| &mut c.install.panic_hook),
        "`install` sets the panic hook",
    ),
    Setting::new(
        "install.capture_error",
        &At(Switch, |c| &mut c.install.capture_error),
        "`install` makes this monitor the one that captures outside requests",
    ),
    Setting::new(
        "errors.backtraces",
        &At(BACKTRACES, |c| &mut c.errors.backtraces),
        "Which captured errors have a backtrace; `first` are five of a kind, or all where `RUST_BACKTRACE` asks",
    ),
    Setting::new(
        "errors.max_stored_bytes",
        &At(size(4 << 20), |c| &mut c.errors.max_stored_bytes),
        "What stored errors may take of the data directory; the oldest make room",
    ),
    Setting::new(
        "sentry.dsn",
        &At(SentryDsn, |c| &mut c.errors.dsn),
        "Where captured errors are sent",
    )
    .variables(&[Named("SENTRY_DSN")])
    .secret(),
    Setting::new(
        "sentry.environment",
        &At(Optional, |c| &mut c.errors.sentry_environment),
        "The environment there, in place of the service's",
    )
    .variables(&[Named("SENTRY_ENVIRONMENT")]),
    Setting::new(
        "sentry.release",
        &At(Optional, |c| &mut c.errors.sentry_release),
        "The release there, in place of the service's version",
    )
    .variables(&[Named("SENTRY_RELEASE")]),
    Setting::new(
        "http.trace_header",
        &At(Switch, |c| &mut c.http.trace_header),
        "The response carries `x-trace-id`",
    ),
    Setting::new(
        "http.public_endpoint",
        &At(Switch, |c| &mut c.http.public_endpoint),
        "Each request starts a trace of its own, except that a trusted proxy's trace goes on",
    ),
    Setting::new(
        "http.trusted_proxies",
        &At(List::<Network>::OF, |c| &mut c.http.trusted_proxies),
        "Whose word about the client's address and the sampling of a trace is believed",
    ),
    Setting::new(
        "http.allow_headers",
        &At(List::<Header>::OF, |c| &mut c.http.allow_headers),
        "The request headers that lines show",
    ),
    Setting::new(
        "http.timeout_statuses",
        &At(List::<Status>::OF, |c| &mut c.http.timeout_statuses),
        "The statuses that say, beside 408, that time ran out",
    ),
    Setting::new(
        "http.long_poll",
        &At(span(1, MINUTE), |c| &mut c.http.long_poll),
        "A longer poll is counted as one that blocks its thread",
    ),
    Setting::new(
        "http.known_methods",
        &At(List::<RequestMethod>::OF, |c| &mut c.http.known_methods),
        "The request methods that can be labels; all others are `_OTHER`",
    )
    .variables(&[Named("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS")]),
    Setting::new(
        "http.grpc_methods",
        &At(List::<GrpcMethod>::OF, |c| &mut c.http.grpc_methods),
        "The gRPC methods whose path is a route; with none, those that a response of theirs has shown",
    ),
    Setting::new(
        "redact.keys",
        &At(List::<SecretKey>::OF, |c| &mut c.redact.keys),
        "Further keys whose values are secrets, in any case and as words of longer keys; all sources add up",
    ),
    Setting::new(
        "redact.paths",
        &At(List::<SecretPath>::OF, |c| &mut c.redact.paths),
        "Paths whose `{name}` segments are secrets; `*` is any one segment, `{*name}` the rest; all sources add up",
    ),
    Setting::new(
        "redact.allow_query",
        &At(List::<QueryName>::OF, |c| &mut c.redact.allow_query),
        "Query parameters whose values are shown",
    ),
    Setting::new(
        "trace.propagators",
        &At(PropagatorNames, |c| &mut c.propagators),
        "The headers that carry a trace from service to service",
    )
    .variables(&[Named("OTEL_PROPAGATORS")]),
    Setting::new(
        "trace.disabled",
        &At(Switch, |c| &mut c.trace.disabled),
        "No spans are made; ids and their headers go on",
    )
    .variables(&[Named("OTEL_SDK_DISABLED")]),
    Setting::new(
        "trace.exporter",
        &At(EXPORTERS, |c| &mut c.trace.exporter),
        "Where kept traces go, beside memory",
    )
    .variables(&[Named("OTEL_TRACES_EXPORTER")]),
    Setting::new(
        "trace.sampler",
        &At(SAMPLERS, |c| &mut c.trace.sampler.kind),
        "Which traces are kept whatever becomes of them",
    )
    .variables(&[Named("OTEL_TRACES_SAMPLER")]),
    Setting::new(
        "trace.sampler_arg",
        &At(Ratio, |c| &mut c.trace.sampler.ratio),
        "The share of traces, for a sampler that goes by one",
    )
    .variables(&[Named("OTEL_TRACES_SAMPLER_ARG")]),
    Setting::new(
        "trace.max_per_second",
        &At(whole(0, 1_000_000), |c| &mut c.trace.max_per_second),
        "Traces that are kept by their sampler in a second, at most",
    ),
    Setting::new(
        "trace.slow",
        &At(span(0, HOUR), |c| &mut c.trace.slow),
        "From which duration on a trace is slow; 0: from what 99 of 100 requests of its route take",
    ),
    Setting::new(
        "trace.max_open",
        &At(span(1_000, HOUR), |c| &mut c.trace.max_open),
        "A trace that is open for so long is decided as it stands",
    ),
    Setting::new(
        "trace.max_open_bytes",
        &At(size(64 << 10), |c| &mut c.trace.max_open_bytes),
        "What the spans of undecided traces may hold together",
    ),
    Setting::new(
        "trace.max_bytes_per_second",
        &At(size(0), |c| &mut c.trace.max_bytes_per_second),
        "What is kept of traces for what happened in them, a second on average",
    ),
    Setting::new(
        "trace.recent_bytes",
        &At(size(0), |c| &mut c.trace.recent_bytes),
        "What kept traces may hold in memory",
    ),
    Setting::new(
        "trace.level",
        &At(Directives, |c| &mut c.trace.level),
        "Which `tracing` spans are recorded",
    ),
    Setting::new(
        "trace.spans",
        &At(SPANS, |c| &mut c.trace.spans),
        "Who makes spans of `tracing` spans",
    ),
    Setting::new(
        "trace.events",
        &At(Switch, |c| &mut c.trace.events),
        "`tracing` events become events of their span",
    ),
    Setting::new(
        "trace.max_attributes",
        &At(whole(0, 1_000), |c| &mut c.trace.limits.attributes),
        "Attributes of a span; those beyond are left out and counted on it",
    )
    .variables(&[
        Named("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"),
        Named("OTEL_ATTRIBUTE_COUNT_LIMIT"),
    ]),
    Setting::new(
        "trace.max_value_length",
        &At(whole(0, 1 << 16), |c| &mut c.trace.limits.value_length),
        "Characters of an attribute's text; those beyond are cut off",
    )
    .variables(&[
        Named("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
        Named("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
    ]),
    Setting::new(
        "trace.max_events",
        &At(whole(0, 1_000), |c| &mut c.trace.limits.events),
        "Events of a span",
    )
    .variables(&[Named("OTEL_SPAN_EVENT_COUNT_LIMIT")]),
    Setting::new(
        "trace.max_links",
        &At(whole(0, 1_000), |c| &mut c.trace.limits.links),
        "Links of a span",
    )
    .variables(&[Named("OTEL_SPAN_LINK_COUNT_LIMIT")]),
    Setting::new(
        "trace.max_event_attributes",
        &At(whole(0, 1_000), |c| &mut c.trace.limits.event_attributes),
        "Attributes of a span's event",
    )
    .variables(&[Named("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT")]),
    Setting::new(
        "trace.max_link_attributes",
        &At(whole(0, 1_000), |c| &mut c.trace.limits.link_attributes),
        "Attributes of a span's link",
    )
    .variables(&[Named("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT")]),
    Setting::new(
        "otlp.endpoint",
        &At(Url { query: false }, |c| &mut c.otlp.endpoint),
        "Where an OTLP receiver listens; `/v1/traces` is added",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_ENDPOINT")]),
    Setting::new(
        "otlp.traces_endpoint",
        &At(Url { query: true }, |c| &mut c.otlp.traces_endpoint),
        "The URL for traces as it is, in place of the above",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")]),
    Setting::new(
        "otlp.headers",
        &At(Headers, |c| &mut c.otlp.headers),
        "Headers that the receiver asks for",
    )
    .variables(&[
        Named("OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
        Named("OTEL_EXPORTER_OTLP_HEADERS"),
    ])
    .secret(),
    Setting::new(
        "otlp.timeout",
        &At(span(1, 10 * MINUTE), |c| &mut c.otlp.timeout),
        "What one request may take",
    )
    .variables(&[
        Millis("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"),
        Millis("OTEL_EXPORTER_OTLP_TIMEOUT"),
    ]),
    Setting::new(
        "otlp.compression",
        &At(COMPRESSIONS, |c| &mut c.otlp.compression),
        "How requests are made smaller",
    )
    .variables(&[
        Named("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"),
        Named("OTEL_EXPORTER_OTLP_COMPRESSION"),
    ]),
    Setting::new(
        "otlp.protocol",
        &At(PROTOCOLS, |c| &mut c.otlp.protocol),
        "How it is spoken",
    )
    .variables(&[
        Named("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
        Named("OTEL_EXPORTER_OTLP_PROTOCOL"),
    ]),
    Setting::new(
        "otlp.certificate",
        &At(CertificateFile, |c| &mut c.otlp.certificate),
        "The authorities that are believed in place of the public ones",
    )
    .variables(&[
        Named("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"),
        Named("OTEL_EXPORTER_OTLP_CERTIFICATE"),
    ]),
    Setting::new(
        "otlp.schedule_delay",
        &At(span(10, 10 * MINUTE), |c| &mut c.otlp.schedule_delay),
        "How long a span waits for others before it is sent",
    )
    .variables(&[Millis("OTEL_BSP_SCHEDULE_DELAY")]),
    Setting::new(
        "otlp.max_queue_size",
        &At(whole(1, 10_000_000), |c| &mut c.otlp.max_queue_size),
        "Spans that may wait to be sent, 8 MiB at most",
    )
    .variables(&[Named("OTEL_BSP_MAX_QUEUE_SIZE")]),
    Setting::new(
        "otlp.max_export_batch_size",
        &At(whole(1, 100_000), |c| &mut c.otlp.max_export_batch_size),
        "Spans of one request",
    )
    .variables(&[Named("OTEL_BSP_MAX_EXPORT_BATCH_SIZE")]),
    Setting::new(
        "otlp.export_timeout",
        &At(span(1, 10 * MINUTE), |c| &mut c.otlp.export_timeout),
        "What one request may take at most, whatever `otlp.timeout` says",
    )
    .variables(&[Millis("OTEL_BSP_EXPORT_TIMEOUT")]),
    Setting::new(
        "metrics.max_series",
        &At(series(), |c| &mut c.metrics.max_series),
        "The most series in all",
    ),
    Setting::new(
        "metrics.max_series_per_metric",
        &At(series(), |c| &mut c.metrics.max_series_per_metric),
        "The most series of one metric",
    ),
    Setting::new(
        "metrics.idle_after",
        &At(span(SECOND, 720 * HOUR), |c| &mut c.metrics.idle_after),
        "A series that rests for so long is dropped",
    ),
    Setting::new(
        "metrics.keep_counter_names",
        &At(Switch, |c| &mut c.metrics.keep_counter_names),
        "Whether counters of the `metrics` facade get no `_total`",
    ),
    Setting::new(
        "metrics.histograms",
        &At(Histograms, |c| &mut c.metrics.histograms),
        "Histograms that are off or have other bounds than their own",
    ),
    Setting::new(
        "worker.max_queue_bytes",
        &At(size(512 << 10), |c| &mut c.worker.max_queue_bytes),
        "What may wait to be formatted",
    ),
    Setting::new(
        "worker.max_sink_bytes",
        &At(size(64 << 10), |c| &mut c.worker.max_sink_bytes),
        "What may wait to be written, for each sink",
    ),
    Setting::new(
        "health.failures",
        &At(whole(1, 100), |c| &mut c.health.failures),
        "So many failures in a row turn a check down",
    ),
    Setting::new(
        "health.successes",
        &At(whole(1, 100), |c| &mut c.health.successes),
        "So many successes in a row turn it up",
    ),
    Setting::new(
        "health.interval",
        &At(span(100, HOUR), |c| &mut c.health.interval),
        "From one run of a check to the next",
    ),
    Setting::new(
        "health.timeout",
        &At(span(10, HOUR), |c| &mut c.health.timeout),
        "A check that takes longer has failed; at most the interval",
    ),
    Setting::new(
        "drain.wait",
        &At(span(0, 10 * MINUTE), |c| &mut c.drain_wait),
        "How long readyz says 503 before the service stops",
    ),
    Setting::new(
        "access.token",
        &At(Token, |c| &mut c.access_token),
        "Opens what is closed to strangers",
    )
    .variables(&[Named("WATCHPOST_TOKEN")])
    .secret(),
];

/// A setting by its key.
pub(super) fn position(key: &str) -> Option<usize> {
    SETTINGS.iter().position(|setting| setting.key == key)
}

/// Whether some keys lie in the section.
pub(super) fn is_section(path: &str) -> bool {
    SETTINGS.iter().any(|setting| {
        setting
            .key
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// Every section, some of them several times.
pub(super) fn sections() -> impl Iterator<Item = &'static str> + Clone {
    keys().filter_map(|key| Some(key.rsplit_once('.')?.0))
}

/// Every key.
pub(super) fn keys() -> impl Iterator<Item = &'static str> + Clone {
    SETTINGS.iter().map(|setting| setting.key)
}

/// The table as the guide shows it, without comment marks.
#[cfg(test)]
pub(super) fn documentation() -> String {
    use std::fmt::Write;

    let mut config = super::Config::default();
    let mut text = String::from(
        "| key | default | value | other variables | meaning |\n|---|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let variables: Vec<_> = setting
            .variables
            .iter()
            .map(|variable| match variable {
                Named(name) => format!("`{name}`"),
                First(name) => format!("`{name}` (the first)"),
                Millis(name) => format!("`{name}` (in ms)"),
                Attribute(name) => format!("`{name}` in `{ATTRIBUTES_VARIABLE}`"),
            })
            .collect();
        let default = setting
            .field
            .print(&mut config)
            .map(|value| format!("`{value}`"));
        writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            setting.key,
            default.as_deref().unwrap_or("none"),
            setting.field.describe(),
            variables.join(", "),
            setting.doc,
        )
        .unwrap();
    }
    text
}
