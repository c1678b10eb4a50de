use http::{HeaderMap, HeaderValue, header};

use crate::model::is_grpc;

/// What one pass over the request's headers finds.
#[derive(Debug, Default)]
pub(super) struct KnownHeaders<'a> {
    pub(super) traceparent: Option<&'a HeaderValue>,
    pub(super) traceparents: u32,
    pub(super) trace_state: Option<&'a HeaderValue>,
    pub(super) baggage: Option<&'a HeaderValue>,
    pub(super) content_length: Option<&'a HeaderValue>,
    /// `Transfer-Encoding` is there: a body of unknown length.
    pub(super) is_chunked: bool,
    pub(super) user_agent: Option<&'a HeaderValue>,
    pub(super) host: Option<&'a HeaderValue>,
    pub(super) grpc: bool,
}

impl<'a> KnownHeaders<'a> {
    #[inline]
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
        let mut seen = Self::default();
        for (name, value) in headers {
            // By length first: names are many and seldom ours.
            let name = name.as_str();
            match name.len() {
                4 if name == header::HOST.as_str() => seen.host = Some(value),
                7 if name == "baggage" => seen.baggage = Some(value),
                10 if name == "tracestate" => seen.trace_state = Some(value),
                10 if name == header::USER_AGENT.as_str() => seen.user_agent = Some(value),
                11 if name == "traceparent" => {
                    seen.traceparents += 1;
                    seen.traceparent = Some(value);
                }
                12 if name == header::CONTENT_TYPE.as_str() => {
                    seen.grpc = is_grpc(value.as_bytes());
                }
                14 if name == header::CONTENT_LENGTH.as_str() => seen.content_length = Some(value),
                17 if name == header::TRANSFER_ENCODING.as_str() => seen.is_chunked = true,
                _ => {}
            }
        }
        seen
    }
}

/// A header's value as a number.
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
