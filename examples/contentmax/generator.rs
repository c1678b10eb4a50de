//! A text generator, as an external HTTP API: its client, and a server on loopback so that the example needs no other
//! service.

use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::http::{HeaderMap, HeaderName, Method, Request, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::stream;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::time::error::Elapsed;
use tower::{Layer, Service};
use watchpost::external::{External, UrlTemplate};
use watchpost::{Monitor, MonitorGuard};

use crate::problem::Problem;

/// How long the generator may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The longest response that is read, in bytes.
const MAX_RESPONSE: usize = 64 * 1024;
/// The most lines that a story has.
const MAX_LINES: u32 = 100_000;
/// A line of a story.
const LINE: &str = "Once there was a fox that found a stone.\n";
/// Headers that belong to one connection and are not passed on.
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The model, and what 1000 of its input and output tokens cost in dollars.
const MODEL: &str = "storyteller-1";
const COST: (f64, f64) = (0.0005, 0.0015);

#[derive(Debug, Serialize, Deserialize)]
struct GenerateRequest {
    model: String,
    prompt: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct GenerateResponse {
    text: String,
    usage: Usage,
}

/// Tokens that a call used.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Usage {
    input_tokens: u64,
    output_tokens: u64,
}

impl Usage {
    fn cost(self) -> f64 {
        let thousands = |tokens: u64| tokens as f64 / 1000.0;
        thousands(self.input_tokens) * COST.0 + thousands(self.output_tokens) * COST.1
    }
}

/// A response: its status, its headers and, if it is a success, its body.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Option<GenerateResponse>,
}

type AnyError = Box<dyn Error + Send + Sync>;
type Http = hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>;

/// The client. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct Generator {
    service: External,
    client: Http,
    /// `http://host:port`
    url: Arc<str>,
}

impl Generator {
    pub(crate) fn new(url: &str, monitor: &Monitor) -> Self {
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
        Self {
            service: monitor.external("generator"),
            client: client.build_http(),
            url: url.trim_end_matches('/').into(),
        }
    }

    /// A text for `prompt`.
    pub(crate) async fn generate(&self, prompt: String) -> Result<String, Problem> {
        let model = MODEL.to_owned();
        let body = serde_json::to_vec(&GenerateRequest { model, prompt }).unwrap_or_default();
        let url = format!("{}/v1/generate", self.url);
        let mut request = Request::post(&url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .map_err(|error| bad_gateway(&error.to_string()))?;
        let call = self.service.call(Method::POST, &url);
        let call = call
            .template("/v1/generate")
            .gen_ai("text_completion", MODEL);
        call.inject(request.headers_mut());
        let reply = call.try_run_with(self.exchange(request), |call, reply| {
            let call = call.status(reply.status.as_u16()).headers(&reply.headers);
            match &reply.body {
                Some(GenerateResponse { usage, .. }) => call
                    .tokens(usage.input_tokens, usage.output_tokens)
                    .cost(usage.cost()),
                None => call,
            }
        });
        match reply.await {
            Ok(Reply {
                body: Some(body), ..
            }) => Ok(body.text),
            Ok(Reply { status, .. }) => Err(bad_gateway(&format!("it responded with {status}"))),
            Err(error) if error.is::<Elapsed>() => Err(too_slow()),
            Err(error) => Err(bad_gateway(&error.to_string())),
        }
    }

    /// Sends a request and reads the response to its end.
    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Reply, AnyError> {
        let exchange = async {
            let response = self.client.request(request).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = Limited::new(response.into_body(), MAX_RESPONSE).collect();
            let body = body.await?.to_bytes();
            let body = match status.is_success() {
                true => Some(serde_json::from_slice(&body)?),
                false => None,
            };
            Ok(Reply {
                status,
                headers,
                body,
            })
        };
        tokio::time::timeout(TIMEOUT, exchange).await?
    }

    /// Passes on the generator's response to a request for a story: its status, its headers and, as a stream, its body.
    pub(crate) async fn story(&self, method: Method, query: &str) -> Result<Response, Problem> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/v1/story?{query}", self.url))
            .extension(UrlTemplate("/v1/story".into()))
            .body(Full::default())
            .map_err(|error| bad_gateway(&error.to_string()))?;
        let mut client = self.service.client_layer().layer(self.client.clone());
        let response = tokio::time::timeout(TIMEOUT, client.call(request))
            .await
            .map_err(|_| too_slow())?
            .map_err(|error| bad_gateway(&error.to_string()))?;
        let (upstream, body) = response.into_parts();
        let mut response = Response::new(Body::new(body));
        *response.status_mut() = upstream.status;
        *response.headers_mut() = upstream.headers;
        for name in HOP_BY_HOP {
            response.headers_mut().remove(name);
        }
        Ok(response)
    }

