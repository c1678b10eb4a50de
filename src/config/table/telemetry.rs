//! Settings of traces, of metrics, and of what is sent.

use super::parsers::{
    AGGREGATIONS, ATTRIBUTE_COUNT, COMPRESSIONS, EXPORTERS, HOUR, METRICS_EXPORTERS, MINUTE,
    PROTOCOLS, SAMPLERS, SECOND, SPANS, TEMPORALITIES, VALUE_LENGTH, duration, integer, series,
    size,
};
use super::setting::Setting;
use super::setting::Variable::{Millis, Value as Named};
use crate::config::value::{
    Binding, BoolParser, CertificateFileParser, DirectivesParser, HeadersParser, HistogramsParser,
    OptionalParser, PropagatorsParser, RatioParser, UrlParser,
};
use crate::trace::SpanLimits;

pub(super) const TELEMETRY: &[Setting] = &[
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
        "The most bytes of kept traces in the data directory; the oldest of those that failed, were slow or were sampled, whichever take the most, are removed first, `0` stores none",
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
];
