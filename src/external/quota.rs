use std::sync::Arc;
use std::time::Duration;

use super::limits::Window;
use crate::clock::Nanos;
use crate::metrics::{Gauge, Metrics};
use crate::semconv;

/// Windows of one service that are told apart.
const MAX_WINDOWS: usize = 16;
/// The name of a window, as a label.
const WINDOW: &str = "watchpost.rate_limit.window";

/// A limit of a service, as its answers told it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Limit {
    /// Which of its limits: `requests`, `tokens`, the name of a policy, `default`.
    pub window: Box<str>,
    /// What it allows in all.
    pub limit: Option<u64>,
    /// What is left, as last told.
    pub remaining: Option<u64>,
    /// When it begins anew, from now.
    pub reset: Option<Duration>,
    /// How long one window lasts.
    pub length: Option<Duration>,
    /// The part that is used, from 0 to 1.
    pub used_ratio: Option<f64>,
    /// When nothing will be left if use goes on at the pace that it had since the window began; `None` where it
    /// begins anew before, or is not used.
    pub exhausted_in: Option<Duration>,
}

/// What is told of a limit: the gauges' names without their beginning, their units, and what they say.
const GAUGES: [(&str, &str, &str); 5] = [
    (
        "limit",
        "",
        "What a service allows in a window, as its answers say",
    ),
    ("remaining", "", "What is left of a window, as last told"),
    ("reset", "s", "Time to the next window, as last told"),
    (
        "used_ratio",
        "",
        "The part of a window that is used, from 0 to 1",
    ),
    (
        "exhausted_in",
        "s",
        "Time until nothing is left of a window at the present pace; +Inf where the next one comes before",
    ),
];

/// The gauges of limits, each made when it has something to say.
#[derive(Debug)]
pub(super) struct Gauges(Metrics);

/// What is known of the limits of one service.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    known: Vec<Known>,
    rest_until: Nanos,
}

#[derive(Debug)]
struct Known {
    last: Window,
    at: Nanos,
    /// What was left when the window was first seen, and when.
    first: Option<(u64, Nanos)>,
    gauges: [Option<Gauge>; GAUGES.len()],
}

impl Gauges {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self(metrics.clone())
    }

    fn gauge(&self, gauge: usize, service: &str, window: &str) -> Option<Gauge> {
        let (name, unit, what) = *GAUGES.get(gauge)?;
        let gauge = self
            .0
            .gauge(&format!("watchpost.external.rate_limit.{name}"));
        let labels = [
            (semconv::SERVICE_PEER_NAME, service.to_owned()),
            (WINDOW, window.to_owned()),
        ];
        Some(gauge.unit(unit).description(what).build().with(labels))
    }
}

impl Limit {
    /// What the gauges say of it.
    fn values(&self) -> [Option<f64>; GAUGES.len()] {
        let seconds = |time: Duration| time.as_secs_f64();
        let exhausted = || self.exhausted_in.map_or(f64::INFINITY, seconds);
        [
            self.limit.map(|limit| limit as f64),
            self.remaining.map(|left| left as f64),
            self.reset.map(seconds),
            self.used_ratio,
            self.remaining.map(|_| exhausted()),
        ]
    }
}

impl Quotas {
    /// A service told a window.
    pub(super) fn take(&mut self, gauges: &Gauges, service: &Arc<str>, window: Window, now: Nanos) {
        let mut names = self.known.iter();
        let known = match names.position(|known| known.last.name == window.name) {
            Some(place) => self.known.get_mut(place),
            None if self.known.len() >= MAX_WINDOWS => None,
            None => {
                self.known.push(Known {
                    first: window.remaining.map(|left| (left, now)),
                    gauges: Default::default(),
                    last: window.clone(),
                    at: now,
                });
                self.known.last_mut()
            }
        };
        let Some(known) = known else { return };
        known.renew(window, now);
        let values = known.read(now).values();
        for (number, (kept, value)) in known.gauges.iter_mut().zip(values).enumerate() {
            let Some(value) = value else { continue };
            if kept.is_none() {
                *kept = gauges.gauge(number, service, &known.last.name);
            }
            if let Some(gauge) = kept {
                gauge.set(value);
            }
        }
    }

