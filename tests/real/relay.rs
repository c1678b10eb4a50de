//! A scraper of this Prometheus always asks for the other form first. The relay asks the host for the text
//! form and hands that on, so that a second job reads it too.

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

/// Starts the relay and writes where it is into `targets`, for Prometheus' file discovery.
pub(crate) async fn start(host: SocketAddr, targets: &Path) -> Result<String, AnyError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let answer = move || async move {
        let page = text_page(host).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
        Ok::<_, StatusCode>(([(header::CONTENT_TYPE, TEXT)], page))
    };
    let app = Router::new().route("/metrics", get(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });

    self::targets(targets, address)?;
    Ok(address.to_string())
}

/// Writes what is to be read for Prometheus' file discovery.
pub(crate) fn targets(targets: &Path, address: SocketAddr) -> Result<(), AnyError> {
    // Renamed, so that it is never read half written.
    let written = targets.with_extension("new");
    let text = json!([{ "targets": [address.to_string()] }]).to_string();
    std::fs::write(&written, text)?;
    std::fs::rename(written, targets)?;
    Ok(())
}

/// Leaves the host's page in the text form in a file.
pub(crate) async fn keep_page(host: SocketAddr, file: &Path) -> Result<String, AnyError> {
    let page = text_page(host).await?;
    std::fs::write(file, &page)?;
    Ok(format!("{} lines", page.lines().count()))
}

/// The host's page in the text form.
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
        return Err(format!("asked for text, the page is {kind:?}").into());
    }
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.into())?)
}
