//! 10,000 requests to every route with every outcome.
//!
//! One outcome is missing: an axum router never returns an error in place of a response, so no request is `failed`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use futures_util::SinkExt;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::StreamExt;

use crate::AnyError;
use crate::relay::text_page;
use crate::tally::{Key, Tally};

/// The time limit of a request, which is longer than the host's limit for a handler.
const PATIENCE: Duration = Duration::from_secs(60);
/// The number of concurrent requests.
const AT_ONCE: usize = 32;

/// A request with a complete response. `{n}` in the path is replaced by a number from 1 to 20.
struct Plain {
    times: u64,
    method: &'static str,
    path: &'static str,
    body: &'static str,
    route: &'static str,
    status: u16,
    header: (&'static str, &'static str),
    /// The declared length of the response body, if the client checks it.
    length: Option<u64>,
}

/// A header without an effect.
const NO_HEADER: (&str, &str) = ("x-no", "header");

const fn get(times: u64, path: &'static str, route: &'static str, status: u16) -> Plain {
    Plain {
        times,
        method: "GET",
        path,
        body: "",
        route,
        status,
        header: NO_HEADER,
        length: None,
    }
}

/// A file or a range of it, of this length.
const fn file(
    times: u64,
    path: &'static str,
    header: (&'static str, &'static str),
    status: u16,
    length: u64,
) -> Plain {
    Plain {
        header,
        length: Some(length),
        ..get(times, path, "/static/*", status)
    }
}

/// A response that the host passes on.
const fn story(times: u64, path: &'static str, status: u16, length: u64) -> Plain {
    Plain {
        length: Some(length),
        ..get(times, path, "/api/story", status)
    }
}

const fn post(times: u64, path: &'static str, body: &'static str, status: u16) -> Plain {
    Plain {
        times,
        method: "POST",
        path,
        body,
        route: path,
        status,
        header: NO_HEADER,
        length: None,
    }
}

/// A placeholder for a body that is longer than the host accepts.
const TOO_LONG: &str = "too long";

const ABOUT: &str = "/static/about.txt";
const EXPORT: &str = "/static/export.bin";
const EXPORT_BYTES: u64 = 16 * 1024 * 1024;
/// The length of each line of a story.
const STORY_LINE: u64 = 41;

