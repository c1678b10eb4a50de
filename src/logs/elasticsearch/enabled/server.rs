//! Requests to the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use tokio::runtime::Handle;

use super::answer::{BulkItem, bad_request, bulk_items, whole_error};
use super::base64::encoded;
use super::nodes::ServerNodes;
use crate::clock::{Clock, Nanos};
use crate::logs::ElasticsearchConfig;
use crate::worker::{HttpClient, HttpResponse, retry_after};

/// The results of a bulk request that are asked for. All else only costs.
const BULK: &str =
    "/_bulk?filter_path=errors,error,items.*.status,items.*.error.type,items.*.error.reason";
/// The part of a request's time limit for which the server waits for its shards: three quarters. Then it answers for each
/// document, before nobody waits for the answer any more.
const SHARE_OF_SERVER: (u32, u32) = (3, 4);
/// The maximum number of bytes that are read of an answer. One with an error for each of 2,000 documents has fewer. After a
/// longer one, fewer documents are sent.
const MAX_ANSWER: usize = 4 << 20;
/// The time limit of the last requests, when the monitor shuts down.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a wait for an answer looks whether the process ends.
const LOOK: Duration = Duration::from_millis(50);

/// The server: its nodes, and how requests prove who sends them.
pub(super) struct SearchServer {
    client: HttpClient,
    nodes: ServerNodes,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    monotonic: Clock,
    /// Whether these are the last requests, and when the last one must be over, if there is a limit.
    is_ending: bool,
    ends_at: Option<Nanos>,
    /// Whether the process ends, so that no request may take long.
    interrupt: Arc<AtomicBool>,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Answer<T> {
    Done(T),
    /// Too large for the server.
    TooLarge,
    /// The connection broke off, which a request that is too large may cause as well.
    Broken(String),
    /// To be tried again later; why, in a few words.
    Failed(String),
    /// The server itself says that the request is bad.
    Bad(String),
    /// All nodes wait, or the process ends.
    Waits,
}

/// Why there is no answer.
enum NoAnswer {
    Broken(String),
    /// The process ends.
    Interrupted,
}

impl SearchServer {
    /// Once `interrupt` is set, a request in flight is given up.
    pub(super) fn new(
        config: &ElasticsearchConfig,
        client: HttpClient,
        interrupt: Arc<AtomicBool>,
    ) -> Result<Self, String> {
        let authorization = match (&config.api_key, &config.username, &config.password) {
            (Some(key), ..) => Some(format!("ApiKey {}", key.reveal())),
            (None, Some(name), password) => {
                let password = password.as_ref().map_or("", |it| it.reveal());
                Some(format!(
                    "Basic {}",
                    encoded(format!("{name}:{password}").as_bytes())
                ))
            }
            (None, None, _) => None,
        };
        let authorization = authorization.map(|text| {
            let mut value = HeaderValue::try_from(text)
                .map_err(|_| "the API key has characters that no header may have".to_owned())?;
            value.set_sensitive(true);
            Ok::<_, String>(value)
        });
        Ok(Self {
            client,
            nodes: ServerNodes::new(&config.urls),
            authorization: authorization.transpose()?,
            timeout: config.timeout,
            monotonic: Clock::system(),
            is_ending: false,
            ends_at: None,
            interrupt,
        })
    }

    /// Ends all waits, and shortens the time limit. The requests end at `ends_at`, if there is one.
    pub(super) fn end(&mut self, ends_at: Option<Nanos>) {
        self.is_ending = true;
        self.ends_at = ends_at;
        self.nodes.end_waits();
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.monotonic
    }

    pub(super) fn now(&self) -> Nanos {
        self.monotonic.now()
    }

    /// Sends a bulk request, and returns the result of each of its documents. The body is made only if a node may be asked now.
    pub(super) fn bulk(
        &mut self,
        runtime: &Handle,
        documents: usize,
        body: impl FnOnce() -> Bytes,
    ) -> Answer<Vec<BulkItem>> {
        let Some(node) = self.nodes.pick(self.now()) else {
            return Answer::Waits;
        };
        let path = bulk_path(self.request_timeout());
        let sent = self.send(runtime, node, (Method::POST, &path), body(), true);
        let response = match sent {
            Ok(response) => response,
            Err(NoAnswer::Broken(why)) => return self.broken(node, &why),
            Err(NoAnswer::Interrupted) => return Answer::Waits,
        };
        match response.status.as_u16() {
            200 if !response.complete => self.broken(node, "its answer broke off or was too long"),
            200 => match bulk_items(&response.body, documents) {
                Ok(items) => {
                    self.nodes.note_success(node);
                    Answer::Done(items)
                }
                Err(why) => self.failed(node, &response, why),
            },
            413 => Answer::TooLarge,
            status => match bad_request(status, &response.body) {
                Some(kind) => Answer::Bad(kind),
                None => self.failed(node, &response, advice(status)),
            },
        }
    }

