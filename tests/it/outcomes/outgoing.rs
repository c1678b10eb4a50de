//! Outgoing calls end with the bodies of their responses, at their declared length if there is one.

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::{Layer, ServiceExt};
use watchpost::Outcome;

use super::serve;
use super::whole::{app, files};
use crate::calls::{calls, harness};

/// How much of a body is read before it is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    ToTheEnd,
    /// This number of bytes.
    Bytes(usize),
    ToTheTrailers,
    Nothing,
}

use Outcome::{BodyDropped, BodyError, Completed};
use Reads::{Bytes as First, Nothing, ToTheEnd, ToTheTrailers};

async fn read(mut body: impl hyper::body::Body<Data = Bytes> + Unpin, reads: Reads) {
    let (mut got, mut trailers) = (0, false);
    while match reads {
        ToTheEnd => true,
        First(bytes) => got < bytes,
        ToTheTrailers => !trailers,
        Nothing => false,
    } {
        let Some(Ok(frame)) = body.frame().await else {
            break;
        };
        got += frame.data_ref().map_or(0, Bytes::len);
        trailers |= frame.is_trailers();
    }
}

#[tokio::test]
async fn a_call_is_completed_when_its_declared_length_was_read() {
    let files = files();
    let cases = [
        // Read to the end.
        ("GET", "/declared", ToTheEnd, Completed),
        ("GET", "/chunked", ToTheEnd, Completed),
        ("GET", "/static/big.bin", ToTheEnd, Completed),
        ("GET", "/declared/nothing", ToTheEnd, Completed),
        ("GET", "/trailers", ToTheEnd, Completed),
        // Read up to the declared length.
        ("GET", "/declared", First(15), Completed),
        ("GET", "/declared/never_ends", First(15), Completed),
        ("GET", "/static/hello.txt", First(11), Completed),
        ("GET", "/static/empty.txt", Nothing, Completed),
        ("GET", "/declared/nothing", Nothing, Completed),
        // No body, for any declared length.
        ("HEAD", "/declared", Nothing, Completed),
        ("HEAD", "/declared", ToTheEnd, Completed),
        ("HEAD", "/static/hello.txt", Nothing, Completed),
        ("GET", "/nothing", Nothing, Completed),
        // Dropped before the end.
        ("GET", "/declared/stalls", First(10), BodyDropped),
        ("GET", "/endless", First(5), BodyDropped),
        ("GET", "/declared", Nothing, BodyDropped),
        ("GET", "/chunked", First(15), BodyDropped),
        ("GET", "/chunked", Nothing, BodyDropped),
        // Broken off.
        ("GET", "/declared/short", ToTheEnd, BodyError),
    ];
    for (method, path, reads, outcome) in cases {
        for (http2, opaque) in [(false, false), (false, true), (true, false), (true, true)] {
            // Over HTTP/1 the headers of a body that breaks off at once are lost as well.
            if !http2 && outcome == BodyError {
                continue;
            }
            let address = serve(app(files.path(), None)).await;
            let harness = harness();
            let client = Client::builder(TokioExecutor::new())
                .http2_only(http2)
                .build_http::<Full<Bytes>>();
            // A client whose bodies have no known length still passes the headers on.
            let client = client.map_response(move |response: Response<hyper::body::Incoming>| {
                response.map(|body| {
                    if opaque {
                        Body::from_stream(Body::new(body).into_data_stream())
                    } else {
                        Body::new(body)
                    }
                })
            });
            let client = harness.external("files").client_layer().layer(client);
            let request = Request::builder()
                .method(Method::from_bytes(method.as_bytes()).unwrap())
                .uri(format!("http://{address}{path}"))
                .body(Full::default())
                .unwrap();
            let response = client.oneshot(request).await.unwrap();
            read(response.into_body(), reads).await;
            let error = if outcome == BodyError {
                "body_error"
            } else {
                ""
            };
            let count = calls(&harness, outcome, error);
            let page = harness.page();
            let all: Vec<_> = page
                .samples("http_client_request_duration_seconds_count", &[])
                .map(|sample| &sample.labels)
                .collect();
            assert_eq!(
                count, 1.0,
                "{method} {path} {reads:?} {http2} {opaque}: {all:?}"
            );
        }
    }
}

#[tokio::test]
async fn trailers_end_a_call() {
    let files = files();
    for path in ["/trailers", "/declared/trailers"] {
        let address = serve(app(files.path(), None)).await;
        let harness = harness();
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http::<Full<Bytes>>();
        let client = harness.external("files").client_layer().layer(client);
        let url = format!("http://{address}{path}");
        let request = Request::get(url).body(Full::default()).unwrap();
        let response = client.oneshot(request).await.unwrap();
        read(response.into_body(), ToTheTrailers).await;
        assert_eq!(calls(&harness, Completed, ""), 1.0, "{path}");
    }
}

#[tokio::test]
async fn a_body_that_ends_early_is_an_error_even_if_the_client_reports_none() {
    for (length, outcome) in [("5", Completed), ("9", BodyError), ("3", BodyError)] {
        let harness = harness();
        let client = tower::service_fn(move |_: Request<()>| async move {
            let frames = futures_util::stream::iter([Ok::<_, std::io::Error>("12345")]);
            let response = Response::builder().header("content-length", length);
            Ok::<_, std::io::Error>(response.body(Body::from_stream(frames)).unwrap())
        });
        let client = harness.external("mock").client_layer().layer(client);
        let request = Request::get("http://a.example/").body(()).unwrap();
        let response = client.oneshot(request).await.unwrap();
        read(response.into_body(), ToTheEnd).await;
        assert_eq!(calls(&harness, outcome, ""), 1.0, "{length}");
    }
}
