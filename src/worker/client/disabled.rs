use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::{HttpError, HttpResponse};

/// No feature that sends is enabled, so there is no client.
#[derive(Debug, Clone)]
pub(crate) enum HttpClient {}

impl HttpClient {
    #[expect(clippy::unused_async, reason = "as its twin")]
    pub(crate) async fn send(
        &self,
        _request: Request<Bytes>,
        _timeout: Duration,
    ) -> Result<HttpResponse, HttpError> {
        match *self {}
    }
}
