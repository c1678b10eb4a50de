//! Complete bodies, and bodies that break off.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower_http::services::{ServeDir, ServeFile};
use watchpost::testing::Harness;

use super::{connect, ended, read_all, read_until, serve};

const BIG: usize = 3_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http10,
    Http11,
    Http2,
}

use Protocol::{Http2, Http10, Http11};

const ALL: &[Protocol] = &[Http10, Http11, Http2];

fn chunks(n: usize) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> + Send {
    stream::iter((0..n).map(|_| Ok(Bytes::from_static(b"12345"))))
}

fn declared(length: usize, body: Body) -> Response {
    ([(header::CONTENT_LENGTH, length.to_string())], body).into_response()
}

fn with_trailers(n: usize) -> Body {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "15".parse().unwrap());
    let data = chunks(n).map(|data| data.map(Frame::data));
    let trailers = stream::iter([Ok(Frame::trailers(trailers))]);
    Body::new(StreamBody::new(data.chain(trailers)))
}

/// A body with a declared length of 15 bytes and less content.
struct Liar(usize);

impl hyper::body::Body for Liar {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"12345")))))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(15)
    }
}

/// Passes on the response of another server with all of its headers.
async fn proxy(to: SocketAddr) -> Response {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let url = format!("http://{to}/declared").parse().unwrap();
    let (parts, body) = client.get(url).await.unwrap().into_parts();
    // Like a client whose bodies have no known length.
    let body = Body::from_stream(Body::new(body).into_data_stream());
    Response::from_parts(parts, body)
}

pub(super) fn app(files: &std::path::Path, upstream: Option<SocketAddr>) -> Router {
    Router::new()
        .nest_service("/static", ServeDir::new(files))
        .route_service("/file", ServeFile::new(files.join("hello.txt")))
        .route("/known", get(|| async { "hello" }))
        .route("/empty", get(|| async {}))
        .route("/nothing", get(|| async { StatusCode::NO_CONTENT }))
        .route("/chunked", get(|| async { Body::from_stream(chunks(3)) }))
        .route(
            "/declared",
            get(|| async { declared(15, Body::from_stream(chunks(3))) }),
        )
        .route(
            "/declared/nothing",
            get(|| async { declared(0, Body::from_stream(chunks(0))) }),
        )
        .route(
            "/declared/known",
            get(|| async { declared(5, Body::from("hello")) }),
        )
        .route(
            "/declared/failed",
            get(|| async {
                (
                    StatusCode::BAD_GATEWAY,
                    declared(15, Body::from_stream(chunks(3))),
                )
            }),
        )
        .route(
            "/declared/never_ends",
            get(|| async { declared(15, Body::from_stream(chunks(3).chain(stream::pending()))) }),
        )
        .route(
            "/declared/stalls",
            get(|| async { declared(15, Body::from_stream(chunks(2).chain(stream::pending()))) }),
        )
        .route(
            "/declared/more",
            get(|| async { declared(15, Body::from_stream(chunks(5))) }),
        )
        .route(
            "/declared/short",
            get(|| async { declared(15, Body::from_stream(chunks(2))) }),
        )
        .route(
            "/declared/broken",
            get(|| async {
                let broken = stream::iter([Err(std::io::Error::other("broken"))]);
                declared(15, Body::from_stream(chunks(2).chain(broken)))
            }),
        )
        .route(
            "/declared/trailers",
            get(|| async { declared(15, with_trailers(3)) }),
        )
        .route(
            "/declared/short/trailers",
            get(|| async { declared(15, with_trailers(2)) }),
        )
        .route("/known/short", get(|| async { Body::new(Liar(2)) }))
        .route(
            "/endless",
            get(|| async {
                declared(
                    1 << 40,
                    Body::from_stream(stream::repeat_with(|| {
                        Ok::<_, Infallible>(Bytes::from_static(&[7; 4096]))
                    })),
                )
            }),
        )
        .route("/trailers", get(|| async { with_trailers(3) }))
        .route("/proxied", get(move || proxy(upstream.unwrap())))
}

pub(super) fn files() -> tempfile::TempDir {
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("hello.txt"), "hello world").unwrap();
    std::fs::write(files.path().join("empty.txt"), "").unwrap();
    std::fs::write(files.path().join("big.bin"), vec![7; BIG]).unwrap();
    files
}

