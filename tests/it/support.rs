//! What the tests share.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use watchpost::testing::Harness;

/// The trace id of the recommendation's example.
pub(crate) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

pub(crate) fn get_request(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::empty()).unwrap()
}

/// Sends a request and reads its answer to the end.
pub(crate) async fn send(app: &Router, request: Request<Body>) -> Answer {
    let (head, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    Answer {
        status: head.status,
        headers: head.headers,
        body,
    }
}

/// What the future comes to, if it does so in time; it is dropped otherwise.
pub(crate) async fn within<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(time, future).await.ok()
}

/// The lines written so far, each read as JSON.
pub(crate) fn json_lines(harness: &Harness) -> Vec<Value> {
    let lines = harness.lines();
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

/// Whole lines among what a receiver got.
pub(crate) fn whole_lines(got: &[u8]) -> u64 {
    let lines = got.split_inclusive(|byte| *byte == b'\n');
    let whole =
        lines.filter(|line| line.ends_with(b"\n") && serde_json::from_slice::<Value>(line).is_ok());
    whole.count() as u64
}

/// One answer over a connection of its own, with the time that it took.
pub(crate) fn ask(address: SocketAddr, path: &str, headers: &str) -> (String, Duration) {
    let start = Instant::now();
    let mut client = TcpStream::connect(address).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(
        client,
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    (answer, start.elapsed())
}

/// Runs a test again in a process that sees an empty disk of 1 MiB, where such a one can be mounted, and prints its
/// figures, which begin as `figure` says; why it could not run, if so. `name` is the test's whole name.
pub(crate) fn on_a_small_disk(
    name: &str,
    figure: &str,
    test: impl FnOnce(&Path),
) -> Result<(), String> {
    // Mounts need a process of their own, so that nobody else sees them.
    const CHILD: &str = "WATCHPOST_TEST_DISK";
    const MOUNT: &str = r#"mount -t tmpfs -o size=1m tmpfs "$1" || exit 99
exec "$0" --exact "$2" --nocapture"#;
    if let Some(disk) = std::env::var_os(CHILD) {
        test(Path::new(&disk));
        // What its caller does beside is the parent's.
        std::process::exit(0);
    }
    let disk = tempfile::tempdir().unwrap();
    let child = Command::new("unshare")
        .args(["-m", "sh", "-c", MOUNT])
        .args([std::env::current_exe().unwrap().as_path(), disk.path()])
        .arg(name)
        .env(CHILD, disk.path())
        .output();
    match child {
        Ok(child) if child.status.success() => {
            let said = String::from_utf8_lossy(&child.stdout);
            let figures = said.lines().filter(|line| line.starts_with(figure));
            figures.for_each(|line| println!("{line}"));
            Ok(())
        }
        Ok(child) if matches!(child.status.code(), Some(1 | 99 | 127)) => {
            Err("no disk can be mounted here".to_owned())
        }
        Ok(child) => panic!("{child:?}"),
        Err(error) => Err(format!("there is no `unshare` here ({error})")),
    }
}
