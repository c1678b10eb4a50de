//! Log lines: events of requests, levels, escapes, and redaction in every output.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, Request, Response, header};
use axum::routing::get;
use futures_util::{FutureExt, StreamExt, stream};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;
use watchpost::testing::Harness;

use crate::support::{get_request, json_lines, send};

/// Sets the harness' `tracing` layer as this thread's subscriber.
fn listen(harness: &Harness) -> tracing::subscriber::DefaultGuard {
    let subscriber = tracing_subscriber::registry().with(harness.tracing_layer());
    tracing::subscriber::set_default(subscriber)
}

#[tokio::test]
async fn events_have_the_trace_and_route_of_their_request() {
    let harness = Harness::new();
    let _listening = listen(&harness);
    let app = Router::new()
        .route(
            "/work/{id}",
            get(|| async {
                tracing::info!(items = 3, ready = true, share = 0.5, "in the handler");
                let span = tracing::info_span!("task");
                let task = async { tracing::warn!(who = %"spawned", "in a task") };
                tokio::spawn(task.instrument(span)).await.unwrap();
            }),
        )
        .layer(harness.layer());
    let response = send(&app, get_request("/work/1")).await;
    tracing::info!("outside");
    let lines = json_lines(&harness);
    let trace = response.headers["x-trace-id"].to_str().unwrap();
    let of = |message: &str| {
        lines
            .iter()
            .find(|line| line["message"] == message)
            .unwrap()
    };
    for (message, level) in [("in the handler", "INFO"), ("in a task", "WARN")] {
        let line = of(message);
        assert_eq!(line["trace_id"], trace, "{message}");
        assert_eq!(
            (&line["http.route"], &line["level"]),
            (&"/work/{id}".into(), &level.into())
        );
        assert_eq!(line["service.name"], "harness");
        assert_eq!(line["target"], "it::lines");
    }
    let handler = of("in the handler");
    assert_eq!(
        (&handler["items"], &handler["ready"]),
        (&3.into(), &true.into())
    );
    assert_eq!(
        (&handler["share"], &of("in a task")["who"]),
        (&0.5.into(), &"spawned".into())
    );
    assert_eq!(of("outside").get("trace_id"), None);
}

