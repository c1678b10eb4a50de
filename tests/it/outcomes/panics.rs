//! Panics in every place where the layers call code of the host: each makes one record, and nothing stays in progress.

use std::cell::Cell;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll};

use axum::http::{Request, Response};
use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use hyper::body::{Body, Frame, SizeHint};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tower::{Layer, Service, ServiceExt};
use watchpost::Outcome;
use watchpost::http::{Class, EndpointLayer};
use watchpost::testing::Harness;

use super::{COUNT, connect, ended, read_all};
use crate::calls;
use crate::support::json_lines;

fn panics<T>() -> T {
    std::panic::resume_unwind(Box::new("planned"))
}

/// The place where a service or its body panics, with the number of the call, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    Call,
    Poll,
    FutureDrop,
    /// The service returns an error.
    FailedDrop,
    SizeHint(u32),
    IsEnd(u32),
    Frame(u32),
    Remaining,
    BodyDrop,
    Nowhere,
}

use Where::{
    BodyDrop, Call, FailedDrop, Frame as AtFrame, FutureDrop, IsEnd, Nowhere, Poll as AtPoll,
    Remaining, SizeHint as Hint,
};

/// Counts calls and panics in one of them.
#[derive(Debug, Default)]
struct Calls(AtomicU32);

impl Calls {
    fn is(&self, at: u32) -> bool {
        self.0.fetch_add(1, Relaxed) + 1 == at
    }
}

/// A body of two chunks of five bytes, with or without a known length.
#[derive(Debug)]
struct Bad {
    place: Where,
    knows: bool,
    left: usize,
    hints: Calls,
    ends: Calls,
    frames: Calls,
}

impl Bad {
    fn new(place: Where, knows: bool) -> Self {
        Self {
            place,
            knows,
            left: 2,
            hints: Calls::default(),
            ends: Calls::default(),
            frames: Calls::default(),
        }
    }
}

impl Body for Bad {
    type Data = Chunk;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, Infallible>>> {
        if let AtFrame(at) = self.place
            && self.frames.is(at)
        {
            panics::<()>();
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        let data = Bytes::from_static(b"12345");
        let bad = Cell::new(self.place == Remaining);
        Poll::Ready(Some(Ok(Frame::data(Chunk { data, bad }))))
    }

    fn is_end_stream(&self) -> bool {
        if let IsEnd(at) = self.place
            && self.ends.is(at)
        {
            panics::<()>();
        }
        self.knows && self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        if let Hint(at) = self.place
            && self.hints.is(at)
        {
            panics::<()>();
        }
        if self.knows {
            SizeHint::with_exact(self.left as u64 * 5)
        } else {
            SizeHint::default()
        }
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        if self.place == BodyDrop && !std::thread::panicking() {
            panics::<()>();
        }
    }
}

/// Bytes whose `remaining` panics on its first call.
#[derive(Debug)]
struct Chunk {
    data: Bytes,
    bad: Cell<bool>,
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        if self.bad.take() {
            panics::<()>();
        }
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn advance(&mut self, by: usize) {
        self.data.advance(by);
    }
}

/// A future that panics when it is dropped, after `ready` polls. The last poll may return an error.
struct BadDrop;

impl Drop for BadDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panics::<()>();
        }
    }
}

#[derive(Debug, Clone)]
struct Bads {
    place: Where,
    knows: bool,
    declares: bool,
}

impl<B> Service<Request<B>> for Bads {
    type Response = Response<Bad>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bad>, std::io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let Self {
            place,
            knows,
            declares,
        } = *self;
        if place == Call {
            panics::<()>();
        }
        Box::pin(async move {
            let _bad = matches!(place, FutureDrop | FailedDrop).then(|| BadDrop);
            match place {
                AtPoll => panics::<()>(),
                FutureDrop => std::future::pending().await,
                FailedDrop => return Err(std::io::Error::other("why")),
                _ => tokio::task::yield_now().await,
            }
            let mut response = Response::new(Bad::new(place, knows));
            if declares {
                response
                    .headers_mut()
                    .insert("content-length", "10".parse().unwrap());
            }
            Ok(response)
        })
    }
}

const PLACES: &[Where] = &[
    Call,
    AtPoll,
    FutureDrop,
    FailedDrop,
    Hint(1),
    Hint(2),
    IsEnd(1),
    IsEnd(2),
    IsEnd(3),
    AtFrame(1),
    AtFrame(2),
    Remaining,
    BodyDrop,
];

