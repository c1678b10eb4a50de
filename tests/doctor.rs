//! Findings of the doctor. Each test runs in a process of its own, since many findings are about globals.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use tower::ServiceExt;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use watchpost::trace::SpanBackend;
use watchpost::{Monitor, MonitorBuilder, MonitorGuard};

#[path = "support/child.rs"]
mod child;
#[path = "support/process.rs"]
mod process;

use process::in_child_process;

fn builder() -> MonitorBuilder {
    Monitor::builder("host").env(false).console(false)
}

/// The subjects of the findings.
fn about(monitor: &Monitor) -> Vec<&'static str> {
    let findings = monitor.doctor();
    assert!(
        findings.iter().all(|it| it.sentence.len() > 40),
        "{findings:?}"
    );
    findings.iter().map(|finding| finding.about).collect()
}

fn in_directory() -> (tempfile::TempDir, MonitorBuilder) {
    let dir = tempfile::tempdir().unwrap();
    let builder = builder().data_dir(dir.path());
    (dir, builder)
}

#[test]
fn a_complete_setup_has_no_findings() {
    in_child_process("a_complete_setup_has_no_findings", &[], || {
        let (_dir, builder) = in_directory();
        let monitor = builder.install().unwrap();
        assert_eq!(monitor.doctor(), []);
        tracing::info_span!("work").in_scope(|| {});
        assert_eq!(monitor.doctor(), []);
    });
}

#[test]
fn missing_globals_are_reported() {
    in_child_process("missing_globals_are_reported", &[], || {
        let monitor = builder().build().unwrap();
        assert_eq!(
            about(&monitor),
            ["propagator", "subscriber", "panic hook", "data directory"]
        );
        let set = tracing_subscriber::registry().with(monitor.tracing_layer());
        tracing::subscriber::set_global_default(set).unwrap();
        opentelemetry::global::set_text_map_propagator(
            opentelemetry_sdk::propagation::TraceContextPropagator::new(),
        );
        assert_eq!(about(&monitor), ["panic hook", "data directory"]);
        monitor.install();
        assert_eq!(about(&monitor), ["data directory"]);
    });
}

#[test]
fn disabled_globals_are_not_reported() {
    in_child_process("disabled_globals_are_not_reported", &[], || {
        let (_dir, builder) = in_directory();
        let settings = tempfile::NamedTempFile::new().unwrap();
        // The settings that the finding recommends.
        std::fs::write(
            &settings,
            "trace.propagators = [\"none\"]\ninstall.panic_hook = false",
        )
        .unwrap();
        let monitor = builder.file(settings.path()).build().unwrap();
        assert_eq!(about(&monitor), ["subscriber"]);
    });
}

/// The findings under a global subscriber, without those that `build` always has.
fn under<S>(make: impl FnOnce(&MonitorGuard) -> S) -> Vec<&'static str>
where
    S: tracing::Subscriber + Send + Sync,
{
    let (_dir, builder) = in_directory();
    let monitor = builder.build().unwrap();
    tracing::subscriber::set_global_default(make(&monitor)).unwrap();
    let before = about(&monitor);
    // A recorded span proves that spans reach the layer.
    tracing::error_span!("comes").in_scope(|| {});
    let after = about(&monitor);
    assert!(
        before == after || !after.contains(&"filter"),
        "{before:?} {after:?}"
    );
    before
        .into_iter()
        .filter(|it| !["propagator", "panic hook", "sqlx"].contains(it))
        .collect()
}

#[test]
fn a_filter_around_the_layer() {
    in_child_process("a_filter_around_the_layer", &[], || {
        let found = under(|monitor| {
            let all = tracing_subscriber::registry().with(LevelFilter::WARN);
            all.with(monitor.tracing_layer())
        });
        assert_eq!(found, ["filter"]);
    });
}

#[test]
fn a_filter_behind_the_layer() {
    in_child_process("a_filter_behind_the_layer", &[], || {
        let found = under(|monitor| {
            let all = tracing_subscriber::registry().with(monitor.tracing_layer());
            all.with(LevelFilter::WARN)
        });
        assert_eq!(found, ["filter"]);
    });
}

