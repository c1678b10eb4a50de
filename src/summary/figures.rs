use std::time::{Duration, SystemTime};

use crate::health::HealthVerdict;
use crate::users::ActiveUsers;

/// The figures of a period, and those of the period before it. [`Monitor::summary`](crate::Monitor::summary) returns it.
///
/// The [module documentation](crate::summary) defines each figure.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// The figures of the period.
    pub period: PeriodFigures,
    /// The figures of the period of the same length before it; `None` if the history does not contain all of it.
    pub before: Option<PeriodFigures>,
    /// The users that are active now, whatever the period is.
    pub active_users: ActiveUsers,
    /// The health of the service now.
    pub health: HealthVerdict,
}

/// The figures of one period.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PeriodFigures {
    /// The begin of the period.
    pub start: SystemTime,
    /// The end of the period.
    pub end: SystemTime,
    /// The time from which there is data, if that is later than `start`. `None` if the history begins before the period.
    pub data_from: Option<SystemTime>,
    /// How much of the period has data. Less than the whole also if the process was suspended or the clock was set.
    pub covered: Duration,
    /// HTTP requests. `None` if no part of the period has data.
    pub requests: Option<RequestFigures>,
    /// Generated content. `None` if no part of the period has data.
    pub content: Option<ContentFigures>,
    /// The highest number of users within five minutes. `None` if no user was seen.
    pub active_users: Option<u64>,
    /// The process and its limits.
    pub process: ProcessFigures,
    /// Connection pools, by name.
    pub pools: Vec<PoolFigures>,
    /// Rate limits of external services, by service and window.
    pub quotas: Vec<QuotaFigures>,
    /// The figures that the host added with [`Monitor::summary_figure`](crate::Monitor::summary_figure), in that order.
    pub figures: Vec<HostFigure>,
}

/// HTTP requests that ended in a period, without upgrades, skipped requests and the monitor's own pages.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct RequestFigures {
    /// The number of requests.
    pub count: u64,
    /// Requests per second, over the time that has data. `None` without data.
    pub per_second: Option<f64>,
    /// Requests with a 5xx status, that failed, timed out or panicked without a response, or whose body ended with an
    /// error.
    pub errors: u64,
    /// `errors` divided by `count`, from 0 to 1. `None` without requests.
    pub error_rate: Option<f64>,
    /// Requests with a 4xx status.
    pub client_errors: u64,
    /// Requests whose client left: cancelled, with a dropped body, or with an aborted upload.
    pub cancelled: u64,
    /// The time to the last byte of the response's body. `None` without requests.
    pub response_time: Option<TimeFigures>,
    /// The time to the response's headers. `None` without requests.
    pub time_to_headers: Option<TimeFigures>,
}

/// The mean and quantiles of durations. Quantiles are exact to within 1.1 %.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct TimeFigures {
    /// The mean.
    pub mean: Duration,
    /// The median.
    pub p50: Duration,
    /// The 95th percentile.
    pub p95: Duration,
    /// The 99th percentile.
    pub p99: Duration,
}

/// Content that was generated in a period.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ContentFigures {
    /// The number of pieces, of all kinds.
    pub generated: u64,
    /// The number of generations that failed, panicked or were cancelled.
    pub failures: u64,
    /// How long a generation took. `None` without any.
    pub generation_time: Option<TimeFigures>,
}

/// The process in a period. Shares are from 0 to 1; see [`SystemFigures`](crate::system::SystemFigures).
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ProcessFigures {
    /// The mean share of the available CPUs that the process used.
    pub cpu: Option<f64>,
    /// The highest share of ten seconds.
    pub cpu_max: Option<f64>,
    /// The resident memory at the end of the period, in bytes.
    pub memory: Option<u64>,
    /// The highest resident memory, in bytes.
    pub memory_max: Option<u64>,
    /// The share of the memory limit that was in use at the end of the period.
    pub memory_utilization: Option<f64>,
    /// The highest share of the memory limit.
    pub memory_utilization_max: Option<f64>,
}

/// A connection pool in a period.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PoolFigures {
    /// The pool's name.
    pub pool: String,
    /// The mean number of connections in use.
    pub used: f64,
    /// The highest number of connections in use.
    pub used_max: f64,
    /// The maximum of connections, if there is one.
    pub limit: Option<f64>,
}

/// A rate limit of an external service in a period.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct QuotaFigures {
    /// The name of the service.
    pub service: String,
    /// The window of the limit, such as `requests`.
    pub window: String,
    /// The used share at the end of the period, from 0 to 1.
    pub used_ratio: f64,
    /// The highest used share.
    pub used_ratio_max: f64,
}

/// A figure that the host added.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HostFigure {
    /// Its name.
    pub name: String,
    /// The value of its query over the period. `None` without data.
    pub value: Option<f64>,
}

impl Summary {
    /// Returns the relative change of a figure against the period before: 0.5 is an increase by half. `None` if one of
    /// the periods does not have the figure, or if it was 0 before.
    ///
    /// ```
    /// # fn example(summary: &watchpost::summary::Summary) {
    /// let change = summary.change(|figures| figures.requests.as_ref()?.per_second);
    /// # let _ = change;
    /// # }
    /// ```
    pub fn change(&self, figure: impl Fn(&PeriodFigures) -> Option<f64>) -> Option<f64> {
        let before = figure(self.before.as_ref()?)?;
        let now = figure(&self.period)?;
        (before != 0.0).then(|| (now - before) / before)
    }
}
