use std::time::Duration;

use super::super::table::{SETTINGS, own_variable};
use super::*;
use crate::history::HistoryConfig;
use crate::logs::{ElasticsearchConfig, LogFormat, RequestLogs};
use crate::metrics::{
    Buckets, HistogramAggregation, MetricsConfig, MetricsExporter, MetricsTemporality,
};
use crate::trace::{
    OtlpCompression, OtlpConfig, SamplerKind, SpanLimits, TraceConfig, TraceExporter,
};

const ALL: &str = r#"
data_dir = "/var/lib/contentmax"

[service]
name = "contentmax"
version = "1.2.3"
environment = "production"
instance = "a-1"

[log]
level = "warn,hyper=off,my_crate::db=debug"
format = "json"
console = false
requests = "errors"
slow = "1h30m"
recent_bytes = "1MiB"
files = false
dir = "/var/log/contentmax"
max_bytes = "64MiB"
max_file_bytes = "8MiB"
max_files = 9
permissions = "0600"

[elasticsearch]
urls = ["https://search-1:9200", "https://search-2:9200/es"]
username = "shipper"
password = "hunter2"
api_key = "hunter2hunter2"
certificate = "/etc/ssl/search.pem"
index = "contentmax-logs"
data_stream = true
template = true
timeout = "5s"
max_batch_bytes = "1MiB"
max_batch_documents = 500

[errors]
backtraces = "off"
max_stored_bytes = "8MiB"

[sentry]
dsn = "https://key@sentry.example.com/1"
environment = "canary"
release = "contentmax@1"

[http]
trace_header = false
public_endpoint = true
trusted_proxies = ["10.0.0.0/8", "::1", "10.0.0.0/8"]
allow_headers = ["User-Agent", "x-request-id"]
timeout_statuses = [504, 0x1F7]
long_poll = "250ms"
known_methods = ["GET", "PROPFIND", "GET"]
grpc_methods = ["/grpc.health.v1.Health/Check"]

[redact]
keys = ["ticket", "Tenant-Pin", "ticket"]
paths = ["/invites/{token}"]
allow_query = ["offset", "page"]

[trace]
propagators = ["tracecontext"]
disabled = true
exporter = "none"
sampler = "traceidratio"
sampler_arg = 0.25
max_per_second = 7
slow = "2s"
max_open = "90s"
max_open_bytes = "1MiB"
max_bytes_per_second = 1000
recent_bytes = "2MiB"
max_stored_bytes = "1GiB"
level = "debug"
spans = "tracing-opentelemetry"
events = false
max_attributes = 1
max_value_length = 2
max_events = 3
max_links = 4
max_event_attributes = 5
max_link_attributes = 6

[install]
subscriber = false
log = false
recorder = false
propagator = false
tracer_provider = false
panic_hook = false
capture_error = false

[otlp]
endpoint = "http://localhost:4318"
traces_endpoint = "https://collector.example/in?x=1"
metrics_endpoint = "https://metrics.example/in?x=1"
headers = "x-tenant=a%20b, authorization=Basic%20abc"
traces_headers = "x-tenant=traces"
metrics_headers = "x-tenant=metrics"
timeout = "3s"
traces_timeout = "5s"
metrics_timeout = "6s"
compression = "none"
traces_compression = "none"
metrics_compression = "gzip"
protocol = "http/protobuf"
certificate = "/etc/ssl/collector.pem"
traces_certificate = "/etc/ssl/traces.pem"
metrics_certificate = "/etc/ssl/metrics.pem"
schedule_delay = "1s"
max_queue_size = 100
max_export_batch_size = 10
export_timeout = "4s"

[metrics]
max_series = 30
max_series_per_metric = 20
idle_after = "1d"
keep_counter_names = true
exporter = "otlp"
export_interval = "10s"
export_timeout = "5s"
temporality = "delta"
histogram_aggregation = "explicit_bucket_histogram"

[metrics.histograms]
"http.server.request.duration" = [0.5, 1]
wait_seconds = "off"

[worker]
max_queue_bytes = "500MB"
max_sink_bytes = 65536