    pub(super) fn rest_until(&mut self, until: Nanos) {
        self.rest_until = self.rest_until.max(until);
    }

    /// For how long the service wants to be left alone.
    pub(super) fn rests_for(&self, now: Nanos) -> Option<Duration> {
        let left = self.rest_until.saturating_sub(now);
        (left > 0).then(|| Duration::from_nanos(left))
    }

    pub(super) fn read(&self, now: Nanos) -> Vec<Limit> {
        self.known.iter().map(|known| known.read(now)).collect()
    }
}

impl Known {
    fn renew(&mut self, window: Window, now: Nanos) {
        // More is left than before: another window has begun.
        let grew = match (window.remaining, self.last.remaining) {
            (Some(new), Some(old)) => new > old,
            _ => false,
        };
        if grew || self.first.is_none() {
            self.first = window.remaining.map(|left| (left, now));
        }
        (self.last, self.at) = (window, now);
    }

    fn read(&self, now: Nanos) -> Limit {
        let age = Duration::from_nanos(now.saturating_sub(self.at));
        let reset = self.last.reset.map(|reset| reset.saturating_sub(age));
        let used_ratio = match (self.last.limit, self.last.remaining) {
            (Some(limit), Some(left)) if limit > 0 => {
                Some(limit.saturating_sub(left) as f64 / limit as f64)
            }
            _ => None,
        };
        Limit {
            window: self.last.name.clone(),
            limit: self.last.limit,
            remaining: self.last.remaining,
            reset,
            length: self.last.window,
            used_ratio,
            exhausted_in: self
                .exhausted_in(now)
                .filter(|time| reset.is_none_or(|reset| *time < reset)),
        }
    }

    /// At the pace since the window was first seen.
    fn exhausted_in(&self, now: Nanos) -> Option<Duration> {
        let ((first, since), left) = (self.first?, self.last.remaining?);
        if left == 0 {
            return Some(Duration::ZERO);
        }
        let used = first.checked_sub(left).filter(|used| *used > 0)?;
        let took = self.at.saturating_sub(since);
        let whole = Duration::from_nanos(took).as_secs_f64() / used as f64 * left as f64;
        let age = Duration::from_nanos(now.saturating_sub(self.at));
        Some(Duration::try_from_secs_f64(whole).ok()?.saturating_sub(age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, nanos};
    use crate::metrics::MetricsConfig;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_pace_tells_when_nothing_is_left() {
        let metrics = Metrics::new(MetricsConfig::default(), Clock::system(), Arc::default());
        let gauges = Gauges::new(&metrics);
        let mut quotas = Quotas::default();
        let mut told = |remaining, reset, at: Duration| {
            let window = Window {
                name: "requests".into(),
                limit: Some(100),
                remaining: Some(remaining),
                reset: Some(reset),
                window: None,
            };
            quotas.take(&gauges, &"openai".into(), window, nanos(at));
            quotas.read(nanos(at)).remove(0)
        };
        let first = told(100, 60 * SECOND, Duration::ZERO);
        assert_eq!((first.used_ratio, first.exhausted_in), (Some(0.0), None));
        // Ten a second: six seconds for the other sixty.
        let later = told(60, 56 * SECOND, 4 * SECOND);
        assert_eq!(later.used_ratio, Some(0.4));
        assert_eq!(later.exhausted_in, Some(6 * SECOND));
        assert_eq!(
            told(60, 5 * SECOND, 4 * SECOND).exhausted_in,
            None,
            "it begins anew before"
        );
        assert_eq!(
            told(0, 5 * SECOND, 5 * SECOND).exhausted_in,
            Some(Duration::ZERO)
        );
        // The next window.
        assert_eq!(told(99, 60 * SECOND, 10 * SECOND).exhausted_in, None);
        let page = metrics.render();
        let labels = r#"{service_peer_name="openai",watchpost_rate_limit_window="requests"}"#;
        for line in [
            format!("watchpost_external_rate_limit_remaining{labels} 99\n"),
            format!("watchpost_external_rate_limit_exhausted_in_seconds{labels} +Inf\n"),
        ] {
            assert!(page.contains(&line), "{page}");
        }
    }
}
