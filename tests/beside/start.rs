//! Ways to start: build, compose and install the rest; and one monitor after another.

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use opentelemetry::global;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _, TraceId, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample,
};
use tower::ServiceExt as _;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use watchpost::metrics::Metrics;
use watchpost::{Global, GlobalState, InstallReport, Monitor, MonitorGuard, RecordKind};

use crate::cases::{Case, host_output};
use crate::support::{Written, block_on, builder, records_of};

use GlobalState::{AlreadyInstalled, InPlace, Installed, Missing, Off};

pub(crate) const CASES: [Case; 29] = [
    Case::unchanged("start_two_steps_beside_fmt", two_steps_beside_fmt),
    Case::unchanged(
        "start_two_steps_beside_env_logger",
        two_steps_beside_env_logger,
    ),
    Case::unchanged(
        "start_two_steps_beside_a_recorder",
        two_steps_beside_a_recorder,
    ),
    Case::new("start_beside_a_propagator", beside_a_propagator),
    Case::new("start_beside_another_propagator", beside_another_propagator),
    Case::new(
        "start_beside_a_propagator_that_panics",
        beside_a_propagator_that_panics,
    ),
    Case::new(
        "start_another_propagator_beside_the_first",
        another_propagator_beside_the_first,
    ),
    Case::unchanged(
        "start_no_trace_in_their_provider",
        no_trace_in_their_provider,
    ),
    Case::unchanged("start_no_line_in_their_log", no_line_in_their_log),
    Case::new(
        "start_beside_a_provider_that_was_shut_down",
        provider_that_was_shut_down,
    ),
    Case::new("start_one_step_after_their_init", one_step_after_their_init),
    Case::new(
        "start_one_step_before_their_init",
        one_step_before_their_init,
    ),
    Case::new(
        "start_switched_off_before_their_init",
        switched_off_before_their_init,
    ),
    Case::new("start_switched_off_by_settings", switched_off_by_settings),
    Case::new("start_boxed_and_reloaded_layers", boxed_and_reloaded_layers),
    Case::new(
        "start_install_before_the_subscriber",
        install_before_the_subscriber,
    ),
    Case::new("start_install_before_their_init", install_before_their_init),
    Case::new("start_build_alone", build_alone),
    Case::new("start_twice", twice),
    Case::new("start_second_after_the_first", second_after_the_first),
    Case::new("start_entered_under_another", entered_under_another),
    Case::new("start_second_after_a_shutdown", second_after_a_shutdown),
    Case::new("start_second_beside_the_first", second_beside_the_first),
    Case::new("start_while_threads_emit", while_threads_emit),
    Case::new(
        "start_on_a_current_thread_runtime",
        on_a_current_thread_runtime,
    ),
    Case::new("start_at_once_on_many_threads", at_once_on_many_threads),
    Case::new(
        "start_under_a_subscriber_of_theirs",
        spans_of_tracing_opentelemetry,
    ),
    Case::new("start_while_hooks_are_swapped", while_hooks_are_swapped),
    Case::new(
        "start_in_their_own_way_after_the_first",
        their_own_after_the_first,
    ),
];

/// The states of the globals, in the order of `Global::ALL`.
fn states(report: &InstallReport) -> [GlobalState; 7] {
    assert_eq!(report.globals.len(), Global::ALL.len());
    let lines = report.to_string();
    for it in &report.globals {
        assert_eq!(lines.matches(&it.sentence).count(), 1, "{lines}");
    }
    Global::ALL.map(|global| report.state(global).unwrap())
}

/// Checks that the report has a sentence for each missing global, once, and no other.
fn assert_said_once(monitor: &MonitorGuard) {
    let report = monitor.report();
    let printed = report.to_string();
    for it in &report.install.globals {
        let times = usize::from(it.state == Missing);
        assert_eq!(printed.matches(&it.sentence).count(), times, "{printed}");
    }
    assert_eq!(
        report.not_installed.len(),
        report.install.missing().count(),
        "{report}"
    );
}

async fn handler() -> &'static str {
    tracing::info!("in the handler");
    log::warn!("a log record");
    metrics::counter!("handled").increment(1);
    global::tracer("host").in_span("plain", |_| {});
    "hello"
}