/// The status and the body that a client gets; `None` if the response breaks off.
async fn fetch(
    address: SocketAddr,
    protocol: Protocol,
    method: &str,
    path: &str,
    (name, value): (&str, &str),
) -> Option<(u16, Vec<u8>)> {
    if protocol == Http2 {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http::<Full<Bytes>>();
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{address}{path}"));
        let request = request.header(name, value).body(Full::default()).unwrap();
        let response = client.request(request).await.ok()?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.ok()?;
        return Some((status, body.to_bytes().to_vec()));
    }
    let version = if protocol == Http10 { "1.0" } else { "1.1" };
    let request = format!(
        "{method} {path} HTTP/{version}\r\nhost: x\r\nconnection: close\r\n{name}: {value}\r\n\r\n"
    );
    let got = read_all(&mut connect(address, request.as_bytes()).await).await;
    let head = got.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = (String::from_utf8_lossy(&got[..head]), &got[head + 4..]);
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let is_whole = match head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
    {
        Some(length) => method == "HEAD" || status == 304 || length.parse() == Ok(body.len()),
        None => true,
    };
    is_whole.then(|| (status, body.to_vec()))
}

struct Case(
    &'static [Protocol],
    &'static str,
    &'static str,
    (&'static str, &'static str),
    &'static str,
    Option<u64>,
);

