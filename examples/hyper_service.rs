//! A service on hyper without a router: a hook names the route of each request, and the monitor's pages have a port and a
//! thread of their own.
//!
//! ```text
//! $ cargo run --example hyper_service
//! hyper_service listens on http://127.0.0.1:3000
//!   metrics  http://127.0.0.1:43697/metrics
//! $ curl http://127.0.0.1:3000/hello/you
//! hello you
//! $ curl -s http://127.0.0.1:43697/metrics | grep request_duration_seconds_count
//! http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",
//!   http_route="/hello/{name}",network_protocol_version="1.1",url_scheme="http",watchpost_outcome="completed"} 1
//! ```
//!
//! The first argument sets another address.

use std::borrow::Cow;
use std::convert::Infallible;
use std::time::Duration;

use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};
use watchpost::Monitor;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let monitor = Monitor::builder("hyper-service").install()?;
    let service = ServiceBuilder::new()
        .layer(monitor.layer().route(route))
        .service(service_fn(handle));
    let pages = monitor.serve("127.0.0.1:0")?;

    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    eprintln!("hyper_service listens on http://{}", listener.local_addr()?);
    eprintln!("  metrics  http://{}/metrics", pages.local_addr());

    let server = Builder::new(TokioExecutor::new());
    let connections = GracefulShutdown::new();
    let mut drained = Box::pin(monitor.drain(watchpost::shutdown_signal()));
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Usually the process is out of file descriptors: wait until some are closed.
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = &mut drained => break,
        };
        let service = TowerToHyperService::new(service.clone());
        let connection = server.serve_connection(TokioIo::new(stream), service);
        // The result is not needed: a connection that breaks shows in the outcomes of its requests.
        tokio::spawn(connections.watch(connection.into_owned()));
    }
    let closed = tokio::time::timeout(Duration::from_secs(10), connections.shutdown()).await;
    if closed.is_err() {
        eprintln!("some connections are still open after 10 s");
    }
    eprintln!("{}", monitor.shutdown(Duration::from_secs(3)).await);
    Ok(())
}

/// The route of a request, or `None` if this service has no such path.
fn route(parts: &Parts) -> Option<Cow<'static, str>> {
    match parts.uri.path() {
        "/" => Some("/".into()),
        path if path.starts_with("/hello/") => Some("/hello/{name}".into()),
        _ => None,
    }
}

async fn handle(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let (status, text) = match (path, path.strip_prefix("/hello/")) {
        ("/", _) => (StatusCode::OK, "try /hello/you\n".to_owned()),
        (_, Some(name)) => (StatusCode::OK, format!("hello {name}\n")),
        _ => (StatusCode::NOT_FOUND, "not found\n".to_owned()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}
