//! The outbound API that writes texts: its client, and, so that the example needs nobody else, a
//! server for it on loopback. In life the server is someone else's.

use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{Method, Request, StatusCode, header};
use axum::routing::{get, post};
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
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// The model that is asked, and what a thousand of its tokens cost, going in and coming out, in dollars.
pub(crate) const MODEL: &str = "storyteller-1";
const COST: (f64, f64) = (0.0005, 0.0015);

#[derive(Debug, Serialize, Deserialize)]
struct Ask {
    model: String,
    prompt: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
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

/// What came back: a status, and what was read of the body.
struct Reply {
    status: StatusCode,
    answer: Option<Answer>,
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
        let ask = serde_json::to_vec(&Ask { model, prompt }).unwrap_or_default();
        let url = format!("{}/v1/generate", self.url);
        let mut request = Request::post(&url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(ask))
            .map_err(|error| bad_gateway(&error.to_string()))?;
        let call = self.service.call(Method::POST, &url);
        let call = call
            .template("/v1/generate")
            .gen_ai("text_completion", MODEL);
        call.inject(request.headers_mut());
        let reply = call.try_run_with(self.exchange(request), |call, reply| {
            let call = call.status(reply.status.as_u16());
            match &reply.answer {
                Some(Answer { usage, .. }) => call
                    .tokens(usage.input_tokens, usage.output_tokens)
                    .cost(usage.cost()),
                None => call,
            }
        });
        match reply.await {
            Ok(Reply {
                answer: Some(answer),
                ..
            }) => Ok(answer.text),
            Ok(Reply { status, .. }) => Err(bad_gateway(&format!("it answered {status}"))),
            Err(error) if error.is::<Elapsed>() => {
                tracing::warn!(timeout = ?TIMEOUT, "the generator took too long");
                let error = "the generator took too long";
                Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, error))
            }
            Err(error) => Err(bad_gateway(&error.to_string())),
        }
    }

    /// Sends a request and reads the whole answer.
    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Reply, AnyError> {
        let exchange = async {
            let response = self.client.request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect();
            let body = body.await?.to_bytes();
            let answer = match status.is_success() {
                true => Some(serde_json::from_slice(&body)?),
                false => None,
            };
            Ok(Reply { status, answer })
        };
        tokio::time::timeout(TIMEOUT, exchange).await?
    }

    /// Whether the generator answers: a health check, through a client that needs no more than the layer around it.
    pub(crate) async fn ping(&self) -> Result<(), String> {
        let request = Request::get(format!("{}/v1/health", self.url))
            .extension(UrlTemplate("/v1/health".into()))
            .body(Full::default())
            .map_err(|error| error.to_string())?;
        let mut client = self.service.client_layer().layer(self.client.clone());
        let answer = tokio::time::timeout(TIMEOUT, client.call(request)).await;
        match answer {
            Ok(Ok(answer)) if answer.status().is_success() => Ok(()),
            Ok(Ok(answer)) => Err(format!("it answered {}", answer.status())),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {TIMEOUT:?}")),
        }
    }
}

fn bad_gateway(why: &str) -> Problem {
    tracing::warn!(why, "the generator failed");
    Problem::new(StatusCode::BAD_GATEWAY, "the generator failed")
}

/// The generator's own server, with a monitor of its own: in life it is somebody else's.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) url: String,
    monitor: MonitorGuard,
}

impl Server {
    /// Serves the API on a free port of loopback until the process ends. Its traces go where the service's go, and
    /// are parts of theirs.
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
            .route("/v1/health", get(|| async { "ok" }))
            .layer(monitor.layer());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { url, monitor })
    }

    /// Hands over what its monitor holds.
    pub(crate) async fn stop(self) {
        // What became of it is its own team's.
        let _report = self.monitor.shutdown(Duration::from_secs(3)).await;
    }
}

/// Takes longer for longer prompts; a prompt with `overload` in it is refused.
async fn write(axum::Json(ask): axum::Json<Ask>) -> Result<axum::Json<Answer>, StatusCode> {
    if ask.prompt.contains("overload") {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let words = ask.prompt.split_whitespace().count();
    let thinking = Duration::from_millis(5 + 2 * words.min(50) as u64);
    tokio::time::sleep(thinking).await;
    let text = format!("Once there was {}. The end.", ask.prompt.trim());
    let usage = Usage {
        input_tokens: words as u64,
        output_tokens: text.split_whitespace().count() as u64,
    };
    Ok(axum::Json(Answer { text, usage }))
}
