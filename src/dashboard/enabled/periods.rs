//! The period that a document is about, and the steps of its curves.

use std::time::Duration;

use super::documents::OverviewRange;
use super::json::ObjectWriter;
use super::route_figures::RoutePeriod;
use super::setup::DashboardSetup;

/// The period of a range. One that ends now ends with the last snapshot.
pub(super) fn period_of(setup: &DashboardSetup, range: OverviewRange) -> RoutePeriod {
    match range {
        OverviewRange::Last(length) => {
            let latest = setup.history.latest();
            let to = latest.map_or_else(|| setup.now(), |latest| latest.max(0).unsigned_abs());
            RoutePeriod {
                from: to.saturating_sub(length),
                to,
            }
        }
        OverviewRange::Between(from, to) => RoutePeriod { from, to },
    }
}

/// The time up to which traces are of a range. Of one that ends now, traces after the last snapshot are too.
pub(super) fn end_of_traces(
    setup: &DashboardSetup,
    range: OverviewRange,
    period: RoutePeriod,
) -> u64 {
    end_of_range(range, period, setup.now())
}

fn end_of_range(range: OverviewRange, period: RoutePeriod, now: u64) -> u64 {
    match range {
        OverviewRange::Last(_) => now.max(period.to),
        OverviewRange::Between(..) => period.to,
    }
}

/// The length of a step, so that there are at most `steps`.
pub(super) fn step_of(setup: &DashboardSetup, period: RoutePeriod, steps: u64) -> Duration {
    const SECONDS_10: u64 = 10_000;
    let wanted = period.to.saturating_sub(period.from).div_ceil(steps.max(1));
    let rounded = wanted.div_ceil(SECONDS_10).max(1) * SECONDS_10;
    Duration::from_millis(rounded).max(setup.history.interval())
}

pub(super) fn steps_of(period: RoutePeriod, step: Duration) -> usize {
    let steps = period.to.saturating_sub(period.from) / step_millis(step).max(1);
    usize::try_from(steps).unwrap_or(1).max(1)
}

pub(super) fn step_millis(step: Duration) -> u64 {
    u64::try_from(step.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn share(part: f64, all: f64) -> Option<f64> {
    (all > 0.0).then(|| part / all)
}

pub(super) fn put_period(
    it: &mut ObjectWriter<'_>,
    setup: &DashboardSetup,
    range: OverviewRange,
    period: RoutePeriod,
) {
    it.integer("at", setup.now());
    it.object("range", |it| {
        it.integer("from", period.from);
        it.integer("to", period.to);
        it.bool("live", matches!(range, OverviewRange::Last(_)));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_range_that_ends_now_has_the_traces_after_the_last_snapshot() {
        let period = RoutePeriod { from: 10, to: 90 };
        let end = |range| end_of_range(range, period, 100);
        assert_eq!(end(OverviewRange::Last(80)), 100);
        assert_eq!(end(OverviewRange::Between(10, 90)), 90);
    }
}
