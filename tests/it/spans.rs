//! Spans of every kind in one trace, and which traces are kept.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use http_body_util::BodyExt;
use opentelemetry::trace::{Tracer, TracerProvider};
use tokio::sync::Semaphore;
use tower::ServiceExt;
use tracing::Instrument;
use tracing_subscriber::prelude::*;
use watchpost::trace::{AttributeValue as Value, KeptTrace, Span, SpanKind, SpanStatus};
use watchpost::{KeepReason, Monitor, MonitorGuard, SpanId, TraceId};

use crate::support::{attribute, get_request, kept_trace, send, tree};

fn builder(ratio: f64) -> watchpost::MonitorBuilder {
    Monitor::builder("spans")
        .env(false)
        .console(false)
        .trace_ratio(ratio)
        .max_traces_per_second(100_000)
}

fn monitor(ratio: f64) -> MonitorGuard {
    builder(ratio).build().unwrap()
}

#[tokio::test]
async fn spans_of_every_kind_have_the_right_parent() {
    let monitor = monitor(1.0);
    let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    let _default = tracing::subscriber::set_default(subscriber);
    let tracer = monitor.otel().tracer_provider().tracer("plain");
    let of = monitor.clone();
    let app = Router::new()
        .route(
            "/all/{id}",
            get(move || async move {
                of.span("guard")
                    .attr("n", 3)
                    .run(async {
                        let inside = async {
                            tracing::info!(word = "hello", "inside");
                            tracer.in_span("plain", |_| {
                                of.span("in plain").in_scope(|| {
                                    tracer.in_span("deepest", |_| {});
                                });
                            });
                            tokio::task::yield_now().await;
                            watchpost::spawn(of.span("spawned").run(async {}))
                                .await
                                .unwrap();
                            let blocking = of.clone();
                            watchpost::spawn_blocking(move || {
                                blocking.span("blocking").in_scope(|| {});
                            })
                            .await
                            .unwrap();
                        };
                        inside
                            .instrument(tracing::info_span!(
                                "tracing",
                                field = 7_u64,
                                "otel.kind" = "client"
                            ))
                            .await;
                    })
                    .await;
                tracer.in_span("plain at the root", |_| {});
                "done"
            }),
        )
        .layer(monitor.layer());
    let id = send(&app, get_request("/all/7?token=hunter2"))
        .await
        .trace_id();
    let trace = kept_trace(&monitor, id).await;
    assert_eq!(
        tree(&trace),
        [
            "blocking<tracing",
            "deepest<in plain",
            "guard<GET /all/{id}",
            "in plain<plain",
            "plain at the root<GET /all/{id}",
            "plain<tracing",
            "spawned<tracing",
            "tracing<guard",
        ]
    );
    look_closer(&trace);
}

/// Checks attributes of each type, events and times.
fn look_closer(trace: &KeptTrace) {
    let root = trace.spans.iter().find(|span| span.is_root).unwrap();
    assert_eq!(
        (root.kind, root.status),
        (SpanKind::Server, SpanStatus::Unset)
    );
    assert_eq!(
        attribute(root, "http.response.status_code"),
        Some(&Value::I64(200))
    );
    assert_eq!(
        attribute(root, "http.route"),
        Some(&Value::Str("/all/{id}".into()))
    );
    assert_eq!(
        attribute(root, "url.query"),
        Some(&Value::Str("token=REDACTED".into()))
    );
    assert_eq!(attribute(root, "error.type"), None);
    assert_eq!(
        attribute(root, "watchpost.kept"),
        Some(&Value::Str("head".into()))
    );
    let span = trace
        .spans
        .iter()
        .find(|span| span.name == "tracing")
        .unwrap();
    assert_eq!(
        (span.kind, attribute(span, "field")),
        (SpanKind::Client, Some(&Value::I64(7)))
    );
    let event = span
        .events
        .iter()
        .find(|event| event.name == "inside")
        .unwrap();
    assert!(
        event
            .attributes
            .contains(&("word".into(), Value::Str("hello".into())))
    );
    let head = ["level", "target"].map(|key| {
        let mut attributes = event.attributes.iter();
        attributes
            .find(|(name, _)| name == key)
            .map(|it| it.1.clone())
    });
    let expected = ["INFO", module_path!()].map(|text| Some(Value::Str(text.into())));
    assert_eq!(head, expected);
    assert!(trace.spans.iter().all(|span| span.start >= root.start));
}