const PLAIN: [Plain; 38] = [
    get(1_450, "/api/content", "/api/content", 200),
    get(1_500, "/api/content/{n}", "/api/content/{id}", 200),
    get(200, "/api/content/9999999", "/api/content/{id}", 404),
    get(100, "/api/content/x", "/api/content/{id}", 400),
    get(1_270, "/api/users/{n}", "/api/users/{id}", 200),
    get(100, "/api/users/5000", "/api/users/{id}", 404),
    get(700, "/api/search?q=rivers", "/api/search", 200),
    get(100, "/api/search", "/api/search", 400),
    post(600, "/api/content", r#"{"title": "t", "body": "b"}"#, 201),
    post(100, "/api/content", r#"{"title": "#, 400),
    post(100, "/api/content", r#"{"title": "t"}"#, 422),
    post(50, "/api/content", TOO_LONG, 413),
    post(
        300,
        "/api/content/generate",
        r#"{"prompt": "a fox", "more": 1}"#,
        201,
    ),
    post(
        50,
        "/api/content/generate",
        r#"{"prompt": "overload"}"#,
        502,
    ),
    post(50, "/api/content/generate", "[]", 422),
    get(200, "/api/fail", "/api/fail", 500),
    get(200, "/api/slow?ms=1", "/api/slow", 200),
    get(200, "/api/stream?chunks=5&ms=1", "/api/stream", 200),
    get(50, "/ws/echo", "/ws/echo", 400),
    get(400, "/nothing/at/{n}", "_unmatched", 404),
    Plain {
        method: "HEAD",
        ..get(100, "/api/content", "/api/content", 200)
    },
    Plain {
        method: "DELETE",
        ..get(100, "/api/content", "/api/content", 405)
    },
    Plain {
        method: "BREW",
        ..get(50, "/api/content", "/api/content", 405)
    },
    Plain {
        method: "POST",
        ..get(50, "/nothing/to/post", "_unmatched", 404)
    },
    file(100, ABOUT, NO_HEADER, 200, 48),
    file(20, EXPORT, NO_HEADER, 200, EXPORT_BYTES),
    file(100, EXPORT, ("range", "bytes=0-99"), 206, 100),
    file(20, EXPORT, ("range", "bytes=-3000000"), 206, 3_000_000),
    Plain {
        header: ("range", "bytes=16777216-"),
        ..get(20, EXPORT, "/static/*", 416)
    },
    Plain {
        header: ("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT"),
        ..get(50, ABOUT, "/static/*", 304)
    },
    Plain {
        method: "HEAD",
        ..file(50, EXPORT, NO_HEADER, 200, EXPORT_BYTES)
    },
    get(100, "/static/not/there/{n}", "/static/*", 404),
    Plain {
        method: "POST",
        ..get(20, ABOUT, "/static/*", 405)
    },
    story(200, "/api/story", 200, 100 * STORY_LINE),
    story(50, "/api/story?lines=0", 200, 0),
    story(50, "/api/story?lines=100001", 400, 0),
    Plain {
        method: "HEAD",
        ..story(25, "/api/story", 200, 100 * STORY_LINE)
    },
    Plain {
        method: "HEAD",
        ..get(25, "/api/story?lines=100001", "/api/story", 400)
    },
];

const CANCELLED: u64 = 300;
const CANCELLED_HTTP2: u64 = 50;
const HTTP2: u64 = 100;
const FILES_HTTP2: u64 = 50;
const BODY_DROPPED: u64 = 150;
const BODY_ERROR: u64 = 100;
/// The number of requests for the large file, and for passed-on responses.
const MORE_DROPPED: u64 = 50;
const FILES_DROPPED_HTTP2: u64 = 30;
const UPSTREAM_BROKEN: u64 = 50;
const PANICKED: u64 = 100;
const TIMED_OUT: u64 = 20;
const UPGRADED: u64 = 100;

/// How a request ended for the client, and the trace ID of its response.
type Ended = Result<(Key, Option<String>), AnyError>;

/// Sends all requests and counts them.
pub(crate) async fn make(host: SocketAddr, tally: &mut Tally) -> Result<String, AnyError> {
    let begun = Instant::now();
    // First those that need an idle host, which shows when it has all of them.
    for _ in 0..3 {
        leave_before_the_answer(host, CANCELLED / 3, tally).await?;
    }
    leave_streams(host, CANCELLED_HTTP2, tally).await?;

    let http1 = Client::builder(TokioExecutor::new()).build_http();
    let http2 = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut visits = JoinSet::new();
    // They wait for the host's own limit, so they need no permit.
    for _ in 0..TIMED_OUT {
        visits.spawn(timed_out(http1.clone(), host));
    }
    let mut work: Vec<Visit> = Vec::new();
    for plain in &PLAIN {
        work.extend((0..plain.times).map(|n| Visit::Plain(plain, n, http1.clone())));
    }
    let user = &PLAIN[4];
    work.extend((0..HTTP2).map(|n| Visit::Plain(user, n, http2.clone())));
    let mut parts = PLAIN.iter().filter(|plain| plain.path == EXPORT).cycle();
    for n in 0..FILES_HTTP2 {
        work.extend(
            parts
                .next()
                .map(|plain| Visit::Plain(plain, n, http2.clone())),
        );
    }
    work.extend((0..BODY_DROPPED).map(|_| Visit::LeaveWithin(&LEFT[0])));
    for left in &LEFT[1..] {
        work.extend((0..MORE_DROPPED).map(|_| Visit::LeaveWithin(left)));
    }
    work.extend((0..FILES_DROPPED_HTTP2).map(|_| Visit::ResetWithin(http2.clone())));
    work.extend((0..BODY_ERROR).map(|_| Visit::Broken(&BROKEN[0], http1.clone())));
    work.extend((0..UPSTREAM_BROKEN).map(|_| Visit::Broken(&BROKEN[1], http1.clone())));
    work.extend((0..PANICKED).map(|_| Visit::Panic));
    work.extend((0..UPGRADED).map(|_| Visit::Talk));
    mix(&mut work);
    for visit in work {
        let place = Arc::clone(&room).acquire_owned().await?;
        visits.spawn(async move {
            let _place = place;
            visit.go(host).await
        });
    }
    while let Some(ended) = visits.join_next().await {
        let (key, trace) = ended??;
        tally.sockets += u64::from(key == upgraded());
        tally.add(key);
        tally.traces.extend(trace);
    }
    match tally.total() {
        10_000 => Ok(format!("in {} s", begun.elapsed().as_secs())),
        n => Err(format!("{n} were made").into()),
    }
}

fn upgraded() -> Key {
    Key::new("GET", "/ws/echo", Some(101), "upgraded")
}

/// A pseudo-random order, the same in each run, so that kinds overlap.
fn mix<T>(items: &mut [T]) {
    let mut dice = 0x9E37_79B9_7F4A_7C15_u64;
    for n in (1..items.len()).rev() {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        items.swap(
            n,
            usize::try_from(dice % (n as u64 + 1)).expect("it is below n"),
        );
    }
}

/// A response in whose middle the client disconnects.
struct Left {
    path: &'static str,
    route: &'static str,
    /// What the client reads before.
    seen: &'static [u8],
}

const LEFT: [Left; 3] = [
    Left {
        path: "/api/stream?chunks=100000&ms=20",
        route: "/api/stream",
        seen: b"chunk 1",
    },
    Left {
        path: EXPORT,
        route: "/static/*",
        seen: b"\r\n\r\n\0\0\0",
    },
    Left {
        path: "/api/story?lines=100000&ms=20",
        route: "/api/story",
        seen: b"a fox",
    },
];

/// The paths and routes of responses that break off: one of the host, and one of its upstream.
const BROKEN: [(&str, &str); 2] = [
    ("/api/stream?chunks=5&ms=1&break_after=2", "/api/stream"),
    ("/api/story?lines=5&ms=1&break_after=2", "/api/story"),
];

enum Visit {
    Plain(&'static Plain, u64, Client<HttpConnector, Body>),
    LeaveWithin(&'static Left),
    ResetWithin(Client<HttpConnector, Body>),
    Broken(
        &'static (&'static str, &'static str),
        Client<HttpConnector, Body>,
    ),
    Panic,
    Talk,
}

impl Visit {
    async fn go(self, host: SocketAddr) -> Ended {
        let visit = async {
            match self {
                Self::Plain(plain, n, client) => complete(plain, n, client, host).await,
                Self::LeaveWithin(left) => leave_within_the_answer(left, host).await,
                Self::ResetWithin(client) => reset_within_a_file(client, host).await,
                Self::Broken(broken, client) => self::broken(broken, client, host).await,
                Self::Panic => panicked(host).await,
                Self::Talk => talk(host).await,
            }
        };
        timeout(PATIENCE, visit).await?
    }
}

async fn complete(
    plain: &Plain,
    n: u64,
    client: Client<HttpConnector, Body>,
    host: SocketAddr,
) -> Ended {
    let path = plain.path.replace("{n}", &(1 + n % 20).to_string());
    let body = match plain.body {
        TOO_LONG => format!(r#"{{"title": "t", "body": "{}"}}"#, "b".repeat(20_000)),
        body => body.to_owned(),
    };
    let request = Request::builder()
        .method(Method::from_bytes(plain.method.as_bytes())?)
        .uri(format!("http://{host}{path}"))
        .header("content-type", "application/json")
        .header(plain.header.0, plain.header.1)
        .body(Body::from(body))?;
    let response = client
        .request(request)
        .await
        .map_err(|error| with_path(plain, &error))?;
    let status = response.status().as_u16();
    if response.headers().get_all("x-trace-id").iter().count() > 1 {
        return Err(format!("{} has two trace IDs in its response", plain.path).into());
    }
    let trace = response.headers().get("x-trace-id");
    let trace = trace
        .and_then(|trace| trace.to_str().ok())
        .map(str::to_owned);
    let declared = response.headers().get("content-length").cloned();
    let body = response.into_body().collect().await?.to_bytes();
    if let Some(length) = plain.length {
        let declared = declared
            .as_ref()
            .and_then(|it| it.to_str().ok()?.parse().ok());
        let whole = if plain.method == "HEAD" { 0 } else { length };
        if declared != Some(length) || body.len() as u64 != whole {
            let Plain { method, path, .. } = plain;
            let came = body.len();
            return Err(format!("{method} {path} declared {declared:?} bytes, {came} came").into());
        }
    }
    if status != plain.status {
        let Plain { method, path, .. } = plain;
        return Err(format!("{method} {path} has status {status}").into());
    }
    let trace = trace.ok_or("a response has no x-trace-id")?;
    let method = if plain.method == "BREW" {
        "_OTHER"
    } else {
        plain.method
    };
    let key = Key::new(method, plain.route, Some(status), "completed");
    Ok((key, Some(trace)))
}

fn with_path(plain: &Plain, error: &dyn std::error::Error) -> AnyError {
    format!(
        "{} {}: {error}: {:?}",
        plain.method,
        plain.path,
        error.source()
    )
    .into()
}

/// The handler exceeds the host's limit, and the host responds with 408.
async fn timed_out(client: Client<HttpConnector, Body>, host: SocketAddr) -> Ended {
    let request = Request::get(format!("http://{host}/api/slow?ms=100000")).body(Body::empty())?;
    let response = timeout(PATIENCE, client.request(request)).await??;
    let status = response.status().as_u16();
    response.into_body().collect().await?;
    if status != 408 {
        return Err(format!("an endless handler has status {status}").into());
    }
    Ok((Key::new("GET", "/api/slow", Some(status), "timeout"), None))
}

/// The host breaks off the body in the middle.
async fn broken(
    (path, route): &(&str, &str),
    client: Client<HttpConnector, Body>,
    host: SocketAddr,
) -> Ended {
    let url = format!("http://{host}{path}");
    let response = client
        .request(Request::get(url).body(Body::empty())?)
        .await?;
    let status = response.status().as_u16();
    match response.into_body().collect().await {
        Ok(_) => Err("a broken body came to a good end".into()),
        Err(_) => Ok((Key::new("GET", route, Some(status), "body_error"), None)),
    }
}

/// The connection ends without a response.
async fn panicked(host: SocketAddr) -> Ended {
    let mut connection = open_get(host, "/api/panic").await?;
    let mut response = Vec::new();
    // A reset ends it as well.
    let _ended = connection.read_to_end(&mut response).await;
    if response.is_empty() {
        Ok((Key::new("GET", "/api/panic", None, "panicked"), None))
    } else {
        Err("there is a response after a panic".into())
    }
}

/// Disconnects after the first bytes.
async fn leave_within_the_answer(left: &Left, host: SocketAddr) -> Ended {
    let mut connection = open_get(host, left.path).await?;
    let (mut head, seen) = (Vec::new(), left.seen);
    while !head.windows(seen.len()).any(|window| window == seen) {
        if connection.read_buf(&mut head).await? == 0 {
            return Err("a stream ended too soon".into());
        }
    }
    Ok((Key::new("GET", left.route, Some(200), "body_dropped"), None))
}

/// Over HTTP/2, resets the stream after the first bytes; the connection stays open.
async fn reset_within_a_file(client: Client<HttpConnector, Body>, host: SocketAddr) -> Ended {
    let request = Request::get(format!("http://{host}{EXPORT}")).body(Body::empty())?;
    let mut body = client.request(request).await?.into_body();
    body.frame().await.ok_or("a file ended too soon")??;
    drop(body);
    let key = Key::new("GET", "/static/*", Some(200), "body_dropped");
    Ok((key, None))
}

async fn talk(host: SocketAddr) -> Ended {
    let connection = TcpStream::connect(host).await?;
    let url = format!("ws://{host}/ws/echo");
    let (mut socket, response) = tokio_tungstenite::client_async(url, connection).await?;
    let trace = response.headers().get("x-trace-id");
    let trace = trace
        .and_then(|trace| trace.to_str().ok())
        .map(str::to_owned);
    socket.send("is there an echo?".into()).await?;
    let echo = socket.next().await.ok_or("the socket ended")??;
    if echo.to_text()? != "is there an echo?" {
        return Err(format!("the echo was {echo:?}").into());
    }
    socket.close(None).await?;
    while socket.next().await.is_some() {}
    Ok((upgraded(), trace))
}

/// Sends a GET over a plain connection; dropping the connection disconnects.
async fn open_get(host: SocketAddr, path: &str) -> Result<TcpStream, AnyError> {
    let mut connection = TcpStream::connect(host).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    Ok(connection)
}

/// `n` clients send requests and disconnect once all of them are in progress.
async fn leave_before_the_answer(
    host: SocketAddr,
    n: u64,
    tally: &mut Tally,
) -> Result<(), AnyError> {
    let mut connections = Vec::new();
    for _ in 0..n {
        connections.push(open_get(host, "/api/slow?ms=29000").await?);
    }
    under_way(host, n).await?;
    drop(connections);
    under_way(host, 0).await?;
    for _ in 0..n {
        tally.add(Key::new("GET", "/api/slow", None, "cancelled"));
    }
    Ok(())
}

/// As above over HTTP/2: the streams are reset, the connection stays open.
async fn leave_streams(host: SocketAddr, n: u64, tally: &mut Tally) -> Result<(), AnyError> {
    let client: Client<_, Body> = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let mut requests = JoinSet::new();
    for _ in 0..n {
        let url = format!("http://{host}/api/slow?ms=29000");
        requests.spawn(client.request(Request::get(url).body(Body::empty())?));
    }
    under_way(host, n).await?;
    requests.shutdown().await;
    under_way(host, 0).await?;
    for _ in 0..n {
        tally.add(Key::new("GET", "/api/slow", None, "cancelled"));
    }
    Ok(())
}

/// Waits until the host shows `n` requests in progress.
async fn under_way(host: SocketAddr, n: u64) -> Result<(), AnyError> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let page = text_page(host).await?;
        let active = page
            .lines()
            .filter(|line| line.starts_with("http_server_active_requests{"))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum::<f64>();
        if active.to_string() == n.to_string() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{active} requests are under way, {n} should be").into());
        }
        sleep(Duration::from_millis(20)).await;
    }
}
