//! Tests that code can set every setting, with the same limits as the other sources.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

use super::*;
use crate::alerts::AlertsConfig;
use crate::dashboard::DashboardCard;
use crate::error::Error;
use crate::metrics::{HistogramAggregation, MetricsExporter, MetricsTemporality};
use crate::monitor::Global;
use crate::trace::{OtlpCompression, OtlpProtocol, Propagators, TraceExporter};

const TOKEN: &str = "Zq7Rf2Lw9Xk4Tn8Vb3Mc6Hd1Js5Pg0Qy";

fn resolve(builder: MonitorBuilder) -> Result<ResolvedConfig> {
    let (resolved, _) = builder.env(false).resolve()?;
    Ok(resolved)
}

fn builder() -> MonitorBuilder {
    Monitor::builder("fallback")
}

/// Creates a file with this text; returns its directory and path.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("watchpost.toml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

fn set_health(key: &str, builder: MonitorBuilder) -> MonitorBuilder {
    let health = HealthConfig::default();
    builder.health(match key {
        "health.failures" => health.failures(1),
        "health.successes" => health.successes(1),
        "health.interval" => health.interval(Duration::from_secs(1) * 20),
        "health.timeout" => health.timeout(Duration::from_secs(1)),
        key => panic!("no call sets `{key}`: add one to `HealthConfig`"),
    })
}

fn set_dashboard(key: &str, builder: MonitorBuilder) -> MonitorBuilder {
    let dashboard = DashboardConfig::default();
    builder.dashboard(match key {
        "dashboard.serve" => dashboard.serve(true),
        "dashboard.max_clients" => dashboard.max_clients(7),
        "dashboard.max_clients_per_address" => dashboard.max_clients_per_address(5),
        "dashboard.lines" => dashboard.line(DashboardCard::Cpu, 0.5, 0.75),
        key => panic!("no call sets `{key}`: add one to `DashboardConfig`"),
    })
}

fn set_alerts(key: &str, builder: MonitorBuilder) -> MonitorBuilder {
    let alerts = AlertsConfig::default();
    let second = Duration::from_secs(1);
    builder.alerts(match key {
        "alerts.interval" => alerts.interval(second),
        "alerts.default_rules" => alerts.default_rules(false),
        "alerts.file" => alerts.file("rules.toml"),
        "alerts.group_wait" => alerts.group_wait(second),
        "alerts.group_interval" => alerts.group_interval(second),
        "alerts.dashboard_url" => alerts.dashboard_url(Uri::from_static("https://m.example/")),
        "alerts.internal_receivers" => alerts.internal_receivers(true),
        "alerts.slack_webhook_url" => alerts.slack_webhook_url("https://hooks.example/a"),
        "alerts.smtp_config" => alerts.smtp_config("smtp://mail.example"),
        "alerts.email_from" => alerts.email_from("watch@example.com"),
        "alerts.email_to" => alerts.email_to(vec!["ops@example.com".to_owned()]),
        "alerts.pagerduty_routing_key" => alerts.pagerduty_routing_key(TOKEN),
        "alerts.pagerduty_service_id" => alerts.pagerduty_service_id("P1"),
        "alerts.pagerduty_url" => alerts.pagerduty_url(Uri::from_static("https://e.example/")),
        "alerts.webhook_url" => alerts.webhook_url("https://hooks.example/b"),
        "alerts.webhook_secret" => alerts.webhook_secret("hush"),
        "alerts.alertmanager_urls" => {
            alerts.alertmanager_urls(vec!["http://a.example:9093".to_owned()])
        }
        "alerts.heartbeat_url" => alerts.heartbeat_url("https://beats.example/c"),
        "alerts.heartbeat_interval" => alerts.heartbeat_interval(second * 20),
        key => panic!("no call sets `{key}`: add one to `AlertsConfig`"),
    })
}

fn set_history(key: &str, builder: MonitorBuilder) -> MonitorBuilder {
    let history = HistoryConfig::default();
    builder.history(match key {
        "history.interval" => history.interval(Duration::from_secs(1)),
        "history.memory_age" => history.memory_age(Duration::from_secs(600)),
        "history.max_memory_bytes" => history.max_memory_bytes(2 << 20),
        "history.max_bytes" => history.max_bytes(1 << 30),
        "history.raw_age" => history.raw_age(Duration::from_secs(7200)),
        "history.minute_age" => history.minute_age(Duration::from_secs(86_400)),
        "history.hour_age" => history.hour_age(Duration::from_secs(864_000)),
        key => panic!("no call sets `{key}`: add one to `HistoryConfig`"),
    })
}