#[tokio::test]
async fn at_ratio_0_failed_traces_are_kept_with_all_children() {
    let monitor = builder(0.0)
        .slow_trace_threshold(Duration::from_secs(60))
        .build()
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    let _default = tracing::subscriber::set_default(subscriber);
    let tracer = monitor.otel().tracer_provider().tracer("plain");
    let of = monitor.clone();
    let child = monitor.clone();
    let (release, released) = tokio::sync::watch::channel(false);
    let (end_late, late_may_end) = tokio::sync::watch::channel(false);
    // Permits for handlers that have started, and for late children that have ended.
    let (started, late_ended) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (starts, late_ends) = (Arc::clone(&started), Arc::clone(&late_ended));
    let app = Router::new()
        .route(
            "/fine",
            get(async move || child.span("child").run(async {}).await),
        )
        .route(
            "/work/{fails}",
            get(
                async move |axum::extract::Path(fails): axum::extract::Path<bool>| {
                    let late = of.span("late");
                    let (mut may_end, ends) = (late_may_end.clone(), Arc::clone(&late_ends));
                    drop(watchpost::spawn(async move {
                        // It ends after the root.
                        let end = late.run(async { may_end.wait_for(|may| *may).await.map(drop) });
                        end.await.unwrap();
                        ends.add_permits(1);
                    }));
                    starts.add_permits(1);
                    async { tokio::task::yield_now().await }
                        .instrument(tracing::info_span!("tracing"))
                        .await;
                    drop(released.clone().wait_for(|released| *released).await);
                    of.span("guard").run(tokio::task::yield_now()).await;
                    tracer.in_span("plain", |_| {});
                    let of = of.clone();
                    std::thread::scope(|scope| {
                        let context = watchpost::in_current_trace(of.span("thread").run(async {}));
                        let runtime = || {
                            let runtime = tokio::runtime::Builder::new_current_thread().build();
                            runtime.unwrap().block_on(context);
                        };
                        scope.spawn(runtime);
                    });
                    if fails {
                        StatusCode::INTERNAL_SERVER_ERROR
                    } else {
                        StatusCode::OK
                    }
                },
            ),
        )
        .layer(monitor.layer());
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..64 {
        let app = app.clone();
        tasks.spawn(async move { send(&app, get_request(&format!("/work/{}", n % 2 == 0))).await });
    }
    drop(started.acquire_many(64).await);
    for _ in 0..100_000 {
        send(&app, get_request("/fine")).await;
    }
    release.send(true).unwrap();
    let responses = tasks.join_all().await;
    end_late.send(true).unwrap();
    drop(late_ended.acquire_many(64).await);
    assert!(monitor.flush(Duration::from_secs(10)).await);
    assert_eq!(monitor.recent_traces().len(), 32);
    for response in responses {
        let (status, id) = (response.status, response.trace_id());
        let trace = monitor.recent_trace(id);
        assert_eq!(trace.is_some(), status.is_server_error());
        if let Some(trace) = trace {
            assert_eq!(trace.kept, KeepReason::Error);
            let root = "GET /work/{fails}";
            let expected = ["guard", "late", "plain", "thread", "tracing"]
                .map(|name| format!("{name}<{root}"));
            assert_eq!(tree(&trace), expected);
        }
    }
}

#[tokio::test]
async fn failed_and_slow_traces_are_kept() {
    let monitor = builder(0.0)
        .slow_trace_threshold(Duration::from_millis(30))
        .build()
        .unwrap();
    let of = monitor.clone();
    let app = Router::new()
        .route(
            "/slow",
            get(async || tokio::time::sleep(Duration::from_millis(40)).await),
        )
        .route("/fine", get(async || {}))
        .route("/timeout", get(async || StatusCode::REQUEST_TIMEOUT))
        .route(
            "/captured",
            get(async move || {
                of.capture_error(&std::io::Error::other("caught"));
            }),
        )
        .route("/panic", get(async || -> () { panic!("planned") }))
        .layer(monitor.layer());
    for (route, why) in [
        ("/slow", Some(KeepReason::Slow)),
        ("/fine", None),
        ("/timeout", Some(KeepReason::Timeout)),
        ("/captured", Some(KeepReason::Captured)),
    ] {
        let id = send(&app, get_request(route)).await.trace_id();
        assert!(monitor.flush(Duration::from_secs(10)).await);
        assert_eq!(
            monitor.recent_trace(id).map(|trace| trace.kept),
            why,
            "{route}"
        );
    }
    let panics = tokio::spawn(app.clone().oneshot(get_request("/panic")));
    assert!(panics.await.unwrap_err().is_panic());
    assert!(monitor.flush(Duration::from_secs(10)).await);
    assert_eq!(monitor.recent_traces()[0].kept, KeepReason::Panic);
}

