//! Any headers at any time, as those of an answer: what is read is bounded, and rubbish is counted.
#![no_main]

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

#[path = "../../../src/external/limits/mod.rs"]
mod limits;

/// Names, of which each line's first byte chooses one.
const NAMES: [&str; 20] = [
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-reset-after",
    "x-ratelimit-used",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests",
    "x-rate-limit-limit",
    "x-rate-limit-reset",
    "x-ratelimit-limit-minute",
    "x-ratelimit-remaining-day",
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-tokens-reset",
    "retry-after",
];

fuzz_target!(|data: &[u8]| {
    let Some((seconds, lines)) = data.split_first_chunk::<5>() else {
        return;
    };
    let [a, b, c, d, e] = *seconds;
    let now = UNIX_EPOCH + Duration::from_secs(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]));
    let (mut headers, mut values) = (HeaderMap::new(), 0);
    for line in lines.split(|byte| *byte == b'\n') {
        let Some((name, value)) = line.split_first() else {
            continue;
        };
        let name = HeaderName::from_static(NAMES[usize::from(*name) % NAMES.len()]);
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
            values += 1;
        }
    }
    let read = limits::read(&headers, now);
    assert!(read.windows.len() <= 8);
    let mut names = BTreeSet::new();
    for window in &read.windows {
        assert!(window.name.len() <= 32);
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
        assert!(window.name.chars().all(is_plain), "{:?}", window.name);
        assert!(
            names.insert(window.name.clone()),
            "{} comes twice",
            window.name
        );
    }
    if values == 0 {
        assert!(read.windows.is_empty() && read.retry_after.is_none() && read.rubbish == 0);
    }
    assert_eq!(read, limits::read(&headers, now));
});