fn set_anomaly(key: &str, builder: MonitorBuilder) -> MonitorBuilder {
    let anomaly = AnomalyConfig::default();
    builder.anomaly(match key {
        "anomaly.false_alarms" => anomaly.false_alarms(30.0),
        "anomaly.default_series" => anomaly.default_series(false),
        "anomaly.max_series" => anomaly.max_series(10),
        key => panic!("no call sets `{key}`: add one to `AnomalyConfig`"),
    })
}

fn set_otlp(key: &str, otlp: OtlpConfig) -> OtlpConfig {
    let second = Duration::from_secs(1);
    let url = Uri::from_static("http://a:4318/x?y=1");
    let (name, value) = (
        HeaderName::from_static("x-tenant"),
        HeaderValue::from_static("shop"),
    );
    let file = "/etc/ssl/collector.pem";
    match key {
        "otlp.endpoint" => otlp.endpoint(Uri::from_static("http://a:4318")),
        "otlp.traces_endpoint" => otlp.traces_endpoint(url),
        "otlp.metrics_endpoint" => otlp.metrics_endpoint(url),
        "otlp.headers" => otlp.header(name, value),
        "otlp.traces_headers" => otlp.traces_header(name, value),
        "otlp.metrics_headers" => otlp.metrics_header(name, value),
        "otlp.timeout" => otlp.timeout(second),
        "otlp.traces_timeout" => otlp.traces_timeout(second),
        "otlp.metrics_timeout" => otlp.metrics_timeout(second),
        "otlp.compression" => otlp.compression(OtlpCompression::None),
        "otlp.traces_compression" => otlp.traces_compression(OtlpCompression::None),
        "otlp.metrics_compression" => otlp.metrics_compression(OtlpCompression::None),
        "otlp.protocol" => otlp.protocol(OtlpProtocol::HttpProtobuf),
        "otlp.certificate" => otlp.certificate(file),
        "otlp.traces_certificate" => otlp.traces_certificate(file),
        "otlp.metrics_certificate" => otlp.metrics_certificate(file),
        "otlp.schedule_delay" => otlp.schedule_delay(second),
        "otlp.max_queue_size" => otlp.max_queue_size(100),
        "otlp.max_export_batch_size" => otlp.max_export_batch_size(10),
        "otlp.export_timeout" => otlp.export_timeout(second),
        key => panic!("no call sets `{key}`: add one to `OtlpConfig`"),
    }
}

fn set_elasticsearch(key: &str, config: ElasticsearchConfig) -> ElasticsearchConfig {
    match key {
        "elasticsearch.urls" => config.urls(["http://a:9200"]),
        "elasticsearch.username" => config.username("ann"),
        "elasticsearch.password" => config.password("hunter2"),
        "elasticsearch.api_key" => config.api_key("hunter2"),
        "elasticsearch.certificate" => config.certificate("/etc/ssl/search.pem"),
        "elasticsearch.index" => config.index("shop"),
        "elasticsearch.data_stream" => config.data_stream(true),
        "elasticsearch.template" => config.template(true),
        "elasticsearch.timeout" => config.timeout(Duration::from_secs(1)),
        "elasticsearch.max_batch_bytes" => config.max_batch_bytes(1 << 20),
        "elasticsearch.max_batch_documents" => config.max_batch_documents(10),
        key => panic!("no call sets `{key}`: add one to `ElasticsearchConfig`"),
    }
}

fn set_metrics(key: &str, metrics: MetricsConfig) -> MetricsConfig {
    let second = Duration::from_secs(1);
    match key {
        "metrics.max_series" => metrics.max_series(30_000),
        "metrics.max_series_per_metric" => metrics.max_series_per_metric(20),
        "metrics.idle_after" => metrics.idle_after(second),
        "metrics.keep_counter_names" => metrics.keep_counter_names(true),
        "metrics.histograms" => metrics.histogram("my.h", Buckets::Off),
        "metrics.exporter" => metrics.exporter(MetricsExporter::Otlp),
        "metrics.export_interval" => metrics.export_interval(second),
        "metrics.export_timeout" => metrics.export_timeout(second),
        "metrics.temporality" => metrics.temporality(MetricsTemporality::Delta),
        "metrics.histogram_aggregation" => {
            metrics.histogram_aggregation(HistogramAggregation::ExplicitBuckets)
        }
        key => panic!("no call sets `{key}`: add one to `MetricsConfig`"),
    }
}

