//! How long the server wants no errors.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;

use crate::clock::{Clock, Nanos, nanos};

/// The longest that a server is believed.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The limit that holds. Of two the longer counts; it goes by a clock that nothing sets back.
#[derive(Debug)]
pub(super) struct RateLimits {
    clock: Clock,
    until: Mutex<Nanos>,
}

impl RateLimits {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            until: Mutex::new(0),
        }
    }

    /// Takes in what an answer asks for.
    pub(super) fn hear(&self, headers: &HeaderMap) {
        let asked = headers
            .get_all("x-sentry-rate-limits")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(for_errors);
        if let Some(longest) = asked.max() {
            self.hold(longest);
        }
    }

    pub(super) fn hold(&self, wait: Duration) {
        let until = self.clock.now().saturating_add(nanos(wait.min(LONGEST)));
        let mut now = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *now = until.max(*now);
    }

    /// How long nothing is to be sent.
    pub(super) fn left(&self) -> Option<Duration> {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.checked_sub(self.clock.now())?;
        (left > 0).then(|| Duration::from_nanos(left))
    }
}

/// The seconds of one limit, `seconds:categories:..`, if it is one for errors: no category means all.
fn for_errors(limit: &str) -> Option<Duration> {
    let mut parts = limit.trim().split(':');
    let seconds: f64 = parts.next()?.trim().parse().ok()?;
    let categories = parts.next()?.trim();
    let ours = categories.is_empty() || categories.split(';').any(|it| it.trim() == "error");
    (ours && seconds.is_finite() && seconds >= 0.0)
        .then(|| Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn limits_of_our_category_hold_and_the_longer_wins() {
        for (text, seconds) in [
            ("60:error:key", Some(60)),
            ("60::organization", Some(60)),
            (
                "60:transaction;error:key, 2700:error:organization",
                Some(2700),
            ),
            ("86400:transaction;span:organization", None),
            ("60:default;security:key:quota", None),
            ("soon:error:key", None),
            ("-5:error:key", None),
            ("60", None),
            ("", None),
            ("1e300:error:key", Some(86_400)),
        ] {
            let clock = Clock::driven(Duration::ZERO);
            let limits = RateLimits::new(clock.clone());
            let mut headers = HeaderMap::new();
            headers.insert("x-sentry-rate-limits", HeaderValue::from_static(text));
            limits.hear(&headers);
            let left = limits.left().map(|left| left.as_secs());
            assert_eq!(left, seconds, "{text}");
            limits.hold(Duration::from_secs(1));
            let longer = seconds.unwrap_or(0).max(1);
            assert_eq!(limits.left(), Some(Duration::from_secs(longer)));
            clock.advance(Duration::from_secs(longer));
            assert_eq!(limits.left(), None);
        }
    }
}