[health]
failures = 1
successes = 100
interval = "30s"
timeout = "30s"

[history]
interval = "1s"
memory_age = "30m"
max_memory_bytes = "4MiB"
max_bytes = "1GiB"
raw_age = "1h"
minute_age = "7d"
hour_age = "365d"

[anomaly]
false_alarms = 0.5
default_series = false
max_series = 300

[alerts]
interval = "1m"
default_rules = false
file = "/etc/alerts.toml"
group_wait = "5s"
group_interval = "2m"
dashboard_url = "https://monitoring.example.com/"
internal_receivers = true
slack_webhook_url = "https://hooks.slack.com/services/T0/B0/hunter2"
smtp_config = "smtps://u:hunter2@mail.example.com"
email_from = "Watch <watch@example.com>"
email_to = ["ops@example.com", "Night <night@example.com>"]
pagerduty_routing_key = "hunter2hunter2hunter2hunter2hunt"
pagerduty_service_id = "PABC123"
pagerduty_url = "https://events.eu.pagerduty.com/"
webhook_url = "https://hooks.example.com/hunter2"
webhook_secret = "hunter2"
alertmanager_urls = ["http://a:9093", "http://b:9093"]
heartbeat_url = "https://beats.example.com/hunter2"
heartbeat_interval = "5m"

[drain]
wait = "0s"

[access]
token = "Zq7Rf2Lw9Xk4Tn8Vb3Mc6Hd1Js5Pg0Qy"
viewer_token = "Hd1Js5Pg0QyZq7Rf2Lw9Xk4Tn8Vb3Mc6"

[dashboard]
serve = true
max_clients = 100
max_clients_per_address = 20
lines = ["cpu=0.5/0.75", "users=-/9"]
"#;

const NOT_INSTALLED: crate::config::InstallConfig = crate::config::InstallConfig {
    subscriber: false,
    log: false,
    recorder: false,
    propagator: false,
    tracer_provider: false,
    panic_hook: false,
    capture_error: false,
};

#[test]
fn every_key_of_a_file_arrives() {
    let ResolvedConfig {
        config,
        warnings,
        settings,
    } = from_file(ALL).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(config.service.name, "contentmax");
    assert_eq!(config.service.version.as_deref(), Some("1.2.3"));
    assert_eq!(config.service.environment.as_deref(), Some("production"));
    assert_eq!(config.service.instance.as_deref(), Some("a-1"));
    assert_eq!(
        config.data_dir.as_deref(),
        Some("/var/lib/contentmax".as_ref())
    );
    assert_logs(&config.logs);
    assert_elasticsearch(&config.elasticsearch);
    assert_eq!(config.errors.backtraces, crate::errors::Backtraces::Off);
    assert_eq!(config.errors.max_stored_bytes, 8 << 20);
    assert!(config.errors.dsn.is_some());
    assert_eq!(config.errors.sentry_environment.as_deref(), Some("canary"));
    assert_eq!(
        config.errors.sentry_release.as_deref(),
        Some("contentmax@1")
    );
    assert!(!config.http.trace_header && config.http.public_endpoint);
    let networks: Vec<_> = config
        .http
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(networks, ["10.0.0.0/8", "::1/128"]);
    assert_eq!(config.http.allow_headers, ["user-agent", "x-request-id"]);
    assert_eq!(config.http.timeout_statuses, [504, 503]);
    assert_eq!(config.http.long_poll, Duration::from_millis(250));
    assert_eq!(config.http.known_methods, ["GET", "PROPFIND"]);
    let methods = &config.http.grpc_methods;
    assert_eq!(methods, &["/grpc.health.v1.Health/Check"]);
    assert_eq!(config.redact.keys, ["ticket", "Tenant-Pin"]);
    assert_eq!(config.redact.paths.len(), 1);
    assert_eq!(config.redact.allow_query, ["offset", "page"]);
    assert_traces(&config.trace, &config.otlp);
    assert_eq!(
        (
            config.metrics.max_series,
            config.metrics.max_series_per_metric
        ),
        (30, 20)
    );
    assert_eq!(config.metrics.idle_after, Duration::from_secs(86_400));
    assert!(config.metrics.keep_counter_names);
    assert_pushes(&config.metrics, &config.otlp);
    let bounds = Buckets::Bounds(vec![0.5, 1.0]);
    assert_eq!(
        config.metrics.histograms,
        [
            ("http.server.request.duration".to_owned(), bounds),
            ("wait_seconds".to_owned(), Buckets::Off)
        ]
    );
    assert_eq!(
        (config.worker.max_queue_bytes, config.worker.max_sink_bytes),
        (500_000_000, 65_536)
    );
    assert_eq!((config.health.failures, config.health.successes), (1, 100));
    assert_eq!(
        (config.health.interval, config.health.timeout),
        (Duration::from_secs(30), Duration::from_secs(30))
    );
    assert_last_sections(&config);
    assert_eq!(config.alerts.interval, Duration::from_secs(60));
    assert!(!config.alerts.default_rules);
    assert_eq!(config.alerts.file.as_deref(), Some("/etc/alerts.toml"));
    assert_notifications(&config.alerts);
    assert_eq!(config.drain_wait, Duration::ZERO);
    assert_eq!(config.install, NOT_INSTALLED);
    assert_eq!(
        config
            .access_token
            .as_ref()
            .map(crate::model::Secret::reveal),
        Some(SECRET)
    );
    for key in settings.keys() {
        assert!(
            settings
                .origin(key)
                .unwrap()
                .contains("watchpost.toml line "),
            "{key} is in the file"
        );
    }
}