#[tokio::test]
async fn a_trace_without_a_request_has_its_topmost_span_as_root() {
    let monitor = monitor(0.0);
    let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    let _default = tracing::subscriber::set_default(subscriber);
    let tracer = monitor.otel().tracer_provider().tracer("plain");
    let failed = monitor
        .span("job")
        .try_run(async {
            tracer.in_span("plain", |_| {});
            tracing::info_span!("tracing").in_scope(|| {});
            Err::<(), _>("out of paper")
        })
        .await;
    assert_eq!(failed, Err("out of paper"));
    {
        let span = tracing::error_span!("task", "otel.status_code" = "error");
        let _entered = span.enter();
        monitor
            .span("guard")
            .in_scope(|| tracer.in_span("plain", |_| {}));
    }
    tracer.in_span("otel root", |context| {
        use opentelemetry::trace::{Status, TraceContextExt};
        monitor.span("guard").in_scope(|| {});
        context.span().set_status(Status::error("no"));
    });
    assert!(monitor.flush(Duration::from_secs(10)).await);
    let traces = monitor.recent_traces();
    let seen: Vec<_> = traces
        .iter()
        .map(|trace| {
            let root = trace.spans.iter().find(|span| span.is_root).unwrap();
            (root.name.clone(), root.status_message.clone(), tree(trace))
        })
        .collect();
    let children = |of: &[&str]| of.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        seen,
        [
            (
                "otel root".into(),
                "no".into(),
                children(&["guard<otel root"])
            ),
            (
                "task".into(),
                String::new(),
                children(&["guard<task", "plain<guard"])
            ),
            (
                "job".into(),
                "out of paper".into(),
                children(&["plain<job", "tracing<job"])
            ),
        ]
    );
}

#[tokio::test]
async fn a_span_has_an_outcome_only_if_it_was_cancelled() {
    let monitor = monitor(1.0);
    monitor.span("completed").run(async {}).await;
    let failed = monitor.span("failed").try_run(async { Err::<(), _>("no") });
    assert_eq!(failed.await, Err("no"));
    drop(monitor.span("cancelled").run(async {}));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        monitor
            .span("panicked")
            .in_scope(|| panic!("expected in this test"));
    }));
    assert!(panicked.is_err());
    assert!(monitor.flush(Duration::from_secs(10)).await);
    let text = |span: &Span, key: &str| match attribute(span, key) {
        Some(Value::Str(text)) => Some(text.clone()),
        _ => None,
    };
    let traces = monitor.recent_traces();
    let seen = |name: &str| {
        let trace = traces.iter().find(|trace| trace.spans[0].name == name);
        let span = &trace.unwrap().spans[0];
        (
            span.status,
            text(span, "watchpost.outcome"),
            text(span, "error.type"),
        )
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(seen("completed"), (SpanStatus::Unset, None, None));
    assert_eq!(seen("failed"), (SpanStatus::Error, None, some("&str")));
    assert_eq!(
        seen("cancelled"),
        (SpanStatus::Unset, some("cancelled"), None)
    );
    assert_eq!(
        seen("panicked"),
        (SpanStatus::Error, None, some("panicked"))
    );
}

#[tokio::test]
async fn a_trusted_callers_trace_is_continued_and_a_strangers_linked() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = || {
        Request::builder()
            .uri("/")
            .header("traceparent", parent)
            .header("tracestate", "rojo=1")
            .body(Body::empty())
            .unwrap()
    };
    for (edge, ratio) in [(false, 1.0), (true, 1.0), (false, 0.0)] {
        let monitor = builder(ratio).public_endpoint(edge).build().unwrap();
        let app = Router::new()
            .route("/", get(async || {}))
            .layer(monitor.layer());
        let id = send(&app, request()).await.trace_id();
        assert_eq!(id.to_string() == parent[3..35], !edge);
        assert!(monitor.flush(Duration::from_secs(10)).await);
        let Some(trace) = monitor.recent_trace(id) else {
            // The flag of an untrusted caller is ignored.
            assert_eq!(ratio, 0.0);
            continue;
        };
        assert_eq!(ratio, 1.0);
        let root = &trace.spans[0];
        if edge {
            assert_eq!(root.parent_span_id, SpanId::NIL);
            assert_eq!(root.links[0].trace_id.to_string(), parent[3..35]);
        } else {
            assert_eq!(root.parent_span_id.to_string(), parent[36..52]);
            assert!(root.parent_is_remote);
        }
    }
}