fn request_path(monitor: &Monitor, path: &str) {
    let app = Router::new()
        .route("/hello", get(handler))
        .route(
            "/panics",
            get(async || -> &'static str { panic!("a row is broken") }),
        )
        .layer(monitor.layer());
    let request = Request::get(path).body(Body::empty()).unwrap();
    block_on(async move {
        // A task of its own, since it may panic.
        if let Ok(response) = tokio::spawn(app.oneshot(request)).await {
            axum::body::to_bytes(response.unwrap().into_body(), 100)
                .await
                .unwrap();
        }
    });
}

fn value(monitor: &Monitor, line: &str) -> f64 {
    let page = monitor.metrics().render();
    let found = page.lines().find_map(|it| it.strip_prefix(line));
    found.map_or(0.0, |value| value.trim().parse().unwrap())
}

/// Checks that everything of the handler is recorded once: its event, its record of `log`, its counter, its span.
fn assert_once(monitor: &Monitor, written: &Written) {
    assert_eq!(records_of(monitor, written, "in the handler").len(), 1);
    assert_eq!(records_of(monitor, written, "a log record").len(), 1);
    assert_eq!(value(monitor, "handled_total"), 1.0);
    let trace = monitor.recent_traces().pop().unwrap();
    let plain = trace.spans.iter().filter(|span| span.name == "plain");
    assert_eq!(plain.count(), 1, "{trace:?}");
}

fn panics(monitor: &Monitor) -> u64 {
    assert!(monitor.flush_blocking(Duration::from_secs(10)).unwrap());
    let errors = monitor.error_groups();
    errors.iter().map(|group| group.count).sum()
}

fn two_steps_beside_fmt(added: bool) {
    let host = Written::default();
    let fmt = tracing_subscriber::fmt::layer()
        .without_time()
        .with_ansi(false)
        .with_writer(host.clone())
        .with_filter(Targets::new().with_target("beside", LevelFilter::INFO));
    let (builder, written) = builder();
    let monitor = added.then(|| builder.build().unwrap());
    let ours = monitor.as_ref().map(|monitor| monitor.tracing_layer());
    tracing_subscriber::registry().with(ours).with(fmt).init();
    let report = monitor.as_ref().map(|monitor| monitor.install());
    if let (Some(monitor), Some(report)) = (&monitor, report) {
        assert_eq!(
            states(&report),
            [
                InPlace, InPlace, Installed, Installed, Installed, Installed, Installed
            ]
        );
        assert_said_once(monitor);
        assert_eq!(monitor.report().to_string(), "nothing to report");
        request_path(monitor, "/hello");
        assert_once(monitor, &written);
        request_path(monitor, "/panics");
        assert_eq!(panics(monitor), 1);
        assert_eq!(monitor.report().to_string(), "nothing to report");
        let findings = monitor.doctor();
        let about: Vec<_> = findings.iter().map(|it| it.about).collect();
        assert_eq!(about, ["data directory"], "{findings:?}");
    } else {
        block_on(handler());
    }
    host_output(&host.bytes());
}

fn two_steps_beside_env_logger(added: bool) {
    let host = Written::default();
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Info)
        .filter_module("tracing", log::LevelFilter::Off)
        .format(|out, record| {
            use std::io::Write as _;
            writeln!(out, "{} {}", record.target(), record.args())
        })
        .target(env_logger::Target::Pipe(Box::new(host.clone())))
        .init();
    let (builder, written) = builder();
    let monitor = added.then(|| builder.build().unwrap());
    let ours = monitor.as_ref().map(|monitor| monitor.tracing_layer());
    let subscriber = tracing_subscriber::registry().with(ours);
    tracing::subscriber::set_global_default(subscriber).unwrap();
    if let Some(monitor) = &monitor {
        let report = monitor.install();
        assert_eq!(
            states(&report),
            [
                InPlace, Missing, Installed, Installed, Installed, Installed, Installed
            ]
        );
        assert_said_once(monitor);
    }
    block_on(handler());
    if let Some(monitor) = &monitor {
        assert_eq!(records_of(monitor, &written, "in the handler").len(), 1);
        assert_eq!(records_of(monitor, &written, "a log record").len(), 0);
    }
    host_output(&host.bytes());
}

