//! The routes of the service.

use std::time::Duration;

use axum::body::Body;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, RawQuery, Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use opentelemetry::global;
use opentelemetry::trace::Tracer;
use serde::Deserialize;
use tokio::sync::watch;
use tower_http::services::ServeDir;
use watchpost::content::Content as GeneratedContent;
use watchpost::metrics::Counter;
use watchpost::{Monitor, ResultExt};

use crate::digests::Digests;
use crate::generator::Generator;
use crate::incident::Incident;
use crate::problem::{FromBody, FromPath, FromQuery, Problem};
use crate::store::{Content, Store, User};

/// The longest body that is read, in bytes.
const MAX_BODY: usize = 16 * 1024;
/// How long a handler may take before the response is 408.
const HANDLER_TIMEOUT: Duration = Duration::from_secs(30);

/// The page at `/`: a list of the routes.
const INDEX: &str = "\
contentmax

GET  /api/content  /api/content/7  /api/users/7  /api/search?q=rivers
POST /api/content             {\"title\": text, \"body\": text}
POST /api/content/generate    {\"prompt\": text}
POST /api/digests             starts the job that writes each user's digest
GET  /api/story?lines=100     passed on from the generator
GET  /static/about.txt  /static/export.bin
GET  /api/fail  /api/panic  /api/slow?ms=1500  /api/stream?chunks=3&ms=100  /ws/echo
GET  /metrics  /livez  /readyz  /health  /monitoring
";

/// The state that the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) monitor: Monitor,
    pub(crate) store: Store,
    pub(crate) generator: Generator,
    pub(crate) written: Counter,
    pub(crate) generated: GeneratedContent,
    pub(crate) digests: Digests,
    pub(crate) incident: Incident,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// The routes. `files` are served under `/static`.
pub(crate) fn router(api: Api, files: ServeDir) -> Router {
    Router::new()
        .route("/", get(async || INDEX))
        .route("/api/content", get(list).post(create))
        .route("/api/content/{id}", get(show))
        .route("/api/content/generate", post(generate))
        .route("/api/users/{id}", get(user))
        .route("/api/search", get(search))
        .route("/api/digests", post(digests))
        .route("/api/story", get(story))
        .nest_service("/static", files)
        .route("/api/fail", get(fail))
        .route("/api/panic", get(panic))
        .route("/api/slow", get(slow))
        .route("/api/stream", get(stream))
        .route("/ws/echo", get(echo))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(limit_time))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(api)
}

#[derive(Deserialize)]
struct Listing {
    limit: Option<u32>,
}

async fn list(
    State(api): State<Api>,
    FromQuery(Listing { limit }): FromQuery<Listing>,
) -> Result<Json<Vec<Content>>, Problem> {
    match limit.unwrap_or(20) {
        limit @ 1..=100 => Ok(Json(api.store.contents(limit).await?)),
        _ => Err(Problem::bad_request("`limit` must be from 1 to 100")),
    }
}

#[derive(Deserialize)]
struct Draft {
    title: String,
    body: String,
}

async fn create(
    State(api): State<Api>,
    FromBody(Draft { title, body }): FromBody<Draft>,
) -> Result<Response, Problem> {
    let title = text("title", title, 200)?;
    let body = text("body", body, 10_000)?;
    let content = api.store.add(title, body).await?;
    api.written.with([("contentmax.author", "user")]).add(1);
    Ok(created(content))
}

async fn show(
    State(api): State<Api>,
    FromPath(id): FromPath<i64>,
) -> Result<Json<Content>, Problem> {
    let content = api.store.content(id).await?;
    let content = content.ok_or_else(|| Problem::not_found(format!("there is no content {id}")))?;
    Ok(Json(content))
}

#[derive(Deserialize)]
struct Generate {
    prompt: String,
}

async fn generate(
    State(api): State<Api>,
    FromBody(Generate { prompt }): FromBody<Generate>,
) -> Result<Response, Problem> {
    let prompt = text("prompt", prompt, 1000)?;
    let writing = api.monitor.span("write a text");
    let writing = writing.attr("contentmax.words", prompt.split_whitespace().count() as u64);
    let body = writing.try_run(api.generator.generate(prompt.clone()));
    let body = api.generated.try_run(body).await.capture()?;
    // A library that uses plain OpenTelemetry: its span is part of the same trace.
    let titles = global::tracer("contentmax.titles");
    let title = titles.in_span("make a title", |_| prompt.chars().take(200).collect());
    let content = api.store.add(title, body).await?;
    tracing::info!(content.id = content.id, "text generated");
    api.written
        .with([("contentmax.author", "generator")])
        .add(1);
    Ok(created(content))
}

async fn user(State(api): State<Api>, FromPath(id): FromPath<i64>) -> Result<Json<User>, Problem> {
    let user = api.store.user(id).await?;
    let user = user.ok_or_else(|| Problem::not_found(format!("there is no user {id}")))?;
    Ok(Json(user))
}

#[derive(Deserialize)]
struct Search {
    q: String,
}

async fn search(
    State(api): State<Api>,
    FromQuery(Search { q }): FromQuery<Search>,
) -> Result<Json<Vec<Content>>, Problem> {
    let words = text("q", q, 200)?;
    api.incident.strike(&api.store).await?;
    Ok(Json(api.store.search(&words).await?))
}

/// Starts a run of the job. It continues after the response, in traces of its own.
async fn digests(State(api): State<Api>) -> Result<StatusCode, Problem> {
    if api.digests.start() {
        return Ok(StatusCode::ACCEPTED);
    }
    let error = "too many runs are waiting";
    Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, error))
}

