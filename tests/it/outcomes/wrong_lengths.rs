//! Responses with a wrong or invalid `Content-Length`: what reaches the client, and what is recorded.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, Response, StatusCode, Version};
use axum::routing::get;
use futures_util::stream;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use watchpost::testing::Harness;

use super::{connect, ended, read_all, serve};

/// A body of three frames of ten bytes, of unknown length.
fn frames() -> Body {
    let frame = || Ok::<_, Infallible>(Bytes::from_static(b"0123456789"));
    Body::from_stream(stream::iter([frame(), frame(), frame()]))
}

/// A body of thirty bytes, of known length.
fn known() -> Body {
    Body::from("0123456789".repeat(3))
}

type Headers = &'static [(&'static str, &'static str)];

fn host(status: u16, headers: Headers, body: fn() -> Body, harness: &Harness) -> Router {
    let handler = move || async move {
        let mut response = Response::new(body());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_static(value);
            response.headers_mut().append(*name, value);
        }
        response
    };
    Router::new()
        .route("/", get(handler))
        .layer(harness.layer())
}

/// The bytes of the body over HTTP/1; `None` if there is no response.
async fn over_http1(address: SocketAddr, method: &str, version: &str) -> Option<usize> {
    let request = format!("{method} / HTTP/{version}\r\nhost: x\r\nconnection: close\r\n\r\n");
    let got = read_all(&mut connect(address, request.as_bytes()).await).await;
    let head = got.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(got.len() - head - 4)
}

/// The bytes of the body over HTTP/2; `None` if the client rejects the response as malformed.
async fn over_http2(address: SocketAddr) -> Option<usize> {
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Empty<Bytes>>();
    let request = Request::get(format!("http://{address}/")).version(Version::HTTP_2);
    let response = client.request(request.body(Empty::new()).unwrap()).await;
    let body = response.ok()?.into_body().collect().await.ok()?;
    Some(body.to_bytes().len())
}

const CL: &str = "content-length";
const TE: &str = "transfer-encoding";