fn two_steps_beside_a_recorder(added: bool) {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    metrics::set_global_recorder(recorder).unwrap();
    if added {
        let (builder, _) = builder();
        let monitor = builder.build().unwrap();
        tracing_subscriber::registry()
            .with(monitor.tracing_layer())
            .init();
        assert_eq!(states(&monitor.install())[2], Missing);
        assert_said_once(&monitor);
        assert!(monitor.report().to_string().contains("join_exposition"));
        let (builder, _) = crate::support::builder();
        let quiet = builder
            .install_global(Global::Recorder, false)
            .build()
            .unwrap();
        assert_eq!(states(&quiet.install())[2], Off);
        assert!(!quiet.report().to_string().contains("recorder"));
        block_on(handler());
        assert_eq!(value(&monitor, "handled_total"), 0.0);
    } else {
        block_on(handler());
    }
    host_output(page.render().as_bytes());
}

fn beside_a_propagator() {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let monitor = builder().0.install().unwrap();
    let report = monitor.report().install;
    assert_eq!(states(&report)[3], InPlace);
    assert!(report.to_string().contains("`traceparent`"), "{report}");
    assert_said_once(&monitor);
    assert_eq!(fields(), ["traceparent", "tracestate"]);
}

fn beside_another_propagator() {
    global::set_text_map_propagator(BaggagePropagator::new());
    let monitor = builder().0.install().unwrap();
    assert_eq!(states(&monitor.report().install)[3], Missing);
    assert_said_once(&monitor);
    assert_eq!(fields(), ["baggage"]);
}

/// A propagator that panics when its fields are read.
#[derive(Debug)]
struct Panicking;

impl TextMapPropagator for Panicking {
    fn inject_context(&self, _: &Context, _: &mut dyn Injector) {}

    fn extract_with_context(&self, context: &Context, _: &dyn Extractor) -> Context {
        context.clone()
    }

    fn fields(&self) -> FieldIter<'_> {
        std::panic::resume_unwind(Box::new("planned"))
    }
}

fn beside_a_propagator_that_panics() {
    global::set_text_map_propagator(Panicking);
    let monitor = builder().0.install().unwrap();
    assert_eq!(states(&monitor.report().install)[3], Missing);
    assert!(std::panic::catch_unwind(fields).is_err());
}

/// An installed propagator keeps its headers when a later monitor sets others.
fn another_propagator_beside_the_first() {
    let settings = std::env::temp_dir().join(format!("beside-prop-{}.toml", std::process::id()));
    std::fs::write(&settings, "[trace]\npropagators = [\"tracecontext\"]\n").unwrap();
    let second = || builder().0.file(&settings).build().unwrap();
    let first = builder().0.install().unwrap();
    let all = fields();
    assert!(all.contains(&"baggage".to_owned()), "{all:?}");
    let beside = second();
    assert_eq!(states(&beside.install())[3], InPlace);
    assert_eq!(fields(), all);
    drop(first);
    assert_eq!(states(&beside.install())[3], Installed);
    assert_eq!(fields(), ["traceparent", "tracestate"]);
    std::fs::remove_file(&settings).unwrap();
}

fn fields() -> Vec<String> {
    let mut fields: Vec<_> =
        global::get_text_map_propagator(|it| it.fields().map(str::to_owned).collect());
    fields.sort_unstable();
    fields
}

/// A sampler that samples everything and counts its calls.
#[derive(Clone, Debug, Default)]
struct Counting(Arc<AtomicUsize>);

impl ShouldSample for Counting {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        self.0.fetch_add(1, Relaxed);
        SamplingResult {
            decision: SamplingDecision::RecordAndSample,
            attributes: Vec::new(),
            trace_state: opentelemetry::trace::TraceState::NONE,
        }
    }
}

/// A log of the events of OpenTelemetry and the host at every level.
fn all_of_opentelemetry(
    host: &Written,
) -> impl tracing_subscriber::Layer<tracing_subscriber::Registry> {
    let targets = ["beside", "opentelemetry", "opentelemetry_sdk"];
    let targets = targets.map(|target| (target, LevelFilter::TRACE));
    tracing_subscriber::fmt::layer()
        .without_time()
        .with_ansi(false)
        .with_writer(host.clone())
        .with_filter(Targets::new().with_targets(targets))
}

