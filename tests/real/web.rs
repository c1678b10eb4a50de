//! An HTTP client that reads complete responses.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::AnyError;

/// A client. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct Web(Client<HttpConnector, Body>);

#[derive(Debug)]
pub(crate) struct WebResponse {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Default for Web {
    fn default() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }
}

impl Web {
    pub(crate) async fn send(&self, request: Request<Body>) -> Result<WebResponse, AnyError> {
        let response = self.0.request(request).await?;
        let (parts, body) = response.into_parts();
        Ok(WebResponse {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.collect().await?.to_bytes(),
        })
    }

    pub(crate) async fn get(&self, url: String) -> Result<WebResponse, AnyError> {
        self.send(Request::get(url).body(Body::empty())?).await
    }
}

impl WebResponse {
    pub(crate) fn trace(&self) -> Result<&str, AnyError> {
        let trace = self.headers.get("x-trace-id");
        Ok(trace.ok_or("a response has no x-trace-id")?.to_str()?)
    }
}