/// Every place in a body of known length, in one with a declared length, and in one of unknown length.
fn all() -> impl Iterator<Item = Bads> {
    PLACES.iter().flat_map(|place| {
        [(true, false), (false, true), (false, false)].map(|(knows, declares)| Bads {
            place: *place,
            knows,
            declares,
        })
    })
}

#[tokio::test]
async fn under_a_server_every_panic_is_recorded_once() {
    for bads in all() {
        let harness = Harness::new();
        let service = harness.layer().layer(bads.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let http = hyper::server::conn::http1::Builder::new();
            let served =
                http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
            drop(served.await);
        });
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let mut client = connect(address, request).await;
        if bads.place == FutureDrop {
            while harness.in_flight().is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            drop(client);
        } else {
            read_all(&mut client).await;
        }
        let ended = ended(&harness).await;
        // A body that was read to its end has ended the request before it is dropped.
        let is_over = bads.place == BodyDrop && !bads.declares;
        let as_expected = if is_over {
            ended.has("completed", "200", "")
        } else {
            (&*ended.outcome, &*ended.error) == ("panicked", "panicked") && ended.failed
        };
        assert!(as_expected, "{bads:?}: {ended:?}");
        assert!(harness.in_flight().is_empty());
    }
}

/// Reads a body like a server, or only its first frame.
async fn read<B: Body + Unpin>(mut body: B, whole: bool) {
    if body.is_end_stream() {
        return;
    }
    let _ = body.size_hint();
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        if !whole || frame.is_none() || body.is_end_stream() {
            return;
        }
    }
}

#[tokio::test]
async fn a_caller_that_catches_the_panic_finds_nothing_under_way() {
    for bads in all() {
        let harness = Harness::new();
        let service = harness.layer().layer(bads.clone());
        let call = async {
            let response = service.oneshot(Request::new(String::new()));
            let response = tokio::time::timeout(std::time::Duration::from_millis(5), response);
            if let Ok(Ok(response)) = response.await {
                read(Box::pin(response.into_body()), bads.place != BodyDrop).await;
            }
        };
        let caught = AssertUnwindSafe(call).catch_unwind().await;
        assert!(caught.is_err(), "{bads:?}");
        let ended = ended(&harness).await;
        assert_eq!(&*ended.outcome, "panicked", "{bads:?}: {ended:?}");
        assert!(harness.in_flight().is_empty());
        assert!(harness.current_trace_id().is_none(), "{bads:?}");
    }
}

#[tokio::test]
async fn every_panic_in_an_outgoing_call_is_recorded_once() {
    for bads in all() {
        let harness = calls::harness();
        let client = harness.external("bad").client_layer().layer(bads.clone());
        let request = Request::get("http://a.example/")
            .body(String::new())
            .unwrap();
        let call = async {
            let response = client.oneshot(request);
            let response = tokio::time::timeout(std::time::Duration::from_millis(5), response);
            if let Ok(Ok(response)) = response.await {
                read(Box::pin(response.into_body()), bads.place != BodyDrop).await;
            }
        };
        let caught = AssertUnwindSafe(call).catch_unwind().await;
        assert!(caught.is_err(), "{bads:?}");
        let count = calls::calls(&harness, Outcome::Panicked, "panicked");
        let all = harness
            .page()
            .sum("http_client_request_duration_seconds_count", &[]);
        assert_eq!((count, all), (1.0, 1.0), "{bads:?}");
    }
}

#[tokio::test]
async fn a_call_guard_records_a_future_that_panics_when_dropped() {
    let harness = calls::harness();
    let service = harness.external("bad");
    let pending = || async {
        let _bad = BadDrop;
        std::future::pending::<Result<(), std::io::Error>>().await
    };
    let mut run = Box::pin(service.call("GET", "http://a.example/").run(pending()));
    assert!(futures_util::poll!(run.as_mut()).is_pending());
    assert!(std::panic::catch_unwind(AssertUnwindSafe(|| drop(run))).is_err());
    let mut run = Box::pin(service.call("GET", "http://a.example/").try_run(pending()));
    assert!(futures_util::poll!(run.as_mut()).is_pending());
    assert!(std::panic::catch_unwind(AssertUnwindSafe(|| drop(run))).is_err());
    assert_eq!(calls::calls(&harness, Outcome::Panicked, "panicked"), 2.0);
}

/// An error whose `source` panics.
#[derive(Debug)]
struct BadSource;

