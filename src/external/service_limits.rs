use std::sync::Arc;
use std::time::Duration;

use super::limits::LimitWindow;
use crate::clock::Nanos;
use crate::metrics::{Gauge, Metrics};
use crate::semconv;

/// The maximum number of windows of one service.
const MAX_WINDOWS: usize = 16;
/// The label of a window's name.
const WINDOW_LABEL: &str = "watchpost.rate_limit.window";

/// One window of a service's rate limit, as its responses report it or [`External::quota`](super::External::quota)
/// sets it; part of a [`Dependency`](super::Dependency).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Limit {
    /// The name of the window: `requests`, `tokens`, the name of a policy, or `default`.
    pub window: Box<str>,
    /// The total that the window allows.
    pub limit: Option<u64>,
    /// What remains of the window, as last reported.
    pub remaining: Option<u64>,
    /// The time until the window resets.
    pub reset: Option<Duration>,
    /// How long the window lasts.
    pub length: Option<Duration>,
    /// The share of the window that is used, from 0 to 1.
    pub used_ratio: Option<f64>,
    /// The time until the window is exhausted if it is used at the same rate as since it began. `None` if it resets
    /// earlier, or is not used.
    pub exhausted_in: Option<Duration>,
}

/// A gauge of a window.
struct GaugeSpec {
    /// The name after `watchpost.external.rate_limit.`.
    name: &'static str,
    unit: &'static str,
    description: &'static str,
}

const GAUGES: [GaugeSpec; 5] = [
    GaugeSpec {
        name: "limit",
        unit: "",
        description: "Total that a service allows in a window, as it reports",
    },
    GaugeSpec {
        name: "remaining",
        unit: "",
        description: "What remains of a window, as last reported",
    },
    GaugeSpec {
        name: "reset",
        unit: "s",
        description: "Time until a window resets, as last reported",
    },
    GaugeSpec {
        name: "used_ratio",
        unit: "",
        description: "Share of a window that is used, from 0 to 1",
    },
    GaugeSpec {
        name: "exhausted_in",
        unit: "s",
        description: "Time until a window is exhausted at the current rate; +Inf if it resets earlier",
    },
];

/// The gauges of rate limits. Each one is created with its first value.
#[derive(Debug)]
pub(super) struct LimitGauges(Metrics);

/// The rate limits of one service.
#[derive(Debug, Default)]
pub(super) struct ServiceLimits {
    windows: Vec<TrackedWindow>,
    /// The time before which the service requested not to be called.
    back_off_until: Nanos,
}

/// A window and its history.
#[derive(Debug)]
struct TrackedWindow {
    last: LimitWindow,
    /// When `last` was reported.
    at: Nanos,
    /// What remained when the current window was first reported, and when.
    first: Option<(u64, Nanos)>,
    gauges: [Option<Gauge>; GAUGES.len()],
}

impl LimitGauges {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self(metrics.clone())
    }

    fn gauge(&self, index: usize, service: &str, window: &str) -> Option<Gauge> {
        let spec = GAUGES.get(index)?;
        let gauge = self
            .0
            .gauge(&format!("watchpost.external.rate_limit.{}", spec.name))
            .unit(spec.unit)
            .description(spec.description);
        let labels = [
            (semconv::SERVICE_PEER_NAME, service.to_owned()),
            (WINDOW_LABEL, window.to_owned()),
        ];
        Some(gauge.build().with(labels))
    }
}

