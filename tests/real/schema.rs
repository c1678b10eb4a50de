//! The events of a host as they are sent, for Sentry's own normalizer.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::host::Host;
use crate::web::Web;
use crate::{AnyError, Place, until};

/// The number of requests whose handler fails, and of those whose handler panics.
const TURNS: usize = 5;

/// Writes the events of errors and panics to `events.jsonl`, one in each line.
pub(crate) async fn keep_events(place: &Place) -> Result<String, AnyError> {
    let kept: Arc<Mutex<Vec<Bytes>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let envelope = post(async move |body: Bytes| {
        keep.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(body);
        "{}"
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let dsn = format!("http://0123456789abcdef@{}/1", listener.local_addr()?);
    let router = Router::new().route("/api/1/envelope/", envelope);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let host = Host::start(place, "schema", &[("SENTRY_DSN", &dsn)]).await?;
    let web = Web::default();
    for _ in 0..TURNS {
        for (method, path, body) in [
            ("GET", "/api/panic?token=abc", ""),
            ("POST", "/api/content/generate", r#"{"prompt":"overload"}"#),
        ] {
            let request = Request::builder()
                .method(method)
                .uri(format!("http://{}{path}", host.address))
                .header("user-agent", "schema")
                .header("content-type", "application/json")
                .body(Body::from(body))?;
            // A panic closes the connection.
            let _answer = web.send(request).await;
        }
    }
    let events = || -> Result<Vec<Value>, AnyError> {
        let kept = kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        kept.iter().map(|envelope| event(envelope)).collect()
    };
    let seen = until(async || match events()?.len() {
        n if n >= 2 * TURNS => Ok(format!("{n} events")),
        n => Err(format!("{n} events came").into()),
    })
    .await?;
    host.end().await?;
    server.abort();
    let mut lines = String::new();
    for event in events()? {
        writeln!(lines, "{event}")?;
    }
    std::fs::write(place.dir.join("events.jsonl"), lines)?;
    Ok(seen)
}

/// The event in an envelope: the third line.
fn event(envelope: &[u8]) -> Result<Value, AnyError> {
    let text = std::str::from_utf8(envelope)?;
    let line = text.lines().nth(2).ok_or("an envelope without an item")?;
    Ok(serde_json::from_str(line)?)
}
