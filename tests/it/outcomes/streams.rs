//! The end of event streams and upgraded connections.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{FutureExt, StreamExt, stream};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tower::ServiceExt;
use watchpost::logs::RequestLogs;
use watchpost::testing::Harness;

use super::{PATIENCE, connect, read_all, read_until, serve};
use crate::support::json_lines;

const LIFE: &str = "watchpost_http_connection_duration_seconds";

/// The next step of an event stream.
enum Next {
    Event,
    Fail,
    Panic,
}

type Feed = mpsc::Sender<Next>;

fn feed() -> (
    Feed,
    impl futures_util::Stream<Item = Result<Event, std::io::Error>> + Send,
) {
    let (feed, next) = mpsc::channel(4);
    let events = ReceiverStream::new(next).map(|next| match next {
        Next::Event => Ok(Event::default().data("tick")),
        Next::Fail => Err(std::io::Error::other("the source broke")),
        Next::Panic => std::panic::resume_unwind(Box::new("planned")),
    });
    (feed, events)
}

/// A server with one event stream whose events the test sends.
async fn host(harness: &Harness) -> (std::net::SocketAddr, Feed) {
    let (feed, events) = feed();
    let events = std::sync::Mutex::new(Some(events));
    let events = std::sync::Arc::new(events);
    let handler = move || async move { Sse::new(events.lock().unwrap().take().unwrap()) };
    let app = Router::new()
        .route("/events", get(handler))
        .layer(harness.layer());
    (serve(app).await, feed)
}