fn no_trace_in_their_provider(added: bool) {
    let host = Written::default();
    tracing_subscriber::registry()
        .with(all_of_opentelemetry(&host))
        .init();
    let (exporter, sampler) = (InMemorySpanExporter::default(), Counting::default());
    let provider = SdkTracerProvider::builder()
        .with_sampler(sampler.clone())
        .with_simple_exporter(exporter.clone())
        .build();
    global::set_tracer_provider(provider.clone());
    tracing::info!("set up");
    if added {
        let monitor = builder().0.install().unwrap();
        assert_eq!(states(&monitor.report().install)[4], Missing);
        assert_eq!(states(&monitor.install())[4], Missing);
        assert_said_once(&monitor);
        let second = builder()
            .0
            .install_global(Global::TracerProvider, false)
            .install();
        assert_eq!(states(&second.unwrap().report().install)[4], Off);
    }
    global::tracer("host").in_span("theirs", |_| {});
    let spans = exporter.get_finished_spans().unwrap();
    let names: Vec<_> = spans.iter().map(|span| span.name.to_string()).collect();
    let calls = sampler.0.load(Relaxed);
    host_output(format!("{names:?} {calls}\n{}", host.text()).as_bytes());
}

fn no_line_in_their_log(added: bool) {
    let host = Written::default();
    tracing_subscriber::registry()
        .with(all_of_opentelemetry(&host))
        .init();
    tracing::info!("set up");
    if added {
        let monitor = builder().0.install().unwrap();
        assert_eq!(states(&monitor.report().install)[4], Installed);
        monitor.install();
        drop(monitor);
        let monitor = builder().0.install().unwrap();
        assert_eq!(states(&monitor.report().install)[4], Installed);
    }
    tracing::info!("done");
    host_output(&host.bytes());
}

fn provider_that_was_shut_down() {
    let provider = SdkTracerProvider::builder().build();
    global::set_tracer_provider(provider.clone());
    provider.shutdown().unwrap();
    let monitor = builder().0.install().unwrap();
    assert_eq!(states(&monitor.report().install)[4], Missing);
}

fn one_step_after_their_init() {
    let host = Written::default();
    let fmt = tracing_subscriber::fmt::layer().with_writer(host.clone());
    tracing_subscriber::registry().with(fmt).init();
    let (builder, written) = builder();
    let monitor = builder.install().unwrap();
    // The logger of `init()` passes records to `tracing`, so there is no finding.
    assert_eq!(
        states(&monitor.report().install),
        [
            Missing, InPlace, Installed, Installed, Installed, Installed, Installed
        ]
    );
    assert_said_once(&monitor);
    assert!(monitor.report().to_string().contains("monitor.install()"));
    request_path(&monitor, "/panics");
    assert_eq!(panics(&monitor), 1);
    assert_eq!(records_of(&monitor, &written, "in the handler").len(), 0);
}

fn one_step_before_their_init() {
    let (builder, written) = builder();
    let monitor = builder.install().unwrap();
    let report = monitor.report().install;
    assert_eq!(states(&report), [Installed; 7]);
    assert!(
        report
            .to_string()
            .contains("a later `init()` of another one fails")
    );
    let fmt = tracing_subscriber::fmt::layer().with_writer(Written::default());
    let subscriber = tracing_subscriber::registry().with(fmt);
    assert!(subscriber.try_init().is_err());
    let init = catch_unwind(|| tracing_subscriber::registry().init());
    assert!(init.is_err());
    // A panic of the host.
    assert_eq!(panics(&monitor), 1);
    request_path(&monitor, "/hello");
    assert_once(&monitor, &written);
}

/// The monitor sets no logger, which would make the host's `init()` fail.
fn switched_off_before_their_init() {
    let (builder, written) = builder();
    let monitor = builder
        .install_global(Global::Subscriber, false)
        .install()
        .unwrap();
    let report = monitor.report().install;
    assert_eq!(states(&report)[..3], [Off, Missing, Installed]);
    tracing_subscriber::registry()
        .with(monitor.tracing_layer())
        .init();
    assert_eq!(
        states(&monitor.install())[..3],
        [Off, InPlace, AlreadyInstalled]
    );
    assert_eq!(monitor.report().not_installed, Vec::<String>::new());
    request_path(&monitor, "/hello");
    assert_once(&monitor, &written);
}

