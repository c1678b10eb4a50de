//! The current operation. In any nesting these refer to the same one: the log record of an event, the span that contains
//! the event, the parent of a child span, the IDs of a captured error and the outgoing context.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use opentelemetry::{Context, global};
use opentelemetry_sdk::trace::SdkTracer;
use serde_json::Value;
use tower::ServiceExt as _;
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use watchpost::db::DbSystem;
use watchpost::trace::{KeptTrace, Span, SpanBackend};
use watchpost::{Level, Monitor, MonitorGuard};

use crate::cases::Case;
use crate::support::{Written, block_on, builder, records};

pub(crate) const CASES: [Case; 10] = [
    Case::new("current_in_requests", || {
        in_requests(SpanBackend::Watchpost)
    }),
    Case::new("current_in_requests_opentelemetry", || {
        in_requests(SpanBackend::TracingOpentelemetry);
    }),
    Case::new("current_outside_requests", || {
        outside_requests(SpanBackend::Watchpost);
    }),
    Case::new("current_outside_requests_opentelemetry", || {
        outside_requests(SpanBackend::TracingOpentelemetry);
    }),
    Case::new("current_by_explicit_parents", || {
        by_explicit_parents(SpanBackend::Watchpost);
    }),
    Case::new("current_by_explicit_parents_opentelemetry", || {
        by_explicit_parents(SpanBackend::TracingOpentelemetry);
    }),
    Case::new("current_of_a_span_around_the_layer", || {
        around_the_layer(SpanBackend::Watchpost);
    }),
    Case::new("current_of_a_span_around_the_layer_opentelemetry", || {
        around_the_layer(SpanBackend::TracingOpentelemetry);
    }),
    Case::new("current_many_events_in_a_builder_span", many_events),
    Case::new("current_in_tasks_of_many_threads", in_tasks),
];

/// A host with the monitor's layers, and its output.
struct Host {
    monitor: MonitorGuard,
    written: Written,
    tracer: SdkTracer,
}

impl Host {
    fn new(spans: SpanBackend) -> Self {
        let (builder, written) = builder();
        let builder = builder.spans(spans).max_traces_per_second(100_000);
        let monitor = builder.build().unwrap();
        tracing_subscriber::registry()
            .with(monitor.tracing_layer())
            .with(monitor.otel().tracing_layer())
            .init();
        monitor.install();
        let tracer = monitor.otel().tracer_provider().tracer("host");
        Self {
            monitor,
            written,
            tracer,
        }
    }

    /// Runs work in a request.
    fn in_request<F>(
        &self,
        work: impl Fn(Speaker) -> F + Clone + Send + Sync + 'static,
    ) -> impl Future
    where
        F: Future<Output = ()> + Send,
    {
        let speaker = self.speaker();
        let handler = move || {
            let (work, speaker) = (work.clone(), speaker.clone());
            async move { work(speaker).await }
        };
        let app = Router::new()
            .route("/work", get(handler))
            .layer(self.monitor.layer());
        let request = Request::get("/work").body(Body::empty()).unwrap();
        async move {
            let response = app.oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200);
            axum::body::to_bytes(response.into_body(), 100)
                .await
                .unwrap();
        }
    }

    fn speaker(&self) -> Speaker {
        Speaker {
            monitor: (*self.monitor).clone(),
            tracer: self.tracer.clone(),
        }
    }
}

/// Emits events, spans, errors and calls through every API.
#[derive(Clone)]
struct Speaker {
    monitor: Monitor,
    tracer: SdkTracer,
}

thread_local! {
    /// The injected headers, by name.
    static CARRIED: RefCell<HashMap<String, String>> = RefCell::default();
}

impl Speaker {
    fn speak(&self, name: &str) {
        tracing::info!("event {name}");
        self.monitor.span(format!("child {name}")).in_scope(|| {});
        drop(tracing::info_span!("t", otel.name = format!("tracing child {name}")).entered());
        self.tracer.in_span(format!("plain child {name}"), |_| {});
        self.monitor
            .capture_message(Level::Warning, format!("captured {name}"));
        let mut carrier = HashMap::new();
        global::get_text_map_propagator(|it| it.inject_context(&Context::current(), &mut carrier));
        let header = carrier.remove("traceparent").unwrap_or_default();
        CARRIED.with_borrow_mut(|all| all.insert(name.to_owned(), header));
        // The second event has the same IDs.
        tracing::warn!("again {name}");
    }
}

