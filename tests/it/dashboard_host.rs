//! A host with the dashboard on a real port, and a client that sends exactly what a test says.

use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::task::{Context, Waker};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::routing::get;
use http::{HeaderMap, Request, StatusCode};
use tower::ServiceExt;
use watchpost::testing::Harness;
use watchpost::{Access, Monitor, MonitorBuilder};

pub(crate) const TOKEN: &str = "Zq7Rf2Lw9Xk4Tn8Vb3Mc6Hd1Js5Pg0Qy";
pub(crate) const VIEWER: &str = "Hd1Js5Pg0QyZq7Rf2Lw9Xk4Tn8Vb3Mc6";

/// A host that serves its router with the addresses of clients.
pub(crate) struct Host {
    pub(crate) harness: Harness,
    pub(crate) address: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Host {
    fn drop(&mut self) {
        // A plain drop would wait, which an asynchronous test may not.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}", self.body))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The cookie that a login sets, as a request sends it.
    pub(crate) fn cookie(&self) -> String {
        let set = self.headers["set-cookie"].to_str().unwrap();
        set.split(';').next().unwrap().to_owned()
    }
}

/// A route that succeeds, one that fails with a captured error, and the dashboard of the settings.
pub(crate) fn shop(harness: &Harness) -> Router {
    let monitor = Monitor::clone(harness);
    Router::new()
        .route("/orders/{id}", get(|| async { "an order" }))
        .route(
            "/broken",
            get(|| async move {
                monitor.capture_error(&std::io::Error::other("the shelf is empty"));
                StatusCode::INTERNAL_SERVER_ERROR
            }),
        )
        .merge(harness.dashboard(Access::from_settings()))
}

impl Host {
    pub(crate) fn with_token() -> Self {
        Self::start(
            |builder| builder.access_token(TOKEN).access_viewer_token(VIEWER),
            |router| router,
        )
    }

    /// Sends a change by an operator, and drops the response after its first poll: the job of the change has begun then,
    /// and has mostly not ended.
    pub(crate) fn post_and_leave(&self, path: &str, body: &serde_json::Value) {
        let request = Request::post(format!("/monitoring/{path}"))
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/json")
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000))))
            .body(Body::from(body.to_string()))
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let _entered = runtime.enter();
        let router: Router = self.harness.dashboard(Access::from_settings());
        let mut response = Box::pin(router.oneshot(request));
        let polled = response
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        drop(polled);
    }

    /// Starts a host with the dashboard of the settings.
    pub(crate) fn start(
        configure: impl FnOnce(MonitorBuilder) -> MonitorBuilder,
        route: impl FnOnce(Router) -> Router,
    ) -> Self {
        Self::serve(configure, |harness| {
            route(Router::new().merge(harness.dashboard(Access::from_settings())))
        })
    }

    pub(crate) fn serve(
        configure: impl FnOnce(MonitorBuilder) -> MonitorBuilder,
        router: impl FnOnce(&Harness) -> Router,
    ) -> Self {
        Self::of(Harness::in_real_time(configure), router)
    }

    /// Serves the router of a harness, which may have a driven clock.
    pub(crate) fn of(harness: Harness, router: impl FnOnce(&Harness) -> Router) -> Self {
        let app = router(&harness).layer(harness.layer());
        let app: IntoMakeServiceWithConnectInfo<Router, SocketAddr> =
            app.into_make_service_with_connect_info();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
        Self {
            harness,
            address,
            runtime: Some(runtime),
        }
    }

    /// Sends a request. `headers` are added to those of HTTP/1.1; without one, `Host` is the address.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "connection") {
            request += "connection: close\r\n";
        }
        if !headers.iter().any(|(name, _)| *name == "host") {
            request += &format!("host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("content-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = Vec::new();
        // A connection that is upgraded stays open: its head is enough.
        let mut byte = [0];
        while !response.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
            response.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&response).into_owned();
        let mut lines = head.lines();
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers: HeaderMap = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| {
                (
                    name.parse::<http::HeaderName>().unwrap(),
                    value.parse().unwrap(),
                )
            })
            .collect();
        let length = headers
            .get("content-length")
            .and_then(|it| it.to_str().ok());
        let length = length.map_or(u64::MAX, |it| it.parse().unwrap());
        let mut body = Vec::new();
        if status != StatusCode::SWITCHING_PROTOCOLS && method != "HEAD" {
            stream.take(length).read_to_end(&mut body).unwrap();
        }
        Answer {
            status,
            headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", &format!("/monitoring/{path}"), headers, "")
    }

    /// Sends a request as a page of the dashboard does, in a browser that says where a request comes from.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let origin = format!("http://{}", self.address);
        let mut all = vec![
            ("content-type", "application/json"),
            ("sec-fetch-site", "same-origin"),
            ("origin", origin.as_str()),
        ];
        all.retain(|(name, _)| !headers.iter().any(|(other, _)| name == other));
        all.extend(headers.iter().filter(|(_, value)| *value != "-"));
        self.send("POST", &format!("/monitoring/{path}"), &all, body)
    }

    pub(crate) fn log_in(&self, token: &str) -> Answer {
        self.post("login", &[], &format!("{{\"token\":\"{token}\"}}"))
    }
}
