//! Outgoing calls whose response is there at once, so that only the cost of the layer remains.

use std::convert::Infallible;
use std::hint::black_box;
use std::task::{Context, Waker};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tower::Service;

pub const URL: &str = "http://127.0.0.1:8080/v1/responses?page=2";

type Whole = Full<Bytes>;

/// The transport.
pub async fn response(request: Request<Whole>) -> Result<Response<Whole>, Infallible> {
    black_box(request);
    Ok(Response::new(Full::from("a response")))
}

/// Calls a client `n` times and reads each response to its end.
pub fn calls<S, B>(client: &mut S, n: u64)
where
    S: Service<Request<Whole>, Response = Response<B>>,
    B: axum::body::HttpBody,
{
    for _ in 0..n {
        let request = Request::get(URL).body(Full::default());
        let call = client.call(request.expect("a request"));
        let whole = async {
            let Ok(response) = call.await else { return };
            let mut body = std::pin::pin!(response.into_body());
            while let Some(frame) = body.frame().await {
                black_box(frame.is_ok());
            }
        };
        let polled = std::pin::pin!(whole).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready());
    }
}

/// The rate limits of a service for language models.
pub const SIX: [(&str, &str); 6] = [
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-limit-tokens", "2000000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-remaining-tokens", "1999750"),
    ("x-ratelimit-reset-requests", "6ms"),
    ("x-ratelimit-reset-tokens", "7ms"),
];

/// The headers of a response, with these added.
pub fn headers(limits: &[(&'static str, &'static str)]) -> HeaderMap {
    let always = [
        ("content-type", "application/json"),
        ("content-length", "512"),
        ("date", "Thu, 26 Nov 2026 12:00:00 GMT"),
        ("server", "envoy"),
        ("x-request-id", "4f2c"),
    ];
    let all = always.iter().chain(limits);
    all.map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    })
    .collect()
}