#[tokio::test]
async fn aborted_requests_leave_no_memory_in_use() {
    let monitor = monitor(0.0);
    let of = monitor.clone();
    let app = Router::new()
        .route(
            "/",
            get(async move || {
                for _ in 0..10 {
                    of.span("child")
                        .attr("text", "x".repeat(1000))
                        .run(async {})
                        .await;
                }
                std::future::pending::<()>().await;
            }),
        )
        .layer(monitor.layer());
    for _ in 0..5_000 {
        let mut response = Box::pin(app.clone().oneshot(get_request("/")));
        assert!(futures_util::poll!(&mut response).is_pending());
        drop(response);
    }
    assert!(monitor.flush(Duration::from_secs(10)).await);
    assert!(monitor.recent_traces().is_empty());
    let page = monitor.metrics().render();
    assert!(
        page.contains("watchpost_spans_lost_total{reason=\"no_room\"} 0\n"),
        "{page}"
    );
    assert!(page.contains("watchpost_traces_open_bytes 0\n"), "{page}");
}

#[tokio::test]
async fn span_names_create_no_routes() {
    let monitor = monitor(0.0);
    for n in 0..5_000 {
        monitor.span(format!("job {n}")).in_scope(|| {});
    }
    let app = Router::new()
        .route("/after", get(async || {}))
        .layer(monitor.layer());
    send(&app, get_request("/after")).await;
    let page = monitor.metrics().render();
    assert!(
        page.contains("http_route=\"/after\"") && !page.contains("\"_overflow\""),
        "{page}"
    );
    assert!(!page.contains("job 1"));
}

#[tokio::test]
async fn spans_and_requests_of_any_size_are_kept_within_bounds() {
    let monitor = monitor(1.0);
    let tracer = monitor.otel().tracer_provider().tracer("plain");
    let of = monitor.clone();
    let app = Router::new()
        .route(
            "/",
            get(async move || {
                let text = "x".repeat(4096);
                let mut guard = of.span("guard");
                for n in 0..128 {
                    guard = guard.attr(format!("key{n}"), text.clone());
                }
                guard.run(async {}).await;
                tracer.in_span("plain", |context| {
                    use opentelemetry::KeyValue;
                    use opentelemetry::trace::TraceContextExt;
                    for n in 0..120 {
                        let key = format!("key{n}");
                        context
                            .span()
                            .set_attribute(KeyValue::new(key, text.clone()));
                        context
                            .span()
                            .add_event(text.clone(), vec![KeyValue::new("a", text.clone())]);
                    }
                });
            }),
        )
        .layer(monitor.layer().on_request(|_, attributes| {
            for n in 0..128 {
                attributes.insert(format!("key{n}"), "y".repeat(4096));
            }
        }));
    let id = send(&app, get_request("/")).await.trace_id();
    let trace = kept_trace(&monitor, id).await;
    assert_eq!(tree(&trace), ["guard<GET /", "plain<GET /"]);
    for span in trace.spans.iter().filter(|span| !span.is_root) {
        assert!(
            span.attributes.len() == 3 && span.left_out > 100,
            "{}",
            span.left_out
        );
    }
}

#[tokio::test]
async fn a_secret_that_is_cut_in_half_is_not_shown() {
    const SECRET: &str = "ghp_a1Bc2De3Fg4Hi5Jk6Lm7No8Pq9Rs0Tu1Vw2X";
    let text = |limit: usize| format!("{} {SECRET} more", "x".repeat(limit - 20));
    let monitor = monitor(1.0);
    let subscriber = tracing_subscriber::registry().with(monitor.tracing_layer());
    let _default = tracing::subscriber::set_default(subscriber);
    let of = monitor.clone();
    let app = Router::new()
        .route(
            "/",
            get(async move || {
                let guard = of.span(text(1024)).attr("guard", text(4096));
                let failed = guard.try_run(async { Err::<(), _>(text(1024)) });
                failed.await.unwrap_err();
                let span = tracing::info_span!("tracing", note = text(4096));
                span.in_scope(|| tracing::info!(note = text(4096), "event"));
            }),
        )
        .layer(monitor.layer().on_request(move |_, attributes| {
            attributes.insert("hook", text(4096));
        }));
    let id = send(&app, get_request("/")).await.trace_id();
    let trace = kept_trace(&monitor, id).await;
    assert_eq!(trace.spans.len(), 3);
    let shown = format!("{trace:?}");
    for name in ["guard", "hook", "note", "event"] {
        assert!(shown.contains(name), "{name}");
    }
    let at = shown.find("ghp_").map(|at| &shown[at..at + 24]);
    assert_eq!(at, None);
}

