//! Single operations.

use std::cell::{OnceCell, RefCell};
use std::hint::black_box;
use std::time::Instant;

use axum::Router;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use opentelemetry::trace::{Tracer, TracerProvider};
use tower::Layer as _;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use watchpost::db::{Database, DbSystem};
use watchpost::errors::Backtraces;
use watchpost::{Monitor, MonitorBuilder, MonitorGuard};

use crate::outgoing::{SIX, URL, calls, headers, response};
use crate::{allocs, facade, measured, stacks, work};

/// Runs a closure in the measured region.
type Measure<'a> = &'a mut dyn FnMut(&mut dyn FnMut());
/// Does an operation the given number of times, all inside the measured region.
type Op = fn(u64, Measure<'_>);

/// Spans and events per trace.
const IN_A_TRACE: u64 = 16;

pub const OPS: &[(&str, Op)] = &[
    ("nothing", |n, measure| {
        measure(&mut || (0..n).for_each(|n| _ = black_box(n)));
    }),
    ("typed counter", |n, measure| {
        let monitor = silent();
        let counter = monitor.metrics().counter("typed").build();
        counter.add(1);
        measure(&mut || (0..n).for_each(|_| black_box(&counter).add(1)));
    }),
    ("typed histogram", |n, measure| {
        let monitor = silent();
        let histogram = monitor.metrics().histogram("typed").build();
        histogram.record(0.1);
        measure(&mut || (0..n).for_each(|_| black_box(&histogram).record(0.02)));
    }),
    ("facade counter, three static labels", |n, measure| {
        let _monitor = Monitor::builder("ops").env(false).console(false).install();
        let count =
            || metrics::counter!("facade", "a" => "one", "b" => "two", "c" => "three").increment(1);
        count();
        measure(&mut || (0..n).for_each(|_| count()));
    }),
    ("event, tracing alone", |n, measure| {
        let _listening = listening(Deaf);
        measure(&mut || (0..n).for_each(work::event));
    }),
    ("event", |n, measure| {
        let monitor = stacks::lines(|builder| builder.record_spans(false));
        let _listening = listening(monitor.tracing_layer());
        measure(&mut || (0..n).for_each(work::event));
    }),
    ("event in a trace", |n, measure| {
        in_traces(0.1, n, measure, |_, turns| turns.for_each(work::event));
    }),
    ("tracing span, tracing alone", |n, measure| {
        let _listening = listening(Deaf);
        measure(&mut || (0..n).for_each(span));
    }),
    ("tracing span, not kept", |n, measure| {
        in_traces(0.0, n, measure, |_, turns| turns.for_each(span));
    }),
    ("tracing span, kept", |n, measure| {
        in_traces(1.0, n, measure, |_, turns| turns.for_each(span));
    }),
    ("SDK span, not kept", |n, measure| {
        in_traces(0.0, n, measure, sdk_spans);
    }),
    ("SDK span, kept", |n, measure| {
        in_traces(1.0, n, measure, sdk_spans);
    }),
    ("query guard, not kept", |n, measure| {
        queries(0.0, n, measure, |db| db.query(black_box(QUERY)).finish());
    }),
    ("query guard, kept", |n, measure| {
        queries(1.0, n, measure, |db| db.query(black_box(QUERY)).finish());
    }),
    ("query guard with rows, not kept", |n, measure| {
        queries(0.0, n, measure, |db| {
            db.query(black_box(QUERY)).rows(7).finish();
        });
    }),
    ("query guard, no traces", |n, measure| {
        let monitor = untraced();
        let db = monitor.db(DbSystem::Postgresql);
        db.query(QUERY).finish();
        measure(&mut || (0..n).for_each(|_| black_box(&db).query(black_box(QUERY)).finish()));
    }),
    ("query guard, 5 texts", known_texts::<5>),
    ("query guard, 50 texts", known_texts::<50>),
    ("query guard, 100 texts", known_texts::<100>),
    ("query guard, 500 texts", known_texts::<500>),
    ("query guard, 2000 texts", known_texts::<2000>),
    ("facade counter, 5 label sets", label_sets::<5>),
    ("facade counter, 50 label sets", label_sets::<50>),
    ("facade counter, 100 label sets", label_sets::<100>),
    ("facade counter, 500 label sets", label_sets::<500>),
    ("facade counter, 2000 label sets", label_sets::<2000>),
    ("client, bare", |n, measure| {
        let mut client = tower::service_fn(response);
        measure(&mut || calls(&mut client, n));
    }),
    ("client layer, not kept", |n, measure| {
        clients(0.0, n, measure)
    }),
    ("client layer, kept", |n, measure| clients(1.0, n, measure)),
    ("call guard", |n, measure| limits(&[], false, n, measure)),
    ("call guard, no limits", |n, measure| {
        limits(&[], true, n, measure)
    }),
    ("call guard, six limits", |n, measure| {
        limits(&SIX, true, n, measure)
    }),
    ("call guard, IETF's limits", |n, measure| {
        let ietf = [
            ("ratelimit-policy", "\"default\";q=100;w=60"),
            ("ratelimit", "\"default\";r=50;t=30"),
        ];
        limits(&ietf, true, n, measure);
    }),
    ("statement, read anew", |n, measure| {
        let monitor = untraced();
        let db = monitor.db(DbSystem::Postgresql);
        let texts: Vec<_> = (0..n).map(|n| format!("{QUERY}{n}")).collect();
        measure(&mut || {
            texts
                .iter()
                .for_each(|text| black_box(&db).query(text).finish())
        });
    }),
    ("capture_error", |n, measure| {
        let monitor = stacks::lines(|builder| builder.backtraces(Backtraces::Off));
        let error = error();
        measure(&mut || (0..n).for_each(|_| _ = black_box(monitor.capture_error(&error))));
    }),
    ("capture_error with a backtrace", |n, measure| {
        let monitor = stacks::lines(|builder| builder.backtraces(Backtraces::All));
        let error = error();
        measure(&mut || (0..n).for_each(|_| _ = black_box(monitor.capture_error(&error))));
    }),
    ("a 500, bare", |n, measure| {
        let handler = async || {
            black_box(error());
            StatusCode::INTERNAL_SERVER_ERROR
        };
        failing(Router::new().route("/rows/{id}", get(handler)), n, measure);
    }),
    ("a 500 with an error captured", |n, measure| {
        let monitor = stacks::lines(|builder| {
            let builder = builder.trace_ratio(0.1).max_traces_per_second(1_000_000);
            builder.backtraces(Backtraces::Off)
        });
        let handler = async || {
            watchpost::capture_error(&error());
            StatusCode::INTERNAL_SERVER_ERROR
        };
        failing(
            Router::new()
                .route("/rows/{id}", get(handler))
                .layer(monitor.layer()),
            n,
            measure,
        );
    }),
];

fn error() -> std::io::Error {
    std::io::Error::other("the disk is gone")
}

fn silent() -> MonitorGuard {
    let builder = Monitor::builder("ops").env(false).console(false);
    builder.build().expect("a monitor")
}

fn untraced() -> MonitorGuard {
    let builder = Monitor::builder("ops").env(false).console(false);
    builder.record_spans(false).build().expect("a monitor")
}

/// A layer that is enabled for everything and does nothing.
struct Deaf;

impl<S: tracing::Subscriber> Layer<S> for Deaf {}

fn listening<L>(layer: L) -> tracing::subscriber::DefaultGuard
where
    L: Layer<tracing_subscriber::Registry> + Send + Sync,
{
    tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
}

fn span(n: u64) {
    tracing::info_span!("read a row", row = n, table = "articles").in_scope(|| _ = black_box(n));
}

/// A statement of an ORM, 91 bytes.
const QUERY: &str =
    "SELECT articles.id, articles.title, articles.body FROM articles WHERE articles.author_id = ";

/// The same query on each call, with a stored database handle, as in a handler.
fn queries(ratio: f64, n: u64, measure: Measure<'_>, ask: impl Fn(&Database)) {
    let db = OnceCell::new();
    in_traces(ratio, n, measure, |monitor, turns| {
        let db = db.get_or_init(|| monitor.db(DbSystem::Postgresql).namespace("shop"));
        for _ in turns {
            ask(db);
        }
    });
}

/// `KEYS` known statements in turn, each of a table of its own. A statement without a place in the table is known after 32
/// runs.
fn known_texts<const KEYS: usize>(n: u64, measure: Measure<'_>) {
    let text = |key| QUERY.replace("articles", &format!("articles_{key}"));
    let texts: Vec<_> = (0..KEYS).map(text).collect();
    let monitor = untraced();
    let db = monitor.db(DbSystem::Postgresql).namespace("shop");
    let ask = |text: &String| black_box(&db).query(black_box(text)).finish();
    (0..33).for_each(|_| texts.iter().for_each(ask));
    measure(&mut || texts.iter().cycle().take(n as usize).for_each(ask));
}

/// A counter of the facade, looked up by its name and a label with `KEYS` values in turn.
fn label_sets<const KEYS: usize>(n: u64, measure: Measure<'_>) {
    let _monitor = Monitor::builder("ops").env(false).console(false).install();
    facade::label_sets(KEYS, n, measure);
}

fn clients(ratio: f64, n: u64, measure: Measure<'_>) {
    let client = OnceCell::new();
    in_traces(ratio, n, measure, |monitor, turns| {
        let client = client.get_or_init(|| {
            let layer = monitor.external("rows").client_layer();
            RefCell::new(layer.layer(tower::service_fn(response)))
        });
        calls(&mut *client.borrow_mut(), turns.end - turns.start);
    });
}

/// Calls with a call guard, whose responses have these rate limits in their headers; `read` says whether they are exposed.
fn limits(limits: &[(&'static str, &'static str)], read: bool, n: u64, measure: Measure<'_>) {
    let monitor = untraced();
    let (service, headers) = (monitor.external("rows"), headers(limits));
    let call = || {
        let call = service.call("GET", URL).status(200);
        match read {
            true => call.headers(black_box(&headers)).finish(),
            false => call.finish(),
        }
    };
    call();
    measure(&mut || (0..n).for_each(|_| call()));
}

fn sdk_spans(monitor: &MonitorGuard, turns: std::ops::Range<u64>) {
    let tracer = monitor.otel().tracer_provider().tracer("rows");
    for n in turns {
        tracer.in_span("read a row", |_| _ = black_box(n));
    }
}

/// Does a part of the work in each of many traces. The begin and end of the trace are not measured.
fn in_traces(
    ratio: f64,
    n: u64,
    measure: Measure<'_>,
    work: impl Fn(&MonitorGuard, std::ops::Range<u64>),
) {
    let set = |builder: MonitorBuilder| builder.trace_ratio(ratio).max_traces_per_second(1_000_000);
    let monitor = stacks::lines(set);
    let _listening = listening(monitor.tracing_layer());
    monitor
        .span("warm")
        .in_scope(|| work(&monitor, 0..IN_A_TRACE));
    for from in (0..n).step_by(IN_A_TRACE as usize) {
        let turns = from..n.min(from + IN_A_TRACE);
        monitor.span("work").in_scope(|| {
            // The buffer of a request is pooled and exists from the start; that of a trace is allocated with its first span.
            work(&monitor, from..from + 1);
            measure(&mut || work(&monitor, turns.clone()));
        });
    }
}

fn failing(router: Router, n: u64, measure: Measure<'_>) {
    let (router, runtime) = (router.with_state(()), work::runtime());
    let requests = |n: u64| -> Vec<_> {
        (0..n)
            .map(|n| Request::get(format!("/rows/{n}")).body(axum::body::Body::empty()))
            .map(|request| request.expect("a request"))
            .collect()
    };
    work::drive(&runtime, &router, requests(256));
    let mut all = Some(requests(n));
    measure(&mut || work::drive(&runtime, &router, all.take().unwrap_or_default()));
}

fn find(name: &str) -> Op {
    let op = OPS.iter().find(|(have, _)| *have == name);
    op.expect("an operation that `ops` names").1
}

/// Runs an operation `n` times in the measured region.
pub fn count(name: &str, n: u64) {
    find(name)(n, &mut |work| measured(work));
}

/// Prints allocations per operation on its thread.
pub fn allocs(name: &str) {
    const N: u64 = 4096;
    let mut all = 0;
    find(name)(N, &mut |work| all += allocs::during(work));
    println!("{:.2}", all as f64 / N as f64);
}

/// Prints nanoseconds per operation: the median of many runs of sixteen.
pub fn time(name: &str) {
    let mut took = Vec::new();
    for _ in 0..400 {
        let mut sum = 0;
        find(name)(256, &mut |work| {
            let start = Instant::now();
            work();
            sum += start.elapsed().as_nanos();
        });
        took.push(sum as f64 / 256.0);
    }
    println!("{:.0}", work::median(&mut took));
}

/// Emits `n` events outside of requests, to measure the worker's part.
pub fn events(n: u64) {
    let monitor = stacks::lines(|builder| builder.record_spans(false));
    let _listening = listening(monitor.tracing_layer());
    work::emit_events(0..n);
    stacks::end(&monitor);
}
