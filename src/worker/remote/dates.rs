use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// The longest wait that a receiver can request.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(3600);

/// The wait that `Retry-After` requests, in whole seconds or until an HTTP date, at most an hour. `None` without a
/// valid header. `wall` is the time since the Unix epoch.
pub(crate) fn retry_after(headers: &HeaderMap, wall: Duration) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // A number that does not fit requests a very long wait.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        // A date in the past requests no wait.
        let since_epoch = date.duration_since(UNIX_EPOCH).unwrap_or_default();
        since_epoch.saturating_sub(wall)
    };
    Some(wait.min(MAX_WAIT))
}

/// The seconds by which `wall`, the time since the Unix epoch, is ahead of the receiver's `Date`; negative if it is
/// behind.
pub(super) fn clock_ahead(headers: &HeaderMap, wall: Duration) -> Option<i64> {
    let text = headers.get(DATE)?.to_str().ok()?.trim();
    let date = httpdate::parse_http_date(text).ok()?;
    let theirs = date.duration_since(UNIX_EPOCH).ok()?;
    Some(wall.as_secs().cast_signed() - theirs.as_secs().cast_signed())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_bounded() {
        // Sun, 06 Nov 1994 08:49:37 GMT.
        let wall = Duration::from_secs(784_111_777);
        for (text, seconds) in [
            ("0", Some(0)),
            ("7", Some(7)),
            (" 120 ", Some(120)),
            ("3600", Some(3600)),
            ("315360000", Some(3600)),
            ("99999999999999999999999999", Some(3600)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:07 GMT", Some(30)),
            ("Sun Nov  6 08:49:47 1994", Some(10)),
            ("Sun, 06 Nov 1988 08:49:37 GMT", Some(0)),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(3600)),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            let wait = retry_after(&headers, wall).map(|wait| wait.as_secs());
            assert_eq!(wait, seconds, "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), wall), None);
    }

    #[test]
    fn the_receivers_clock_is_compared() {
        let wall = Duration::from_secs(784_111_777);
        for (text, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 10:49:37 GMT", Some(-7200)),
            ("yesterday", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, HeaderValue::from_str(text).unwrap());
            assert_eq!(clock_ahead(&headers, wall), seconds, "{text:?}");
        }
        assert_eq!(clock_ahead(&HeaderMap::new(), wall), None);
    }
}
