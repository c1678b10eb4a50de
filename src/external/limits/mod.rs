//! Reads the rate limits that an HTTP answer tells of.
//!
//! Known are the IETF's `RateLimit` and `RateLimit-Policy` in their present and older forms, the
//! `X-RateLimit-*` family in its common spellings, Anthropic's, and `Retry-After`. What cannot be read is
//! counted and else ignored.

mod clock_time;
mod gathered;
mod list;
mod names;
mod number;
mod told;
mod when;

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use self::gathered::Gathered;

/// Windows kept of one answer.
const MAX_WINDOWS: usize = 8;
/// Longer values are refused unread.
const MAX_VALUE: usize = 1024;

/// One window of a service's limit, as an answer told it.
#[expect(clippy::struct_field_names, reason = "its length is called so")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    /// `default`, a policy's name, `requests`, `minute` and so on: at most 32 bytes of `a-z0-9_.-`.
    pub(crate) name: Box<str>,
    pub(crate) limit: Option<u64>,
    pub(crate) remaining: Option<u64>,
    /// From now; zero where it is over.
    pub(crate) reset: Option<Duration>,
    /// The policy's length.
    pub(crate) window: Option<Duration>,
}

/// What an answer told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Read {
    /// At most 8, each name once; further ones are left out.
    pub(crate) windows: Vec<Window>,
    pub(crate) retry_after: Option<Duration>,
    /// Values that could not be read.
    pub(crate) rubbish: u32,
}

/// Reads the limits of an answer that arrived at `now`. Nothing is allocated where there are none.
pub(crate) fn read(headers: &HeaderMap, now: SystemTime) -> Read {
    let mut gathered = Gathered::new(now);
    for (name, value) in headers {
        if let Some(header) = names::header(name.as_str()) {
            gathered.take(header, value.as_bytes());
        }
    }
    gathered.finish()
}

#[cfg(test)]
mod tests;