fn switched_off_by_settings() {
    let settings = std::env::temp_dir().join(format!("beside-start-{}.toml", std::process::id()));
    std::fs::write(
        &settings,
        "[install]\nsubscriber = false\nlog = false\nrecorder = false\npropagator = false\n",
    )
    .unwrap();
    let builder = Monitor::builder("off")
        .env(false)
        .console(false)
        .file(&settings);
    let builder = builder.install_global(Global::TracerProvider, false);
    let builder = builder.install_global(Global::PanicHook, false);
    let monitor = builder
        .install_global(Global::CaptureError, false)
        .install()
        .unwrap();
    std::fs::remove_file(settings).unwrap();
    assert_eq!(states(&monitor.report().install), [Off; 7]);
    assert_eq!(monitor.report().to_string(), "nothing to report");
    assert!(Monitor::current().is_none() && fields().is_empty());
    assert!(monitor.doctor().iter().all(|it| it.about != "panic hook"));
    request_path(&monitor, "/panics");
    assert_eq!(panics(&monitor), 0);
    assert!(monitor.doctor().iter().all(|it| it.about != "panic hook"));
    tracing_subscriber::registry().init();
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::set_global_recorder(recorder).unwrap();
}

fn boxed_and_reloaded_layers() {
    let first = builder().0.build().unwrap();
    let second = builder().0.build().unwrap();
    let boxed: Vec<Box<dyn tracing_subscriber::Layer<_> + Send + Sync>> =
        vec![Box::new(first.tracing_layer())];
    let (reloaded, _handle) = tracing_subscriber::reload::Layer::new(second.tracing_layer());
    tracing_subscriber::registry()
        .with(boxed)
        .with(reloaded)
        .init();
    for monitor in [&first, &second] {
        assert_eq!(states(&monitor.install())[..2], [InPlace, InPlace]);
    }
    let third = builder().0.build().unwrap();
    assert_eq!(states(&third.install())[0], Missing);
}

fn install_before_the_subscriber() {
    let (builder, written) = builder();
    let monitor = builder.build().unwrap();
    // A subscriber of this thread is not the global one.
    let _scoped = tracing::subscriber::set_default(tracing_subscriber::registry());
    let report = monitor.install();
    assert_eq!(states(&report), [Installed; 7]);
    request_path(&monitor, "/hello");
    drop(_scoped);
    request_path(&monitor, "/hello");
    assert_eq!(records_of(&monitor, &written, "in the handler").len(), 1);
}

/// The host already has the layer, so its `init()` works.
fn install_before_their_init() {
    let (builder, written) = builder();
    let monitor = builder.build().unwrap();
    let layer = monitor.tracing_layer();
    assert_eq!(
        states(&monitor.install())[..3],
        [Missing, Missing, Installed]
    );
    assert_said_once(&monitor);
    tracing_subscriber::registry().with(layer).init();
    assert_eq!(
        states(&monitor.install())[..3],
        [InPlace, InPlace, AlreadyInstalled]
    );
    assert_eq!(monitor.report().to_string(), "nothing to report");
    request_path(&monitor, "/hello");
    assert_once(&monitor, &written);
}

fn build_alone() {
    let (builder, _) = builder();
    let monitor = builder.build().unwrap();
    assert_eq!(monitor.report().install, InstallReport::default());
    let finding = || {
        let mut all = monitor.doctor().into_iter();
        all.find(|it| it.about == "panic hook")
            .map(|it| it.sentence)
    };
    assert!(finding().unwrap().contains("(0 reached a layer so far)"));
    request_path(&monitor, "/panics");
    assert_eq!(panics(&monitor), 0);
    assert!(finding().unwrap().contains("(1 reached a layer so far)"));
    let outside = || {
        monitor
            .doctor()
            .iter()
            .any(|it| it.about == "capture_error")
    };
    assert!(!outside());
    assert!(watchpost::capture_error(&std::fmt::Error).is_nil());
    assert!(outside());
    monitor.install();
    assert!(!outside());
    assert_eq!(finding(), None);
    request_path(&monitor, "/panics");
    assert_eq!((panics(&monitor), finding()), (1, None));
}