    /// Health check: fails if the generator does not respond. Here the client layer alone records the call.
    pub(crate) async fn ping(&self) -> Result<(), String> {
        let request = Request::get(format!("{}/v1/health", self.url))
            .extension(UrlTemplate("/v1/health".into()))
            .body(Full::default())
            .map_err(|error| error.to_string())?;
        let mut client = self.service.client_layer().layer(self.client.clone());
        let exchange = async {
            let response = client.call(request).await?;
            let status = response.status();
            // The call ends with the end of the body.
            Limited::new(response.into_body(), MAX_RESPONSE)
                .collect()
                .await?;
            Ok::<_, AnyError>(status)
        };
        match tokio::time::timeout(TIMEOUT, exchange).await {
            Ok(Ok(status)) if status.is_success() => Ok(()),
            Ok(Ok(status)) => Err(format!("it responded with {status}")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no response within {TIMEOUT:?}")),
        }
    }
}

fn bad_gateway(why: &str) -> Problem {
    tracing::warn!(why, "the generator failed");
    Problem::new(StatusCode::BAD_GATEWAY, "the generator failed")
}

fn too_slow() -> Problem {
    tracing::warn!(timeout = ?TIMEOUT, "the generator took too long");
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "the generator took too long")
}

/// The generator's server, with a monitor of its own, as another service would have.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) url: String,
    monitor: MonitorGuard,
}

impl Server {
    /// Serves the API on a free loopback port until the process ends. Its spans are sent to the same receiver and continue the
    /// traces of the service.
    pub(crate) async fn start(otlp: Option<String>) -> Result<Self, Box<dyn Error>> {
        let monitor = Monitor::builder("generator").env(false).console(false);
        let monitor = match otlp {
            Some(url) => monitor.otlp_endpoint(url),
            None => monitor,
        };
        let monitor = monitor.build()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let app = Router::new()
            .route("/v1/generate", post(write))
            .route("/v1/story", get(story))
            .route("/v1/health", get(|| async { "ok" }))
            .layer(monitor.layer());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { url, monitor })
    }

    /// Sends what its monitor still has.
    pub(crate) async fn stop(self) {
        let _report = self.monitor.shutdown(Duration::from_secs(3)).await;
    }
}

/// How many texts the server writes in a minute.
const PER_MINUTE: u64 = 3000;

/// Texts that were written in the current minute. The limit is only reported.
static WRITTEN: Mutex<(u64, u64)> = Mutex::new((0, 0));

/// The headers of the rate limit, after one more text.
fn rate_limit() -> [(&'static str, String); 3] {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.unwrap_or_default().as_secs();
    let minute = seconds / 60;
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    if written.0 != minute {
        *written = (minute, 0);
    }
    written.1 += 1;
    let remaining = PER_MINUTE.saturating_sub(written.1);
    let reset = 60 - seconds % 60;
    [
        ("x-ratelimit-limit-requests", PER_MINUTE.to_string()),
        ("x-ratelimit-remaining-requests", remaining.to_string()),
        ("x-ratelimit-reset-requests", format!("{reset}s")),
    ]
}

/// Takes longer for longer prompts, and refuses a prompt that contains `overload`.
async fn write(
    axum::Json(request): axum::Json<GenerateRequest>,
) -> Result<([(&'static str, String); 3], axum::Json<GenerateResponse>), StatusCode> {
    if request.prompt.contains("overload") {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let words = request.prompt.split_whitespace().count();
    let delay = Duration::from_millis(5 + 2 * words.min(50) as u64);
    tokio::time::sleep(delay).await;
    let text = format!("Once there was {}. The end.", request.prompt.trim());
    let usage = Usage {
        input_tokens: words as u64,
        output_tokens: text.split_whitespace().count() as u64,
    };
    Ok((rate_limit(), axum::Json(GenerateResponse { text, usage })))
}

#[derive(Debug, Deserialize)]
struct Story {
    #[serde(default = "hundred")]
    lines: u32,
    /// Milliseconds before each line.
    #[serde(default)]
    ms: u64,
    /// Breaks the stream with an error after this number of lines.
    break_after: Option<u32>,
}

fn hundred() -> u32 {
    100
}

/// A story as a stream with a `content-length`.
async fn story(Query(story): Query<Story>) -> Result<Response, StatusCode> {
    let Story {
        lines,
        ms,
        break_after,
    } = story;
    if lines > MAX_LINES {
        return Err(StatusCode::BAD_REQUEST);
    }
    let body = stream::unfold(0, move |sent| async move {
        if sent == lines {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let line = if break_after == Some(sent) {
            Err(std::io::Error::other("the story breaks on purpose"))
        } else {
            Ok(LINE)
        };
        Some((line, sent + 1))
    });
    Response::builder()
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .header(header::CONTENT_LENGTH, lines as usize * LINE.len())
        .body(Body::from_stream(body))
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
