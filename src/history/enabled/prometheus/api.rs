//! Requests to Prometheus's HTTP API.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::response::ApiResponse;
use crate::error::{Error, Result};
use crate::model::catch_panic;
use crate::worker::{HttpClient, HttpResponse};

/// The maximum size of the response to a query, and of a list.
pub(super) const MAX_RESULT: usize = 32 << 20;
/// The maximum size of a response about one metric.
pub(super) const MAX_OTHER: usize = 1 << 20;
/// A larger response is parsed on the blocking pool.
const MAX_PARSED_HERE: usize = 64 << 10;
/// The maximum number of characters of a server's text in an error.
const MAX_TEXT: usize = 300;

/// A server with the API, and how to reach it.
#[derive(Debug, Clone)]
pub(super) struct QueryApi {
    pub(super) client: HttpClient,
    /// The URL without a final slash.
    pub(super) base: String,
    /// The host and port, for error texts.
    pub(super) host: String,
    pub(super) headers: HeaderMap,
}

/// The parameters of a request.
#[derive(Debug, Default)]
pub(super) struct Form(String);

impl Form {
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        push_encoded(&mut self.0, name);
        self.0.push('=');
        push_encoded(&mut self.0, value);
        self
    }
}

/// Appends a text as `application/x-www-form-urlencoded`.
fn push_encoded(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a `String` does not fail.
            let _infallible = write!(out, "%{byte:02X}");
        }
    }
}

impl QueryApi {
    /// Sends a query, whose parameters are in the body of the request: a URL may be too short for them.
    pub(super) async fn query<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        form: Form,
        until: Instant,
    ) -> Result<T> {
        let left = until.saturating_duration_since(Instant::now());
        // The server gives up when this reader does.
        let form = form.with("timeout", &format!("{}ms", left.as_millis().max(1)));
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{path}", self.base))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(form.0));
        self.send(request, until, MAX_RESULT).await
    }

    /// Reads what the server knows about its metrics, in at most `max_body` bytes.
    pub(super) async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        form: Form,
        until: Instant,
        max_body: usize,
    ) -> Result<T> {
        let request = Request::builder()
            .uri(format!("{}{path}?{}", self.base, form.0))
            .body(Bytes::new());
        self.send(request, until, max_body).await
    }

    async fn send<T: DeserializeOwned + Send + 'static>(
        &self,
        request: http::Result<Request<Bytes>>,
        until: Instant,
        max_body: usize,
    ) -> Result<T> {
        let mut request =
            request.map_err(|error| self.problem(&format!("cannot be asked: {error}")))?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        let left = until.saturating_duration_since(Instant::now());
        let left = Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        let sent = self.client.send_within(request, left, max_body);
        let response = sent
            .await
            .map_err(|cause| self.problem(&format!("did not answer: {cause}")))?;
        if !response.complete {
            return Err(self.incomplete(&response, max_body));
        }
        let body = response.body.clone();
        let parsed = if body.len() <= MAX_PARSED_HERE {
            parse(&body)
        } else {
            let api = self.clone();
            // Tokio panics if it cannot start a thread.
            let task = catch_panic(|| tokio::task::spawn_blocking(move || parse(&body)));
            let task = task.ok_or_else(|| api.problem("answered, but no thread is available"))?;
            task.await
                .map_err(|_| api.problem("answered, but the runtime is shutting down"))?
        };
        self.judge(response.status, parsed)
    }

    fn incomplete(&self, response: &HttpResponse, max_body: usize) -> Error {
        if response.body.len() < max_body {
            return self.problem("sent a part of its response only: it broke off or was too slow");
        }
        let mib = max_body >> 20;
        self.problem(&format!(
            "sent more than {mib} MiB: select or combine series, or make the step longer"
        ))
    }

    /// The data of a response, or why there is none.
    fn judge<T>(
        &self,
        status: StatusCode,
        parsed: serde_json::Result<ApiResponse<T>>,
    ) -> Result<T> {
        let parsed = match parsed {
            Ok(parsed) if parsed.status == "success" || parsed.status == "error" => parsed,
            _ => return Err(self.problem(&foreign(status))),
        };
        let warnings = parsed.warnings.join("; ");
        if parsed.status == "error" {
            let (error, kind) = (short(&parsed.error), short(&parsed.error_type));
            return Err(self.problem(&format!("reports an error ({kind}): {error}")));
        }
        if !status.is_success() {
            return Err(self.problem(&foreign(status)));
        }
        if parsed.is_partial || !warnings.is_empty() {
            let warnings = short(&warnings);
            let warnings = if warnings.is_empty() {
                "parts of it were unavailable"
            } else {
                &warnings
            };
            return Err(self.problem(&format!("has no complete result: {warnings}")));
        }
        parsed
            .data
            .ok_or_else(|| self.problem("sent a response without data"))
    }

    /// An error about this server.
    pub(super) fn problem(&self, what: &str) -> Error {
        Error::reader(format!("the Prometheus server at `{}` {what}", self.host))
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<ApiResponse<T>> {
    serde_json::from_slice(body)
}

/// What a response says that does not come from the API.
fn foreign(status: StatusCode) -> String {
    let code = status.as_u16();
    let meaning = match code {
        401 | 403 => "it refuses the credentials",
        404 | 405 => "it has no query API at this URL",
        429 => "it has too many requests",
        300..=399 => "it redirects to another URL: use that one",
        200..=299 => "it is not the JSON of the query API",
        _ => "it cannot answer now",
    };
    format!("answered with status {code}: {meaning}")
}

/// A text of the server in one line, not too long.
fn short(text: &str) -> String {
    let plain = |char: char| if char.is_control() { ' ' } else { char };
    text.chars().take(MAX_TEXT).map(plain).collect()
}
