use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};

use super::body;
use crate::model::DropReason;
use crate::worker::{Batch, Deliver, HttpResponse, Verdict};

/// The pause after a response that the next request would get too.
const PAUSE: Duration = Duration::from_secs(300);
/// The maximum number of characters of the receiver's message that are reported.
const MAX_WORDS: usize = 200;

/// Posts traces and classifies the responses according to the OTLP specification.
pub(super) struct TraceTransport {
    url: Uri,
    headers: HeaderMap,
    gzip: bool,
}

impl TraceTransport {
    pub(super) fn new(url: Uri, extra: &[(HeaderName, HeaderValue)], gzip: bool) -> Self {
        let mut headers = HeaderMap::new();
        let agent = concat!("watchpost/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        for (name, value) in extra {
            headers.insert(name, value.clone());
        }
        // Set after the configured headers, which must not override the description of the body.
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-protobuf"),
        );
        headers.remove(CONTENT_ENCODING);
        if gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Self { url, headers, gzip }
    }
}

impl Deliver for TraceTransport {
    fn request(&self, batch: &Batch) -> Request<Bytes> {
        let mut request = Request::new(batch.body.clone());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    fn judge(&self, _batch: &Batch, response: &HttpResponse) -> Verdict {
        let status = response.status;
        match status {
            _ if status.is_success() => accepted(response),
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Verdict::Retry {
                after: response.retry_after,
                why: format!("it responded {}", status.as_u16()),
            },
            StatusCode::PAYLOAD_TOO_LARGE => Verdict::Split,
            _ => Verdict::Refused {
                reason: DropReason::SendError,
                why: format!("it responded {}{}", status.as_u16(), advice(status)),
                pause: is_lasting(status).then_some(PAUSE),
            },
        }
    }

    fn split(&self, batch: &Batch) -> Option<[Batch; 2]> {
        let halves = body::halve(&batch.body, self.gzip)?;
        Some(halves.map(|(items, body)| Batch {
            items,
            body,
            ..batch.clone()
        }))
    }
}

fn accepted(response: &HttpResponse) -> Verdict {
    // A truncated response body only shows that the receiver accepted the request.
    let rejected = response
        .complete
        .then(|| body::rejected(&response.body))
        .flatten();
    match rejected {
        None => Verdict::Delivered,
        Some((rejected, why)) => Verdict::Partial {
            rejected,
            why: plain(&why),
        },
    }
}

/// Whether the status would be the same for every request.
fn is_lasting(status: StatusCode) -> bool {
    status.is_redirection() || matches!(status.as_u16(), 401 | 403 | 404 | 405)
}

fn advice(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => ": set the headers that it asks for in `otlp.headers`",
        404 | 405 => {
            ": check the path of the endpoint; to `otlp.endpoint` is added `/v1/traces`, `otlp.traces_endpoint` is used as it is"
        }
        _ if status.is_redirection() => ": set the endpoint to which it redirects",
        _ => "",
    }
}

/// Returns a receiver's message on one line.
fn plain(words: &str) -> String {
    let words = words.chars().take(MAX_WORDS);
    words
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