#[test]
fn a_filter_of_the_layer_alone() {
    in_child_process("a_filter_of_the_layer_alone", &[], || {
        let found = under(|monitor| {
            let layer = monitor.tracing_layer().with_filter(LevelFilter::ERROR);
            tracing_subscriber::registry().with(layer)
        });
        assert_eq!(found, ["filter"]);
    });
}

#[test]
fn a_filter_of_another_layer_hides_nothing() {
    in_child_process("a_filter_of_another_layer_hides_nothing", &[], || {
        let other = builder().build().unwrap();
        let found = under(|monitor| {
            let all = tracing_subscriber::registry().with(monitor.tracing_layer());
            all.with(other.tracing_layer().with_filter(LevelFilter::OFF))
        });
        assert_eq!(found, Vec::<&str>::new());
        assert!(about(&other).contains(&"filter"));
    });
}

/// A layer that panics in `on_follows_from`.
struct PanickingLayer;

impl<S: tracing::Subscriber> Layer<S> for PanickingLayer {
    fn on_follows_from(
        &self,
        _: &tracing::span::Id,
        _: &tracing::span::Id,
        _: tracing_subscriber::layer::Context<'_, S>,
    ) {
        panic!("a fault of the host's layer");
    }
}

#[test]
fn a_layer_that_panics_when_it_is_probed() {
    in_child_process("a_layer_that_panics_when_it_is_probed", &[], || {
        let (_dir, builder) = in_directory();
        let monitor = builder
            .spans(SpanBackend::TracingOpentelemetry)
            .build()
            .unwrap();
        let subscriber = tracing_subscriber::registry()
            .with(PanickingLayer)
            .with(monitor.tracing_layer())
            .with(monitor.otel().tracing_layer());
        tracing::subscriber::set_global_default(subscriber).unwrap();
        tracing::info_span!("work").in_scope(|| {});
        assert_eq!(monitor.recent_traces(), []);
        let findings = monitor.doctor();
        let about = |about: &str| findings.iter().find(|it| it.about == about);
        let finding = about("opentelemetry").expect("the disabled layer is reported");
        assert!(finding.sentence.contains("panicked"), "{finding:?}");
    });
}

#[test]
fn a_layer_around_the_router() {
    in_child_process("a_layer_around_the_router", &[], || {
        let (_dir, builder) = in_directory();
        let monitor = builder.install().unwrap();
        let router = Router::new().route("/", get(async || "done"));
        let around = tower::ServiceBuilder::new()
            .layer(monitor.layer())
            .service(router);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for n in 0..150 {
            let request = Request::get("/").body(Body::empty()).unwrap();
            runtime.block_on(around.clone().oneshot(request)).unwrap();
            assert_eq!(about(&monitor), if n < 99 { vec![] } else { vec!["route"] });
        }
    });
}

#[test]
fn a_data_directory_that_cannot_be_used() {
    in_child_process("a_data_directory_that_cannot_be_used", &[], || {
        let file = tempfile::NamedTempFile::new().unwrap();
        let monitor = builder().data_dir(file.path()).install().unwrap();
        assert_eq!(about(&monitor), ["data directory"]);
        let sentence = &monitor.doctor()[0].sentence;
        assert!(
            sentence.contains(file.path().to_str().unwrap()),
            "{sentence}"
        );
    });
}

/// A console that stores what is written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_unknown_histogram_of_the_host_is_reported_when_asked() {
    in_child_process(
        "an_unknown_histogram_of_the_host_is_reported_when_asked",
        &[],
        || {
            let (_dir, builder) = in_directory();
            let monitor = builder.histogram_off("orders.size").install().unwrap();
            let [finding] = &monitor.doctor()[..] else {
                panic!("{:?}", monitor.doctor());
            };
            assert_eq!(finding.about, "histogram");
            assert!(finding.sentence.contains("`orders.size`"), "{finding}");
            monitor.metrics().histogram("orders.size").build();
            assert_eq!(monitor.doctor(), []);
        },
    );
}