#[test]
fn no_source_at_all_means_the_defaults() {
    let ResolvedConfig {
        config,
        warnings,
        settings,
    } = resolve(Sources::default()).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(config.logs, crate::logs::LogsConfig::default());
    assert_eq!(config.http, crate::http::HttpConfig::default());
    assert_eq!(settings.keys().count(), SETTINGS.len());
    for key in settings.keys() {
        assert_eq!(settings.origin(key), Some("default"));
    }
    assert!(settings.value("access.token").is_none());
}

/// Asserts the settings of log records of `ALL`.
fn assert_logs(logs: &crate::logs::LogsConfig) {
    assert_eq!(logs.level, "warn,hyper=off,my_crate::db=debug");
    assert_eq!(logs.format, LogFormat::Json);
    assert!(!logs.console);
    assert_eq!(logs.requests, RequestLogs::ErrorsAndSlow);
    assert_eq!(logs.slow, Duration::from_secs(5400));
    assert_eq!(logs.recent_bytes, 1 << 20);
    assert!(!logs.files);
    assert_eq!(logs.dir.as_deref(), Some("/var/log/contentmax".as_ref()));
    assert_eq!((logs.max_bytes, logs.max_file_bytes), (64 << 20, 8 << 20));
    assert_eq!((logs.max_files, logs.permissions), (9, 0o600));
}

/// Asserts the settings of pushes of `ALL`.
fn assert_elasticsearch(config: &ElasticsearchConfig) {
    assert_eq!(
        config.urls,
        ["https://search-1:9200", "https://search-2:9200/es"]
    );
    assert_eq!(config.username.as_deref(), Some("shipper"));
    assert_eq!(config.password.as_ref().unwrap().reveal(), "hunter2");
    assert_eq!(config.api_key.as_ref().unwrap().reveal(), "hunter2hunter2");
    assert_eq!(
        config.certificate.as_deref(),
        Some("/etc/ssl/search.pem".as_ref())
    );
    assert_eq!(config.index, "contentmax-logs");
    assert!(config.data_stream && config.template);
    assert_eq!(config.timeout, Duration::from_secs(5));
    assert_eq!(config.max_batch_bytes, 1 << 20);
    assert_eq!(config.max_batch_documents, 500);
}