/// Waits until the stream has ended.
async fn over(harness: &Harness) {
    let wait = async {
        while harness.page().sum(&format!("{LIFE}_count"), &[]) == 0.0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    assert_eq!(harness.page().sum("watchpost_http_connections", &[]), 0.0);
}

/// Ends the stream on one side; the other side stays open.
async fn end(
    how: &str,
    feed: Feed,
    mut client: tokio::net::TcpStream,
) -> Option<(Feed, Option<tokio::net::TcpStream>)> {
    match how {
        "completed" => {
            drop(feed);
            read_until(&mut client, b"0\r\n\r\n").await;
            return None;
        }
        "body_dropped" => {
            drop(client);
            return Some((feed, None));
        }
        "body_error" => {
            feed.send(Next::Fail).await.unwrap();
            read_all(&mut client).await;
        }
        _ => {
            feed.send(Next::Panic).await.unwrap();
            read_all(&mut client).await;
        }
    }
    Some((feed, Some(client)))
}

#[tokio::test]
async fn an_event_stream_ends_with_an_outcome_and_a_second_record() {
    for (how, error, level) in [
        ("completed", "", "INFO"),
        ("body_dropped", "", "INFO"),
        ("body_error", "body_error", "ERROR"),
        ("panicked", "panicked", "ERROR"),
    ] {
        for seconds in [1, 60, 61, 7200] {
            let harness = Harness::new();
            let (address, feed) = host(&harness).await;
            let request = b"GET /events?token=hunter2&last=7 HTTP/1.1\r\nhost: x\r\nuser-agent: probe\r\n\r\n";
            let mut client = connect(address, request).await;
            feed.send(Next::Event).await.unwrap();
            read_until(&mut client, b"data: tick\n\n").await;
            harness.advance(Duration::from_secs(seconds));
            let rest = end(how, feed, client).await;
            over(&harness).await;
            drop(rest);

            let page = harness.page();
            let labels = [("http_route", "/events"), ("watchpost_outcome", how)];
            let what = format!("{how} after {seconds} s");
            assert_eq!(page.sum(&format!("{LIFE}_count"), &labels), 1.0, "{what}");
            assert_eq!(
                page.sum(&format!("{LIFE}_sum"), &[]),
                seconds as f64,
                "{what}"
            );
            let lines = json_lines(&harness);
            assert_eq!(
                lines.len(),
                if seconds > 60 { 2 } else { 1 },
                "{what}: {lines:#?}"
            );
            // The request has ended with its headers.
            assert_eq!(lines[0]["watchpost.outcome"], "completed", "{what}");
            assert!(lines[0]["watchpost.record"].is_null(), "{what}");
            let Some(last) = lines.get(1) else { continue };
            assert_eq!(last["watchpost.record"], "stream_end", "{what}");
            assert_eq!(
                (&last["watchpost.outcome"], &last["level"]),
                (&how.into(), &level.into()),
                "{what}"
            );
            assert_eq!(
                last["error.type"].as_str().unwrap_or_default(),
                error,
                "{what}"
            );
            assert_eq!(last["duration_ms"], seconds as f64 * 1000.0, "{what}");
            assert_eq!(last["http.response.body.size"], 12, "{what}");
            for same in [
                "trace_id",
                "span_id",
                "http.route",
                "http.request.method",
                "url.path",
                "url.query",
                "user_agent.original",
                "http.response.status_code",
            ] {
                assert_eq!(last[same], lines[0][same], "{what}: {same}");
                assert!(!last[same].is_null(), "{what}: {same}");
            }
            let message = last["message"].as_str().unwrap();
            assert!(
                message.starts_with(&format!("GET /events stream {how} ")),
                "{message}"
            );
            assert!(!harness.written().contains("hunter2"));
        }
    }
}

#[tokio::test]
async fn an_http2_client_that_resets_an_event_stream_is_recorded() {
    let harness = Harness::new();
    let (address, feed) = host(&harness).await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Full<Bytes>>();
    let url = format!("http://{address}/events").parse().unwrap();
    feed.send(Next::Event).await.unwrap();
    let mut body = client.get(url).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    harness.advance(Duration::from_secs(90));
    drop(body);
    over(&harness).await;
    let labels = [("watchpost_outcome", "body_dropped")];
    assert_eq!(harness.page().sum(&format!("{LIFE}_count"), &labels), 1.0);
    assert_eq!(json_lines(&harness).len(), 2);
}

fn events(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

fn one_event() -> Body {
    let event = Bytes::from_static(b"data: tick\n\n");
    Body::from_stream(stream::iter([Ok::<_, std::io::Error>(event)]))
}

#[tokio::test]
async fn event_streams_are_recognized_by_status_and_media_type() {
    let harness = Harness::new();
    let app = Router::new()
        .route("/events", get(|| async { events(one_event()) }))
        .route(
            "/known",
            get(|| async { events(Body::from("data: tick\n\n")) }),
        )
        .route("/empty", get(|| async { events(Body::empty()) }))
        .route(
            "/declared",
            get(|| async {
                let mut response = events(one_event());
                response
                    .headers_mut()
                    .insert(header::CONTENT_LENGTH, "12".parse().unwrap());
                response
            }),
        )
        .route(
            "/none",
            get(|| async { (StatusCode::NO_CONTENT, events(one_event())) }),
        )
        .layer(harness.layer());
    for (method, path, is_stream) in [
        ("GET", "/events", true),
        ("HEAD", "/events", false),
        ("GET", "/known", false),
        ("GET", "/empty", false),
        ("GET", "/declared", false),
        ("GET", "/none", false),
    ] {
        let before = harness.page().sum(&format!("{LIFE}_count"), &[]);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        drop(response.into_body().collect().await);
        let streams = harness.page().sum(&format!("{LIFE}_count"), &[]) - before;
        assert_eq!(
            streams,
            if is_stream { 1.0 } else { 0.0 },
            "{method} {path}"
        );
    }
    let page = harness.page();
    let completed = [("watchpost_outcome", "completed")];
    assert_eq!(page.sum(&format!("{LIFE}_count"), &completed), 1.0);
    assert_eq!(page.sum(&format!("{LIFE}_count"), &[]), 1.0);
    assert_eq!(page.sum(super::COUNT, &completed), 6.0);
}

#[tokio::test]
async fn the_media_type_of_event_streams_ignores_case() {
    for (media_type, is_stream) in [
        ("text/event-stream", true),
        ("Text/Event-Stream", true),
        ("TEXT/EVENT-STREAM;charset=UTF-8", true),
        ("text/event-stream ; charset=utf-8", true),
        (" text/event-stream", true),
        ("text/event-streams", false),
        ("text/event-stream+json", false),
        ("application/json; of=text/event-stream", false),
    ] {
        let harness = Harness::new();
        let handler = move || async move { ([(header::CONTENT_TYPE, media_type)], one_event()) };
        let app = Router::new()
            .route("/events", get(handler))
            .layer(harness.layer());
        let mut client = connect(
            serve(app).await,
            b"GET /events HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        )
        .await;
        read_all(&mut client).await;
        super::settled(&harness, 1).await;
        let streams = harness.page().sum(&format!("{LIFE}_count"), &[]);
        assert_eq!(streams, if is_stream { 1.0 } else { 0.0 }, "{media_type:?}");
    }
}

#[tokio::test]
async fn second_records_follow_the_setting_for_log_records() {
    for (wanted, how, records) in [
        (RequestLogs::All, "completed", 2),
        (RequestLogs::ErrorsAndSlow, "completed", 0),
        (RequestLogs::ErrorsAndSlow, "body_dropped", 0),
        (RequestLogs::ErrorsAndSlow, "body_error", 1),
        (RequestLogs::Off, "body_error", 0),
    ] {
        let harness = Harness::with(|builder| builder.request_logs(wanted));
        let (address, feed) = host(&harness).await;
        let mut client = connect(address, b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n").await;
        feed.send(Next::Event).await.unwrap();
        read_until(&mut client, b"data: tick\n\n").await;
        harness.advance(Duration::from_secs(300));
        let rest = end(how, feed, client).await;
        over(&harness).await;
        drop(rest);
        let lines = json_lines(&harness);
        assert_eq!(lines.len(), records, "{wanted:?} {how}: {lines:#?}");
    }
}

#[tokio::test]
async fn an_upgraded_connection_has_an_outcome() {
    let harness = Harness::new();
    let count = |outcome: &str| {
        let labels = [("http_route", "/ws"), ("watchpost_outcome", outcome)];
        harness.page().sum(&format!("{LIFE}_count"), &labels)
    };
    assert_eq!(harness.connection("/ws").run(async { 7 }).await, 7);
    assert_eq!(count("completed"), 1.0);
    let mut left = Box::pin(harness.connection("/ws").run(std::future::pending::<()>()));
    assert!(futures_util::poll!(left.as_mut()).is_pending());
    drop(left);
    assert_eq!(count("cancelled"), 1.0);
    let panics = harness
        .connection("/ws")
        .run(async { std::panic::resume_unwind(Box::new("planned")) });
    let caught: Result<(), _> = AssertUnwindSafe(panics).catch_unwind().await;
    assert!(caught.is_err());
    assert_eq!(count("panicked"), 1.0);
    assert_eq!(harness.page().sum("watchpost_http_connections", &[]), 0.0);
    assert!(harness.current_trace_id().is_none());
}