fn twice() {
    let (builder, written) = builder();
    let monitor = builder.install().unwrap();
    for _ in 0..3 {
        assert_eq!(states(&monitor.install()), [AlreadyInstalled; 7]);
    }
    assert_said_once(&monitor);
    assert_eq!(monitor.report().to_string(), "nothing to report");
    request_path(&monitor, "/hello");
    assert_once(&monitor, &written);
    request_path(&monitor, "/panics");
    assert_eq!(panics(&monitor), 1);
}

const NEXT: [GlobalState; 7] = [
    Installed,
    AlreadyInstalled,
    Installed,
    AlreadyInstalled,
    Installed,
    AlreadyInstalled,
    Installed,
];

/// A monitor that is installed after another one records from then on, outside of requests as well.
fn assert_has_all(monitor: &MonitorGuard, written: &Written) {
    request_path(monitor, "/hello");
    assert_once(monitor, written);
    let tracer = global::tracer("host");
    tracing::info!("outside");
    tracing::info_span!("job").in_scope(|| tracing::info!("in a job"));
    tracer.in_span("plain root", |_| {});
    metrics::counter!("outside").increment(2);
    watchpost::capture_error(&std::fmt::Error);
    assert!(std::thread::spawn(|| panic!("outside")).join().is_err());
    request_path(monitor, "/panics");
    for message in ["outside", "in a job"] {
        let mut records = records_of(monitor, written, message);
        records.retain(|it| it["level"] == "INFO");
        assert_eq!(records.len(), 1, "{message}");
    }
    let roots: Vec<_> = monitor
        .recent_traces()
        .iter()
        .map(|trace| trace.spans[0].name.clone())
        .collect();
    for root in ["job", "plain root"] {
        assert_eq!(
            roots.iter().filter(|it| *it == root).count(),
            1,
            "{roots:?}"
        );
    }
    assert_eq!(value(monitor, "outside_total"), 2.0);
    assert_eq!(panics(monitor), 3);
    assert_eq!(monitor.totals(RecordKind::Error).emitted(), 3);
    assert_eq!(number(&Monitor::current().unwrap()), number(monitor));
    assert_eq!(fields(), ["baggage", "traceparent", "tracestate"]);
}

fn number(monitor: &Monitor) -> String {
    format!("{monitor:?}")
}

fn second_after_the_first() {
    let tracer = std::cell::OnceCell::new();
    for n in 0..4 {
        let (builder, written) = builder();
        let monitor = builder.install().unwrap();
        let wanted = if n == 0 { [Installed; 7] } else { NEXT };
        assert_eq!(states(&monitor.report().install), wanted);
        assert_eq!(states(&monitor.install()), [AlreadyInstalled; 7]);
        assert_eq!(monitor.report().to_string(), "nothing to report");
        assert_has_all(&monitor, &written);
        // A tracer that the host has stored uses the next monitor.
        let tracer = tracer.get_or_init(|| global::tracer("kept"));
        tracer.in_span("kept", |_| {});
        assert!(monitor.flush_blocking(Duration::from_secs(10)).unwrap());
        let traces = monitor.recent_traces();
        let kept = traces.iter().filter(|it| it.spans[0].name == "kept");
        assert_eq!(kept.count(), 1);
        monitor.shutdown_blocking(Duration::from_secs(5)).unwrap();
        drop(monitor);
        assert!(Monitor::current().is_none());
    }
}

