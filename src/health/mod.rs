//! Health checks, and the endpoints `/livez`, `/readyz` and `/health`.
//!
//! ```
//! # fn main() -> watchpost::Result<()> {
//! # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
//! use std::time::Duration;
//!
//! monitor
//!     .health()
//!     .check("database", || async {
//!         tokio::net::TcpStream::connect("127.0.0.1:5432").await.map(drop)
//!     })
//!     .timeout(Duration::from_secs(2))
//!     .component_type("datastore");
//! # Ok(())
//! # }
//! ```
//!
//! # Which endpoint for what
//!
//! | endpoint | for | body | status |
//! |---|---|---|---|
//! | `/livez` ([`Health::livez`]) | what restarts the process | `ok` | 200 for as long as the process responds |
//! | `/readyz` ([`Health::readyz`]) | what sends traffic | `ok`, or `starting`, `draining`, `not ready` | 200, or 503 |
//! | `/health` ([`Health::details`]) | people, dashboards, monitoring | a document in `application/health+json` | 200 for `pass` and `warn`, 503 for `fail` |
//!
//! `/livez` checks no dependencies: restarting the service would not repair its database and would drop in-flight
//! work. `/readyz` depends on the critical checks. All of them can be requested often: no request runs a check or
//! waits for one.
//!
//! On your own router, an endpoint responds for as long as your runtime works. On the port of
//! [`Monitor::serve`](crate::Monitor::serve), it also responds while your runtime is blocked. So point your restart
//! probe at your own port, and your monitoring at the monitor's port.
//!
//! # What `/health` shows
//!
//! A client with access sees every check and every component of the monitor. Here the database has been down for
//! three runs:
//!
//! ```text
//! {
//!   "status": "fail",
//!   "version": "1",
//!   "releaseId": "1.4.2",
//!   "serviceId": "shop",
//!   "output": "not ready",
//!   "checks": {
//!     "cache": [
//!       {
//!         "componentType": "component",
//!         "status": "pass",
//!         "time": "2026-11-29T11:06:02.018Z",
//!         "observedValue": 0.12893,
//!         "observedUnit": "ms"
//!       }
//!     ],
//!     "console": [
//!       {
//!         "componentType": "system",
//!         "status": "pass",
//!         "time": "2026-11-29T11:06:06.044Z",
//!         "observedValue": 4.002623232,
//!         "observedUnit": "s"
//!       }
//!     ],
//!     "database": [
//!       {
//!         "componentType": "datastore",
//!         "status": "fail",
//!         "time": "2026-11-29T11:06:04.021Z",
//!         "observedValue": 1.82323,
//!         "observedUnit": "ms",
//!         "output": "Connection refused (os error 111)"
//!       }
//!     ],
//!     "worker": [
//!       {
//!         "componentType": "system",
//!         "status": "pass",
//!         "time": "2026-11-29T11:06:06.044Z",
//!         "observedValue": 0.986373152,
//!         "observedUnit": "s"
//!       }
//!     ]
//!   }
//! }
//! ```
//!
//! The observed value is the duration of the last run of a check, the time since the last delivery of a sink, and
//! the time since the last round of the worker. Without access, a client sees `{"status":"fail"}`.
//!
//! The monitor adds its own components to the document:
//!
//! | component | when it is a `warn` |
//! |---|---|
//! | `worker` | its thread has ended, or has not responded for 30 s |
//! | `console`, `otlp`, `sentry`: each sink | work has been waiting for five minutes without a delivery; immediately if the sink drops records because its writer refuses them, its code panics, or its receiver refuses batches permanently |
//! | `history` (with that feature) | a snapshot has not ended for 30 s. None is taken meanwhile; they go on when it ends |
//! | `otlp_metrics` | as other sinks, and if the snapshot for a push has not ended for 30 s |
//! | `connection pools` | the [`state`](crate::db::ConnectionPool::state) of a pool has not returned for 30 s. Listed only then |
//! | `data directory` | the configured directory cannot be used |
//! | `errors.store` | the disk refuses writes, or a damaged file was set aside |
//! | `traces.store` | the data directory refuses kept traces, or has not responded for 30 s |
//! | `history.store` | the data directory refuses the history's files or has not responded for 60 s, or a damaged file was set aside |
//! | `disk` | less than a twentieth of the data directory's disk is free. Without write access, or below 16 MiB, it is a `fail` |
//!
//! None of them makes the service unready: a fault in the monitoring must not take the service out of rotation.
//!
//! # When a check is up or down
//!
//! A check runs immediately when it is added, then every 10 s. A run fails if it returns an error, exceeds its time
//! limit of 5 s, or panics. After three consecutive failures the check is down, and after two consecutive successes it
//! is up again; [`Check`] and [`HealthConfig`] change these numbers.
//!
//! | check | `/readyz` | the check in `/health` |
//! |---|---|---|
//! | starting: no success yet | `starting` | `warn` |
//! | up, the last run succeeded | `ok` | `pass` |
//! | up, the last run failed or returned a warning | `ok` | `warn` |
//! | down | `not ready` | `fail` |
//! | not [critical](Check::critical), in any state | `ok` | as above; `/health` as a whole is `warn` at worst |
//!
//! Until its first success, a check runs at least every second: the service is ready only after each critical check
//! has succeeded once.
//!
//! # Whether a database responds
//!
//! [`monitor.health().database(&pool)`](Health::database) checks the database behind a pool of SQLx or
//! deadpool-postgres, or a client of tokio-postgres, and reports the driver's own error:
//!
//! ```text
//! error returned from database: password authentication failed for user "shop" (28P01)
//! error connecting to server: Connection refused (os error 111)
//! no response within 5000 ms while connecting; the last error: error communicating with database: Connection refused (os error 111)
//! ```
//!
//! # When a check hangs
//!
//! Each run has its own thread, so a check that blocks its thread does not delay an endpoint, another check or the
//! monitor's work.
//!
//! - A future that exceeds the time limit is dropped, and the check runs again when it is due.
//! - A run that blocks its thread cannot be ended. It counts as failed now and once more at each interval. The
//!   check does not start again until the run returns, and the result of that run is ignored.
//!
//! # Who sees what
//!
//! `/livez` and `/readyz` have one word and can be open to anyone. `/health` shows the overall status to anyone;
//! names of checks, versions and error texts are for clients that its [`Access`](crate::Access) admits. The texts
//! of checks are redacted, where a secret has a known form, and cut at 1 KiB. Responses have `Cache-Control: no-store`.
//! Requests to the endpoints are excluded from the service's own metrics, log records and traces.

mod body;
mod check;
mod checks;
mod component;
mod config;
mod disk;
mod document;
mod readiness;
mod service;
mod state;
mod status;
#[cfg(test)]
mod test_support;
mod verdict;

pub use self::body::HealthBody;
pub use self::check::Check;
pub use self::checks::Health;
pub use self::config::HealthConfig;
pub use self::service::HealthService;
pub use self::status::HealthStatus;
pub use self::verdict::HealthVerdict;

pub(crate) use self::checks::HealthSetup;
pub(crate) use self::component::ComponentStatus;
#[cfg(feature = "dashboard")]
pub(crate) use self::document::HealthEntry;
