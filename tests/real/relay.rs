//! This Prometheus always prefers OpenMetrics. The relay requests the text format from the host and passes it on, so that a
//! second job reads that as well.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::routing::get;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tokio::net::TcpListener;

use crate::AnyError;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Starts the relay and writes its address to `targets`, for the file discovery of Prometheus.
pub(crate) async fn start(host: SocketAddr, targets: &Path) -> Result<String, AnyError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let response = move || async move {
        let page = text_page(host).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
        Ok::<_, StatusCode>(([(header::CONTENT_TYPE, TEXT)], page))
    };
    let app = Router::new().route("/metrics", get(response));
    tokio::spawn(async move { axum::serve(listener, app).await });

    self::targets(targets, address)?;
    Ok(address.to_string())
}

/// Writes a target for the file discovery of Prometheus.
pub(crate) fn targets(targets: &Path, address: SocketAddr) -> Result<(), AnyError> {
    // Renamed, so that Prometheus never reads an incomplete file.
    let written = targets.with_extension("new");
    let text = json!([{ "targets": [address.to_string()] }]).to_string();
    std::fs::write(&written, text)?;
    std::fs::rename(written, targets)?;
    Ok(())
}

/// Stores the host's page in the text format in a file.
pub(crate) async fn keep_page(host: SocketAddr, file: &Path) -> Result<String, AnyError> {
    let page = text_page(host).await?;
    std::fs::write(file, &page)?;
    Ok(format!("{} lines", page.lines().count()))
}

/// The host's page in the text format.
pub(crate) async fn text_page(host: SocketAddr) -> Result<String, AnyError> {
    let request = Request::get(format!("http://{host}/metrics"))
        .header(header::ACCEPT, "text/plain;version=0.0.4")
        .body(Body::empty())?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await?;
    let kind = response.headers().get(header::CONTENT_TYPE).cloned();
    if !kind
        .as_ref()
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"))
    {
        return Err(format!("the page is not in the text format but {kind:?}").into());
    }
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.into())?)
}