/// A span that is entered with the second monitor is exited with the third.
fn entered_under_another() {
    let mut entered = Vec::new();
    for n in 0..3 {
        let (builder, written) = builder();
        let monitor = builder.install().unwrap();
        if n < 2 {
            entered.push(tracing::info_span!("long").entered());
        } else {
            entered.clear();
        }
        let context = Context::map_current(|it| it.span().span_context().is_valid());
        assert_eq!(context, n < 2);
        tracing::info!("alone or not");
        let record = &records_of(&monitor, &written, "alone or not")[0];
        assert_eq!(record["trace_id"].is_null(), n == 2, "{record}");
        block_on(monitor.span("job").run(async {}));
        assert!(monitor.flush_blocking(Duration::from_secs(10)).unwrap());
        let jobs = monitor.recent_traces().into_iter();
        let roots = jobs.filter(|it| it.spans[0].name == "job" && it.spans[0].is_root);
        assert_eq!(roots.count(), usize::from(n == 2));
        drop(monitor);
    }
}

/// The guard of the first monitor is not dropped.
fn second_after_a_shutdown() {
    let (first_builder, _) = builder();
    let first = first_builder.install().unwrap();
    first.shutdown_blocking(Duration::from_secs(5)).unwrap();
    let (builder, written) = builder();
    let second = builder.install().unwrap();
    assert_eq!(states(&second.report().install), NEXT);
    assert_has_all(&second, &written);
    drop(first);
    assert_eq!(number(&Monitor::current().unwrap()), number(&second));
}

fn second_beside_the_first() {
    let (first_builder, written) = builder();
    let first = first_builder.install().unwrap();
    let (second_builder, of_second) = builder();
    let second = second_builder.install().unwrap();
    let others = [
        Missing,
        AlreadyInstalled,
        Missing,
        AlreadyInstalled,
        Missing,
        AlreadyInstalled,
        Missing,
    ];
    assert_eq!(states(&second.report().install), others);
    assert_said_once(&second);
    // Each captures the panics in its own requests.
    request_path(&second, "/panics");
    assert_eq!(panics(&second), 1);
    assert_eq!(panics(&first), 0);
    assert_has_all(&first, &written);
    assert_eq!(records_of(&second, &of_second, "outside").len(), 0);
    drop(first);
    assert!(Monitor::current().is_none());
    assert_eq!(states(&second.install()), NEXT);
    assert_eq!(second.report().to_string(), "nothing to report");
    assert_eq!(number(&Monitor::current().unwrap()), number(&second));
}