/// Sets the setting of a key to a value other than its default.
fn set(key: &str, builder: MonitorBuilder) -> MonitorBuilder {
    let logs = LogsConfig::default;
    let http = HttpConfig::default;
    let errors = ErrorsConfig::default;
    let trace = TraceConfig::default;
    let worker = WorkerConfig::default;
    let second = Duration::from_secs(1);
    match key {
        "service.name" => builder.service_name("shop"),
        "service.version" => builder.service_version("1.2.3"),
        "service.environment" => builder.service_environment("test"),
        "service.instance" => builder.service_instance("a-1"),
        "data_dir" => builder.data_dir("/var/lib/shop"),
        "log.level" => builder.logs(logs().level("warn")),
        "log.format" => builder.logs(logs().format(LogFormat::Json)),
        "log.console" => builder.logs(logs().console(false)),
        "log.requests" => builder.logs(logs().requests(RequestLogs::Off)),
        "log.slow" => builder.logs(logs().slow(second / 2)),
        "log.recent_bytes" => builder.logs(logs().recent_bytes(0)),
        "log.files" => builder.logs(logs().files(false)),
        "log.dir" => builder.logs(logs().dir("/var/log/shop")),
        "log.max_bytes" => builder.logs(logs().max_bytes(4 << 20)),
        "log.max_file_bytes" => builder.logs(logs().max_file_bytes(1 << 20)),
        "log.max_files" => builder.logs(logs().max_files(1)),
        "log.permissions" => builder.logs(logs().permissions(0o600)),
        "install.subscriber" => builder.install_global(Global::Subscriber, false),
        "install.log" => builder.install_global(Global::LogBridge, false),
        "install.recorder" => builder.install_global(Global::Recorder, false),
        "install.propagator" => builder.install_global(Global::Propagator, false),
        "install.tracer_provider" => builder.install_global(Global::TracerProvider, false),
        "install.panic_hook" => builder.install_global(Global::PanicHook, false),
        "install.capture_error" => builder.install_global(Global::CaptureError, false),
        "errors.backtraces" => builder.errors(errors().backtraces(Backtraces::Off)),
        "errors.max_stored_bytes" => builder.errors(errors().max_stored_bytes(8 << 20)),
        "sentry.dsn" => builder.sentry_dsn("https://key@sentry.example.com/1"),
        "sentry.environment" => builder.errors(errors().sentry_environment("canary")),
        "sentry.release" => builder.errors(errors().sentry_release("shop@1")),
        "http.trace_header" => builder.http(http().trace_header(false)),
        "http.public_endpoint" => builder.http(http().public_endpoint(true)),
        "http.trusted_proxies" => {
            builder.http(http().trusted_proxies(["10.0.0.0/8".parse().unwrap()]))
        }
        "http.allow_headers" => {
            builder.http(http().allow_headers([HeaderName::from_static("user-agent")]))
        }
        "http.timeout_statuses" => builder.http(http().timeout_statuses([504])),
        "http.long_poll" => builder.http(http().long_poll(second)),
        "http.known_methods" => builder.http(http().known_methods(["GET", "PROPFIND"])),
        "http.grpc_methods" => builder.http(http().grpc_methods(["/grpc.health.v1.Health/Check"])),
        "redact.keys" => builder.redact_keys(["ticket"]),
        "redact.paths" => builder.redact_paths(["/invites/{token}"]),
        "redact.allow_query" => builder.allow_query(["page"]),
        "trace.propagators" => {
            builder.trace(trace().propagators(Propagators::default().baggage(false)))
        }
        "trace.disabled" => builder.trace(trace().disabled(true)),
        "trace.exporter" => builder.trace(trace().exporter(TraceExporter::None)),
        "trace.sampler" => builder.trace(trace().sampler(SamplerKind::AlwaysOn)),
        "trace.sampler_arg" => builder.trace(trace().sampler_arg(0.5)),
        "trace.max_per_second" => builder.trace(trace().max_per_second(7)),
        "trace.slow" => builder.trace(trace().slow(Duration::from_micros(500))),
        "trace.max_open" => builder.trace(trace().max_open(second)),
        "trace.max_open_bytes" => builder.trace(trace().max_open_bytes(1 << 20)),
        "trace.max_bytes_per_second" => builder.trace(trace().max_bytes_per_second(0)),
        "trace.recent_bytes" => builder.trace(trace().recent_bytes(0)),
        "trace.max_stored_bytes" => builder.trace(trace().max_stored_bytes(0)),
        "trace.level" => builder.trace(trace().level("debug")),
        "trace.spans" => builder.trace(trace().spans(SpanBackend::TracingOpentelemetry)),
        "trace.events" => builder.trace(trace().events(false)),
        "trace.max_attributes" => builder.trace(trace().max_attributes(1)),
        "trace.max_value_length" => builder.trace(trace().max_value_length(2)),
        "trace.max_events" => builder.trace(trace().max_events(3)),
        "trace.max_links" => builder.trace(trace().max_links(4)),
        "trace.max_event_attributes" => builder.trace(trace().max_event_attributes(5)),
        "trace.max_link_attributes" => builder.trace(trace().max_link_attributes(6)),
        key if key.starts_with("elasticsearch.") => {
            builder.elasticsearch(set_elasticsearch(key, ElasticsearchConfig::default()))
        }
        key if key.starts_with("otlp.") => builder.otlp(set_otlp(key, OtlpConfig::default())),
        key if key.starts_with("metrics.") => {
            builder.metrics(set_metrics(key, MetricsConfig::default()))
        }
        "worker.max_queue_bytes" => builder.worker(worker().max_queue_bytes(1 << 20)),
        "worker.max_sink_bytes" => builder.worker(worker().max_sink_bytes(1 << 20)),
        key if key.starts_with("health.") => set_health(key, builder),
        key if key.starts_with("history.") => set_history(key, builder),
        key if key.starts_with("anomaly.") => set_anomaly(key, builder),
        key if key.starts_with("alerts.") => set_alerts(key, builder),
        "drain.wait" => builder.drain_wait(Duration::ZERO),
        "access.token" => builder.access_token(TOKEN),
        "access.viewer_token" => builder.access_viewer_token(TOKEN),
        key if key.starts_with("dashboard.") => set_dashboard(key, builder),
        key => panic!("no call sets `{key}`: add one to the builder or to a config struct"),
    }
}