fn assert_pushes(metrics: &MetricsConfig, otlp: &OtlpConfig) {
    assert_eq!(metrics.exporter, MetricsExporter::Otlp);
    assert_eq!(
        [metrics.export_interval, metrics.export_timeout],
        [10, 5].map(Duration::from_secs)
    );
    assert_eq!(metrics.temporality, MetricsTemporality::Delta);
    let explicit = HistogramAggregation::ExplicitBuckets;
    assert_eq!(metrics.histogram_aggregation, explicit);
    let target = otlp.metrics().unwrap();
    assert_eq!(target.url, "https://metrics.example/in?x=1");
    assert_eq!(target.timeout, Duration::from_secs(6));
    assert_eq!(target.compression, OtlpCompression::Gzip);
    assert_eq!(target.certificate, Some("/etc/ssl/metrics.pem".into()));
    let tenants = [target, otlp.traces().unwrap()].map(|target| target.headers[0].1.clone());
    assert_eq!(tenants, ["metrics", "traces"]);
}

fn assert_last_sections(config: &crate::config::Config) {
    assert_history(&config.history);
    assert_dashboard(config);
    let anomaly = &config.anomaly;
    assert_eq!((anomaly.false_alarms, anomaly.max_series), (0.5, 300));
    assert!(!anomaly.default_series);
}

/// Asserts the settings of the dashboard of `ALL`, and the token of its viewers.
fn assert_dashboard(config: &crate::config::Config) {
    assert!(config.access_viewer_token.is_some());
    let dashboard = &config.dashboard;
    assert_eq!(
        (
            dashboard.serve,
            dashboard.max_clients,
            dashboard.max_clients_per_address
        ),
        (true, 100, 20)
    );
    assert_eq!(dashboard.lines.len(), 2);
}

/// Asserts the settings of the history of `ALL`.
fn assert_history(history: &HistoryConfig) {
    assert_eq!(history.interval, Duration::from_secs(1));
    assert_eq!(history.memory_age, Duration::from_secs(1800));
    assert_eq!(history.max_memory_bytes, 4 << 20);
    assert_eq!(history.max_bytes, 1 << 30);
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    assert_eq!(history.raw_age, hours(1));
    assert_eq!(history.minute_age, hours(7 * 24));
    assert_eq!(history.hour_age, hours(365 * 24));
}

fn assert_traces(trace: &TraceConfig, otlp: &OtlpConfig) {
    assert!(trace.propagators.trace_context && !trace.propagators.baggage);
    assert_eq!(
        (trace.max_per_second, trace.max_bytes_per_second),
        (7, 1000)
    );
    assert_eq!(
        (trace.slow, trace.max_open),
        (Duration::from_secs(2), Duration::from_secs(90))
    );
    assert_eq!(
        (trace.max_open_bytes, trace.recent_bytes),
        (1 << 20, 2 << 20)
    );
    assert_eq!(trace.max_stored_bytes, 1 << 30);
    assert_eq!((trace.level.as_str(), trace.events), ("debug", false));
    assert_eq!(trace.spans, crate::trace::SpanBackend::TracingOpentelemetry);
    assert!(trace.disabled && trace.exporter == TraceExporter::None);
    assert_eq!(trace.sampler, SamplerKind::TraceIdRatio);
    assert_eq!(trace.sampler_arg.to_string(), "0.25");
    assert_eq!(
        trace.limits,
        SpanLimits {
            attributes: 1,
            value_length: 2,
            events: 3,
            links: 4,
            event_attributes: 5,
            link_attributes: 6,
        }
    );
    assert_eq!(
        otlp.traces().unwrap().url,
        "https://collector.example/in?x=1"
    );
    assert_eq!(otlp.endpoint.as_ref().unwrap(), "http://localhost:4318/");
    let headers = otlp.headers.iter();
    let headers: Vec<_> = headers
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    assert_eq!(
        headers,
        [("x-tenant", "a b"), ("authorization", "Basic abc")]
    );
    assert!(!format!("{otlp:?}").contains("Basic"));
    assert_eq!(
        (otlp.timeout, otlp.export_timeout, otlp.schedule_delay),
        (
            Duration::from_secs(3),
            Duration::from_secs(4),
            Duration::from_secs(1)
        )
    );
    assert_eq!(otlp.compression, OtlpCompression::None);
    assert_eq!(
        otlp.certificate.as_deref(),
        Some("/etc/ssl/collector.pem".as_ref())
    );
    assert_eq!((otlp.max_queue_size, otlp.max_export_batch_size), (100, 10));
}

