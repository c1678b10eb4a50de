//! Built-in visitors: requests over real sockets at a steady rate, on every route and with every outcome.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Request;
use axum::http::request::Builder;
use futures_util::SinkExt;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_stream::StreamExt;

use crate::store::{CONTENTS, USERS};

/// The most visitors at a time; beyond that, ticks are skipped.
const MAX_VISITORS: usize = 512;
/// How long a visit may take.
const PATIENCE: Duration = Duration::from_secs(10);

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Sends `rps` requests per second to `address` until `stopping` is true.
pub(crate) async fn visit(address: SocketAddr, rps: u32, mut stopping: watch::Receiver<bool>) {
    if rps == 0 {
        return;
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let room = Arc::new(Semaphore::new(MAX_VISITORS));
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut users = Dice(0xD1B5_4A32_D192_ED03);
    let mut ticks = interval(Duration::from_secs(1) / rps);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            continue;
        };
        let visitor = Visitor {
            address,
            client: client.clone(),
            user: 1 + users.roll(USERS),
        };
        let visit = Visit::pick(&mut dice);
        tokio::spawn(async move {
            // The monitor records how a visit ends; some fail on purpose.
            let _ended = timeout(PATIENCE, visitor.go(visit)).await;
            drop(place);
        });
    }
}

/// What a visitor does.
enum Visit {
    Get(String),
    Post(&'static str, String),
    /// Disconnects before the response.
    DisconnectBefore(&'static str),
    /// Disconnects in the middle of the response.
    DisconnectWithin(&'static str),
    WebSocket,
}

impl Visit {
    fn pick(dice: &mut Dice) -> Self {
        let number = dice.roll(1000);
        match dice.roll(220) {
            0..60 => Self::Get("/api/content".into()),
            60..110 => Self::Get(format!("/api/content/{}", 1 + number % CONTENTS)),
            110..135 => Self::Get(format!("/api/users/{}", 1 + number % USERS)),
            135..150 => Self::Get(format!("/api/search?q=part+{}", number % 10)),
            150..160 => {
                let draft = format!(r#"{{"title": "Visit {number}", "body": "I was here."}}"#);
                Self::Post("/api/content", draft)
            }
            160..169 => {
                let prompt = format!(r#"{{"prompt": "a fox that found {number} stones"}}"#);
                Self::Post("/api/content/generate", prompt)
            }
            169..174 => Self::Get(format!("/api/slow?ms={}", 20 + number / 2)),
            174..179 => Self::Get("/api/stream?chunks=20&ms=10".into()),
            179..182 => Self::WebSocket,
            182..185 => Self::DisconnectBefore("/api/slow?ms=2000"),
            185..188 => Self::DisconnectWithin("/api/stream?chunks=1000&ms=10"),
            188..190 => Self::Get("/api/stream?chunks=10&ms=5&break_after=5".into()),
            190..192 => Self::Get(format!("/wp-login-{number}.php")),
            192..194 => Self::Get("/api/users/100000".into()),
            194..196 => Self::Post("/api/content", r#"{"title": "#.into()),
            196 => Self::Get("/api/content/not-a-number".into()),
            197 => {
                let prompt = r#"{"prompt": "overload, please"}"#;
                Self::Post("/api/content/generate", prompt.into())
            }
            198 => Self::Get("/api/fail".into()),
            199 => Self::Get("/api/panic".into()),
            200..208 => Self::Get("/static/about.txt".into()),
            208..210 => Self::Get("/static/not-there.txt".into()),
            210..212 => Self::DisconnectWithin("/static/export.bin"),
            212..218 => Self::Get("/api/story?lines=20&ms=5".into()),
            218 => Self::Get("/api/story?lines=20&ms=5&break_after=10".into()),
            _ => Self::Post("/api/digests", String::new()),
        }
    }
}

struct Visitor {
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    /// The user who makes the visit.
    user: u32,
}

impl Visitor {
    async fn go(&self, visit: Visit) -> Result<(), AnyError> {
        match visit {
            Visit::Get(path) => {
                self.send(Request::get(self.url(&path)), String::new())
                    .await
            }
            Visit::Post(path, body) => {
                let request = Request::post(self.url(path));
                let request = request.header("content-type", "application/json");
                self.send(request, body).await
            }
            Visit::DisconnectBefore(path) => {
                let _connection = self.open_request(path).await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok(())
            }
            Visit::DisconnectWithin(path) => {
                let mut connection = self.open_request(path).await?;
                connection.read_exact(&mut [0; 256]).await?;
                Ok(())
            }
            Visit::WebSocket => self.use_websocket().await,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn send(&self, request: Builder, body: String) -> Result<(), AnyError> {
        let request = request.header("user-agent", "contentmax-visitor");
        let request = request.header("x-user-id", self.user);
        let response = self.client.request(request.body(Full::from(body))?).await?;
        response.into_body().collect().await?;
        Ok(())
    }

    /// Sends a request over a plain connection; dropping the connection disconnects.
    async fn open_request(&self, path: &str) -> Result<TcpStream, AnyError> {
        let mut connection = TcpStream::connect(self.address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        connection.write_all(request.as_bytes()).await?;
        Ok(connection)
    }

    async fn use_websocket(&self) -> Result<(), AnyError> {
        let connection = TcpStream::connect(self.address).await?;
        let url = format!("ws://{}/ws/echo", self.address);
        let (mut socket, _) = tokio_tungstenite::client_async(url, connection).await?;
        for word in ["hello", "is there an echo?"] {
            socket.send(word.into()).await?;
            socket.next().await.transpose()?;
        }
        socket.close(None).await?;
        Ok(())
    }
}

/// Random numbers, the same in each run.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) as u32) % sides
    }
}
