//! The table of settings. Whatever reads, prints or documents settings uses this table.

use std::time::Duration;

use crate::errors::Backtraces;
use crate::logs::{LogFormat, RequestLogs};
use crate::trace::{OtlpCompression, OtlpProtocol, SamplerKind, SpanLimits, Spans, TraceExporter};

use super::value::{
    Binding, BoolParser, CappedParser, CertificateFileParser, ChoiceParser, DirectivesParser,
    DirectoryParser, DsnParser, DurationParser, GrpcMethodItem, HeaderNameItem, HeadersParser,
    HistogramsParser, IntegerParser, ListParser, NetworkItem, OptionalTextParser, PropagatorsParser,
    QueryNameItem, RatioParser, RequestMethodItem, SecretKeyItem, SecretPathItem, SettingField,
    SizeParser, StatusItem, TextParser, TokenParser, UrlParser,
};

/// The prefix of the variables of this crate.
pub(super) const PREFIX: &str = "WATCHPOST_";
/// The variable that names the file.
pub(super) const FILE_VARIABLE: &str = "WATCHPOST_CONFIG";
/// OpenTelemetry's list of attributes.
pub(super) const ATTRIBUTES_VARIABLE: &str = "OTEL_RESOURCE_ATTRIBUTES";

pub(super) struct Setting {
    pub(super) key: &'static str,
    pub(super) field: &'static dyn SettingField,
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
    Value(&'static str),
    /// The first of several paths, separated by colons.
    FirstPath(&'static str),
    /// An attribute of `OTEL_RESOURCE_ATTRIBUTES`.
    Attribute(&'static str),
    /// A number of milliseconds without its unit.
    Millis(&'static str),
}

use Variable::{Attribute, FirstPath, Millis, Value as Named};

impl Setting {
    const fn new(key: &'static str, field: &'static dyn SettingField, doc: &'static str) -> Self {
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

/// The variable of a key: `WATCHPOST_<KEY>`.
pub(super) fn own_variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

const fn integer(min: u32, max: u32) -> IntegerParser<u32> {
    IntegerParser { min, max }
}

const fn series() -> IntegerParser<usize> {
    IntegerParser {
        min: 1,
        max: 10_000_000,
    }
}

const fn duration(min_millis: u64, max_millis: u64) -> DurationParser {
    DurationParser {
        min: Duration::from_millis(min_millis),
        max: Duration::from_millis(max_millis),
    }
}

/// A size from `min` to 1 GiB.
const fn size(min: usize) -> SizeParser {
    SizeParser { min, max: 1 << 30 }
}

/// The numbers of a span's attributes, events and links.
const ATTRIBUTE_COUNT: CappedParser = CappedParser {
    ceiling: SpanLimits::MAX_ATTRIBUTES,
};
/// The length of an attribute's text.
const VALUE_LENGTH: CappedParser = CappedParser {
    ceiling: SpanLimits::MAX_VALUE_LENGTH,
};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

const FORMATS: ChoiceParser<LogFormat> = ChoiceParser(&[
    ("auto", LogFormat::Auto),
    ("json", LogFormat::Json),
    ("pretty", LogFormat::Pretty),
]);
const REQUESTS: ChoiceParser<RequestLogs> = ChoiceParser(&[
    ("all", RequestLogs::All),
    ("off", RequestLogs::Off),
    ("errors", RequestLogs::ErrorsAndSlow),
]);

const SPANS: ChoiceParser<Spans> = ChoiceParser(&[
    ("watchpost", Spans::Watchpost),
    ("tracing-opentelemetry", Spans::TracingOpentelemetry),
]);
const BACKTRACES: ChoiceParser<Backtraces> = ChoiceParser(&[
    ("first", Backtraces::First),
    ("all", Backtraces::All),
    ("off", Backtraces::Off),
]);
const EXPORTERS: ChoiceParser<TraceExporter> = ChoiceParser(&[("otlp", TraceExporter::Otlp), ("none", TraceExporter::None)]);
const SAMPLERS: ChoiceParser<SamplerKind> = ChoiceParser(&[
    ("always_on", SamplerKind::AlwaysOn),
    ("always_off", SamplerKind::AlwaysOff),
    ("traceidratio", SamplerKind::TraceIdRatio),
    ("parentbased_always_on", SamplerKind::ParentBasedAlwaysOn),
    ("parentbased_always_off", SamplerKind::ParentBasedAlwaysOff),
    ("parentbased_traceidratio", SamplerKind::ParentBasedTraceIdRatio),
]);
const COMPRESSIONS: ChoiceParser<OtlpCompression> =
    ChoiceParser(&[("gzip", OtlpCompression::Gzip), ("none", OtlpCompression::None)]);
const PROTOCOLS: ChoiceParser<OtlpProtocol> = ChoiceParser(&[("http/protobuf", OtlpProtocol::HttpProtobuf)]);

/// Every setting, in the order of the print-out.
pub(super) static SETTINGS: &[Setting] = &[
    Setting::new(
        "service.name",
        field!(TextParser, service.name),
        "The service's name",
    )
    .variables(&[Named("OTEL_SERVICE_NAME"), Attribute("service.name")]),
    Setting::new(
        "service.version",
        field!(OptionalTextParser, service.version),
        "Its release",
    )
    .variables(&[
        Named("WATCHPOST_VERSION"),
        Named("VERSION"),
        Attribute("service.version"),
    ]),
    Setting::new(
        "service.environment",
        field!(OptionalTextParser, service.environment),
        "Where it runs, such as `production`",
    )
    .variables(&[
        Named("WATCHPOST_ENVIRONMENT"),
        Named("NODE_ENV"),
        Attribute("deployment.environment.name"),
    ]),
    Setting::new(
        "service.instance",
        field!(OptionalTextParser, service.instance),
        "Which of several it is",
    )
    .variables(&[Attribute("service.instance.id")]),
    Setting::new(
        "data_dir",
        field!(DirectoryParser, data_dir),
        "Where stores live; without it they live in memory alone",
    )
    .variables(&[FirstPath("STATE_DIRECTORY")]),
    Setting::new(
        "log.level",
        field!(DirectivesParser, logs.level),
        "Which `tracing` events get a line",
    )
    .variables(&[
        Named("WATCHPOST_LOG"),
        Named("LOG_LEVEL"),
        Named("RUST_LOG"),
    ]),
    Setting::new(
        "log.format",
        field!(FORMATS, logs.format),
        "How lines look; `auto` is pretty on a terminal, JSON otherwise",
    ),
    Setting::new(
        "log.console",
        field!(BoolParser, logs.console),
        "Lines go to standard output",
    ),
    Setting::new(
        "log.requests",
        field!(REQUESTS, logs.requests),
        "Which requests get a line; `errors` are those that failed or were slow",
    ),
    Setting::new(
        "log.slow",
        field!(duration(1, 24 * HOUR), logs.slow),
        "From here on a request is slow",
    ),
    Setting::new(
        "install.subscriber",
        field!(BoolParser, install.subscriber),
        "`install` sets the `tracing` subscriber",
    ),
    Setting::new(
        "install.log",
        field!(BoolParser, install.log),
        "`install` sets the logger that turns records of the `log` crate into `tracing` events",
    ),
    Setting::new(
        "install.recorder",
        field!(BoolParser, install.recorder),
        "`install` sets the recorder of the `metrics` facade",
    ),
    Setting::new(
        "install.propagator",
        field!(BoolParser, install.propagator),
        "`install` sets OpenTelemetry's propagator",
    ),
    Setting::new(
        "install.tracer_provider",
        field!(BoolParser, install.tracer_provider),
        "`install` sets OpenTelemetry's tracer provider",
    ),
    Setting::new(
        "install.panic_hook",
        field!(BoolParser, install.panic_hook),
        "`install` sets the panic hook",
    ),
    Setting::new(
        "install.capture_error",
        field!(BoolParser, install.capture_error),
        "`install` makes this monitor the one that captures outside requests",
    ),
    Setting::new(
        "errors.backtraces",
        field!(BACKTRACES, errors.backtraces),
        "Which captured errors have a backtrace; `first` are five of a kind, or all where `RUST_BACKTRACE` asks",
    ),
    Setting::new(
        "errors.max_stored_bytes",
        field!(size(4 << 20), errors.max_stored_bytes),
        "What stored errors may take of the data directory; the oldest make room",
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
        "The environment there, in place of the service's",
    )
    .variables(&[Named("SENTRY_ENVIRONMENT")]),
    Setting::new(
        "sentry.release",
        field!(OptionalTextParser, errors.sentry_release),
        "The release there, in place of the service's version",
    )
    .variables(&[Named("SENTRY_RELEASE")]),
    Setting::new(
        "http.trace_header",
        field!(BoolParser, http.trace_header),
        "The response carries `x-trace-id`",
    ),
    Setting::new(
        "http.public_endpoint",
        field!(BoolParser, http.public_endpoint),
        "Each request starts a trace of its own, except that a trusted proxy's trace goes on",
    ),
    Setting::new(
        "http.trusted_proxies",
        field!(ListParser::<NetworkItem>::NEW, http.trusted_proxies),
        "Whose word about the client's address and the sampling of a trace is believed",
    ),
    Setting::new(
        "http.allow_headers",
        field!(ListParser::<HeaderNameItem>::NEW, http.allow_headers),
        "The request headers that lines show",
    ),
    Setting::new(
        "http.timeout_statuses",
        field!(ListParser::<StatusItem>::NEW, http.timeout_statuses),
        "The statuses that say, beside 408, that time ran out",
    ),
    Setting::new(
        "http.long_poll",
        field!(duration(1, MINUTE), http.long_poll),
        "A longer poll is counted as one that blocks its thread",
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
        "The gRPC methods whose path is a route; with none, those that a response of theirs has shown",
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
        "Query parameters whose values are shown",
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
        "No spans are made; ids and their headers go on",
    )
    .variables(&[Named("OTEL_SDK_DISABLED")]),
    Setting::new(
        "trace.exporter",
        field!(EXPORTERS, trace.exporter),
        "Where kept traces go, beside memory",
    )
    .variables(&[Named("OTEL_TRACES_EXPORTER")]),
    Setting::new(
        "trace.sampler",
        field!(SAMPLERS, trace.sampler),
        "Which traces are kept whatever becomes of them",
    )
    .variables(&[Named("OTEL_TRACES_SAMPLER")]),
    Setting::new(
        "trace.sampler_arg",
        field!(RatioParser, trace.sampler_arg),
        "The share of traces, for a sampler that goes by one",
    )
    .variables(&[Named("OTEL_TRACES_SAMPLER_ARG")]),
    Setting::new(
        "trace.max_per_second",
        field!(integer(0, 1_000_000), trace.max_per_second),
        "Traces that are kept by their sampler in a second, at most",
    ),
    Setting::new(
        "trace.slow",
        field!(duration(0, HOUR), trace.slow),
        "From which duration on a trace is slow; 0: from what 99 of 100 requests of its route take",
    ),
    Setting::new(
        "trace.max_open",
        field!(duration(1_000, HOUR), trace.max_open),
        "A trace that is open for so long is decided as it stands",
    ),
    Setting::new(
        "trace.max_open_bytes",
        field!(size(64 << 10), trace.max_open_bytes),
        "What the spans of undecided traces may hold together",
    ),
    Setting::new(
        "trace.max_bytes_per_second",
        field!(size(0), trace.max_bytes_per_second),
        "What is kept of traces for what happened in them, a second on average",
    ),
    Setting::new(
        "trace.recent_bytes",
        field!(size(0), trace.recent_bytes),
        "What kept traces may hold in memory",
    ),
    Setting::new(
        "trace.level",
        field!(DirectivesParser, trace.level),
        "Which `tracing` spans are recorded",
    ),
    Setting::new(
        "trace.spans",
        field!(SPANS, trace.spans),
        "Who makes spans of `tracing` spans",
    ),
    Setting::new(
        "trace.events",
        field!(BoolParser, trace.events),
        "`tracing` events become events of their span",
    ),
    Setting::new(
        "trace.max_attributes",
        field!(ATTRIBUTE_COUNT, trace.limits.attributes),
        "Attributes of a span; those beyond are left out and counted on it",
    )
    .variables(&[
        Named("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"),
        Named("OTEL_ATTRIBUTE_COUNT_LIMIT"),
    ]),
    Setting::new(
        "trace.max_value_length",
        field!(VALUE_LENGTH, trace.limits.value_length),
        "Characters of an attribute's text; those beyond are cut off",
    )
    .variables(&[
        Named("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
        Named("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
    ]),
    Setting::new(
        "trace.max_events",
        field!(ATTRIBUTE_COUNT, trace.limits.events),
        "Events of a span",
    )
    .variables(&[Named("OTEL_SPAN_EVENT_COUNT_LIMIT")]),
    Setting::new(
        "trace.max_links",
        field!(ATTRIBUTE_COUNT, trace.limits.links),
        "Links of a span",
    )
    .variables(&[Named("OTEL_SPAN_LINK_COUNT_LIMIT")]),
    Setting::new(
        "trace.max_event_attributes",
        field!(ATTRIBUTE_COUNT, trace.limits.event_attributes),
        "Attributes of a span's event",
    )
    .variables(&[Named("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT")]),
    Setting::new(
        "trace.max_link_attributes",
        field!(ATTRIBUTE_COUNT, trace.limits.link_attributes),
        "Attributes of a span's link",
    )
    .variables(&[Named("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT")]),
    Setting::new(
        "otlp.endpoint",
        field!(UrlParser { query: false }, otlp.endpoint),
        "Where an OTLP receiver listens; `/v1/traces` is added",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_ENDPOINT")]),
    Setting::new(
        "otlp.traces_endpoint",
        field!(UrlParser { query: true }, otlp.traces_endpoint),
        "The URL for traces as it is, in place of the above",
    )
    .variables(&[Named("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")]),
    Setting::new(
        "otlp.headers",
        field!(HeadersParser, otlp.headers),
        "Headers that the receiver asks for",
    )
    .variables(&[
        Named("OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
        Named("OTEL_EXPORTER_OTLP_HEADERS"),
    ])
    .secret(),
    Setting::new(
        "otlp.timeout",
        field!(duration(1, 10 * MINUTE), otlp.timeout),
        "What one request may take",
    )
    .variables(&[
        Millis("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"),
        Millis("OTEL_EXPORTER_OTLP_TIMEOUT"),
    ]),
    Setting::new(
        "otlp.compression",
        field!(COMPRESSIONS, otlp.compression),
        "How requests are made smaller",
    )
    .variables(&[
        Named("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"),
        Named("OTEL_EXPORTER_OTLP_COMPRESSION"),
    ]),
    Setting::new(
        "otlp.protocol",
        field!(PROTOCOLS, otlp.protocol),
        "How it is spoken",
    )
    .variables(&[
        Named("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
        Named("OTEL_EXPORTER_OTLP_PROTOCOL"),
    ]),
    Setting::new(
        "otlp.certificate",
        field!(CertificateFileParser, otlp.certificate),
        "The authorities that are believed in place of the public ones",
    )
    .variables(&[
        Named("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"),
        Named("OTEL_EXPORTER_OTLP_CERTIFICATE"),
    ]),
    Setting::new(
        "otlp.schedule_delay",
        field!(duration(10, 10 * MINUTE), otlp.schedule_delay),
        "How long a span waits for others before it is sent",
    )
    .variables(&[Millis("OTEL_BSP_SCHEDULE_DELAY")]),
    Setting::new(
        "otlp.max_queue_size",
        field!(integer(1, 10_000_000), otlp.max_queue_size),
        "Spans that may wait to be sent, 8 MiB at most",
    )
    .variables(&[Named("OTEL_BSP_MAX_QUEUE_SIZE")]),
    Setting::new(
        "otlp.max_export_batch_size",
        field!(integer(1, 100_000), otlp.max_export_batch_size),
        "Spans of one request",
    )
    .variables(&[Named("OTEL_BSP_MAX_EXPORT_BATCH_SIZE")]),
    Setting::new(
        "otlp.export_timeout",
        field!(duration(1, 10 * MINUTE), otlp.export_timeout),
        "What one request may take at most, whatever `otlp.timeout` says",
    )
    .variables(&[Millis("OTEL_BSP_EXPORT_TIMEOUT")]),
    Setting::new(
        "metrics.max_series",
        field!(series(), metrics.max_series),
        "The most series in all",
    ),
    Setting::new(
        "metrics.max_series_per_metric",
        field!(series(), metrics.max_series_per_metric),
        "The most series of one metric",
    ),
    Setting::new(
        "metrics.idle_after",
        field!(duration(SECOND, 720 * HOUR), metrics.idle_after),
        "A series that rests for so long is dropped",
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
        "worker.max_queue_bytes",
        field!(size(512 << 10), worker.max_queue_bytes),
        "What may wait to be formatted",
    ),
    Setting::new(
        "worker.max_sink_bytes",
        field!(size(64 << 10), worker.max_sink_bytes),
        "What may wait to be written, for each sink",
    ),
    Setting::new(
        "health.failures",
        field!(integer(1, 100), health.failures),
        "So many failures in a row turn a check down",
    ),
    Setting::new(
        "health.successes",
        field!(integer(1, 100), health.successes),
        "So many successes in a row turn it up",
    ),
    Setting::new(
        "health.interval",
        field!(duration(100, HOUR), health.interval),
        "From one run of a check to the next",
    ),
    Setting::new(
        "health.timeout",
        field!(duration(10, HOUR), health.timeout),
        "A check that takes longer has failed; at most the interval",
    ),
    Setting::new(
        "drain.wait",
        field!(duration(0, 10 * MINUTE), drain_wait),
        "How long readyz says 503 before the service stops",
    ),
    Setting::new(
        "access.token",
        field!(TokenParser, access_token),
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

    let config = super::Config::default();
    let mut text = String::from(
        "| key | default | value | other variables | meaning |\n|---|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let variables: Vec<_> = setting
            .variables
            .iter()
            .map(|variable| match variable {
                Named(name) => format!("`{name}`"),
                FirstPath(name) => format!("`{name}` (the first)"),
                Millis(name) => format!("`{name}` (in ms)"),
                Attribute(name) => format!("`{name}` in `{ATTRIBUTES_VARIABLE}`"),
            })
            .collect();
        let default = setting
            .field
            .print(&config)
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
