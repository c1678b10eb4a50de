//! The fixture of this module's tests: a `Health` with a runtime like the worker's, on its own thread.

use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Request, Response};
use http_body::Body as _;
use tokio::sync::oneshot;
use tower::Service;

use super::{Health, HealthConfig, HealthService, HealthSetup};
use crate::access::{TokenResolver, TokenSettings};
use crate::clock::Clock;
use crate::model::Diagnostics;

/// A `Health` and its dependencies. Its runtime ends with it.
pub(super) struct Fixture {
    pub(super) health: Health,
    pub(super) diagnostics: Arc<Diagnostics>,
    /// What was written to standard error.
    pub(super) announced: Arc<Mutex<Vec<String>>>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Fixture {
    /// A `Health` whose checks run every 10 ms and have a time limit of 5 s.
    pub(super) fn new() -> Self {
        let (end, ended) = oneshot::channel::<()>();
        let (sender, handle) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            sender.send(runtime.handle().clone()).unwrap();
            drop(runtime.block_on(ended));
            runtime.shutdown_background();
        });
        let diagnostics = Arc::new(Diagnostics::default());
        let announced = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&announced);
        let announce = move |text| to.lock().unwrap().push(text);
        let health = Health::new(HealthSetup {
            config: HealthConfig::default().interval(Duration::from_millis(10)),
            clock: Clock::system(),
            handle: handle.recv().unwrap(),
            diagnostics: Arc::clone(&diagnostics),
            keys: TokenResolver::new(
                |_| None,
                announce,
                Arc::clone(&diagnostics),
                TokenSettings::default(),
            ),
            service: "shop".to_owned(),
            release: Some("1.4.2".to_owned()),
        });
        Self {
            health,
            diagnostics,
            announced,
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// Ends the runtime, as at the end of the worker.
    pub(super) fn end_runtime(&mut self) {
        self.health.stop();
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// The body of `/readyz`.
    pub(super) fn ready(&self) -> String {
        get(&self.health.readyz()).1
    }

    /// Waits until the body of `/readyz` is `word`.
    pub(super) fn wait_ready(&self, word: &str) {
        until(&format!("readyz says {word:?}"), || self.ready() == word);
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.end_runtime();
    }
}

/// Waits until something has happened on another thread.
pub(super) fn until(what: &str, happened: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !happened() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The status and the body of the response to `GET`.
pub(super) fn get(page: &HealthService) -> (u16, String) {
    let (response, text) = send(page, &Method::GET, &HeaderMap::new());
    (response.status().as_u16(), text)
}

/// The response to a request, and its body.
pub(super) fn send(
    page: &HealthService,
    method: &Method,
    headers: &HeaderMap,
) -> (Response<()>, String) {
    let mut request = Request::new(());
    *request.method_mut() = method.clone();
    *request.headers_mut() = headers.clone();
    let response = page.clone().call(request).into_inner();
    let (parts, mut body) = response.unwrap().into_parts();
    let mut text = Vec::new();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    while let std::task::Poll::Ready(Some(frame)) =
        std::pin::Pin::new(&mut body).poll_frame(&mut context)
    {
        text.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    assert!(body.is_end_stream());
    (
        Response::from_parts(parts, ()),
        String::from_utf8(text).unwrap(),
    )
}