#[tokio::test]
async fn events_of_an_event_stream_have_the_ids_of_its_request() {
    let harness = Harness::new();
    let _listening = listen(&harness);
    let events = || async {
        let events = stream::iter(0..3).map(|n| {
            tracing::info!(n, "in the stream");
            if n == 2 {
                std::panic::resume_unwind(Box::new("planned"));
            }
            Ok::<_, Infallible>("data: x\n\n")
        });
        let kind = [(header::CONTENT_TYPE, "text/event-stream")];
        (kind, Body::from_stream(events))
    };
    let app = Router::new()
        .route("/events/{of}", get(events))
        .layer(harness.layer());
    let open = async |uri| app.clone().oneshot(get_request(uri)).await.unwrap();
    let (mut one, mut two) = (open("/events/1").await, open("/events/2").await);
    let trace_of = |response: &Response<Body>| {
        response.headers()["x-trace-id"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    let traces = [trace_of(&one), trace_of(&two)];
    assert!(harness.in_flight().is_empty(), "the requests are over");
    // In turn on one thread; the last poll of each panics.
    for _ in 0..2 {
        one.body_mut().frame().await.unwrap().unwrap();
        tracing::info!("between");
        two.body_mut().frame().await.unwrap().unwrap();
    }
    for response in [one, two] {
        let mut body = response.into_body();
        let polled = AssertUnwindSafe(body.frame()).catch_unwind();
        assert!(polled.await.is_err());
        tracing::info!("between");
    }
    let lines = json_lines(&harness);
    let of = |message: &str| -> Vec<_> {
        let of = lines.iter().filter(|line| line["message"] == message);
        of.map(|line| line["trace_id"].as_str().map(str::to_owned))
            .collect()
    };
    let [first, second] = traces.map(Some);
    let turns = [&first, &second, &first, &second, &first, &second];
    assert_eq!(of("in the stream").iter().collect::<Vec<_>>(), turns);
    assert_eq!(of("between"), vec![None; 4]);
    let inside = lines
        .iter()
        .filter(|line| line["message"] == "in the stream");
    assert!(
        inside
            .clone()
            .all(|line| line["http.route"] == "/events/{of}")
    );
    let requests: Vec<_> = lines
        .iter()
        .filter(|line| line["url.path"].is_string())
        .collect();
    assert_eq!(requests.len(), 2);
    assert!(
        inside
            .take(1)
            .all(|line| line["span_id"] == requests[0]["span_id"])
    );
}

#[tokio::test]
async fn one_record_is_one_line_for_any_content() {
    let harness = Harness::new();
    let _listening = listen(&harness);
    let evil = "a\n{\"level\":\"forged\"}\r\u{1b}[31m\u{2028}\u{202e}\0\"\\";
    tracing::info!(field = %evil, debug = ?evil, "{evil}");
    tracing::info!("{}", "x".repeat(100_000));
    let written = harness.written();
    assert_eq!(written.lines().count(), 2);
    assert!(written.bytes().all(|byte| byte >= 0x20 || byte == b'\n'));
    assert!(!written.contains(['\u{2028}', '\u{202e}']));
    let lines = json_lines(&harness);
    assert_eq!(lines[0]["message"], evil);
    assert_eq!(lines[0]["field"], evil);
    assert_eq!(lines[1]["truncated"], true);
    assert!(written.lines().all(|line| line.len() <= 16 * 1024));
}

#[tokio::test]
async fn a_log_level_for_a_while_ends_by_itself() {
    let harness = Harness::new();
    let _listening = listen(&harness);
    let debug_lines = || {
        let lines = json_lines(&harness);
        lines
            .iter()
            .filter(|line| line["message"] == "detail")
            .count()
    };
    let speak = || tracing::debug!("detail");
    speak();
    harness
        .set_log_level_for("debug", Duration::from_secs(600))
        .unwrap();
    speak();
    let level = harness.log_level();
    assert_eq!(
        (level.directives.as_str(), level.lasting.as_str()),
        ("debug", "info")
    );
    let until = level.until.unwrap();
    assert_eq!(
        until.duration_since(harness.now()).unwrap(),
        Duration::from_secs(600)
    );
    let error = harness
        .set_log_level_for("loud", Duration::from_secs(60))
        .unwrap_err();
    assert!(
        error.to_string().contains(".set_log_level_for(..)"),
        "{error}"
    );
    assert_eq!(harness.log_level(), level);
    harness.advance(Duration::from_secs(600));
    let patience = Instant::now() + Duration::from_secs(10);
    while harness.log_level().until.is_some() {
        assert!(Instant::now() < patience);
        std::thread::sleep(Duration::from_millis(20));
    }
    speak();
    assert_eq!(debug_lines(), 1);
    assert_eq!(harness.log_level().directives, "info");
}

#[tokio::test]
async fn log_levels_change_at_run_time() {
    let harness = Harness::new();
    let _listening = listen(&harness);
    let speak = |round: u32| {
        tracing::debug!(round, "quiet");
        tracing::info!(round, "usual");
        tracing::error!(target: "noisy::part", round, "noise");
    };
    speak(1);
    harness.set_log_level("debug,noisy=off").unwrap();
    speak(2);
    for (bad, what) in [
        ("loud", "directive 1 has no level"),
        ("", "directive 1 has no level"),
        ("info,warn", "directive 2 is a second level for all"),
    ] {
        let error = harness.set_log_level(bad).unwrap_err();
        let [problem] = error.problems() else {
            panic!("{error}");
        };
        let start = format!("log.level = {bad:?} (call .set_log_level(..)): {what}; write a level");
        assert!(
            error.is_config() && problem.starts_with(&start),
            "{problem}"
        );
    }
    speak(3);
    let lines = json_lines(&harness);
    let of = |message: &str| -> Vec<_> {
        let of = lines.iter().filter(|line| line["message"] == message);
        of.map(|line| line["round"].as_u64().unwrap()).collect()
    };
    assert_eq!(
        (of("quiet"), of("usual"), of("noise")),
        (vec![2, 3], vec![1, 2, 3], vec![1])
    );
}

#[tokio::test]
async fn a_debug_impl_that_panics_or_logs_costs_only_its_field() {
    struct Panics;
    impl std::fmt::Debug for Panics {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            std::panic::resume_unwind(Box::new("planned"))
        }
    }
    struct Logs;
    impl std::fmt::Debug for Logs {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            tracing::info!("from inside");
            f.write_str("logged")
        }
    }
    let harness = Harness::new();
    let _listening = listen(&harness);
    tracing::info!(bad = ?Panics, good = 1, "first");
    tracing::info!(nested = ?Logs, "second");
    let lines = json_lines(&harness);
    let of = |message: &str| {
        lines
            .iter()
            .find(|line| line["message"] == message)
            .unwrap()
    };
    assert_eq!(of("first")["good"], 1);
    assert!(of("first")["bad"].as_str().unwrap().contains("panicked"));
    assert_eq!(of("second")["nested"], "logged");
}