#[test]
fn every_setting_can_be_set_from_code() {
    let defaults = resolve(builder()).unwrap().settings;
    for key in defaults.keys() {
        let settings = resolve(set(key, builder())).unwrap().settings;
        assert!(
            settings.origin(key).unwrap().starts_with("call ."),
            "{key}: {:?}",
            settings.origin(key)
        );
        // This setting has only one possible value.
        if key != "otlp.protocol" {
            assert_ne!(settings.value(key), defaults.value(key), "{key}");
        }
        // No other setting has changed.
        let others = settings.keys().filter(|other| *other != key);
        for other in others.filter(|other| *other != "service.name") {
            assert_eq!(settings.origin(other), Some("default"), "{key}: {other}");
        }
    }
}

/// A setter that is called with the default value also overrides a file.
#[test]
fn a_default_that_is_set_overrides_a_file() {
    let (_directory, path) = file(
        "[http]\ntrace_header = false\npublic_endpoint = true\nlong_poll = \"1s\"\n\
         [health]\nfailures = 9\n[trace]\nslow = \"1s\"\n[log]\nconsole = false\n\
         [metrics]\nmax_series = 30000\n[worker]\nmax_sink_bytes = \"1MiB\"\n\
         [errors]\nbacktraces = \"off\"\n[otlp]\ntimeout = \"1s\"\n",
    );
    let builder = builder()
        .file(path)
        .http(HttpConfig::default().public_endpoint(HttpConfig::DEFAULT_PUBLIC_ENDPOINT))
        .health(HealthConfig::default().failures(HealthConfig::DEFAULT_FAILURES))
        .trace(TraceConfig::default().slow(TraceConfig::DEFAULT_SLOW))
        .logs(LogsConfig::default().console(LogsConfig::DEFAULT_CONSOLE))
        .metrics(MetricsConfig::default().max_series(MetricsConfig::DEFAULT_MAX_SERIES))
        .worker(WorkerConfig::default().max_sink_bytes(WorkerConfig::DEFAULT_MAX_SINK_BYTES))
        .errors(ErrorsConfig::default().backtraces(Backtraces::First))
        .otlp(OtlpConfig::default().timeout(OtlpConfig::DEFAULT_TIMEOUT));
    let settings = resolve(builder).unwrap().settings;
    for (key, value) in [
        ("http.public_endpoint", "false"),
        ("health.failures", "3"),
        ("trace.slow", "\"0s\""),
        ("log.console", "true"),
        ("metrics.max_series", "20000"),
        ("worker.max_sink_bytes", "\"4MiB\""),
        ("errors.backtraces", "\"first\""),
        ("otlp.timeout", "\"10s\""),
    ] {
        assert_eq!(settings.value(key), Some(value), "{key}");
    }
    // Settings that the structs do not set come from the file.
    assert_eq!(settings.value("http.trace_header"), Some("false"));
    assert_eq!(settings.value("http.long_poll"), Some("\"1s\""));
}

