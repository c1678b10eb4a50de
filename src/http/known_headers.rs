use http::{HeaderMap, HeaderValue, header};

use crate::model::is_grpc;

/// The request headers that the layer reads, found in one pass.
#[derive(Debug, Default)]
pub(super) struct KnownHeaders<'a> {
    pub(super) traceparent: Option<&'a HeaderValue>,
    /// How many `traceparent` headers there are.
    pub(super) traceparents: u32,
    pub(super) trace_state: Option<&'a HeaderValue>,
    pub(super) baggage: Option<&'a HeaderValue>,
    pub(super) content_length: Option<&'a HeaderValue>,
    /// Whether `Transfer-Encoding` is there: the body's length is unknown.
    pub(super) is_chunked: bool,
    pub(super) user_agent: Option<&'a HeaderValue>,
    pub(super) host: Option<&'a HeaderValue>,
    /// Whether the content type is one of gRPC.
    pub(super) grpc: bool,
}

impl<'a> KnownHeaders<'a> {
    #[inline]
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
        let mut known = Self::default();
        for (name, value) in headers {
            // The length first: most headers are none of these.
            let name = name.as_str();
            match name.len() {
                4 if name == header::HOST.as_str() => known.host = Some(value),
                7 if name == "baggage" => known.baggage = Some(value),
                10 if name == "tracestate" => known.trace_state = Some(value),
                10 if name == header::USER_AGENT.as_str() => known.user_agent = Some(value),
                11 if name == "traceparent" => {
                    known.traceparents += 1;
                    known.traceparent = Some(value);
                }
                12 if name == header::CONTENT_TYPE.as_str() => {
                    known.grpc = is_grpc(value.as_bytes());
                }
                14 if name == header::CONTENT_LENGTH.as_str() => known.content_length = Some(value),
                17 if name == header::TRANSFER_ENCODING.as_str() => known.is_chunked = true,
                _ => {}
            }
        }
        known
    }
}

/// A header's value as a number of at most 19 digits.
#[inline]
pub(super) fn number(value: &HeaderValue) -> Option<u64> {
    let digits = value.as_bytes();
    let plain = !digits.is_empty() && digits.len() < 20 && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| {
        digits
            .iter()
            .fold(0, |n, digit| n * 10 + u64::from(digit - b'0'))
    })
}