impl Limit {
    /// The values of the gauges, in the order of [`GAUGES`].
    fn gauge_values(&self) -> [Option<f64>; GAUGES.len()] {
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

impl ServiceLimits {
    /// Records a window that the service reported, and sets its gauges. A 17th window is ignored.
    pub(super) fn update(
        &mut self,
        gauges: &LimitGauges,
        service: &Arc<str>,
        window: LimitWindow,
        now: Nanos,
    ) {
        let mut windows = self.windows.iter();
        let tracked = match windows.position(|tracked| tracked.last.name == window.name) {
            Some(index) => self.windows.get_mut(index),
            None if self.windows.len() >= MAX_WINDOWS => None,
            None => {
                self.windows.push(TrackedWindow {
                    first: window.remaining.map(|left| (left, now)),
                    gauges: Default::default(),
                    last: window.clone(),
                    at: now,
                });
                self.windows.last_mut()
            }
        };
        let Some(tracked) = tracked else { return };
        // The report is stored before it is judged: the rate of use is measured from the first report of the window to
        // this one.
        tracked.update(window, now);
        let values = tracked.limit(now).gauge_values();
        for (index, (gauge, value)) in tracked.gauges.iter_mut().zip(values).enumerate() {
            let Some(value) = value else { continue };
            // A gauge is registered with its first value, so that services without limits have no series.
            if gauge.is_none() {
                *gauge = gauges.gauge(index, service, &tracked.last.name);
            }
            if let Some(gauge) = gauge {
                gauge.set(value);
            }
        }
    }

    /// Records that the service requested not to be called before `until`. The latest time wins.
    pub(super) fn back_off_until(&mut self, until: Nanos) {
        self.back_off_until = self.back_off_until.max(until);
    }

    /// How much longer the service requested not to be called; `None` if it may be called.
    pub(super) fn back_off_remaining(&self, now: Nanos) -> Option<Duration> {
        let left = self.back_off_until.saturating_sub(now);
        (left > 0).then(|| Duration::from_nanos(left))
    }

    pub(super) fn snapshot(&self, now: Nanos) -> Vec<Limit> {
        let windows = self.windows.iter();
        windows.map(|tracked| tracked.limit(now)).collect()
    }
}

impl TrackedWindow {
    /// Records a new report of the window.
    fn update(&mut self, window: LimitWindow, now: Nanos) {
        // If more remains than before, the window was reset, and the measurement of the rate of use restarts.
        let was_reset = match (window.remaining, self.last.remaining) {
            (Some(new), Some(old)) => new > old,
            _ => false,
        };
        if was_reset || self.first.is_none() {
            self.first = window.remaining.map(|left| (left, now));
        }
        (self.last, self.at) = (window, now);
    }

    /// The public view of the window, with times that count from `now`.
    fn limit(&self, now: Nanos) -> Limit {
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
            length: self.last.length,
            used_ratio,
            exhausted_in: self
                .exhausted_in(now)
                .filter(|time| reset.is_none_or(|reset| *time < reset)),
        }
    }

    /// The time until nothing remains, at the average rate since the current window was first reported.
    fn exhausted_in(&self, now: Nanos) -> Option<Duration> {
        let ((first, since), left) = (self.first?, self.last.remaining?);
        if left == 0 {
            return Some(Duration::ZERO);
        }
        let used = first.checked_sub(left).filter(|used| *used > 0)?;
        let elapsed = self.at.saturating_sub(since);
        let seconds = Duration::from_nanos(elapsed).as_secs_f64() / used as f64 * left as f64;
        // The rate was measured up to the last report, so the time since then has to be subtracted.
        let age = Duration::from_nanos(now.saturating_sub(self.at));
        Some(
            Duration::try_from_secs_f64(seconds)
                .ok()?
                .saturating_sub(age),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, nanos};
    use crate::metrics::MetricsConfig;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_rate_of_use_predicts_when_a_window_is_exhausted() {
        let metrics = Metrics::new(MetricsConfig::default(), Clock::system(), Arc::default());
        let gauges = LimitGauges::new(&metrics);
        let mut limits = ServiceLimits::default();
        let mut report = |remaining, reset, at: Duration| {
            let window = LimitWindow {
                name: "requests".into(),
                limit: Some(100),
                remaining: Some(remaining),
                reset: Some(reset),
                length: None,
            };
            limits.update(&gauges, &"openai".into(), window, nanos(at));
            limits.snapshot(nanos(at)).remove(0)
        };
        let first = report(100, 60 * SECOND, Duration::ZERO);
        assert_eq!((first.used_ratio, first.exhausted_in), (Some(0.0), None));
        // Ten a second: six seconds for the other sixty.
        let later = report(60, 56 * SECOND, 4 * SECOND);
        assert_eq!(later.used_ratio, Some(0.4));
        assert_eq!(later.exhausted_in, Some(6 * SECOND));
        assert_eq!(
            report(60, 5 * SECOND, 4 * SECOND).exhausted_in,
            None,
            "it resets before"
        );
        assert_eq!(
            report(0, 5 * SECOND, 5 * SECOND).exhausted_in,
            Some(Duration::ZERO)
        );
        // The next window.
        assert_eq!(report(99, 60 * SECOND, 10 * SECOND).exhausted_in, None);
        let exposition = metrics.render();
        let labels = r#"{service_peer_name="openai",watchpost_rate_limit_window="requests"}"#;
        for line in [
            format!("watchpost_external_rate_limit_remaining{labels} 99\n"),
            format!("watchpost_external_rate_limit_exhausted_in_seconds{labels} +Inf\n"),
        ] {
            assert!(exposition.contains(&line), "{exposition}");
        }
    }
}
