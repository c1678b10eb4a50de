//! Parses the rate limits in the headers of an HTTP response.
//!
//! Understood are the IETF's `RateLimit` and `RateLimit-Policy` in their current and older forms, the `X-RateLimit-*`
//! family in its common spellings, Anthropic's headers, and `Retry-After`. A value that cannot be parsed is counted
//! and otherwise ignored.

mod collect;
mod duration;
mod list;
mod names;
mod number;
mod rfc3339;
mod window;

use std::time::SystemTime;

use http::HeaderMap;

use self::collect::LimitCollector;
pub(crate) use self::window::{LimitWindow, ResponseLimits};

/// Parses the limits of a response that arrived at `now`. Allocates nothing if there are none.
pub(crate) fn read(headers: &HeaderMap, now: SystemTime) -> ResponseLimits {
    let mut collector = LimitCollector::new(now);
    for (name, value) in headers {
        if let Some(header) = names::header(name.as_str()) {
            collector.add(header, value.as_bytes());
        }
    }
    collector.finish()
}

#[cfg(test)]
mod tests;
