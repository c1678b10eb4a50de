use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::{Answer, Failure};

/// There is none: no feature that sends is on.
#[derive(Debug, Clone)]
pub(crate) enum Client {}

impl Client {
    #[expect(clippy::unused_async, reason = "as its twin")]
    pub(crate) async fn send(
        &self,
        _request: Request<Bytes>,
        _timeout: Duration,
    ) -> Result<Answer, Failure> {
        match *self {}
    }
}