/// The assertion of all cases: the log records, the span with the events, the parent of the children, the captured error and
/// the outgoing context of a name have the same span ID, which is returned.
fn assert_one(host: &Host, names: &[(&str, &str)]) {
    let records = records(&host.monitor, &host.written);
    let traces = host.monitor.recent_traces();
    for (name, expected) in names {
        let of = |message: String| -> &Value {
            let mut all = records.iter().filter(|it| it["message"] == *message);
            let one = all.next().unwrap_or_else(|| panic!("no {message}"));
            assert!(all.next().is_none(), "{message} twice");
            one
        };
        let record = of(format!("event {name}"));
        let ids = |record: &Value| (record["trace_id"].clone(), record["span_id"].clone());
        let span = span_of(&traces, record);
        assert_eq!(span.name, *expected, "{name}");
        assert_eq!(ids(of(format!("again {name}"))), ids(record), "{name}");
        let captured: Vec<_> = records
            .iter()
            .filter(|it| {
                it["exception.message"] == *format!("captured {name}")
                    || it["message"] == *format!("captured {name}")
            })
            .collect();
        assert_eq!(captured.len(), 1, "{name}");
        assert_eq!(ids(captured[0]), ids(record), "captured {name}");
        for event in ["event", "again"] {
            assert_eq!(
                spans_with(&traces, &format!("{event} {name}")),
                [span.span_id],
                "{event} {name}"
            );
        }
        for child in ["child", "tracing child", "plain child"] {
            let all = all_spans(&traces).filter(|it| it.name == format!("{child} {name}"));
            let parents: Vec<_> = all.map(|it| (it.trace_id, it.parent_span_id)).collect();
            assert_eq!(parents, [(span.trace_id, span.span_id)], "{child} {name}");
        }
        let header = CARRIED.with_borrow(|all| all.get(*name).cloned());
        if let Some(header) = header {
            let expected = format!("00-{}-{}-", span.trace_id, span.span_id);
            assert!(header.starts_with(&expected), "{name}: {header}");
        }
    }
}

fn all_spans(traces: &[KeptTrace]) -> impl Iterator<Item = &Span> {
    traces.iter().flat_map(|trace| &trace.spans)
}

fn span_of<'a>(traces: &'a [KeptTrace], record: &Value) -> &'a Span {
    let mut all = all_spans(traces).filter(|it| {
        it.trace_id.to_string() == record["trace_id"] && it.span_id.to_string() == record["span_id"]
    });
    let one = all.next().unwrap_or_else(|| panic!("no span of {record}"));
    assert!(all.next().is_none(), "two spans of {record}");
    one
}

/// The spans with an event of this name or message.
fn spans_with(traces: &[KeptTrace], message: &str) -> Vec<watchpost::SpanId> {
    let is = |event: &watchpost::trace::SpanEvent| event.name == message;
    all_spans(traces)
        .flat_map(|span| span.events.iter().filter(|it| is(it)).map(|_| span.span_id))
        .collect()
}

const REQUEST: &str = "GET /work";

