//! The progress and the declared length of bodies.

use bytes::Buf;
use http::{HeaderMap, HeaderValue, header};
use http_body::{Body, Frame};

/// The result of one poll of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyProgress {
    /// This many bytes. More may follow.
    Data(usize),
    /// This many bytes, which the body reports as its last.
    LastData(usize),
    /// Trailers. They end a body: servers and clients do not poll again.
    Trailers,
    /// The end of the body.
    Ended,
    /// An error, which also ends the body.
    Broken,
}

impl BodyProgress {
    /// Classifies a frame that `body` returned. It calls the code of both.
    #[inline]
    pub(crate) fn of<B: Body>(frame: Option<&Result<Frame<B::Data>, B::Error>>, body: &B) -> Self {
        let frame = match frame {
            None => return Self::Ended,
            Some(Err(_)) => return Self::Broken,
            Some(Ok(frame)) => frame,
        };
        if frame.is_trailers() {
            return Self::Trailers;
        }
        let bytes = frame.data_ref().map_or(0, Buf::remaining);
        if body.is_end_stream() {
            Self::LastData(bytes)
        } else {
            Self::Data(bytes)
        }
    }
}

/// The length that a message's headers declare. All `Content-Length` headers must agree, and there must be no
/// `Transfer-Encoding`, which takes precedence.
pub(crate) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let first = values.next().and_then(length)?;
    let agree = values.all(|value| length(value) == Some(first));
    (agree && !headers.contains_key(header::TRANSFER_ENCODING)).then_some(first)
}

/// The value of one `Content-Length` header, if it consists of digits only.
pub(crate) fn length(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_declared_once_and_in_digits() {
        let long = u64::MAX.to_string();
        for (lengths, encoding, declared) in [
            (&["5"][..], None, Some(5)),
            (&["0"], None, Some(0)),
            (&["007"], None, Some(7)),
            (&[&long], None, Some(u64::MAX)),
            (&["5", "5"], None, Some(5)),
            (&["5", "6"], None, None),
            (&["5", "x"], None, None),
            (&["5, 5"], None, None),
            (&[""], None, None),
            (&["+5"], None, None),
            (&["-5"], None, None),
            (&["5.0"], None, None),
            (&["0x5"], None, None),
            (&["18446744073709551616"], None, None),
            (&[], None, None),
            (&["5"], Some("chunked"), None),
        ] {
            let mut headers = HeaderMap::new();
            for length in lengths {
                headers.append(header::CONTENT_LENGTH, length.parse().unwrap());
            }
            if let Some(encoding) = encoding {
                headers.insert(header::TRANSFER_ENCODING, encoding.parse().unwrap());
            }
            assert_eq!(declared_length(&headers), declared, "{lengths:?}");
        }
    }
}