/// What reaches the client, and the recorded outcome and bytes, over HTTP/1.0, HTTP/1.1 and HTTP/2.
type Seen = (Option<usize>, &'static str, u64);

/// The server closes the connection and sends nothing.
const NOTHING: Seen = (None, "body_error", 0);
const WHOLE: Seen = (Some(30), "completed", 30);
/// The server sends everything, and the client rejects it as malformed. The recorded bytes vary.
const MALFORMED: Seen = (None, "body_error", u64::MAX);
/// The server sends the header unchanged, and no client accepts it.
const UNREADABLE: Seen = (Some(30), "body_error", 30);

const OPEN: &[(Headers, &[Seen])] = &[
    (&[(CL, "30")], &[WHOLE, WHOLE, WHOLE]),
    (&[(CL, "030")], &[WHOLE, WHOLE, WHOLE]),
    (&[(CL, "30"), (CL, "30")], &[WHOLE, WHOLE, WHOLE]),
    (&[], &[WHOLE, (Some(50), "completed", 30), WHOLE]),
    // No number.
    (&[(CL, "abc")], &[NOTHING, NOTHING, MALFORMED]),
    (&[(CL, "+30")], &[NOTHING, NOTHING, MALFORMED]),
    (&[(CL, "-1")], &[NOTHING, NOTHING, MALFORMED]),
    (&[(CL, "30.0")], &[NOTHING, NOTHING, MALFORMED]),
    (&[(CL, "0x1e")], &[NOTHING, NOTHING, MALFORMED]),
    (&[(CL, "3 0")], &[NOTHING, NOTHING, MALFORMED]),
    (&[(CL, "")], &[NOTHING, NOTHING, MALFORMED]),
    (&[(CL, " 30")], &[NOTHING, NOTHING, MALFORMED]),
    (
        &[(CL, "18446744073709551616")],
        &[NOTHING, NOTHING, MALFORMED],
    ),
    // More than one value.
    (&[(CL, "30, 30")], &[NOTHING, NOTHING, MALFORMED]),
    (&[(CL, "30"), (CL, "40")], &[NOTHING, NOTHING, MALFORMED]),
    (&[(CL, "30"), (CL, "x")], &[NOTHING, NOTHING, MALFORMED]),
    (&[(CL, "x"), (CL, "30")], &[NOTHING, NOTHING, MALFORMED]),
    // With a transfer encoding, which HTTP/2 omits.
    (&[(CL, "30"), (TE, "chunked")], &[NOTHING, NOTHING, WHOLE]),
    (&[(TE, "chunked"), (CL, "30")], &[WHOLE, NOTHING, WHOLE]),
    (
        &[(TE, "chunked")],
        &[WHOLE, (Some(50), "completed", 30), WHOLE],
    ),
    // A length below the number of bytes: the frame that crosses the end is cut.
    (
        &[(CL, "25")],
        &[
            (Some(25), "body_error", 25),
            (Some(25), "body_error", 25),
            MALFORMED,
        ],
    ),
    (
        &[(CL, "5")],
        &[
            (Some(5), "body_error", 5),
            (Some(5), "body_error", 5),
            MALFORMED,
        ],
    ),
    (
        &[(CL, "29")],
        &[
            (Some(29), "body_error", 29),
            (Some(29), "body_error", 29),
            MALFORMED,
        ],
    ),
    // The server polls no frame after the last one that it needs.
    (
        &[(CL, "20")],
        &[
            (Some(20), "completed", 20),
            (Some(20), "completed", 20),
            MALFORMED,
        ],
    ),
    // A length above the number of bytes.
    (
        &[(CL, "31")],
        &[
            (None, "body_error", 30),
            (None, "body_error", 30),
            MALFORMED,
        ],
    ),
];

const KNOWN: &[(Headers, &[Seen])] = &[
    (&[(CL, "30")], &[WHOLE, WHOLE, WHOLE]),
    (&[(CL, "30"), (CL, "30")], &[WHOLE, WHOLE, WHOLE]),
    // Over HTTP/1 the server sends only the first value.
    (&[(CL, "30"), (CL, "x")], &[WHOLE, WHOLE, MALFORMED]),
    (&[(CL, "30, 30")], &[WHOLE, WHOLE, MALFORMED]),
    (&[(CL, "abc")], &[UNREADABLE, UNREADABLE, MALFORMED]),
    (&[(CL, "+30")], &[UNREADABLE, UNREADABLE, MALFORMED]),
    (&[(CL, "-1")], &[UNREADABLE, UNREADABLE, MALFORMED]),
    (&[(CL, "30, 40")], &[UNREADABLE, UNREADABLE, MALFORMED]),
    (&[(CL, "")], &[UNREADABLE, UNREADABLE, MALFORMED]),
    (&[(CL, "30"), (TE, "chunked")], &[NOTHING, NOTHING, WHOLE]),
];

async fn check(status: u16, body: fn() -> Body, cases: &[(Headers, &[Seen])]) {
    let mut wrong = Vec::new();
    for (headers, seen) in cases {
        for (version, (reaches, outcome, bytes)) in ["1.0", "1.1", "2"].into_iter().zip(*seen) {
            let harness = Harness::new();
            let address = serve(host(status, headers, body, &harness)).await;
            let got = match version {
                "2" => over_http2(address).await,
                _ => over_http1(address, "GET", version).await,
            };
            let ended = ended(&harness).await;
            let error = if *outcome == "completed" {
                ""
            } else {
                *outcome
            };
            if got != *reaches
                || !ended.has(outcome, &status.to_string(), error)
                || *bytes != u64::MAX && ended.sent != Some(*bytes)
            {
                wrong.push(format!(
                    "{status} {headers:?} over {version}: {got:?} {ended:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_stream_with_a_wrong_length_is_a_body_error() {
    check(200, frames, OPEN).await;
}

#[tokio::test]
async fn a_body_that_knows_its_length_may_have_a_wrong_header() {
    check(200, known, KNOWN).await;
}

#[tokio::test]
async fn a_response_without_a_body_may_have_a_wrong_length() {
    const NONE: Seen = (Some(0), "completed", 0);
    const NO_BODY: &[(Headers, &[Seen])] = &[
        // Over HTTP/2 the server sends the body anyway.
        (&[(CL, "30")], &[NONE, NONE]),
        (&[(CL, "abc")], &[NOTHING, NOTHING]),
        (&[(CL, "30"), (CL, "40")], &[NOTHING, NOTHING]),
    ];
    check(304, frames, NO_BODY).await;
    // Over HTTP/1 the server writes the length of an empty body itself.
    check(
        200,
        Body::empty,
        &[
            (&[(CL, "0")], &[NONE, NONE, NONE]),
            (&[(CL, "abc")], &[NONE, NONE, MALFORMED]),
            (&[(CL, "30")], &[NONE, NONE, MALFORMED]),
        ],
    )
    .await;
    check(304, Body::empty, &[(&[(CL, "30")], &[NONE, NONE, NONE])]).await;
    // axum takes the body off a response to HEAD.
    for version in ["1.0", "1.1"] {
        let harness = Harness::new();
        let address = serve(host(200, &[(CL, "abc")], frames, &harness)).await;
        let got = over_http1(address, "HEAD", version).await;
        let ended = ended(&harness).await;
        assert_eq!(got, Some(0));
        assert!(ended.has("completed", "200", ""), "{ended:?}");
    }
}

#[tokio::test]
async fn an_event_stream_with_a_wrong_length_is_a_body_error() {
    let headers: Headers = &[("content-type", "text/event-stream"), (CL, "abc")];
    check(200, frames, &[(headers, &[NOTHING, NOTHING, MALFORMED])]).await;
}