/// Streams what the generator sends.
async fn story(
    State(api): State<Api>,
    method: Method,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = query.unwrap_or_default();
    api.generator.story(method, &query).await
}

async fn fail() -> Problem {
    tracing::error!("this route fails on every request");
    watchpost::capture_error(&std::io::Error::other("this route always fails"));
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this route always fails")
}

async fn panic() -> Problem {
    panic!("this route panics on every request")
}

#[derive(Deserialize)]
struct Slow {
    #[serde(default)]
    ms: u64,
}

/// Responds after `ms` milliseconds.
async fn slow(FromQuery(Slow { ms }): FromQuery<Slow>) -> Result<String, Problem> {
    if ms > 600_000 {
        return Err(Problem::bad_request("`ms` must be at most 600000"));
    }
    tokio::time::sleep(Duration::from_millis(ms)).await;
    Ok(format!("that took {ms} ms\n"))
}

#[derive(Deserialize)]
struct Flow {
    #[serde(default = "ten")]
    chunks: u32,
    #[serde(default)]
    ms: u64,
    /// Breaks the stream with an error after this number of chunks.
    break_after: Option<u32>,
}

fn ten() -> u32 {
    10
}

/// Sends `chunks` lines, one every `ms` milliseconds.
async fn stream(FromQuery(query): FromQuery<Flow>) -> Result<Body, Problem> {
    let Flow {
        chunks,
        ms,
        break_after,
    } = query;
    if chunks > 100_000 || ms > 60_000 {
        let error = "`chunks` must be at most 100000 and `ms` at most 60000";
        return Err(Problem::bad_request(error));
    }
    Ok(Body::from_stream(stream::unfold(
        0,
        move |sent| async move {
            if sent == chunks {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(ms)).await;
            let line = if break_after == Some(sent) {
                Err(std::io::Error::other("the stream breaks on purpose"))
            } else {
                Ok(format!("chunk {}\n", sent + 1))
            };
            Some((line, sent + 1))
        },
    )))
}

/// Sends each message back. The layer records the upgrade; `connection` records how long the socket stays open.
async fn echo(
    State(api): State<Api>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let connection = api.monitor.connection("/ws/echo");
    Ok(upgrade?.on_upgrade(move |socket| connection.run(echo_messages(socket, api.stopping))))
}

async fn echo_messages(mut socket: WebSocket, mut stopping: watch::Receiver<bool>) {
    loop {
        let message = tokio::select! {
            message = socket.recv() => message,
            _ = stopping.wait_for(|stopping| *stopping) => None,
        };
        let sent = match message {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                socket.send(message).await
            }
            // axum responds to pings and to close messages.
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(error),
            None => break,
        };
        if sent.is_err() {
            return;
        }
    }
    // The client may already be gone.
    let _closed = socket.send(Message::Close(None)).await;
}

async fn unknown_path(uri: Uri) -> Problem {
    Problem::not_found(format!("no route for {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let error = format!("{} does not support {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, error)
}

async fn limit_time(request: Request, next: Next) -> Response {
    let response = tokio::time::timeout(HANDLER_TIMEOUT, next.run(request)).await;
    response.unwrap_or_else(|_| {
        let error = format!("no response within {} s", HANDLER_TIMEOUT.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, error).into_response()
    })
}

fn created(content: Content) -> Response {
    let location = format!("/api/content/{}", content.id);
    let headers = [(header::LOCATION, location)];
    (StatusCode::CREATED, headers, Json(content)).into_response()
}

/// Checks that a text has 1 to `max` characters and is not blank.
fn text(name: &str, value: String, max: usize) -> Result<String, Problem> {
    if value.trim().is_empty() {
        return Err(Problem::bad_request(format!("`{name}` is empty")));
    }
    if value.chars().count() > max {
        let error = format!("`{name}` is longer than {max} characters");
        return Err(Problem::bad_request(error));
    }
    Ok(value)
}