    /// Sends a JSON body with `PUT`. The result is the kind of the error if the server refuses it for good, and `None` if it
    /// has done it.
    pub(super) fn put(
        &mut self,
        runtime: &Handle,
        path: &str,
        body: String,
    ) -> Answer<Option<String>> {
        let Some(node) = self.nodes.pick(self.now()) else {
            return Answer::Waits;
        };
        let response = match self.send(runtime, node, (Method::PUT, path), body.into(), false) {
            Ok(response) => response,
            Err(NoAnswer::Broken(why)) => return self.broken(node, &why),
            Err(NoAnswer::Interrupted) => return Answer::Waits,
        };
        let status = response.status.as_u16();
        match status {
            200..=299 => {
                self.nodes.note_success(node);
                Answer::Done(None)
            }
            429 | 500..=599 | 401 => self.failed(node, &response, advice(status)),
            _ => {
                let kind = whole_error(&response.body).unwrap_or_default();
                Answer::Done(Some(
                    format!("status {status} {kind}").trim_end().to_owned(),
                ))
            }
        }
    }

    fn broken<T>(&mut self, node: usize, why: &str) -> Answer<T> {
        let now = self.now();
        self.nodes.note_failure(node, now, None);
        Answer::Broken(format!("{}: {why}", self.nodes.url(node)))
    }

    fn failed<T>(&mut self, node: usize, response: &HttpResponse, why: &str) -> Answer<T> {
        let clock = Clock::system();
        let wall = Duration::from_nanos(clock.wall(clock.now()));
        let now = self.now();
        self.nodes
            .note_failure(node, now, retry_after(&response.headers, wall));
        let status = response.status.as_u16();
        let kind = whole_error(&response.body).map(|it| format!(" {it}"));
        let kind = kind.unwrap_or_default();
        Answer::Failed(format!(
            "{}: status {status}{kind}: {why}",
            self.nodes.url(node)
        ))
    }

    fn send(
        &self,
        runtime: &Handle,
        node: usize,
        (method, path): (Method, &str),
        body: Bytes,
        is_bulk: bool,
    ) -> Result<HttpResponse, NoAnswer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.nodes.url(node)))
            .header(
                header::USER_AGENT,
                concat!("watchpost/", env!("CARGO_PKG_VERSION")),
            );
        request = if is_bulk {
            request
                .header(header::CONTENT_TYPE, "application/x-ndjson")
                .header(header::CONTENT_ENCODING, "gzip")
        } else {
            request.header(header::CONTENT_TYPE, "application/json")
        };
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request
            .body(body)
            .map_err(|_| NoAnswer::Broken("its URL is not valid".to_owned()))?;
        let timeout = self.request_timeout();
        let (done, answer) = sync_channel(1);
        let client = self.client.clone();
        let task = runtime.spawn(async move {
            // Nobody waits for it any more if that fails.
            drop(done.send(client.send_within(request, timeout, MAX_ANSWER).await));
        });
        // A task on the worker's runtime, which is dropped with it, and a wait on this thread of the pool: a future that this
        // thread polled would panic once the runtime has ended.
        loop {
            match answer.recv_timeout(LOOK) {
                Ok(sent) => return sent.map_err(|error| NoAnswer::Broken(error.to_string())),
                Err(RecvTimeoutError::Timeout) if self.is_interrupted() => {
                    task.abort();
                    return Err(NoAnswer::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(NoAnswer::Interrupted),
            }
        }
    }

    /// The time limit of a request that begins now.
    fn request_timeout(&self) -> Duration {
        if !self.is_ending {
            return self.timeout;
        }
        let left = self.ends_at.map_or(LAST_TIMEOUT, |ends_at| {
            Duration::from_nanos(ends_at.saturating_sub(self.now())).max(LOOK)
        });
        self.timeout.min(LAST_TIMEOUT).min(left)
    }

    /// Whether a request in flight is to be given up: the process ends, and these are not the last requests.
    fn is_interrupted(&self) -> bool {
        !self.is_ending && self.interrupt.load(Relaxed)
    }
}

/// The path of a bulk request with this time limit.
fn bulk_path(timeout: Duration) -> String {
    let (part, whole) = SHARE_OF_SERVER;
    let wait = (timeout * part / whole).as_millis().max(1);
    format!("{BULK}&timeout={wait}ms")
}

/// What to do about a status.
fn advice(status: u16) -> &'static str {
    match status {
        401 => {
            "check `elasticsearch.username` and `elasticsearch.password`, or `elasticsearch.api_key`"
        }
        403 => {
            "the user or the API key may not write: give it the privileges `create_doc` and `auto_configure`"
        }
        300..=399 => "redirects are not followed: set the final URL",
        400 | 404 | 405 => "it is not an Elasticsearch or OpenSearch: check `elasticsearch.urls`",
        429 => "it has too much to do",
        _ => "it cannot answer now",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::TlsRoots;

    #[test]
    fn no_body_is_compressed_while_all_nodes_wait() {
        let config = ElasticsearchConfig::default().urls(["http://127.0.0.1:9"]);
        let client = HttpClient::new(&TlsRoots::default()).unwrap();
        let mut server = SearchServer::new(&config, client, Arc::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (now, minute) = (server.now(), Duration::from_secs(60));
        server.nodes.note_failure(0, now, Some(minute));
        let answer = server.bulk(runtime.handle(), 1, || panic!("the body is made"));
        assert!(matches!(answer, Answer::Waits));
    }
}