fn assert_notifications(alerts: &crate::alerts::AlertsConfig) {
    assert_eq!(alerts.group_wait, Duration::from_secs(5));
    assert_eq!(alerts.group_interval, Duration::from_secs(120));
    let url = |url: &Option<http::Uri>| url.as_ref().map(ToString::to_string);
    assert_eq!(
        url(&alerts.dashboard_url).as_deref(),
        Some("https://monitoring.example.com/")
    );
    assert!(alerts.internal_receivers);
    let secrets = [
        (
            &alerts.slack_webhook_url,
            "https://hooks.slack.com/services/T0/B0/hunter2",
        ),
        (
            &alerts.pagerduty_routing_key,
            "hunter2hunter2hunter2hunter2hunt",
        ),
        (&alerts.smtp_config, "smtps://u:hunter2@mail.example.com"),
        (&alerts.webhook_url, "https://hooks.example.com/hunter2"),
        (&alerts.webhook_secret, "hunter2"),
        (&alerts.heartbeat_url, "https://beats.example.com/hunter2"),
    ];
    for (secret, expected) in secrets {
        assert_eq!(secret.as_ref().unwrap().reveal(), expected);
    }
    assert!(!format!("{alerts:?}").contains("hunter2"));
    assert_eq!(alerts.pagerduty_service_id.as_deref(), Some("PABC123"));
    assert_eq!(
        url(&alerts.pagerduty_url).as_deref(),
        Some("https://events.eu.pagerduty.com/")
    );
    assert_eq!(
        alerts.email_from.as_deref(),
        Some("Watch <watch@example.com>")
    );
    assert_eq!(
        alerts.email_to,
        ["ops@example.com", "Night <night@example.com>"]
    );
    assert_eq!(alerts.alertmanager_urls, ["http://a:9093", "http://b:9093"]);
    assert_eq!(alerts.heartbeat_interval, Duration::from_secs(300));
}

/// The printed configuration is a file that reproduces it.
#[test]
fn a_print_out_is_a_file() {
    let settings = from_file(ALL).unwrap().settings;
    let headers = "headers = \"[REDACTED]\"";
    let printed = settings.to_string();
    assert!(printed.contains(headers) && !printed.contains("Basic"));
    let printed = printed.replace(headers, "headers = \"a=b\"");
    let dsn = "sentry.dsn = \"[REDACTED]\"";
    assert!(printed.contains(dsn) && !printed.contains("key@"));
    let printed = printed.replace(dsn, "sentry.dsn = \"https://other@example.com/2\"");
    let token = format!("\"{SECRET}\"");
    let again = from_file(printed.replace("\"[REDACTED]\"", &token))
        .unwrap()
        .settings;
    for key in settings.keys() {
        assert_eq!(settings.value(key), again.value(key), "{key}");
    }
}

#[test]
fn a_print_out_shows_no_secret() {
    let with_password = "https://user:hunter2@example.com";
    let resolved = from_environment(&[
        ("WATCHPOST_TOKEN", SECRET),
        ("WATCHPOST_SERVICE_INSTANCE", with_password),
        ("WATCHPOST_LOG", "debug"),
    ])
    .unwrap();
    let printed = format!("{} {:?} {resolved:?}", resolved.settings, resolved.settings);
    assert!(!printed.contains(SECRET));
    let printed = resolved.settings.to_string();
    assert!(!printed.contains("hunter2"));
    assert!(printed.contains("access.token = \"[REDACTED]\"  # variable WATCHPOST_TOKEN\n"));
    assert!(printed.contains("log.level = \"debug\"  # variable WATCHPOST_LOG\n"));
    assert!(printed.contains("# data_dir is not set\n"));
}

