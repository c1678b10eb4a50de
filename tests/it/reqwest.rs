//! Requests of reqwest over real sockets, to a peer that follows a script.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use watchpost::external::DependencyState;
use watchpost::trace::{AttributeValue as Value, SpanKind, SpanStatus};
use watchpost::{Outcome, TraceId};

use crate::calls::{calls, harness, span, text};
use crate::peer::{Peer, Reply};
use crate::support::attribute;

const SECRET: &str = "hunter2";

#[tokio::test]
async fn a_request_carries_the_trace_and_its_response_is_unchanged() {
    let harness = harness();
    let peer = Peer::always(Reply::Answer(
        201,
        vec![("x-ratelimit-remaining-requests".into(), "7".into())],
        b"hello".to_vec(),
    ));
    let weather = harness.external("weather");
    let url = peer.url(&format!("/v1/cities/17?key={SECRET}#{SECRET}"));
    let with_password = url.replace("http://", &format!("http://user:{SECRET}@"));
    let request = Client::new()
        .post(&with_password)
        .header("x-own", "kept")
        .body("ask");
    let request = weather.send(request).template("/v1/cities/{id}");
    assert!(!format!("{request:?}").contains(SECRET));
    let response = request.await.unwrap();
    assert_eq!(calls_open(&harness), 1.0, "its body is not read yet");

    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.url().path(), "/v1/cities/17");
    assert_eq!(response.remote_addr(), Some(peer.address()));
    assert_eq!(response.content_length(), Some(5));
    assert_eq!(response.headers()["x-ratelimit-remaining-requests"], "7");
    assert_eq!(response.text().await.unwrap(), "hello");

    assert_eq!(calls(&harness, Outcome::Completed, ""), 1.0);
    let span = span(&harness).await;
    assert_eq!(
        (&*span.name, span.status),
        ("POST /v1/cities/{id}", SpanStatus::Unset)
    );
    assert_eq!(text(&span, "service.peer.name"), "weather");
    assert_eq!(text(&span, "url.template"), "/v1/cities/{id}");
    assert_eq!(
        attribute(&span, "http.response.status_code"),
        Some(&Value::I64(201))
    );
    let all = format!(
        "{span:?}{}{:?}",
        harness.metrics().render(),
        harness.dependencies()
    );
    assert!(!all.contains(SECRET), "{all}");

    let seen = &peer.seen()[0];
    assert_eq!(
        (seen.header("x-own"), &*seen.body),
        (Some("kept"), &b"ask"[..])
    );
    let sent = seen.header("traceparent").unwrap();
    assert_eq!(sent[3..35].parse::<TraceId>().unwrap(), span.trace_id);
    assert_eq!(sent[36..52], span.span_id.to_string());
    let [weather] = &harness.dependencies()[..] else {
        panic!("one service")
    };
    assert_eq!((weather.calls, weather.limits[0].remaining), (1, Some(7)));
}

fn calls_open(harness: &watchpost::testing::Harness) -> f64 {
    harness.page().sum("http_client_active_requests", &[])
}

#[tokio::test]
async fn every_reqwest_error_has_its_own_error_type() {
    let cases = [
        (Reply::status(404), Outcome::Completed, "404"),
        (Reply::status(503), Outcome::Completed, "503"),
        (Reply::Hang, Outcome::Timeout, "timeout"),
        (Reply::Reset, Outcome::Failed, "connection_reset"),
        (Reply::Garbage, Outcome::Failed, "invalid_response"),
        (Reply::ResetInBody(200), Outcome::BodyError, "body_error"),
        (Reply::Short(200), Outcome::BodyError, "body_error"),
    ];
    let client = Client::builder()
        .timeout(Duration::from_millis(500))
        .build()
        .unwrap();
    for (reply, outcome, error) in cases {
        let harness = harness();
        let peer = Peer::always(reply.clone());
        let service = harness.external("upstream");
        for _ in 0..5 {
            if let Ok(response) = service.send(client.get(peer.url("/"))).await {
                drop(response.bytes().await);
            }
        }
        assert_eq!(calls(&harness, outcome, error), 5.0, "{reply:?}");
        assert_eq!(span(&harness).await.status, SpanStatus::Error, "{reply:?}");
        let state = harness.dependencies()[0].state;
        let blamed = error != "404";
        assert_eq!(
            state == DependencyState::Down,
            blamed,
            "{reply:?}: {state:?}"
        );
    }
    let harness = harness();
    let service = harness.external("dead");
    let peer = Peer::always(Reply::status(200));
    peer.refuse();
    let refused = service.send(client.get(peer.url("/"))).await;
    assert!(refused.unwrap_err().is_connect());
    assert_eq!(calls(&harness, Outcome::Failed, "connection_refused"), 1.0);
    let unknown = service
        .send(client.get("http://no-such-host.invalid/"))
        .await;
    unknown.unwrap_err();
    assert_eq!(calls(&harness, Outcome::Failed, "name_not_resolved"), 1.0);
}