#[test]
fn a_field_that_is_assigned_is_set() {
    let http = HttpConfig {
        trace_header: false,
        ..HttpConfig::default()
    };
    let settings = resolve(builder().http(http)).unwrap().settings;
    assert_eq!(settings.origin("http.trace_header"), Some("call .http(..)"));
}

#[test]
fn a_later_call_overrides_an_earlier_one() {
    let builder = builder()
        .http(HttpConfig::default().trace_header(false))
        .trace_header(true)
        .slow_trace_threshold(Duration::from_secs(1))
        .trace(TraceConfig::default().slow(Duration::from_secs(2)));
    let settings = resolve(builder).unwrap().settings;
    assert_eq!(settings.value("http.trace_header"), Some("true"));
    assert_eq!(settings.value("trace.slow"), Some("\"2s\""));
}

#[test]
fn values_keep_their_precision() {
    let micros = Duration::from_micros(500);
    let builder = builder()
        .slow_trace_threshold(micros)
        .histogram_bounds("my.h", [0.1, 1.0 / 3.0]);
    let config = resolve(builder).unwrap().config;
    assert_eq!(config.trace.slow, micros);
    let bounds = Buckets::Bounds(vec![0.1, 1.0 / 3.0]);
    assert_eq!(config.metrics.histograms, [("my.h".to_owned(), bounds)]);
}

#[cfg(unix)]
#[test]
fn a_data_directory_need_not_be_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let path = PathBuf::from(OsStr::from_bytes(b"/var/lib/sh\xff\xfep"));
    let config = resolve(builder().data_dir(&path)).unwrap().config;
    assert_eq!(config.data_dir, Some(path));
}