#[test]
fn each_finding_is_printed_once_on_the_console() {
    in_child_process("each_finding_is_printed_once_on_the_console", &[], || {
        let written = Written::default();
        let builder = Monitor::builder("host").env(false);
        let builder = builder.histogram_off("http.server.request.duratoin");
        // The host may create this one within five minutes, so only `doctor()` reports it.
        let builder = builder.histogram_off("orders.size");
        let monitor = builder.console_to(written.clone()).build().unwrap();
        let all = tracing_subscriber::registry().with(LevelFilter::WARN);
        let all = all.with(monitor.tracing_layer());
        tracing::subscriber::set_global_default(all).unwrap();
        let app = Router::new()
            .route("/", get(async || "done"))
            .layer(monitor.layer());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let request = Request::get("/").body(Body::empty()).unwrap();
        runtime.block_on(app.oneshot(request)).unwrap();
        let text = || String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let begun = Instant::now();
        while !text().contains("data directory: ") {
            assert!(begun.elapsed() < Duration::from_secs(30), "{}", text());
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_secs(11));
        monitor.flush_blocking(Duration::from_secs(5)).unwrap();
        let mut found = about(&monitor);
        // The finding for SQLx, whose events the filter hides as well.
        found.retain(|it| *it != "sqlx");
        assert_eq!(
            found,
            [
                "propagator",
                "filter",
                "histogram",
                "histogram",
                "panic hook",
                "data directory"
            ]
        );
        assert!(!text().contains("orders.size"), "{}", text());
        for finding in monitor.doctor() {
            let beginning = format!("{}: ", finding.about);
            assert_eq!(text().matches(&beginning).count(), 1, "{}", text());
        }
    });
}

#[cfg(feature = "otlp")]
mod sinks {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::time::Duration;

    use super::{in_child_process, in_directory};

    /// Starts a receiver with the same response to every request; returns its address.
    fn receiver(response: String) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let (mut line, mut length) = (String::new(), 0);
                while stream.read_line(&mut line).unwrap() > 2 {
                    if let Some(bytes) = line.to_lowercase().strip_prefix("content-length:") {
                        length = bytes.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                stream.get_mut().write_all(response.as_bytes()).unwrap();
            }
        });
        address
    }

    #[test]
    fn a_receiver_that_answers_404_and_one_whose_clock_is_off() {
        in_child_process(
            "sinks::a_receiver_that_answers_404_and_one_whose_clock_is_off",
            &[],
            || {
                let end = "content-length: 0\r\nconnection: close\r\n\r\n";
                for (response, expected) in [
                    (format!("HTTP/1.1 404 Not Found\r\n{end}"), Some("404")),
                    (
                        format!("HTTP/1.1 200 OK\r\ndate: Tue, 24 Nov 2020 08:49:37 GMT\r\n{end}"),
                        Some("ahead of"),
                    ),
                    (
                        format!("HTTP/1.1 200 OK\r\ndate: Tue, 24 Nov 2093 08:49:37 GMT\r\n{end}"),
                        Some("behind"),
                    ),
                    (format!("HTTP/1.1 200 OK\r\n{end}"), None),
                ] {
                    let (_dir, builder) = in_directory();
                    let address = receiver(response);
                    let monitor = builder
                        .otlp_endpoint(format!("http://{address}"))
                        .build()
                        .unwrap();
                    monitor.span("sent").in_scope(|| {});
                    monitor.flush_blocking(Duration::from_secs(5)).unwrap();
                    let findings = monitor.doctor();
                    let of_sink = findings.iter().find(|it| it.about == "otlp");
                    match expected {
                        Some(expected) => {
                            assert!(of_sink.unwrap().sentence.contains(expected), "{findings:?}");
                        }
                        None => assert_eq!(of_sink, None),
                    }
                }
            },
        );
    }
}