const NONE: (&str, &str) = ("accept", "*/*");

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn complete_bodies_are_completed_responses() {
    let files = files();
    let upstream = serve(app(files.path(), None)).await;
    let range = |range| ("range", range);
    let cases = [
        // Files.
        Case(ALL, "GET", "/static/hello.txt", NONE, "200", Some(11)),
        Case(ALL, "GET", "/static/big.bin", NONE, "200", Some(BIG as u64)),
        Case(ALL, "GET", "/static/empty.txt", NONE, "200", Some(0)),
        Case(ALL, "GET", "/file", NONE, "200", Some(11)),
        Case(ALL, "HEAD", "/static/hello.txt", NONE, "200", Some(0)),
        Case(ALL, "HEAD", "/file", NONE, "200", Some(0)),
        Case(ALL, "GET", "/static/none.txt", NONE, "404", Some(0)),
        Case(
            ALL,
            "GET",
            "/static/hello.txt",
            ("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT"),
            "304",
            Some(0),
        ),
        // Ranges of files.
        Case(
            ALL,
            "GET",
            "/static/hello.txt",
            range("bytes=2-5"),
            "206",
            Some(4),
        ),
        Case(
            ALL,
            "GET",
            "/static/hello.txt",
            range("bytes=0-0"),
            "206",
            Some(1),
        ),
        Case(
            ALL,
            "GET",
            "/static/hello.txt",
            range("bytes=-3"),
            "206",
            Some(3),
        ),
        Case(
            ALL,
            "GET",
            "/static/big.bin",
            range("bytes=1000000-"),
            "206",
            Some(2_000_000),
        ),
        Case(ALL, "GET", "/file", range("bytes=6-"), "206", Some(5)),
        Case(
            ALL,
            "GET",
            "/static/hello.txt",
            range("bytes=99-"),
            "416",
            None,
        ),
        // A stream with a declared length.
        Case(ALL, "GET", "/declared", NONE, "200", Some(15)),
        Case(ALL, "HEAD", "/declared", NONE, "200", Some(0)),
        Case(ALL, "GET", "/declared/nothing", NONE, "200", Some(0)),
        Case(ALL, "GET", "/declared/known", NONE, "200", Some(5)),
        Case(ALL, "GET", "/declared/failed", NONE, "502", Some(15)),
        Case(
            &[Http10, Http11],
            "GET",
            "/declared/never_ends",
            NONE,
            "200",
            Some(15),
        ),
        Case(
            &[Http10, Http11],
            "GET",
            "/declared/more",
            NONE,
            "200",
            Some(15),
        ),
        Case(ALL, "GET", "/proxied", NONE, "200", Some(15)),
        // Trailers.
        Case(ALL, "GET", "/trailers", NONE, "200", Some(15)),
        Case(ALL, "GET", "/declared/trailers", NONE, "200", Some(15)),
        Case(ALL, "HEAD", "/trailers", NONE, "200", Some(0)),
        // Cases that need no declared length.
        Case(ALL, "GET", "/known", NONE, "200", Some(5)),
        Case(ALL, "GET", "/empty", NONE, "200", Some(0)),
        Case(ALL, "GET", "/nothing", NONE, "204", Some(0)),
        Case(ALL, "GET", "/chunked", NONE, "200", Some(15)),
        Case(ALL, "HEAD", "/known", NONE, "200", Some(0)),
    ];
    for Case(protocols, method, path, headers, status, bytes) in cases {
        for protocol in protocols {
            let harness = Harness::new();
            let app = app(files.path(), Some(upstream)).layer(harness.layer());
            let address = serve(app).await;
            let got = fetch(address, *protocol, method, path, headers).await;
            let what = format!("{protocol:?} {method} {path} {headers:?}");
            let (got_status, _) = got.unwrap_or_else(|| panic!("{what}: a whole response"));
            let ended = ended(&harness).await;
            let error = if status == "502" { status } else { "" };
            assert!(ended.has("completed", status, error), "{what}: {ended:?}");
            assert_eq!(got_status.to_string(), status, "{what}");
            assert_eq!(ended.sent, bytes.or(ended.sent), "{what}");
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_body_error() {
    let files = files();
    let known_too = if cfg!(debug_assertions) {
        &[Http2][..]
    } else {
        ALL
    };
    let cases = [
        (ALL, "/declared/short", Some(10)),
        (ALL, "/declared/broken", Some(10)),
        (ALL, "/declared/short/trailers", Some(10)),
        (known_too, "/known/short", Some(10)),
        (&[Http2], "/declared/more", None),
    ];
    for (protocols, path, bytes) in cases {
        for protocol in protocols {
            let harness = Harness::new();
            let address = serve(app(files.path(), None).layer(harness.layer())).await;
            let got = fetch(address, *protocol, "GET", path, NONE).await;
            assert!(got.is_none(), "{protocol:?} {path}: {got:?}");
            let ended = ended(&harness).await;
            let what = format!("{protocol:?} {path}: {ended:?}");
            assert!(ended.has("body_error", "200", "body_error"), "{what}");
            assert_eq!(ended.sent, bytes.or(ended.sent), "{what}");
        }
    }
}

#[tokio::test]
async fn a_client_that_disconnects_during_a_body_is_no_error() {
    let files = files();
    for path in ["/endless", "/declared/stalls"] {
        let harness = Harness::new();
        let address = serve(app(files.path(), None).layer(harness.layer())).await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        let mut client = connect(address, request.as_bytes()).await;
        read_until(&mut client, b"\r\n\r\n").await;
        drop(client);
        let ended = ended(&harness).await;
        assert!(ended.has("body_dropped", "200", ""), "{path}: {ended:?}");
    }
    // Over HTTP/2 the client resets its stream.
    for (path, outcome) in [
        ("/endless", "body_dropped"),
        ("/declared/stalls", "body_dropped"),
        ("/declared/never_ends", "completed"),
    ] {
        let harness = Harness::new();
        let address = serve(app(files.path(), None).layer(harness.layer())).await;
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http::<Full<Bytes>>();
        let url = format!("http://{address}{path}").parse().unwrap();
        let mut body = client.get(url).await.unwrap().into_body();
        let mut got = 0;
        while got < if outcome == "completed" { 15 } else { 10 } {
            let frame = body.frame().await.unwrap().unwrap();
            got += frame.data_ref().map_or(0, Bytes::len);
        }
        drop(body);
        let ended = ended(&harness).await;
        assert!(ended.has(outcome, "200", ""), "{path}: {ended:?}");
    }
}

#[tokio::test]
async fn the_layer_does_not_change_the_body() {
    use hyper::body::Body as _;
    use tower::ServiceExt;
    let files = files();
    for path in [
        "/declared",
        "/declared/nothing",
        "/declared/known",
        "/declared/more",
        "/declared/short",
        "/trailers",
        "/known",
        "/chunked",
        "/static/hello.txt",
    ] {
        let harness = Harness::new();
        let request = || Request::get(path).body(Body::empty()).unwrap();
        let bare = app(files.path(), None).oneshot(request()).await.unwrap();
        let layered = app(files.path(), None).layer(harness.layer());
        let layered = layered.oneshot(request()).await.unwrap();
        let (mut bare, mut layered) = (bare.into_body(), layered.into_body());
        loop {
            let shown = |body: &Body| {
                let hint = body.size_hint();
                (body.is_end_stream(), hint.lower(), hint.upper())
            };
            assert_eq!(shown(&layered), shown(&bare), "{path}");
            let text = |frame: Option<Result<Frame<Bytes>, axum::Error>>| {
                frame.map(|frame| format!("{:?}", frame.map_err(|error| error.to_string())))
            };
            let (one, other) = (text(layered.frame().await), text(bare.frame().await));
            assert_eq!(one, other, "{path}");
            if one.is_none() {
                break;
            }
        }
    }
}
