//! A service on hyper alone, without a router: the layer asks a hook for the route, and the pages have
//! a port and a thread of their own.
//!
//! `cargo run --example hyper_service`, then `curl -i http://127.0.0.1:3000/hello/you`. Another address
//! is the first argument.

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
        .service(service_fn(answer));
    let pages = monitor.serve("127.0.0.1:0")?;

    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    eprintln!("hyper_service serves http://{}", listener.local_addr()?);
    eprintln!("  metrics  http://{}/metrics", pages.local_addr());

    let server = Builder::new(TokioExecutor::new());
    let connections = GracefulShutdown::new();
    let mut drained = Box::pin(monitor.drain(watchpost::shutdown_signal()));
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Mostly no file descriptor is left: wait until some are closed.
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = &mut drained => break,
        };
        let service = TowerToHyperService::new(service.clone());
        let connection = server.serve_connection(TokioIo::new(stream), service);
        // A connection that breaks is told by the requests on it.
        tokio::spawn(connections.watch(connection.into_owned()));
    }
    tokio::time::timeout(Duration::from_secs(10), connections.shutdown())
        .await
        .ok();
    eprintln!("{}", monitor.shutdown(Duration::from_secs(3)).await);
    Ok(())
}

/// The route's pattern; none for a path that this service does not know.
fn route(parts: &Parts) -> Option<Cow<'static, str>> {
    match parts.uri.path() {
        "/" => Some("/".into()),
        path if path.starts_with("/hello/") => Some("/hello/{name}".into()),
        _ => None,
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let (status, text) = match (path, path.strip_prefix("/hello/")) {
        ("/", _) => (StatusCode::OK, "say /hello/you\n".to_owned()),
        (_, Some(name)) => (StatusCode::OK, format!("hello {name}\n")),
        _ => (StatusCode::NOT_FOUND, "there is nothing here\n".to_owned()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}
