use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};

use super::OtlpCompression;
use crate::model::DropReason;
use crate::trace::otlp::OtlpTarget;
use crate::worker::{Batch, Deliver, HttpResponse, Verdict};

/// The pause after a response that the next request would get too.
const PAUSE: Duration = Duration::from_secs(300);
/// The maximum number of characters of the receiver's message that are reported.
const MAX_WORDS: usize = 200;

/// How the bodies of a signal's requests and responses are read.
pub(crate) struct OtlpSignal {
    /// The name in notices: `traces`.
    pub(crate) name: &'static str,
    /// What to check if the receiver does not know the path.
    pub(crate) path_advice: &'static str,
    /// Splits a body, which may be compressed with gzip, in two, each with its number of items. Returns `None` if there
    /// are fewer than two items.
    pub(crate) halve: fn(body: &[u8], gzip: bool) -> Option<[(u64, Bytes); 2]>,
    /// Returns the number of items that the receiver reports as rejected, and its reason.
    pub(crate) rejected: fn(response: &[u8]) -> Option<(u64, String)>,
}

/// Posts the items of a signal and classifies the responses according to the OTLP specification.
pub(crate) struct OtlpTransport {
    signal: &'static OtlpSignal,
    url: Uri,
    headers: HeaderMap,
    gzip: bool,
}

impl OtlpTransport {
    pub(crate) fn new(target: &OtlpTarget, signal: &'static OtlpSignal) -> Self {
        let gzip = target.compression == OtlpCompression::Gzip;
        let mut headers = HeaderMap::new();
        let agent = concat!("watchpost/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        for (name, value) in &target.headers {
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
        Self {
            signal,
            url: target.url.clone(),
            headers,
            gzip,
        }
    }
}

impl Deliver for OtlpTransport {
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
            _ if status.is_success() => self.accepted(response),
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
                why: format!("it responded {}{}", status.as_u16(), self.advice(status)),
                pause: is_lasting(status).then_some(PAUSE),
            },
        }
    }

    fn split(&self, batch: &Batch) -> Option<[Batch; 2]> {
        let halves = (self.signal.halve)(&batch.body, self.gzip)?;
        Some(halves.map(|(items, body)| Batch {
            items,
            body,
            ..batch.clone()
        }))
    }
}

impl OtlpTransport {
    fn accepted(&self, response: &HttpResponse) -> Verdict {
        // A truncated response body only shows that the receiver accepted the request.
        let rejected = response
            .complete
            .then(|| (self.signal.rejected)(&response.body))
            .flatten();
        match rejected {
            None => Verdict::Delivered,
            Some((rejected, why)) => Verdict::Partial {
                rejected,
                why: plain(&why),
            },
        }
    }

    fn advice(&self, status: StatusCode) -> String {
        match status.as_u16() {
            401 | 403 => ": set the headers that it asks for in `otlp.headers`".to_owned(),
            404 | 405 => format!(": {}", self.signal.path_advice),
            _ if status.is_redirection() => ": set the endpoint to which it redirects".to_owned(),
            _ => String::new(),
        }
    }
}

/// Whether the status would be the same for every request.
fn is_lasting(status: StatusCode) -> bool {
    status.is_redirection() || matches!(status.as_u16(), 401 | 403 | 404 | 405)
}

/// Returns a receiver's message on one line.
fn plain(words: &str) -> String {
    let words = words.chars().take(MAX_WORDS);
    words
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
