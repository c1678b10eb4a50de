//! Clients that disconnect while they send the body of a request.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;
use http_body_util::{BodyExt, Limited, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use watchpost::Outcome;
use watchpost::testing::Harness;

use super::{COUNT, Ended, connect, ended, read_all, read_until, serve, settled};

async fn strict(body: Result<Bytes, axum::extract::rejection::BytesRejection>) -> StatusCode {
    body.map_or(StatusCode::INTERNAL_SERVER_ERROR, |_| StatusCode::CREATED)
}

async fn by_frames(mut body: Body) -> Response {
    while let Some(frame) = body.frame().await {
        if frame.is_err() {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    StatusCode::CREATED.into_response()
}

async fn panics(body: Body) {
    if body.collect().await.is_err() {
        std::panic::resume_unwind(Box::new("planned"));
    }
}

/// Reads the body in a task of its own.
async fn spawned(body: Body) -> StatusCode {
    let read = tokio::spawn(body.collect()).await.unwrap();
    read.map_or(StatusCode::INTERNAL_SERVER_ERROR, |_| StatusCode::CREATED)
}

fn app(harness: &Harness) -> Router {
    Router::new()
        .route(
            "/bytes",
            post(|body: Bytes| async move { body.len().to_string() }),
        )
        .route(
            "/strict",
            post(strict).put(strict).patch(strict).delete(strict),
        )
        .route("/frames", post(by_frames))
        .route("/spawned", post(spawned))
        .route(
            "/tolerant",
            post(|body: Body| async move {
                drop(body.collect().await);
                "kept what came"
            }),
        )
        .route(
            "/echo",
            post(|body: Body| async { Body::from_stream(body.into_data_stream()) }),
        )
        .route("/panics", post(panics))
        .route("/unread", post(|_: Body| async { "not read" }))
        .route(
            "/refused",
            post(|_: Body| async { StatusCode::UNAUTHORIZED }),
        )
        .route("/waits", post(|_: Bytes| std::future::pending::<()>()))
        .route(
            "/limited",
            post(|body: Bytes| async move { body.len().to_string() })
                .layer(DefaultBodyLimit::max(10)),
        )
        .route("/get", get(|| async { "got" }))
        .layer(harness.layer())
}

/// How the client ends the upload.
#[derive(Debug, Clone, Copy)]
enum Leave {
    /// It closes the connection.
    Close,
    /// It resets it.
    Reset,
    /// It closes its sending half and waits for the response.
    Half,
}

async fn leave(mut client: TcpStream, how: Leave) {
    // The sent bytes arrive before the end of the connection.
    tokio::time::sleep(Duration::from_millis(20)).await;
    match how {
        Leave::Close => drop(client),
        Leave::Reset => {
            client.set_zero_linger().unwrap();
            drop(client);
        }
        Leave::Half => {
            client.shutdown().await.unwrap();
            drop(read_all(&mut client).await);
        }
    }
}

fn is_abort(ended: &Ended, bytes: u64) -> bool {
    ended.has(Outcome::UploadAborted.as_str(), "", "") && ended.received == Some(bytes)
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn a_client_that_disconnects_during_its_upload_is_no_failure() {
    const CHUNKED: &str = "transfer-encoding: chunked\r\n\r\n";
    const LENGTH: &str = "content-length: 100\r\n\r\n";
    let cases = [
        // How the handler reacts.
        (
            "POST /bytes HTTP/1.1",
            LENGTH,
            "0123456789",
            Leave::Close,
            10,
        ),
        (
            "POST /strict HTTP/1.1",
            LENGTH,
            "0123456789",
            Leave::Close,
            10,
        ),
        (
            "POST /frames HTTP/1.1",
            LENGTH,
            "0123456789",
            Leave::Close,
            10,
        ),
        (
            "POST /spawned HTTP/1.1",
            LENGTH,
            "0123456789",
            Leave::Close,
            10,
        ),
        (
            "POST /tolerant HTTP/1.1",
            LENGTH,
            "0123456789",
            Leave::Close,
            10,
        ),
        (
            "POST /echo HTTP/1.1",
            LENGTH,
            "0123456789",
            Leave::Close,
            10,
        ),
        // How much of the body arrives.
        ("POST /strict HTTP/1.1", LENGTH, "", Leave::Close, 0),
        (
            "POST /strict HTTP/1.1",
            "content-length: 11\r\n\r\n",
            "0123456789",
            Leave::Close,
            10,
        ),
        (
            "POST /strict HTTP/1.1",
            CHUNKED,
            "5\r\nhello\r\n",
            Leave::Close,
            5,
        ),
        (
            "POST /strict HTTP/1.1",
            CHUNKED,
            "5\r\nhello\r\n9\r\nwor",
            Leave::Close,
            8,
        ),
        ("POST /strict HTTP/1.1", CHUNKED, "", Leave::Close, 0),
        (
            "POST /strict HTTP/1.1",
            CHUNKED,
            "5\r\nhello\r\n0\r\n",
            Leave::Close,
            5,
        ),
        // How the client disconnects.
        (
            "POST /strict HTTP/1.1",
            LENGTH,
            "0123456789",
            Leave::Reset,
            10,
        ),
        (
            "POST /strict HTTP/1.1",
            CHUNKED,
            "5\r\nhello\r\n",
            Leave::Reset,
            5,
        ),
        (
            "POST /strict HTTP/1.1",
            LENGTH,
            "0123456789",
            Leave::Half,
            10,
        ),
        (
            "POST /bytes HTTP/1.1",
            CHUNKED,
            "5\r\nhello\r\n",
            Leave::Half,
            5,
        ),
        // Other versions and methods.
        (
            "POST /strict HTTP/1.0",
            LENGTH,
            "0123456789",
            Leave::Close,
            10,
        ),
        (
            "POST /bytes HTTP/1.0",
            LENGTH,
            "0123456789",
            Leave::Reset,
            10,
        ),
        (
            "PUT /strict HTTP/1.1",
            LENGTH,
            "0123456789",
            Leave::Close,
            10,
        ),
        (
            "PATCH /strict HTTP/1.1",
            LENGTH,
            "0123456789",
            Leave::Close,
            10,
        ),
        (
            "DELETE /strict HTTP/1.1",
            LENGTH,
            "0123456789",
            Leave::Close,
            10,
        ),
        (
            "POST /strict HTTP/1.1",
            "expect: 100-continue\r\ncontent-length: 100\r\n\r\n",
            "01234",
            Leave::Close,
            5,
        ),
    ];
    for (head, headers, body, how, bytes) in cases {
        let harness = Harness::new();
        let address = serve(app(&harness)).await;
        let request = format!("{head}\r\nhost: x\r\n{headers}{body}");
        leave(connect(address, request.as_bytes()).await, how).await;
        let ended = ended(&harness).await;
        assert!(
            is_abort(&ended, bytes),
            "{head} {headers} {body} {how:?}: {ended:?}"
        );
        let page = harness.page();
        for (label, value) in [
            ("http_response_status_code", "500"),
            ("http_response_status_code", "400"),
        ] {
            assert_eq!(page.sum(COUNT, &[(label, value)]), 0.0);
        }
    }
}

type Chunks = tokio::sync::mpsc::Sender<Result<Frame<Bytes>, std::io::Error>>;

/// An HTTP/2 request with a body that the test sends, and the client's connection.
async fn upload(
    address: SocketAddr,
    path: &str,
    length: Option<u64>,
) -> (
    Chunks,
    impl Future<Output = hyper::Result<Response<hyper::body::Incoming>>> + use<>,
    std::net::TcpStream,
) {
    let connection = TcpStream::connect(address).await.unwrap();
    let connection = connection.into_std().unwrap();
    let end = connection.try_clone().unwrap();
    let io = TokioIo::new(TcpStream::from_std(connection).unwrap());
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
    let (mut client, connection) = handshake.await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    let (chunks, body) = tokio::sync::mpsc::channel(4);
    let body = StreamBody::new(tokio_stream::wrappers::ReceiverStream::new(body));
    let mut request = Request::post(format!("http://{address}{path}"));
    if let Some(length) = length {
        request = request.header("content-length", length);
    }
    let response = client.send_request(request.body(body).unwrap());
    (chunks, response, end)
}

#[tokio::test]
async fn an_http2_client_that_resets_its_upload_is_no_failure() {
    for (path, length) in [
        ("/strict", Some(100)),
        ("/strict", None),
        ("/bytes", None),
        ("/frames", Some(100)),
        ("/echo", None),
    ] {
        for resets in [true, false] {
            let harness = Harness::new();
            let address = serve(app(&harness)).await;
            let (chunks, response, connection) = upload(address, path, length).await;
            let response = tokio::spawn(response);
            for _ in 0..2 {
                let chunk = Frame::data(Bytes::from_static(b"12345"));
                chunks.send(Ok(chunk)).await.unwrap();
            }
            while harness.in_flight().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
            if resets {
                // An error of its body resets the client's stream.
                drop(chunks.send(Err(std::io::Error::other("left"))).await);
            } else {
                connection.shutdown(std::net::Shutdown::Both).unwrap();
            }
            let ended = ended(&harness).await;
            let what = format!("{path} {length:?} {resets}: {ended:?}");
            // The server may see the end of the response first.
            let dropped = path == "/echo" && ended.has("body_dropped", "200", "");
            assert!(is_abort(&ended, 10) || dropped, "{what}");
            response.abort();
        }
    }
}

#[tokio::test]
async fn other_upload_errors_keep_their_outcome() {
    let whole = "content-length: 10\r\n\r\n0123456789";
    let chunked = "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for (head, rest, outcome, status, received) in [
        ("POST /bytes", whole, "completed", "200", Some(10)),
        ("POST /strict", whole, "completed", "201", Some(10)),
        ("POST /frames", whole, "completed", "201", Some(10)),
        ("POST /spawned", chunked, "completed", "201", Some(5)),
        ("POST /echo", whole, "completed", "200", Some(10)),
        ("POST /bytes", chunked, "completed", "200", Some(5)),
        (
            "POST /bytes",
            "content-length: 0\r\n\r\n",
            "completed",
            "200",
            Some(0),
        ),
        ("POST /bytes", "\r\n", "completed", "200", None),
        ("GET /get", "\r\n", "completed", "200", None),
        ("POST /unread", whole, "completed", "200", Some(10)),
        ("POST /refused", whole, "completed", "401", Some(10)),
        // A body that cannot be decoded, and one that is too long.
        (
            "POST /bytes",
            "transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n",
            "completed",
            "400",
            None,
        ),
        (
            "POST /strict",
            "transfer-encoding: chunked\r\n\r\n5\r\nhelloXX",
            "completed",
            "500",
            None,
        ),
        (
            "POST /limited",
            "content-length: 20\r\n\r\n01234567890123456789",
            "completed",
            "413",
            Some(20),
        ),
    ] {
        let request = format!("{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{rest}");
        let harness = Harness::new();
        let address = serve(app(&harness)).await;
        let mut client = connect(address, request.as_bytes()).await;
        let got = read_all(&mut client).await;
        let expected = format!("HTTP/1.1 {status}");
        assert!(
            got.starts_with(expected.as_bytes()),
            "{request}: {}",
            String::from_utf8_lossy(&got)
        );
        let ended = ended(&harness).await;
        let error = if status.starts_with('5') { status } else { "" };
        assert!(ended.has(outcome, status, error), "{request}: {ended:?}");
        assert_eq!(ended.received, received, "{request}");
    }
}

#[tokio::test]
async fn disconnects_after_the_upload_and_panics_keep_their_outcome() {
    let whole = b"POST /waits HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi";
    let harness = Harness::new();
    let address = serve(app(&harness)).await;
    leave(connect(address, whole).await, Leave::Close).await;
    let waits = ended(&harness).await;
    assert!(waits.has("cancelled", "", ""), "{waits:?}");

    let harness = Harness::new();
    let address = serve(app(&harness)).await;
    let part = b"POST /panics HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\n\r\nhi";
    leave(connect(address, part).await, Leave::Close).await;
    let panicked = ended(&harness).await;
    assert!(panicked.has("panicked", "", "panicked"), "{panicked:?}");
    assert_eq!(panicked.received, Some(2));
}

#[tokio::test]
async fn a_body_limit_around_the_layer_works_as_without_it() {
    let limit =
        |request: Request<Body>| async { request.map(|body| Body::new(Limited::new(body, 10))) };
    let request = b"POST /bytes HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nf\r\n012345678901234\r\n0\r\n\r\n";
    for watched in [false, true] {
        let harness = Harness::new();
        let mut app = Router::new().route("/bytes", post(|body: Bytes| async move { body }));
        if watched {
            app = app.layer(harness.layer());
        }
        let app = app.layer(axum::middleware::map_request(limit));
        let mut client = connect(serve(app).await, request).await;
        let got = read_all(&mut client).await;
        assert!(
            got.starts_with(b"HTTP/1.1 413"),
            "{watched}: {}",
            String::from_utf8_lossy(&got)
        );
        if watched {
            assert!(ended(&harness).await.has("completed", "413", ""));
        }
    }
}

#[tokio::test]
async fn a_service_that_returns_the_upload_error_has_not_failed() {
    use tower::Layer;
    let harness = Harness::new();
    let response = async |request: Request<Body>| {
        let body = request.into_body().collect().await?;
        Ok::<_, axum::Error>(Response::new(http_body_util::Full::new(body.to_bytes())))
    };
    let service = harness.layer().layer(tower::service_fn(response));
    let service = tower::ServiceBuilder::new()
        .map_request(|request: Request<hyper::body::Incoming>| request.map(Body::new))
        .service(service);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper_util::service::TowerToHyperService::new(service.clone());
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });
    let part = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\n\r\nhi";
    leave(connect(address, part).await, Leave::Close).await;
    let ended = ended(&harness).await;
    assert!(is_abort(&ended, 2), "{ended:?}");
}

#[tokio::test]
async fn a_thousand_uploads_over_one_connection_are_recorded() {
    let harness = Harness::new();
    let address = serve(app(&harness)).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    for n in 0..1000 {
        let (body, len) = ("x".repeat(n % 17), n % 17);
        let request =
            format!("POST /bytes HTTP/1.1\r\nhost: x\r\ncontent-length: {len}\r\n\r\n{body}");
        client.write_all(request.as_bytes()).await.unwrap();
        let end = format!("\r\n\r\n{len}");
        read_until(&mut client, end.as_bytes()).await;
    }
    let part = b"POST /bytes HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\n\r\nhi";
    client.write_all(part).await.unwrap();
    leave(client, Leave::Close).await;
    settled(&harness, 1001).await;
    let page = harness.page();
    let of = |outcome: Outcome| page.sum(COUNT, &[("watchpost_outcome", outcome.as_str())]);
    assert_eq!(
        (of(Outcome::Completed), of(Outcome::UploadAborted)),
        (1000.0, 1.0)
    );
    let bytes = page.sum("http_server_request_body_size_bytes_sum", &[]);
    assert_eq!(
        bytes,
        (0..1000).map(|n| f64::from(n % 17)).sum::<f64>() + 2.0
    );
}

#[tokio::test]
async fn upload_errors_without_a_socket_are_classified_by_their_source() {
    use std::io::{Error, ErrorKind};
    use tower::ServiceExt;
    for (kind, outcome, status) in [
        (ErrorKind::ConnectionReset, "upload_aborted", ""),
        (ErrorKind::BrokenPipe, "upload_aborted", ""),
        (ErrorKind::ConnectionAborted, "upload_aborted", ""),
        (ErrorKind::InvalidData, "completed", "500"),
        (ErrorKind::Other, "completed", "500"),
        (ErrorKind::StorageFull, "completed", "500"),
    ] {
        let harness = Harness::new();
        let frames = stream::iter([
            Ok(Bytes::from_static(b"12345")),
            Err(Error::new(kind, "why")),
        ]);
        let request = Request::post("/strict")
            .body(Body::from_stream(frames))
            .unwrap();
        let response = app(&harness).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 500);
        let ended = ended(&harness).await;
        let error = if status == "500" { "500" } else { "" };
        assert!(ended.has(outcome, status, error), "{kind:?}: {ended:?}");
    }
}

#[tokio::test]
async fn a_half_closed_client_still_gets_its_response() {
    let harness = Harness::new();
    let address = serve(app(&harness)).await;
    let part = b"POST /bytes HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\n\r\nhi";
    let mut client = connect(address, part).await;
    client.shutdown().await.unwrap();
    let mut got = Vec::new();
    drop(client.read_to_end(&mut got).await);
    assert!(
        got.starts_with(b"HTTP/1.1 400"),
        "{}",
        String::from_utf8_lossy(&got)
    );
    assert!(is_abort(&ended(&harness).await, 2));
}
