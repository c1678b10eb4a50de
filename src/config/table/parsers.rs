//! The parsers of settings' values, by what the values are.

use std::time::Duration;

use super::super::value::{
    CappedParser, ChoiceParser, DurationParser, IntegerParser, RealParser, SizeParser,
};
use crate::errors::Backtraces;
use crate::logs::{LogFormat, RequestLogs};
use crate::metrics::{HistogramAggregation, MetricsExporter, MetricsTemporality};
use crate::trace::{
    OtlpCompression, OtlpProtocol, SamplerKind, SpanBackend, SpanLimits, TraceExporter,
};

pub(super) const fn integer(min: u32, max: u32) -> IntegerParser<u32> {
    IntegerParser { min, max }
}

pub(super) const fn series() -> IntegerParser<usize> {
    IntegerParser {
        min: 1,
        max: 10_000_000,
    }
}

pub(super) const fn duration(min_millis: u64, max_millis: u64) -> DurationParser {
    DurationParser {
        min: Duration::from_millis(min_millis),
        max: Duration::from_millis(max_millis),
    }
}

pub(super) const fn clients() -> IntegerParser<usize> {
    IntegerParser {
        min: 1,
        max: 10_000,
    }
}

/// Returns the parser of a size from `min` to 1 GiB.
pub(super) const fn size(min: usize) -> SizeParser {
    SizeParser { min, max: 1 << 30 }
}

/// The maximum size of files.
#[cfg(target_pointer_width = "64")]
const MAX_FILES: usize = 1 << 40;
#[cfg(not(target_pointer_width = "64"))]
const MAX_FILES: usize = 2 << 30;

/// Returns the parser of a size of files, from `min`.
pub(super) const fn size_of_files(min: usize) -> SizeParser {
    SizeParser {
        min,
        max: MAX_FILES,
    }
}

/// The parser of the number of attributes of a span.
pub(super) const ATTRIBUTE_COUNT: CappedParser = CappedParser {
    max: SpanLimits::MAX_ATTRIBUTES,
};
/// The parser of the maximum length of an attribute's text.
pub(super) const VALUE_LENGTH: CappedParser = CappedParser {
    max: SpanLimits::MAX_VALUE_LENGTH,
};

pub(super) const FALSE_ALARMS: RealParser = RealParser {
    min: 0.01,
    max: 1000.0,
};

/// The file of their states has at most 8 MiB.
pub(super) const WATCHED_SERIES: IntegerParser<usize> = IntegerParser { min: 1, max: 5000 };

pub(super) const SECOND: u64 = 1_000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;

pub(super) const FORMATS: ChoiceParser<LogFormat> = ChoiceParser(&[
    ("auto", LogFormat::Auto),
    ("json", LogFormat::Json),
    ("pretty", LogFormat::Pretty),
]);
pub(super) const REQUESTS: ChoiceParser<RequestLogs> = ChoiceParser(&[
    ("all", RequestLogs::All),
    ("off", RequestLogs::Off),
    ("errors", RequestLogs::ErrorsAndSlow),
]);

pub(super) const SPANS: ChoiceParser<SpanBackend> = ChoiceParser(&[
    ("watchpost", SpanBackend::Watchpost),
    ("tracing-opentelemetry", SpanBackend::TracingOpentelemetry),
]);
pub(super) const BACKTRACES: ChoiceParser<Backtraces> = ChoiceParser(&[
    ("first", Backtraces::First),
    ("all", Backtraces::All),
    ("off", Backtraces::Off),
]);
pub(super) const EXPORTERS: ChoiceParser<TraceExporter> =
    ChoiceParser(&[("otlp", TraceExporter::Otlp), ("none", TraceExporter::None)]);
pub(super) const METRICS_EXPORTERS: ChoiceParser<MetricsExporter> = ChoiceParser(&[
    ("otlp", MetricsExporter::Otlp),
    ("none", MetricsExporter::None),
    // Metrics are always exposed for Prometheus.
    ("prometheus", MetricsExporter::None),
]);
pub(super) const TEMPORALITIES: ChoiceParser<MetricsTemporality> = ChoiceParser(&[
    ("cumulative", MetricsTemporality::Cumulative),
    ("delta", MetricsTemporality::Delta),
    ("lowmemory", MetricsTemporality::LowMemory),
]);
pub(super) const AGGREGATIONS: ChoiceParser<HistogramAggregation> = ChoiceParser(&[
    (
        "base2_exponential_bucket_histogram",
        HistogramAggregation::Exponential,
    ),
    (
        "explicit_bucket_histogram",
        HistogramAggregation::ExplicitBuckets,
    ),
]);
pub(super) const SAMPLERS: ChoiceParser<SamplerKind> = ChoiceParser(&[
    ("always_on", SamplerKind::AlwaysOn),
    ("always_off", SamplerKind::AlwaysOff),
    ("traceidratio", SamplerKind::TraceIdRatio),
    ("parentbased_always_on", SamplerKind::ParentBasedAlwaysOn),
    ("parentbased_always_off", SamplerKind::ParentBasedAlwaysOff),
    (
        "parentbased_traceidratio",
        SamplerKind::ParentBasedTraceIdRatio,
    ),
]);
pub(super) const COMPRESSIONS: ChoiceParser<OtlpCompression> = ChoiceParser(&[
    ("gzip", OtlpCompression::Gzip),
    ("none", OtlpCompression::None),
]);
pub(super) const PROTOCOLS: ChoiceParser<OtlpProtocol> =
    ChoiceParser(&[("http/protobuf", OtlpProtocol::HttpProtobuf)]);