fn in_requests(spans: SpanBackend) {
    let host = Host::new(spans);
    block_on(async {
        host.in_request(async move |of| {
            of.speak("request");
            async {
                of.speak("tracing");
                let builder = of.monitor.span("builder").run(async {
                    of.speak("builder");
                    tokio::task::yield_now().await;
                    of.speak("builder after await");
                    async {
                        of.speak("tracing in builder");
                        tokio::task::yield_now().await;
                        tracing::trace_span!("not recorded").in_scope(|| of.speak("unrecorded"));
                    }
                    .instrument(tracing::info_span!("inner tracing"))
                    .await;
                    tracing::trace_span!("not recorded")
                        .in_scope(|| of.speak("unrecorded in builder"));
                    of.speak("builder at its end");
                });
                builder.await;
                of.speak("tracing after builder");
                of.tracer.in_span("plain", |_| {
                    of.speak("plain");
                    of.monitor.span("builder in plain").in_scope(|| {
                        of.speak("builder in plain");
                        tracing::info_span!("deep tracing")
                            .in_scope(|| of.speak("tracing in builder in plain"));
                    });
                    of.speak("plain after builder");
                });
                of.monitor
                    .db(DbSystem::Postgresql)
                    .query("SELECT one")
                    .run(async {
                        of.speak("query");
                        tokio::task::yield_now().await;
                        of.tracer
                            .in_span("plain in query", |_| of.speak("plain in query"));
                        tracing::info_span!("tracing in query")
                            .in_scope(|| of.speak("tracing in query"));
                    })
                    .await;
                of.speak("tracing at its end");
            }
            .instrument(tracing::info_span!("tracing"))
            .await;
            let moved = of.clone();
            let task = async move {
                moved.speak("task");
                moved
                    .monitor
                    .span("builder in task")
                    .in_scope(|| moved.speak("builder in task"));
            };
            tokio::spawn(task.instrument(tracing::info_span!("task")))
                .await
                .unwrap();
            of.monitor
                .span("spawning")
                .run(async {
                    let moved = of.clone();
                    watchpost::spawn(async move { moved.speak("spawned") })
                        .await
                        .unwrap();
                })
                .await;
            let call = of.monitor.external("other").call("GET", "http://other/");
            call.run(async {
                of.speak("call");
                Ok::<_, std::io::Error>(())
            })
            .await
            .unwrap();
            of.speak("request at its end");
        })
        .await;
    });
    assert_one(
        &host,
        &[
            ("request", REQUEST),
            ("tracing", "tracing"),
            ("builder", "builder"),
            ("builder after await", "builder"),
            ("tracing in builder", "inner tracing"),
            ("unrecorded", "inner tracing"),
            ("unrecorded in builder", "builder"),
            ("builder at its end", "builder"),
            ("tracing after builder", "tracing"),
            ("plain", "plain"),
            ("builder in plain", "builder in plain"),
            ("tracing in builder in plain", "deep tracing"),
            ("plain after builder", "plain"),
            ("query", "SELECT"),
            ("plain in query", "plain in query"),
            ("tracing in query", "tracing in query"),
            ("tracing at its end", "tracing"),
            ("task", "task"),
            ("builder in task", "builder in task"),
            ("spawned", "spawning"),
            ("call", "GET"),
            ("request at its end", REQUEST),
        ],
    );
}

fn outside_requests(spans: SpanBackend) {
    let host = Host::new(spans);
    let of = host.speaker();
    of.monitor.span("root builder").in_scope(|| {
        of.speak("root builder");
        tracing::info_span!("below").in_scope(|| of.speak("below"));
    });
    of.tracer.in_span("root plain", |_| {
        of.speak("root plain");
        of.monitor
            .span("builder below")
            .in_scope(|| of.speak("builder below"));
        tracing::info_span!("tracing below").in_scope(|| of.speak("tracing below"));
    });
    tracing::info_span!("root tracing").in_scope(|| {
        of.speak("root tracing");
        of.tracer
            .in_span("plain below", |_| of.speak("plain below"));
        of.monitor
            .span("last builder")
            .in_scope(|| of.speak("last builder"));
    });
    // Without a current operation, the record has no IDs.
    tracing::info!("alone");
    assert_one(
        &host,
        &[
            ("root builder", "root builder"),
            ("below", "below"),
            ("root plain", "root plain"),
            ("builder below", "builder below"),
            ("tracing below", "tracing below"),
            ("root tracing", "root tracing"),
            ("plain below", "plain below"),
            ("last builder", "last builder"),
        ],
    );
    let alone = records(&host.monitor, &host.written);
    let alone = alone.iter().find(|it| it["message"] == "alone").unwrap();
    assert_eq!(alone["trace_id"], Value::Null);
    assert_eq!(spans_with(&host.monitor.recent_traces(), "alone"), []);
}

