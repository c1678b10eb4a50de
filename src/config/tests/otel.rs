use std::time::Duration;

use super::*;
use crate::metrics::{HistogramAggregation, MetricsExporter, MetricsTemporality};
use crate::trace::OtlpCompression;

#[test]
fn the_variables_of_opentelemetry_arrive() {
    let config = from_environment(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://base:4318/"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "key=a%3Db"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "other=x"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://metrics:1/in"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "2500"),
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "15000"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "9000"),
        (
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            "LowMemory",
        ),
        (
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            "explicit_bucket_histogram",
        ),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/etc/ca.pem"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1000"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "7000"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "4096"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "64"),
        ("OTEL_SDK_DISABLED", "TRUE"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.05"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "100"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "11"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "12"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "13"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "14"),
        ("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET, PROPFIND"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "team=blue,service.instance.id=i-1",
        ),
    ])
    .unwrap();
    assert_eq!(config.warnings, Vec::<String>::new());
    let config = config.config;
    let otlp = &config.otlp;
    let (traces, pushes) = (otlp.traces().unwrap(), otlp.metrics().unwrap());
    assert_eq!(traces.url, "http://base:4318/v1/traces");
    assert_eq!(pushes.url, "http://metrics:1/in");
    // The headers of traces replace those of all signals.
    assert_eq!((traces.headers.len(), pushes.headers.len()), (1, 1));
    assert_eq!([&traces.headers[0].1, &pushes.headers[0].1], ["a=b", "x"]);
    assert_eq!(
        [traces.timeout, pushes.timeout],
        [1500, 2500].map(Duration::from_millis)
    );
    assert_eq!(
        [traces.compression, pushes.compression],
        [OtlpCompression::Gzip, OtlpCompression::None]
    );
    assert_eq!(traces.certificate.as_deref(), Some("/etc/ca.pem".as_ref()));
    let metrics = &config.metrics;
    assert_eq!(metrics.exporter, MetricsExporter::Otlp);
    assert_eq!(
        [metrics.export_interval, metrics.export_timeout],
        [15, 9].map(Duration::from_secs)
    );
    assert_eq!(metrics.temporality, MetricsTemporality::LowMemory);
    let explicit = HistogramAggregation::ExplicitBuckets;
    assert_eq!(metrics.histogram_aggregation, explicit);
    assert_eq!(otlp.schedule_delay, Duration::from_secs(1));
    assert_eq!(otlp.export_timeout, Duration::from_secs(7));
    assert_eq!(
        (otlp.max_queue_size, otlp.max_export_batch_size),
        (4096, 64)
    );
    assert!(config.trace.disabled && config.trace.sampler.is_parent_based());
    assert_eq!(config.trace.ratio().to_string(), "0.05");
    let limits = config.trace.limits;
    assert_eq!(
        (
            limits.value_length,
            limits.attributes,
            limits.events,
            limits.links
        ),
        (100, 12, 13, 14)
    );
    assert_eq!(config.http.known_methods, ["GET", "PROPFIND"]);
    assert_eq!(config.service.instance.as_deref(), Some("i-1"));
    assert_eq!(config.service.attributes[0].1, "blue");
}

#[test]
fn metrics_are_pushed_only_if_the_exporter_is_set() {
    for (exporter, expected) in [
        ("", MetricsExporter::None),
        ("none", MetricsExporter::None),
        ("prometheus", MetricsExporter::None),
        ("otlp", MetricsExporter::Otlp),
    ] {
        let resolved = from_environment(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://base:4318"),
            ("OTEL_METRICS_EXPORTER", exporter),
        ]);
        let resolved = resolved.unwrap();
        assert_eq!(resolved.config.metrics.exporter, expected, "{exporter}");
        assert_eq!(resolved.warnings, Vec::<String>::new(), "{exporter}");
    }
}

#[test]
fn a_bad_value_is_a_warning_and_the_next_source_holds() {
    for (variables, key, holds) in [
        (
            vec![("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
            "otlp.protocol",
            "\"http/protobuf\"",
        ),
        (
            vec![("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")],
            "otlp.timeout",
            "\"10s\"",
        ),
        (
            vec![
                ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "-1"),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
            ],
            "otlp.traces_timeout",
            "",
        ),
        (
            vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318")],
            "otlp.endpoint",
            "",
        ),
        (
            vec![("OTEL_EXPORTER_OTLP_HEADERS", "a=b,c")],
            "otlp.headers",
            "",
        ),
        (
            vec![("OTEL_TRACES_EXPORTER", "zipkin")],
            "trace.exporter",
            "\"otlp\"",
        ),
        (
            vec![("OTEL_METRICS_EXPORTER", "console")],
            "metrics.exporter",
            "\"none\"",
        ),
        (
            vec![("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc")],
            "otlp.protocol",
            "\"http/protobuf\"",
        ),
        (
            vec![("OTEL_METRIC_EXPORT_INTERVAL", "60s")],
            "metrics.export_interval",
            "\"1m\"",
        ),
        (
            vec![("OTEL_TRACES_SAMPLER", "jaeger_remote")],
            "trace.sampler",
            "\"parentbased_traceidratio\"",
        ),
        (
            vec![("OTEL_TRACES_SAMPLER_ARG", "1.1")],
            "trace.sampler_arg",
            "1",
        ),
        (
            vec![("OTEL_SDK_DISABLED", "yes")],
            "trace.disabled",
            "false",
        ),
        (
            vec![("OTEL_BSP_MAX_QUEUE_SIZE", "0")],
            "otlp.max_queue_size",
            "65536",
        ),
    ] {
        let resolved = from_environment(&variables).unwrap();
        let value = resolved.settings.value(key).unwrap_or_default();
        assert_eq!(value, holds, "{variables:?}");
        let [warning] = resolved.warnings.as_slice() else {
            panic!("{variables:?}: {:?}", resolved.warnings)
        };
        assert!(
            warning.contains(variables[0].0) && warning.contains("; write "),
            "{warning}"
        );
    }
}

#[test]
fn a_limit_above_its_maximum_is_a_warning_and_the_maximum_is_used() {
    for (variable, key, max) in [
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "trace.max_attributes", "1000"),
        (
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "trace.max_value_length",
            "4096",
        ),
        (
            "WATCHPOST_TRACE_MAX_ATTRIBUTES",
            "trace.max_attributes",
            "1000",
        ),
    ] {
        for value in ["5000", "99999999999999999999"] {
            let resolved = from_environment(&[(variable, value)]).unwrap();
            assert_eq!(resolved.settings.value(key), Some(max), "{variable}");
            let [warning] = resolved.warnings.as_slice() else {
                panic!("{variable}: {:?}", resolved.warnings)
            };
            let wanted = format!(
                "{key} = \"{value}\" (variable {variable}): above the maximum, so {max} is used; write at most {max}"
            );
            assert_eq!(*warning, wanted);
        }
    }
}