#[test]
fn a_print_out_has_one_line_for_each_setting() {
    let resolved = from_environment(&[
        ("WATCHPOST_DATA_DIR", "/srv/\"quoted\\"),
        ("VERSION", "1 # 2"),
    ])
    .unwrap();
    let printed = resolved.settings.to_string();
    assert_eq!(printed.lines().count(), SETTINGS.len());
    assert!(printed.contains(r#"data_dir = "/srv/\"quoted\\"  # variable WATCHPOST_DATA_DIR"#));
}

#[test]
fn every_default_reads_as_it_prints() {
    let settings = resolve(Sources::default()).unwrap().settings;
    let again = from_file(settings.to_string()).unwrap().settings;
    for key in settings.keys() {
        assert_eq!(settings.value(key), again.value(key), "{key}");
    }
}

#[test]
fn a_list_is_separated_by_commas() {
    let config = from_environment(&[
        ("WATCHPOST_HTTP_TRUSTED_PROXIES", " 10.0.0.0/8 ,192.168.0.1"),
        ("WATCHPOST_HTTP_ALLOW_HEADERS", "user-agent"),
        ("WATCHPOST_HTTP_TIMEOUT_STATUSES", "503,504"),
        ("OTEL_PROPAGATORS", "none"),
    ])
    .unwrap()
    .config;
    assert_eq!(config.http.trusted_proxies.len(), 2);
    assert_eq!(config.http.allow_headers, ["user-agent"]);
    assert_eq!(config.http.timeout_statuses, [503, 504]);
    assert!(!config.trace.propagators.trace_context && !config.trace.propagators.baggage);
    assert!(
        from_code("http.trusted_proxies", "")
            .unwrap()
            .config
            .http
            .trusted_proxies
            .is_empty()
    );
}

#[test]
fn an_empty_variable_is_not_set() {
    for setting in SETTINGS {
        let resolved = from_environment(&[(&own_variable(setting.key), "")]).unwrap();
        assert_eq!(resolved.settings.origin(setting.key), Some("default"));
        assert_eq!(resolved.warnings, Vec::<String>::new());
    }
    assert!(
        from_environment(&[("WATCHPOST_CONFIG", ""), ("WATCHPOST_NONSENSE", "")])
            .unwrap()
            .warnings
            .is_empty()
    );
}

#[test]
fn systemd_may_name_several_directories() {
    let config = from_environment(&[("STATE_DIRECTORY", "/var/lib/a:/var/lib/b")])
        .unwrap()
        .config;
    assert_eq!(config.data_dir.as_deref(), Some("/var/lib/a".as_ref()));
}

#[test]
fn a_variable_may_name_the_file() {
    let file = written("log.level = \"debug\"\n");
    let named = file.path.to_str().unwrap();
    let settings = from_environment(&[("WATCHPOST_CONFIG", named)])
        .unwrap()
        .settings;
    assert_eq!(
        settings.origin("log.level"),
        Some(format!("file {named} line 1").as_str())
    );
}

#[test]
fn a_file_named_by_a_call_goes_before_one_of_a_variable() {
    let (called, variable) = (
        written("log.slow = \"2s\"\n"),
        written("log.slow = \"3s\"\n"),
    );
    let resolved = resolve(Sources {
        file: Some(called.path.clone()),
        environment: Environment::of([("WATCHPOST_CONFIG", variable.path.clone())]),
        ..Sources::default()
    });
    assert_eq!(resolved.unwrap().config.logs.slow, Duration::from_secs(2));
}

#[test]
fn files_of_every_shape_are_read() {
    for file in [
        "",
        "# nothing\n",
        "\u{feff}log.slow = \"2s\"",
        "log.slow = \"2s\"\r\n",
        "[log]\nslow = '2s'",
        "log = { slow = \"\"\"2s\"\"\" }",
        "[log]\n[http]\n",
        "\"log\".\"slow\" = \"2s\"",
    ] {
        let resolved = from_file(file);
        let slow = resolved
            .unwrap_or_else(|error| panic!("{file:?}: {error}"))
            .config
            .logs
            .slow;
        assert_eq!(
            slow,
            Duration::from_secs(if file.contains("2s") { 2 } else { 1 }),
            "{file:?}"
        );
    }
}

#[test]
fn a_bad_value_of_a_strange_variable_is_a_warning_and_the_next_source_holds() {
    for (variables, key, holds) in [
        (
            vec![("RUST_LOG", "info,my_crate[span{field=1}]=debug")],
            "log.level",
            "\"info\"",
        ),
        (
            vec![("LOG_LEVEL", "verbose"), ("RUST_LOG", "debug")],
            "log.level",
            "\"debug\"",
        ),
        (
            vec![("OTEL_PROPAGATORS", "b3,jaeger")],
            "trace.propagators",
            "[\"tracecontext\", \"baggage\"]",
        ),
        (
            vec![("OTEL_PROPAGATORS", "none,baggage")],
            "trace.propagators",
            "[\"tracecontext\", \"baggage\"]",
        ),
        (
            vec![("OTEL_SERVICE_NAME", "a\tb")],
            "service.name",
            "\"unknown_service\"",
        ),
        (
            vec![("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,rubbish")],
            "service.name",
            "\"unknown_service\"",
        ),
        (
            vec![("OTEL_RESOURCE_ATTRIBUTES", "service.name=%0a")],
            "service.name",
            "\"unknown_service\"",
        ),
        (vec![("NODE_ENV", "a\nb")], "service.environment", ""),
        (vec![("STATE_DIRECTORY", " ")], "data_dir", ""),
    ] {
        let resolved = from_environment(&variables).unwrap();
        assert_eq!(
            resolved.settings.value(key).unwrap_or_default(),
            holds,
            "{variables:?}"
        );
        let [warning] = resolved.warnings.as_slice() else {
            panic!("{variables:?}: {:?}", resolved.warnings)
        };
        assert!(
            warning.contains(variables[0].0) && warning.contains("; write "),
            "{warning}"
        );
        assert!(!warning.contains('\n'));
    }
}

#[test]
fn a_strange_variable_is_not_asked_where_ours_is_set() {
    let resolved =
        from_environment(&[("WATCHPOST_LOG", "warn"), ("RUST_LOG", "[span]=info")]).unwrap();
    assert_eq!(
        (resolved.config.logs.level.as_str(), resolved.warnings.len()),
        ("warn", 0)
    );
}

#[test]
fn an_unknown_variable_is_a_warning_with_the_nearest_name() {
    for (name, near) in [
        ("WATCHPOST_LOGLEVEL", "WATCHPOST_LOG_LEVEL"),
        ("WATCHPOST_DATADIR", "WATCHPOST_DATA_DIR"),
        ("WATCHPOST_TOKN", "WATCHPOST_TOKEN"),
        ("WATCHPOST_CONFIGS", "WATCHPOST_CONFIG"),
        (
            "WATCHPOST_HTTP_TRUSTED_PROXY",
            "WATCHPOST_HTTP_TRUSTED_PROXIES",
        ),
    ] {
        let resolved = from_environment(&[(name, SECRET)]).unwrap();
        let [warning] = resolved.warnings.as_slice() else {
            panic!("{:?}", resolved.warnings)
        };
        assert!(
            warning.contains(name) && warning.contains(&format!("write `{near}`")),
            "{warning}"
        );
        assert!(!warning.contains(SECRET));
    }
}

#[test]
fn a_variable_that_resembles_none_gets_no_suggestion() {
    for name in ["WATCHPOST_NOPE", "WATCHPOST_", "WATCHPOST_XYZ_COLOUR"] {
        let resolved = from_environment(&[(name, SECRET)]).unwrap();
        let wanted =
            format!("{name} = [REDACTED] (variable {name}): the variable is not known; unset it");
        assert_eq!(resolved.warnings, [wanted]);
    }
}

#[test]
fn unknown_variables_beyond_the_twentieth_are_counted() {
    let names: Vec<_> = (10..33).map(|n| format!("WATCHPOST_NOPE{n}")).collect();
    let variables: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let warnings = from_environment(&variables).unwrap().warnings;
    assert_eq!(warnings.len(), 21, "{warnings:#?}");
    assert_eq!(
        warnings[20],
        "3 more variables that begin with WATCHPOST_ are not known; unset them"
    );
    let warnings = from_environment(&variables[..20]).unwrap().warnings;
    assert_eq!(warnings.len(), 20, "{warnings:#?}");
}