/// Secrets of the known formats, assembled here so that the source contains none.
fn secrets() -> Vec<String> {
    let letters = "abcdefghijABCDEFGHIJ0123456789klmnopqrst";
    let some = |n: usize| letters.chars().cycle().take(n).collect::<String>();
    let upper = |n: usize| {
        "QWERTYUIOPASDFGH2345"
            .chars()
            .cycle()
            .take(n)
            .collect::<String>()
    };
    let hex = |n: usize| {
        "0f1e2d3c4b5a69788796"
            .chars()
            .cycle()
            .take(n)
            .collect::<String>()
    };
    let mut all = vec![
        format!("AKIA{}", upper(16)),
        format!("ASIA{}", upper(16)),
        format!("github_pat_{}", some(82)),
        format!("glpat-{}", some(20)),
        format!("xoxb-1234567890123-1234567890123-{}", some(24)),
        format!("AIza{}", some(35)),
        format!("npm_{}", some(36)),
        format!("pypi-AgEIcHlwaS5vcmc{}", some(60)),
        format!("SG.{}.{}", some(22), some(43)),
        format!("doo_v1_{}", hex(64)),
        format!("sk-ant-api03-{}AA", some(93)),
        format!("sntryu_{}", hex(64)),
        format!(
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{}",
            some(43)
        ),
        "4111111111111111".to_owned(),
        "5555555555554444".to_owned(),
        "378282246310005".to_owned(),
        format!("ABIA{}", upper(16)),
        format!("ACCA{}", upper(16)),
        format!("gldt-{}", some(20)),
        format!("glrt-{}", some(20)),
        format!("xoxp-1234567890123-1234567890123-{}", some(24)),
        format!("xoxa-1234567890123-1234567890123-{}", some(24)),
        format!("SK{}", hex(32)),
        format!("sk-{}T3BlbkFJ{}", some(20), some(20)),
        format!("sk-proj-{}", some(48)),
        format!(
            "sntrys_eyJpYXQiOjE2ODczMzY1NDMuNjk4NTksInVybCI6bnVsbH0={}",
            some(43)
        ),
        format!("npm_{}", upper(36).to_lowercase()),
        format!("AIza{}", upper(35)),
        format!("glptt-{}", hex(40)),
        format!("doo_v1_{}", hex(64).chars().rev().collect::<String>()),
        format!(
            "eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjE3MDAwMDAwMDAsInN1YiI6ImEifQ.{}",
            some(86)
        ),
    ];
    all.extend(["ghp", "gho", "ghu", "ghs", "ghr"].map(|kind| format!("{kind}_{}", some(36))));
    all.extend(
        ["sk_live", "sk_test", "rk_live", "rk_test"].map(|kind| format!("{kind}_{}", some(24))),
    );
    all
}

#[tokio::test]
async fn no_output_contains_a_secret() {
    let harness = Harness::new();
    let _listening = listen(&harness);
    let allowed = HeaderName::from_static("x-allowed");
    let layer = harness
        .layer()
        .allow_headers([allowed, HeaderName::from_static("authorization")])
        .user(|parts| Some(parts.headers.get("x-user")?.to_str().ok()?.to_owned()))
        .on_request(|parts, attributes| {
            let secret = parts.headers["x-secret"].to_str().unwrap().to_owned();
            attributes.insert("note", format!("harmless-attribute {secret}"));
            attributes.insert("api_key", format!("plain-{secret}"));
        });
    let app = Router::new()
        .route(
            "/reset/{token}",
            get(|request: Request<Body>| async move {
                let secret = request.headers()["x-secret"].to_str().unwrap().to_owned();
                tracing::info!("harmless-message {secret}");
                tracing::info!(note = %format!("harmless-field {secret}"), password = secret, "fields");
                tracing::info!("connect to postgres://harmless-user:{secret}@db/harmless-db");
                let error = std::io::Error::other(format!("harmless-error {secret}"));
                tracing::error!(error = &error as &dyn std::error::Error, "failed");
                tracing::info!("harmless-pair password={secret} token: {secret}");
            }),
        )
        .route_service("/metrics", harness.prometheus())
        .layer(layer);
    let secrets = secrets();
    assert!(secrets.len() >= 40);
    for secret in &secrets {
        let request = Request::get(format!(
            "/reset/{secret}?page=harmless-query&token={secret}"
        ))
        .header("x-secret", secret)
        .header("cookie", format!("sid={secret}"))
        .header("authorization", format!("Bearer {secret}"))
        .header("x-allowed", format!("harmless-header {secret}"))
        .header("user-agent", format!("harmless-agent {secret}"))
        .header("referer", format!("https://u:{secret}@example.org/"))
        .header("x-user", "harmless-id")
        .body(Body::empty())
        .unwrap();
        send(&app, request).await;
        send(&app, get_request(&format!("/nowhere/{secret}"))).await;
    }
    let everything = format!(
        "{}{}{:?}",
        harness.written(),
        harness.metrics().render(),
        harness.in_flight()
    );
    for secret in &secrets {
        assert!(
            !everything.contains(secret.as_str()),
            "{secret} was written: {}",
            everything
                .lines()
                .find(|line| line.contains(secret.as_str()))
                .unwrap_or_default()
        );
    }
    for harmless in [
        "harmless-attribute",
        "harmless-message",
        "harmless-field",
        "harmless-db",
        "harmless-error",
        "harmless-pair",
        "harmless-header",
        "harmless-agent",
        "harmless-id",
        "/reset/",
        "page=",
    ] {
        assert!(everything.contains(harmless), "{harmless} is missing");
    }
}