#[tokio::test]
async fn a_plain_span_continues_a_remote_trace() {
    use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
    let monitor = monitor(1.0);
    let tracer = monitor.otel().tracer_provider().tracer("plain");
    let (trace, span) = (7_u128, 8_u64);
    let elsewhere = SpanContext::new(
        trace.into(),
        span.into(),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    let context = opentelemetry::Context::new().with_remote_span_context(elsewhere);
    drop(tracer.start_with_context("message", &context));
    let kept = kept_trace(&monitor, TraceId::from_u128(trace)).await;
    let root = &kept.spans[0];
    assert!(root.is_root && root.parent_is_remote);
    assert_eq!(root.parent_span_id, SpanId::from_u64(span));
}

#[tokio::test]
async fn headers_without_a_propagator_are_ignored() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for (names, continues, carries) in [
        ("[\"tracecontext\", \"baggage\"]", true, true),
        ("[\"tracecontext\"]", true, false),
        ("[\"none\"]", false, false),
    ] {
        std::fs::write(file.path(), format!("[trace]\npropagators = {names}\n")).unwrap();
        let monitor = builder(1.0).file(file.path()).build().unwrap();
        let app = Router::new()
            .route(
                "/",
                get(async || {
                    use opentelemetry::baggage::BaggageExt;
                    opentelemetry::Context::current()
                        .baggage()
                        .len()
                        .to_string()
                }),
            )
            .layer(monitor.layer());
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let request = Request::get("/")
            .header("traceparent", parent)
            .header("baggage", "user=7")
            .body(Body::empty());
        let response = app.oneshot(request.unwrap()).await.unwrap();
        let id = response.headers()["x-trace-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(id == parent[3..35], continues, "{names}");
        assert_eq!(body, if carries { "1" } else { "0" }, "{names}");
    }
}

#[tokio::test]
async fn aborted_requests_do_not_make_others_slow() {
    let harness = Arc::new(watchpost::testing::Harness::with(|builder| {
        builder.trace_ratio(0.0)
    }));
    let of = Arc::clone(&harness);
    let app = Router::new()
        .route(
            "/work/{hangs}",
            get(
                async move |axum::extract::Path(hangs): axum::extract::Path<bool>| {
                    if hangs {
                        std::future::pending::<()>().await;
                    }
                    of.advance(Duration::from_millis(100));
                },
            ),
        )
        .layer(harness.layer());
    let ask = async |hangs: bool| {
        let call = app.clone().oneshot(get_request(&format!("/work/{hangs}")));
        let response = tokio::time::timeout(Duration::from_millis(u64::from(!hangs) * 5000), call);
        drop(response.await);
    };
    for _ in 0..1000 {
        ask(true).await;
    }
    // The worker updates the durations of routes every five seconds.
    tokio::time::sleep(Duration::from_secs(6)).await;
    for _ in 0..20 {
        ask(false).await;
    }
    assert!(harness.flush(Duration::from_secs(10)).await);
    assert!(
        harness.recent_traces().is_empty(),
        "none was slow for its route"
    );
}

/// The bytes of spans in undecided traces.
fn open_bytes(monitor: &Monitor) -> String {
    let page = monitor.metrics().render();
    let line = page
        .lines()
        .find(|line| line.starts_with("watchpost_traces_open_bytes "));
    line.unwrap().rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn spans_of_a_connection_without_a_request_are_a_trace() {
    for (ratio, traces) in [(1.0, 1), (0.0, 0)] {
        let monitor = monitor(ratio);
        let task = async {
            monitor.span("one").run(async {}).await;
            // A span inside of the other belongs to its trace.
            let nested = monitor.connection("nested");
            let deeper = async {
                let deepest = monitor.connection("deepest");
                deepest.run(monitor.span("three").run(async {})).await;
            };
            nested.run(deeper).await;
        };
        monitor.connection("/ws").run(task).await;
        assert!(monitor.flush(Duration::from_secs(10)).await);
        let recent = monitor.recent_traces();
        assert_eq!(recent.len(), traces, "{recent:?}");
        for trace in recent {
            let names: Vec<_> = trace.spans.iter().map(|span| &*span.name).collect();
            assert_eq!(names, ["one", "three"]);
        }
        assert_eq!(open_bytes(&monitor), "0");
    }
}
