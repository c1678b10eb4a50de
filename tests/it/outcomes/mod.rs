//! Outcomes of requests over real sockets: complete ones, disconnects, broken bodies and panics.

mod outgoing;
mod panics;
mod streams;
mod uploads;
mod whole;
mod wrong_lengths;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use watchpost::testing::Harness;

use crate::support::json_lines;

const COUNT: &str = "http_server_request_duration_seconds_count";
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves a router over HTTP/1 and HTTP/2 until the test's runtime ends.
async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// Opens a connection and sends `bytes`.
async fn connect(address: SocketAddr, request: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(request).await.unwrap();
    client
}

/// Everything that the server sends until it closes or resets the connection.
async fn read_all(client: &mut TcpStream) -> Vec<u8> {
    let mut got = Vec::new();
    let read = tokio::time::timeout(PATIENCE, client.read_to_end(&mut got));
    let _reset = read.await.expect("the server ends the connection");
    got
}

/// Reads until these bytes have arrived.
async fn read_until(client: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut got = Vec::new();
    while !got.windows(end.len()).any(|window| window == end) {
        let read = tokio::time::timeout(PATIENCE, client.read_buf(&mut got));
        assert_ne!(read.await.unwrap().unwrap(), 0, "the server closed");
    }
    got
}

/// Waits until this number of requests is recorded and none is in progress.
async fn settled(harness: &Harness, requests: usize) {
    let wait = async {
        loop {
            let page = harness.page();
            let active = page.sum("http_server_active_requests", &[]);
            if page.sum(COUNT, &[]) >= requests as f64 && active == 0.0 {
                assert_eq!(page.sum(COUNT, &[]), requests as f64, "{page:#?}");
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        let (page, list) = (harness.page(), harness.in_flight());
        let counts: Vec<_> = page.samples(COUNT, &[]).collect();
        panic!("{requests} requests: {counts:#?} {list:#?}");
    }
}

/// The outcome of the only request of a harness.
async fn ended(harness: &Harness) -> Ended {
    settled(harness, 1).await;
    let lines = json_lines(harness);
    let requests: Vec<_> = lines
        .iter()
        .filter(|line| !line["watchpost.outcome"].is_null())
        .collect();
    let [line] = requests[..] else {
        panic!("one request's record: {lines:#?}")
    };
    let page = harness.page();
    let sample = page.samples(COUNT, &[]).next().unwrap();
    let label = |key: &str| sample.labels.get(key).cloned().unwrap_or_default();
    let field = |key: &str| match &line[key] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    for (name, key) in [
        ("watchpost_outcome", "watchpost.outcome"),
        ("http_response_status_code", "http.response.status_code"),
        ("error_type", "error.type"),
    ] {
        assert_eq!(label(name), field(key), "{name}: {line} {sample:?}");
    }
    let failed = field("level") == "ERROR";
    Ended {
        outcome: field("watchpost.outcome"),
        status: field("http.response.status_code"),
        error: field("error.type"),
        failed,
        received: line["http.request.body.size"].as_u64(),
        sent: line["http.response.body.size"].as_u64(),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Ended {
    outcome: String,
    status: String,
    error: String,
    failed: bool,
    received: Option<u64>,
    sent: Option<u64>,
}

impl Ended {
    fn has(&self, outcome: &str, status: &str, error: &str) -> bool {
        (&*self.outcome, &*self.status, &*self.error) == (outcome, status, error)
            && self.failed != error.is_empty()
    }
}
