//! The outbound API that writes texts: its client, and, so that the example needs nobody else, a
//! server for it on loopback. In life the server is someone else's.

use std::net::{Ipv4Addr, SocketAddr};
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
use tower::{Layer, Service};
use watchpost::Monitor;
use watchpost::external::{Client, UrlTemplate};

use crate::problem::Problem;

/// How long the generator may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Ask {
    prompt: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    text: String,
}

/// The client. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct Generator {
    client: Client<hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>>,
    address: SocketAddr,
}

impl Generator {
    pub(crate) fn new(address: SocketAddr, monitor: &Monitor) -> Self {
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
        let watched = monitor.external("generator").client_layer();
        Self {
            client: watched.layer(client.build_http()),
            address,
        }
    }

    /// A text for `prompt`.
    pub(crate) async fn generate(&self, prompt: String) -> Result<String, Problem> {
        let ask = serde_json::to_vec(&Ask { prompt }).unwrap_or_default();
        let answer = self.call(Method::POST, "/v1/generate", ask).await?;
        let answer: Answer = serde_json::from_slice(&answer)
            .map_err(|error| bad_gateway(&format!("its answer cannot be read: {error}")))?;
        Ok(answer.text)
    }

    /// Whether the generator answers: a health check.
    pub(crate) async fn ping(&self) -> Result<(), String> {
        let answer = self.call(Method::GET, "/v1/health", Vec::new()).await;
        answer.map(drop).map_err(|problem| problem.to_string())
    }

    async fn call(
        &self,
        method: Method,
        path: &'static str,
        body: Vec<u8>,
    ) -> Result<Bytes, Problem> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header(header::CONTENT_TYPE, "application/json")
            .extension(UrlTemplate(path.into()))
            .body(Full::from(body))
            .map_err(|error| bad_gateway(&error.to_string()))?;
        let exchange = async {
            let response = self.client.clone().call(request).await;
            let response = response.map_err(|error| bad_gateway(&error.to_string()))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER)
                .collect()
                .await;
            let body = body.map_err(|error| bad_gateway(&error.to_string()))?;
            if status.is_success() {
                Ok(body.to_bytes())
            } else {
                Err(bad_gateway(&format!("it answered {status}")))
            }
        };
        tokio::time::timeout(TIMEOUT, exchange)
            .await
            .unwrap_or_else(|_| {
                tracing::warn!(timeout = ?TIMEOUT, "the generator took too long");
                let error = "the generator took too long";
                Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, error))
            })
    }
}

fn bad_gateway(why: &str) -> Problem {
    tracing::warn!(why, "the generator failed");
    Problem::new(StatusCode::BAD_GATEWAY, "the generator failed")
}

/// Serves the API on a free port of loopback until the process ends.
pub(crate) async fn serve() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let app = Router::new()
        .route("/v1/generate", post(write))
        .route("/v1/health", get(|| async { "ok" }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

/// Takes longer for longer prompts; a prompt with `overload` in it is refused.
async fn write(axum::Json(ask): axum::Json<Ask>) -> Result<axum::Json<Answer>, StatusCode> {
    if ask.prompt.contains("overload") {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let words = ask.prompt.split_whitespace().count().min(50);
    let thinking = Duration::from_millis(5 + 2 * words as u64);
    tokio::time::sleep(thinking).await;
    let text = format!("Once there was {}. The end.", ask.prompt.trim());
    Ok(axum::Json(Answer { text }))
}
