//! Arbitrary response headers at arbitrary times: the parsed rate limits are bounded, and invalid values are counted.
#![no_main]

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

#[path = "../../../src/external/limits/mod.rs"]
mod limits;

/// Header names; the first byte of each line selects one.
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

/// The longest duration of a limit.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

fuzz_target!(|data: &[u8]| {
    let Some((seconds, lines)) = data.split_first_chunk::<5>() else {
        return;
    };
    let [a, b, c, d, e] = *seconds;
    let seconds = Duration::from_secs(u64::from_be_bytes([0, 0, 0, 0, b, c, d, e]));
    // Clocks before the epoch as well, and long after it.
    let now = match a {
        0 => UNIX_EPOCH.checked_sub(seconds),
        a => UNIX_EPOCH.checked_add(seconds.saturating_mul(1 << (a % 16))),
    };
    let now = now.unwrap_or(UNIX_EPOCH);
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
    assert!(read.retry_after.is_none_or(|wait| wait <= LONGEST));
    let mut names = BTreeSet::new();
    for window in &read.windows {
        is_bounded(window);
        assert!(
            names.insert(window.name.clone()),
            "{} comes twice",
            window.name
        );
    }
    if values == 0 {
        assert!(read.windows.is_empty() && read.retry_after.is_none() && read.parse_errors == 0);
    }
    assert_eq!(read, limits::read(&headers, now));
    invalid_values_are_counted(headers, &read, now);
});

/// The name is short and plain, and no time is longer than a year.
fn is_bounded(window: &limits::LimitWindow) {
    assert!((1..=32).contains(&window.name.len()));
    let times = [window.reset, window.length];
    assert!(times.into_iter().flatten().all(|time| time <= LONGEST));
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
    assert!(window.name.chars().all(is_plain), "{:?}", window.name);
}

/// An invalid value of a header is counted and changes nothing else.
fn invalid_values_are_counted(
    mut headers: HeaderMap,
    read: &limits::ResponseLimits,
    now: SystemTime,
) {
    let added = [
        ("x-ratelimit-limit", "-1"),
        ("x-ratelimit-remaining", "NaN"),
        ("x-ratelimit-remaining-tokens", "1e9"),
        ("ratelimit-remaining", "99999999999999999999999"),
        ("x-ratelimit-reset", "-5"),
        ("retry-after", "31622401"),
    ];
    for (name, value) in added {
        headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    let with_more = limits::read(&headers, now);
    assert_eq!(
        with_more.parse_errors,
        read.parse_errors + added.len() as u32
    );
    // Windows have the order of the headers in the map.
    assert_eq!(with_more.windows.len(), read.windows.len());
    for window in &read.windows {
        assert!(
            with_more.windows.contains(window),
            "{window:?}: {with_more:?}"
        );
    }
    assert_eq!(with_more.retry_after, read.retry_after);
}