/// Asserts that code and a file with the same value are rejected with the same advice.
#[track_caller]
fn assert_same_advice(by_code: MonitorBuilder, line: &str) {
    let (_directory, path) = file(line);
    let by_file = resolve(builder().file(path)).unwrap_err();
    let by_code = resolve(by_code).unwrap_err();
    let advice = |error: &Error| {
        let [problem] = error.problems() else {
            panic!("{line}: {error}");
        };
        problem.split_once("): ").unwrap().1.to_owned()
    };
    assert_eq!(advice(&by_code), advice(&by_file), "{line}");
    assert!(by_code.problems()[0].contains("(call ."), "{by_code}");
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn code_is_held_to_the_limits_of_a_file() {
    let all: Vec<(MonitorBuilder, &str)> = vec![
        (builder().service_name(" "), "service.name = ' '"),
        (
            builder().service_version("a\nb"),
            "service.version = \"a\\nb\"",
        ),
        (builder().data_dir("~/data"), "data_dir = '~/data'"),
        (builder().data_dir(""), "data_dir = ''"),
        (builder().log_level("loud"), "log.level = 'loud'"),
        (
            builder().slow_request_threshold(Duration::ZERO),
            "log.slow = '0s'",
        ),
        (
            builder().slow_trace_threshold(2 * HOUR),
            "trace.slow = '2h'",
        ),
        (
            builder().errors(ErrorsConfig::default().max_stored_bytes(1)),
            "errors.max_stored_bytes = 1",
        ),
        (
            builder().errors(ErrorsConfig::default().sentry_release("")),
            "sentry.release = ''",
        ),
        (
            builder().http(HttpConfig::default().trusted_proxies(["0.0.0.0/0".parse().unwrap()])),
            "http.trusted_proxies = ['0.0.0.0/0']",
        ),
        (
            builder().http(HttpConfig::default().allow_headers([http::header::COOKIE])),
            "http.allow_headers = ['cookie']",
        ),
        (
            builder().http(HttpConfig::default().timeout_statuses([504, 200])),
            "http.timeout_statuses = [504, 200]",
        ),
        (
            builder().known_methods(["G T"]),
            "http.known_methods = ['G T']",
        ),
        (
            builder().http(HttpConfig::default().grpc_methods(["/a"])),
            "http.grpc_methods = ['/a']",
        ),
        (builder().redact_keys(["ab"]), "redact.keys = ['ab']"),
        (builder().redact_paths(["/a"]), "redact.paths = ['/a']"),
        (
            builder().allow_query(["token"]),
            "redact.allow_query = ['token']",
        ),
    ];
    for (by_code, line) in all {
        assert_same_advice(by_code, line);
    }
}

#[test]
fn code_is_held_to_the_limits_of_a_file_for_traces_metrics_and_health() {
    let all: Vec<(MonitorBuilder, &str)> = vec![
        (
            builder().trace(TraceConfig::default().sampler_arg(1.5)),
            "trace.sampler_arg = 1.5",
        ),
        (
            builder().trace(TraceConfig::default().sampler_arg(f64::NAN)),
            "trace.sampler_arg = nan",
        ),
        (
            builder().trace(TraceConfig::default().max_open_bytes(1)),
            "trace.max_open_bytes = 1",
        ),
        (
            builder().otlp(OtlpConfig::default().endpoint(Uri::from_static("ftp://a"))),
            "otlp.endpoint = 'ftp://a'",
        ),
        (
            builder().otlp(OtlpConfig::default().endpoint(Uri::from_static("http://a/?b=c"))),
            "otlp.endpoint = 'http://a/?b=c'",
        ),
        (
            builder().otlp(
                OtlpConfig::default()
                    .header(http::header::CONTENT_LENGTH, HeaderValue::from_static("1")),
            ),
            "otlp.headers = 'content-length=1'",
        ),
        (
            builder().otlp(OtlpConfig::default().certificate("https://a")),
            "otlp.certificate = 'https://a'",
        ),
        (
            builder().otlp(OtlpConfig::default().max_queue_size(0)),
            "otlp.max_queue_size = 0",
        ),
        (
            builder().elasticsearch(ElasticsearchConfig::default().urls(["http://a:b@c"])),
            "elasticsearch.urls = ['http://a:b@c']",
        ),
        (
            builder().elasticsearch(ElasticsearchConfig::default().index("My Logs")),
            "elasticsearch.index = 'My Logs'",
        ),
        (
            builder().elasticsearch(ElasticsearchConfig::default().max_batch_bytes(1)),
            "elasticsearch.max_batch_bytes = 1",
        ),
        (
            builder().histogram_bounds("my.h", []),
            "metrics.histograms = {\"my.h\" = []}",
        ),
        (
            builder().histogram_off("my h"),
            "metrics.histograms = {\"my h\" = 'off'}",
        ),
        (
            builder().histogram_bounds("my.h", [f64::NAN]),
            "metrics.histograms = {\"my.h\" = [nan]}",
        ),
        (builder().max_series(0), "metrics.max_series = 0"),
        (builder().max_sink_bytes(1), "worker.max_sink_bytes = 1"),
        (
            builder().health(HealthConfig::default().timeout(2 * HOUR)),
            "health.timeout = '2h'",
        ),
        (
            builder().health(HealthConfig::default().failures(101)),
            "health.failures = 101",
        ),
        (builder().drain_wait(HOUR), "drain.wait = '1h'"),
        (builder().access_token("short"), "access.token = 'short'"),
    ];
    for (by_code, line) in all {
        assert_same_advice(by_code, line);
    }
}

#[test]
fn a_limit_above_its_maximum_is_a_warning_that_says_so() {
    let config = TraceConfig::default()
        .max_attributes(5000)
        .max_value_length(u32::MAX);
    let resolved = resolve(builder().trace(config)).unwrap();
    let limits = resolved.config.trace.limits;
    assert_eq!((limits.attributes, limits.value_length), (1000, 4096));
    assert_eq!(
        resolved.warnings,
        [
            "trace.max_attributes = \"5000\" (call .trace(..)): above the maximum, so 1000 is used; write at most 1000",
            "trace.max_value_length = \"4294967295\" (call .trace(..)): above the maximum, so 4096 is used; write at most 4096",
        ]
    );
}
