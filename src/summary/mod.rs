//! The figures of a period in one value: requests, response times, errors, content, users, CPU, memory, pools, quotas and
//! health, and the change against the period before.
//!
//! [`Monitor::summary`](crate::Monitor::summary) reads them from the [history](crate::history), for a host's own pages and
//! logs. It needs the feature `history`.
//!
//! ```
//! # #[cfg(feature = "testing")] {
//! use std::time::Duration;
//! # use watchpost::testing::Harness;
//! # let monitor = Harness::new();
//!
//! let summary = monitor.summary(Duration::from_secs(300)).unwrap();
//! if let Some(requests) = &summary.period.requests {
//!     println!("{} requests, {:.1} % errors", requests.count, requests.error_rate.unwrap_or(0.0) * 100.0);
//!     println!("p95 {:?}", requests.response_time.map(|time| time.p95));
//! }
//! # }
//! ```
//!
//! # Which number means what
//!
//! | figure | definition | read from | error |
//! |---|---|---|---|
//! | `requests.count` | HTTP requests that ended in the period, without upgrades, skipped requests and the monitor's own pages | `http_server_request_duration_seconds` | exact, to the last snapshot |
//! | `requests.per_second` | `count` / the seconds of the period that have data | the same | exact |
//! | `requests.errors` | 5xx, `failed`, `panicked`, `body_error`, and `timeout` without a status | the same, by status and outcome | exact |
//! | `requests.error_rate` | `errors` / `count` | | exact |
//! | `requests.client_errors` | status 4xx | the same | exact |
//! | `requests.cancelled` | `cancelled`, `body_dropped` and `upload_aborted`: the client left | the same | exact |
//! | `requests.response_time` | first byte in to last byte out | the same | mean: exact to seven digits; quantiles: 1.1 % |
//! | `requests.time_to_headers` | first byte in to the response's headers; with upgrades | `watchpost_http_time_to_headers_seconds` | the same |
//! | `content` | what [`Monitor::content`](crate::Monitor::content) recorded | `content_*` | as for requests |
//! | `active_users` of the summary | distinct users of the layer's user hook, now | [`Monitor::active_users`](crate::Monitor::active_users) | about 0.5 % |
//! | `active_users` of a period | the highest number of users within five minutes | `watchpost_users_active` | about 0.5 % |
//! | `process` | CPU and memory | [`system`](crate::system) | of ten-second readings |
//! | `pools` | connections in use, mean and highest | `db_client_connection_count`, `_max` | of readings at the snapshots |
//! | `quotas` | used share of rate limits | `watchpost_external_rate_limit_used_ratio` | the last response's headers |
//! | `health` | the worst of readiness, checks, sinks and disk, now, with a sentence for each | [`Health::verdict`](crate::health::Health::verdict) | |
//!
//! A figure without data is `None`, never 0: `requests` and `content` are `None` if no part of the period has data. The
//! history has two hours in memory, and with a data directory up to 13 months on disk, also of earlier processes: see
//! [what is kept](crate::history#what-is-kept). `data_from` tells from when a period has data, and `covered` how much of it.
//! Requests since the last snapshot, at most ten seconds, are in the next one. Requests whose labels exceed the limit of
//! series are in `count` and in no other figure by status or outcome.
//!
//! The period before is given only if the history contains all of it, but for two snapshots. [`Summary::change`] compares
//! the two.
//!
//! # The host's own figures
//!
//! [`Monitor::summary_figure`](crate::Monitor::summary_figure) adds a query of any metric:
//!
//! ```
//! # #[cfg(feature = "testing")] {
//! # use std::time::Duration;
//! # let monitor = watchpost::testing::Harness::new();
//! use watchpost::history::MetricQuery;
//!
//! monitor.summary_figure("orders", MetricQuery::increase("orders_total")).unwrap();
//! let summary = monitor.summary(Duration::from_secs(3600)).unwrap();
//! assert_eq!(summary.period.figures[0].name, "orders");
//! # }
//! ```

mod collect;
mod figures;

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

pub use self::figures::{
    ContentFigures, HostFigure, PeriodFigures, PoolFigures, ProcessFigures, QuotaFigures,
    RequestFigures, Summary, TimeFigures,
};

use self::collect::Period;
use crate::error::Result;
use crate::health::HealthVerdict;
use crate::history::{History, MetricQuery};
use crate::model::lock;
use crate::users::ActiveUsers;

/// The maximum number of figures that a host can add.
const MAX_FIGURES: usize = 100;

/// The figures that the host added, by name.
#[derive(Debug, Default)]
pub(crate) struct HostFigures(Mutex<Vec<(String, MetricQuery)>>);

impl HostFigures {
    /// Adds a figure, or replaces the query of one with the same name. Returns whether there was room for it.
    pub(crate) fn add(&self, name: String, query: MetricQuery) -> bool {
        let mut all = lock(&self.0);
        if let Some((_, existing)) = all.iter_mut().find(|(other, _)| *other == name) {
            *existing = query;
            return true;
        }
        let has_room = all.len() < MAX_FIGURES;
        if has_room {
            all.push((name, query));
        }
        has_room
    }

    /// Reads the figures of a period and of the period before it.
    pub(crate) fn summarize(
        &self,
        history: &History,
        start: SystemTime,
        end: SystemTime,
        active_users: ActiveUsers,
        health: HealthVerdict,
    ) -> Result<Summary> {
        let own = lock(&self.0).clone();
        let length = end.duration_since(start).unwrap_or(Duration::ZERO);
        let period = Period {
            history,
            start,
            end,
        };
        let earlier = start.checked_sub(length).map(|before| Period {
            history,
            start: before,
            end: start,
        });
        let before = earlier.filter(Period::is_complete);
        Ok(Summary {
            period: period.figures(&own)?,
            before: before.map(|period| period.figures(&own)).transpose()?,
            active_users,
            health,
        })
    }
}
