//! Helpers that several modules of these tests use.

use std::convert::Infallible;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::{Layer, ServiceExt};
use watchpost::testing::Harness;
use watchpost::trace::{AttributeValue, KeptTrace, Span};
use watchpost::{EndpointLayer, Monitor, SpanId, TraceId};

#[path = "../support/child.rs"]
mod child;
#[path = "../support/http.rs"]
mod http_client;
#[path = "../support/skip.rs"]
mod skip;

pub(crate) use self::child::{output_of_one_test, test_command};
pub(crate) use self::http_client::http_get;
pub(crate) use self::skip::skip;

/// The trace ID in the examples of W3C Trace Context.
pub(crate) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A response, read to its end.
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

pub(crate) fn get_request(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::empty()).unwrap()
}

impl TestResponse {
    /// The trace id that the layer put into the response's headers.
    pub(crate) fn trace_id(&self) -> TraceId {
        let id = self.headers["x-trace-id"].to_str().unwrap();
        id.parse().unwrap()
    }
}

/// Sends a request and reads the response to its end.
pub(crate) async fn send(app: &Router, request: Request<Body>) -> TestResponse {
    let (head, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    TestResponse {
        status: head.status,
        headers: head.headers,
        body,
    }
}

/// Sends a request through the layer to a service that sends `response`, and reads what comes out to its end.
pub(crate) async fn respond(
    layer: &EndpointLayer,
    request: Request<Body>,
    response: Response<Body>,
) {
    let mut response = Some(response);
    let service = tower::service_fn(move |_: Request<Body>| {
        let response = response.take().unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    let response = layer.layer(service).oneshot(request).await.unwrap();
    // Some bodies break off.
    drop(response.into_body().collect().await);
}

/// The output of the future if it completes in time; otherwise it is dropped.
pub(crate) async fn within<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(time, future).await.ok()
}

/// The log lines written so far, parsed as JSON.
pub(crate) fn json_lines(harness: &Harness) -> Vec<Value> {
    let lines = harness.lines();
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

/// The number of complete JSON lines in `got`.
pub(crate) fn whole_lines(got: &[u8]) -> u64 {
    let lines = got.split_inclusive(|byte| *byte == b'\n');
    let whole =
        lines.filter(|line| line.ends_with(b"\n") && serde_json::from_slice::<Value>(line).is_ok());
    whole.count() as u64
}

/// The kept trace, once the worker has it.
pub(crate) async fn kept_trace(monitor: &Monitor, id: TraceId) -> KeptTrace {
    assert!(monitor.flush(Duration::from_secs(10)).await);
    monitor.recent_trace(id).expect("the trace is kept")
}

/// A span's attribute.
pub(crate) fn attribute<'a>(span: &'a Span, key: &str) -> Option<&'a AttributeValue> {
    let mut attributes = span.attributes.iter();
    attributes
        .find(|(have, _)| have == key)
        .map(|(_, value)| value)
}

/// `name<parent name` of every span except roots, sorted.
pub(crate) fn tree(trace: &KeptTrace) -> Vec<String> {
    let name = |id: SpanId| {
        let of = trace.spans.iter().find(|span| span.span_id == id);
        of.map_or("?", |span| &span.name)
    };
    let children = trace.spans.iter().filter(|span| !span.is_root);
    let mut all: Vec<_> = children
        .map(|span| format!("{}<{}", span.name, name(span.parent_span_id)))
        .collect();
    all.sort();
    all
}

/// Runs `test` in a child process with an empty disk of 1 MiB, where it is the test named `name` (with its modules), and
/// prints the child's lines that begin with `figure`. Reports the test as skipped where no disk can be mounted.
pub(crate) fn on_a_small_disk(name: &str, figure: &str, test: impl FnOnce(&Path)) {
    with_mounts(
        name,
        r#"mount -t tmpfs -o size=1m tmpfs "$1""#,
        figure,
        test,
    );
}

/// Runs `test` in a child process, where it is the test named `name` (with its modules), after the commands of a shell
/// that mount something. Both get the path of an empty directory: `$1` in the commands. Prints the child's lines that begin
/// with `figure`. Reports the test as skipped where nothing can be mounted.
pub(crate) fn with_mounts(name: &str, commands: &str, figure: &str, test: impl FnOnce(&Path)) {
    // They are made in a mount namespace of the child's, so that no other process sees them.
    const CHILD: &str = "WATCHPOST_TEST_MOUNT";
    if let Some(directory) = std::env::var_os(CHILD) {
        return test(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let script = format!("{{ {commands}; }} || exit 99\nshift\nexec \"$@\"");
    let test = test_command(name);
    let child = Command::new("unshare")
        .args(["-m", "sh", "-c", &script, "sh"])
        .arg(directory.path())
        .arg(test.get_program())
        .args(test.get_args())
        .env(CHILD, directory.path())
        .output();
    match child {
        // `unshare` without the permission, the script without a mount, no `mount` or no shell.
        Ok(child) if matches!(child.status.code(), Some(1 | 99 | 127)) => {
            skip(name, "nothing can be mounted here");
        }
        Ok(child) => {
            let output = output_of_one_test(&child);
            let figures = output.lines().filter(|line| line.starts_with(figure));
            figures.for_each(|line| println!("{line}"));
        }
        Err(error) => skip(name, &format!("`unshare` cannot be started: {error}")),
    }
}