impl std::fmt::Display for BadSource {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panics()
    }
}

impl std::error::Error for BadSource {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        panics()
    }
}

#[tokio::test]
async fn a_bad_error_of_a_client_reaches_its_caller() {
    let harness = calls::harness();
    let service = harness.external("bad");
    let fail = async { Err::<(), _>(Box::<dyn std::error::Error + Send + Sync>::from(BadSource)) };
    let call = service.call("GET", "http://a.example/").try_run(fail);
    assert!(call.await.is_err());
    assert_eq!(calls::calls(&harness, Outcome::Failed, ""), 1.0);
}

/// A response extension that panics when it is cloned or dropped.
struct BadExtension(Arc<AtomicU32>, bool);

impl Clone for BadExtension {
    fn clone(&self) -> Self {
        if self.1 {
            panics::<()>();
        }
        self.0.fetch_add(1, Relaxed);
        Self(Arc::clone(&self.0), self.1)
    }
}

impl Drop for BadExtension {
    fn drop(&mut self) {
        // Only the last one, which is the host's own.
        if !self.1 && self.0.fetch_sub(1, Relaxed) > 0 && !std::thread::panicking() {
            panics::<()>();
        }
    }
}

#[expect(clippy::mem_forget, reason = "its drop would panic")]
fn forget<T>(value: T) {
    std::mem::forget(value);
}

#[tokio::test]
async fn panics_in_hooks_and_their_arguments_hurt_no_request() {
    let hooks: [(&str, fn(EndpointLayer) -> EndpointLayer); 7] = [
        ("skip", |layer| layer.skip(|_| panics())),
        ("route", |layer| layer.route(|_| panics())),
        ("user", |layer| layer.user(|_| panics())),
        ("on_request", |layer| layer.on_request(|_, _| panics())),
        ("on_response", |layer| layer.on_response(|_, _| panics())),
        ("on_end", |layer| layer.on_end(|_, _| panics())),
        ("classify", |layer| layer.classify(|_, _| panics())),
    ];
    for (name, with) in hooks {
        let harness = Harness::new();
        let service = with(harness.layer()).layer(Bads {
            place: Nowhere,
            knows: false,
            declares: true,
        });
        let response = service.oneshot(Request::new(String::new())).await.unwrap();
        read(Box::pin(response.into_body()), true).await;
        let ended = ended(&harness).await;
        assert!(ended.has("completed", "200", ""), "{name}: {ended:?}");
        let panics = harness
            .page()
            .sum("watchpost_hook_panics_total", &[("hook", name)]);
        assert_eq!(panics, 1.0, "{name}");
    }
    for clones in [true, false] {
        let harness = Harness::new();
        let layer = harness.layer().classify(|_, _| Class::Success);
        let service = layer.layer(tower::service_fn(move |_: Request<String>| async move {
            let mut response = Response::new(String::from("hello"));
            let extension = BadExtension(Arc::default(), clones);
            response.extensions_mut().insert(extension);
            Ok::<_, Infallible>(response)
        }));
        let call = async {
            let response = service.oneshot(Request::new(String::new())).await.unwrap();
            let (mut parts, body) = response.into_parts();
            read(Box::pin(body), true).await;
            let extension = parts.extensions.remove::<BadExtension>();
            forget(extension);
        };
        let caught = AssertUnwindSafe(call).catch_unwind().await;
        assert_eq!(caught.is_err(), clones);
        let ended = ended(&harness).await;
        let outcome = if clones { "panicked" } else { "completed" };
        assert_eq!(&*ended.outcome, outcome, "{ended:?}");
    }
}

#[tokio::test]
async fn a_service_that_panics_before_a_request_records_none() {
    #[derive(Clone)]
    struct NeverReady;

    impl Service<Request<String>> for NeverReady {
        type Response = Response<String>;
        type Error = Infallible;
        type Future = std::future::Pending<Result<Response<String>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            panics()
        }

        fn call(&mut self, _: Request<String>) -> Self::Future {
            std::future::pending()
        }
    }

    let harness = Harness::new();
    let call = harness
        .layer()
        .layer(NeverReady)
        .oneshot(Request::new(String::new()));
    assert!(AssertUnwindSafe(call).catch_unwind().await.is_err());
    let page = harness.page();
    assert_eq!(page.sum(COUNT, &[]), 0.0);
    assert_eq!(page.sum("http_server_active_requests", &[]), 0.0);
    assert!(json_lines(&harness).is_empty());
}