#[tokio::test]
async fn a_timeout_during_the_body_is_recorded_as_timeout() {
    let harness = harness();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let stalls = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let _asked = client.read(&mut [0; 1024]).await.unwrap();
        let begin = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
        client.write_all(begin).await.unwrap();
        std::future::pending::<()>().await;
    });
    let client = Client::builder()
        .timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let response = harness
        .external("stalls")
        .send(client.get(url))
        .await
        .unwrap();
    assert!(response.bytes().await.unwrap_err().is_timeout());
    assert_eq!(calls(&harness, Outcome::Timeout, "timeout"), 1.0);
    assert_eq!(harness.dependencies()[0].timeouts, 1);
    stalls.abort();
}

#[tokio::test]
async fn dropped_requests_and_responses_are_cancelled_and_unbuilt_ones_not_recorded() {
    let harness = harness();
    let service = harness.external("slow");
    let client = Client::new();
    let hung = Peer::always(Reply::Hang);
    let pending = service.send(client.get(hung.url("/"))).into_future();
    tokio::time::timeout(Duration::from_millis(100), pending)
        .await
        .unwrap_err();
    assert_eq!(calls(&harness, Outcome::Cancelled, ""), 1.0);

    let huge = Peer::always(Reply::Huge(200, 10_000_000));
    let response = service.send(client.get(huge.url("/"))).await.unwrap();
    drop(response);
    assert_eq!(calls(&harness, Outcome::BodyDropped, ""), 1.0);

    let wrong = service.send(client.get("no url at all")).await;
    assert!(wrong.unwrap_err().is_builder());
    for unknown in ["ftp://127.0.0.1/file", "data:text/plain,a"] {
        service.send(client.get(unknown)).await.unwrap_err();
    }
    assert_eq!(harness.dependencies()[0].calls, 2);
}

#[tokio::test]
async fn redirects_belong_to_one_call() {
    let harness = harness();
    let there = Peer::always(Reply::Answer(200, Vec::new(), b"there".to_vec()));
    let here = Peer::always(Reply::with(302, "location", &there.url("/there")));
    let service = harness.external("moved");
    let response = service
        .send(Client::new().get(here.url("/here")))
        .await
        .unwrap();
    assert_eq!(response.url().as_str(), there.url("/there"));
    assert_eq!(response.text().await.unwrap(), "there");
    assert_eq!(calls(&harness, Outcome::Completed, ""), 1.0);

    let round = Peer::always(Reply::with(302, "location", "/round"));
    service
        .send(Client::new().get(round.url("/round")))
        .await
        .unwrap_err();
    assert_eq!(calls(&harness, Outcome::Failed, "redirect"), 1.0);
}

#[tokio::test]
async fn a_call_guard_records_a_model_call_made_with_reqwest() {
    let harness = harness();
    let peer = Peer::always(Reply::Answer(200, Vec::new(), b"12 300".to_vec()));
    let url = peer.url("/v1/responses");
    let call = harness
        .external("openai")
        .call("POST", &url)
        .gen_ai("chat", "gpt-5");
    let mut headers = reqwest::header::HeaderMap::new();
    call.inject(&mut headers);
    let request = Client::new()
        .post(&url)
        .headers(headers)
        .body("a secret prompt");
    let asks = async {
        let response = request.send().await?;
        let status = response.status().as_u16();
        Ok::<_, reqwest::Error>((status, response.text().await?))
    };
    let note = |call: watchpost::external::CallGuard, (status, text): &(u16, String)| {
        let (input, output) = text.split_once(' ').unwrap();
        call.status(*status)
            .tokens(input.parse().unwrap(), output.parse().unwrap())
    };
    call.try_run_with(asks, note).await.unwrap();
    let usage = &harness.model_usage()[0];
    assert_eq!((usage.input_tokens, usage.output_tokens), (12, 300));
    assert!(peer.seen()[0].header("traceparent").is_some());
    let span = span(&harness).await;
    assert_eq!((&*span.name, span.kind), ("chat gpt-5", SpanKind::Client));
}