fn by_explicit_parents(spans: SpanBackend) {
    let host = Host::new(spans);
    block_on(async {
        host.in_request(async move |of| {
            let named = tracing::info_span!("named");
            let quiet = tracing::trace_span!("quiet");
            let builder = of.monitor.span("builder").run(async {
                let inside = tracing::trace_span!("quiet in builder");
                tracing::info!(parent: &named, "by name");
                tracing::info!(parent: &quiet, "by a quiet name");
                tracing::info!(parent: None, "of nobody");
                tokio::task::yield_now().await;
                tracing::info!(parent: &inside, "by a quiet name in a builder");
            });
            builder.await;
            named.in_scope(|| tracing::info!(parent: &named, "by name inside"));
        })
        .await;
    });
    let records = records(&host.monitor, &host.written);
    let traces = host.monitor.recent_traces();
    for (message, expected) in [
        ("by name", "named"),
        ("by a quiet name", REQUEST),
        ("by a quiet name in a builder", "builder"),
        ("by name inside", "named"),
    ] {
        let record = records.iter().find(|it| it["message"] == message).unwrap();
        let span = span_of(&traces, record);
        let with = spans_with(&traces, message);
        let name = |id| {
            all_spans(&traces)
                .find(|it| it.span_id == id)
                .unwrap()
                .name
                .clone()
        };
        assert_eq!(
            with.iter().copied().map(name).collect::<Vec<_>>(),
            [expected]
        );
        if spans == SpanBackend::TracingOpentelemetry && message == "by name" {
            // A span of tracing-opentelemetry has no ID before it is entered, so the record has the enclosing one.
            assert_eq!(span.name, REQUEST);
        } else {
            assert_eq!(with, [span.span_id], "{message}");
        }
    }
    let nobody = records
        .iter()
        .find(|it| it["message"] == "of nobody")
        .unwrap();
    assert_eq!(nobody["trace_id"], Value::Null);
    assert_eq!(spans_with(&traces, "of nobody"), []);
}

fn around_the_layer(spans: SpanBackend) {
    let host = Host::new(spans);
    block_on(async {
        let request = host.in_request(async move |of| {
            of.speak("handler");
            tracing::error!("a failure in the handler");
            of.monitor
                .span("builder")
                .run(async {
                    of.speak("builder");
                    tokio::task::yield_now().await;
                    tracing::error!("a failure in the builder");
                })
                .await;
            tracing::info_span!("inner").in_scope(|| of.speak("inner"));
        });
        async {
            request.await;
            host.speaker().speak("around");
        }
        .instrument(tracing::info_span!("around"))
        .await;
    });
    assert_one(
        &host,
        &[
            ("handler", REQUEST),
            ("builder", "builder"),
            ("inner", "inner"),
            ("around", "around"),
        ],
    );
    // A failure in the request is no failure of the span around it.
    let traces = host.monitor.recent_traces();
    let around = all_spans(&traces).find(|it| it.name == "around").unwrap();
    assert_eq!(around.status, watchpost::trace::SpanStatus::Unset);
}

fn many_events() {
    let host = Host::new(SpanBackend::Watchpost);
    let of = host.speaker();
    of.monitor.span("root").in_scope(|| {
        of.monitor.span("many").in_scope(|| {
            for n in 0..1000 {
                tracing::info!(n, "one of many");
            }
        });
        of.monitor
            .span("few")
            .in_scope(|| tracing::info!("one of few"));
    });
    let records = records(&host.monitor, &host.written);
    let many = records.iter().filter(|it| it["message"] == "one of many");
    assert_eq!(many.count(), 1000);
    let traces = host.monitor.recent_traces();
    let span = |name: &str| all_spans(&traces).find(|it| it.name == name).unwrap();
    let many = span("many");
    assert_eq!(many.events.len() + many.left_out as usize, 1000);
    assert!(
        (100..=128).contains(&many.events.len()),
        "{}",
        many.events.len()
    );
    assert_eq!((span("few").events.len(), span("few").left_out), (1, 0));
    assert_eq!((span("root").events.len(), span("root").left_out), (0, 0));
}

fn in_tasks() {
    let host = Host::new(SpanBackend::Watchpost);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let of = host.speaker();
    runtime.block_on(async {
        let one = |n: usize| {
            let of = of.clone();
            let work = async move {
                for turn in 0..20 {
                    of.monitor
                        .span(format!("builder {n}"))
                        .run(async {
                            tracing::info!("event {n} {turn}");
                            tokio::task::yield_now().await;
                            tracing::info!("later {n} {turn}");
                        })
                        .await;
                }
            };
            tokio::spawn(work.instrument(tracing::info_span!("task", n)))
        };
        let tasks: Vec<_> = (0..16).map(one).collect();
        for task in tasks {
            tokio::time::timeout(Duration::from_secs(30), task)
                .await
                .unwrap()
                .unwrap();
        }
    });
    let records = records(&host.monitor, &host.written);
    let traces = host.monitor.recent_traces();
    assert_eq!(records.len(), 16 * 20 * 2);
    for record in &records {
        let message = record["message"].as_str().unwrap();
        let span = span_of(&traces, record);
        assert_eq!(spans_with(&traces, message), [span.span_id], "{message}");
        let number = message.split(' ').nth(1).unwrap();
        assert_eq!(span.name, format!("builder {number}"));
    }
}