/// Threads emit while monitors end and begin: nothing panics or blocks, and each count is in one monitor.
fn while_threads_emit() {
    const THREADS: u64 = 4;
    const ROUNDS: usize = 8;
    let stop = Arc::new(AtomicBool::new(false));
    let begun = Arc::new(Barrier::new(THREADS as usize + 1));
    let emitted = Arc::new(AtomicU64::new(0));
    let emit = {
        let (stop, begun, emitted) = (Arc::clone(&stop), Arc::clone(&begun), Arc::clone(&emitted));
        move || {
            let tracer = global::tracer("thread");
            begun.wait();
            while !stop.load(Relaxed) {
                let span = tracing::info_span!("work");
                span.in_scope(|| tracing::info!("works"));
                tracer.in_span("plain", |_| metrics::counter!("worked").increment(1));
                watchpost::capture_error(&std::fmt::Error);
                emitted.fetch_add(1, Relaxed);
            }
        }
    };
    let mut unrouted = 0.0;
    let mut threads = Vec::new();
    let mut registries = Vec::new();
    for round in 0..ROUNDS {
        let (builder, _) = builder();
        let monitor = builder.install().unwrap();
        if round == 0 {
            threads.extend((0..THREADS).map(|_| std::thread::spawn(emit.clone())));
            begun.wait();
        }
        // Some work happens with each monitor.
        let before = emitted.load(Relaxed);
        while emitted.load(Relaxed) < before + 50 {
            std::thread::yield_now();
        }
        if round + 1 == ROUNDS {
            stop.store(true, Relaxed);
            for thread in threads.drain(..) {
                thread.join().unwrap();
            }
            unrouted = value(&monitor, "watchpost_errors_unrouted_total");
        }
        registries.push(monitor.metrics().clone());
        monitor.shutdown_blocking(Duration::from_secs(30)).unwrap();
    }
    // Counts after a monitor's end are in its registry as well.
    let pages: Vec<_> = registries.iter().map(Metrics::render).collect();
    let sum = |name: &str, signal: &str| -> f64 {
        let lines = pages.iter().flat_map(|page| page.lines());
        let lines = lines.filter(|it| it.starts_with(name) && it.contains(signal));
        lines
            .map(|it| it.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
            .sum()
    };
    let emitted = emitted.load(Relaxed) as f64;
    assert_eq!(sum("worked_total", ""), emitted);
    for signal in ["error", "log", "span"] {
        let label = format!("signal=\"{signal}\"");
        let of = |word: &str| sum(&format!("watchpost_records_{word}_total"), &label);
        assert_eq!(of("emitted"), of("delivered") + of("dropped"), "{signal}");
        match signal {
            "error" => assert_eq!(of("emitted") + unrouted, emitted),
            "log" => assert_eq!(of("emitted"), emitted),
            _ => {}
        }
    }
}

fn on_a_current_thread_runtime() {
    block_on(async {
        let (builder, written) = builder();
        let monitor = builder.install().unwrap();
        assert_eq!(states(&monitor.report().install), [Installed; 7]);
        tracing::info!("inside");
        assert!(monitor.flush(Duration::from_secs(10)).await);
        let inside = written.objects();
        assert_eq!(
            inside.iter().filter(|it| it["message"] == "inside").count(),
            1
        );
        monitor.shutdown(Duration::from_secs(5)).await;
    });
    let (builder, written) = builder();
    let monitor = builder.install().unwrap();
    assert_eq!(states(&monitor.report().install), NEXT);
    assert_has_all(&monitor, &written);
}

/// Globals that the host sets after the first monitor stay when the second is installed.
fn their_own_after_the_first() {
    let first = builder().0.install().unwrap();
    drop(first);
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    global::set_tracer_provider(provider);
    global::set_text_map_propagator(TraceContextPropagator::new());
    let second = builder().0.install().unwrap();
    let states = states(&second.report().install);
    assert_eq!(states[3..5], [InPlace, Missing]);
    assert_eq!(exporter.get_finished_spans().unwrap().len(), 0);
    assert_eq!(fields(), ["traceparent", "tracestate"]);
}

/// Each global goes to one of the monitors, and the reports agree.
fn at_once_on_many_threads() {
    let begin = Barrier::new(8);
    let install = || {
        let (builder, written) = builder();
        let monitor = builder.build().unwrap();
        begin.wait();
        let states = states(&monitor.install());
        (monitor, written, states)
    };
    let all: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(install)).collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    for at in [0, 2, 4, 6] {
        let have = all.iter().filter(|(.., states)| states[at] == Installed);
        assert_eq!(have.count(), 1, "{:?}", Global::ALL[at]);
    }
    block_on(handler());
    let records = all
        .iter()
        .map(|(monitor, written, _)| records_of(monitor, written, "in the handler").len());
    assert_eq!(records.sum::<usize>(), 1);
    let counted: f64 = all.iter().map(|(it, ..)| value(it, "handled_total")).sum();
    assert_eq!(counted, 1.0);
    assert!(std::thread::spawn(|| panic!("outside")).join().is_err());
    assert_eq!(all.iter().map(|(it, ..)| panics(it)).sum::<u64>(), 1);
}

/// The subscriber belongs to the first monitor only.
fn spans_of_tracing_opentelemetry() {
    use watchpost::trace::SpanBackend;
    let first = builder().0.spans(SpanBackend::TracingOpentelemetry);
    let first = first.install().unwrap();
    assert_eq!(states(&first.report().install), [Installed; 7]);
    assert_eq!(states(&first.install()), [AlreadyInstalled; 7]);
    drop(first);
    let second = builder().0.install().unwrap();
    let states = states(&second.report().install);
    assert_eq!(states[0], Missing);
    assert_eq!(states[1..], NEXT[1..]);
    assert_said_once(&second);
}

/// Hooks that other threads swap meanwhile are not lost, and nothing blocks forever.
fn while_hooks_are_swapped() {
    let monitor = builder().0.install().unwrap();
    let begin = Barrier::new(3);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                begin.wait();
                for _ in 0..50 {
                    monitor.install();
                }
            });
        }
        begin.wait();
        for _ in 0..50 {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| before(info)));
        }
    });
    monitor.install();
    request_path(&monitor, "/panics");
    assert_eq!(panics(&monitor), 1);
}
