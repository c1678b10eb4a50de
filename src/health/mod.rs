//! Whether the service can do its work, asked by those who send it traffic and by those who look after
//! it.
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
//! | page | asked by | says | status |
//! |---|---|---|---|
//! | `/livez` ([`Health::livez`]) | whoever restarts the process | `ok` | 200 for as long as the process answers |
//! | `/readyz` ([`Health::readyz`]) | whoever sends it traffic | `ok`; `starting`, `draining`, `not ready` | 200; 503 |
//! | `/health` ([`Health::details`]) | people, dashboards | `application/health+json` | 200 for `pass` and `warn`; 503 for `fail` |
//!
//! `/livez` depends on nothing else: a database that is down is no reason to restart the service, which
//! would only lose what it has in hand. `/readyz` depends on the critical checks. Both are made to be
//! asked often: no page runs a check or waits for one.
//!
//! On the host's own router a page is as alive as the host's runtime; on
//! [`Monitor::serve`](crate::Monitor::serve)'s port it answers even while that is blocked, so point what
//! restarts a process at the former and what watches it at the latter.
//!
//! # When a check is down
//!
//! A check runs at once when it is added, then every 10 s, whether anyone asks or not. It fails when it
//! returns an error, takes longer than 5 s, or panics. Three failures in a row bring it down, two
//! successes in a row up again; [`Check`] and [`HealthConfig`] change these numbers. While a check has
//! failed but is not down, it is a `warn` on `/health` and the service stays ready.
//!
//! Until its first success a check is *starting*, and runs every second: a service is ready only after
//! each critical check has succeeded once.
//!
//! A check that is not [`critical`](Check::critical) never makes the service unready; when it is down,
//! `/health` as a whole says `warn`.
//!
//! # Whether a database answers
//!
//! [`monitor.health().database(&pool)`](Health::database) checks the database behind a pool of SQLx or
//! deadpool-postgres, or a client of tokio-postgres, and reports the driver's own error:
//!
//! ```text
//! error returned from database: password authentication failed for user "shop" (28P01)
//! error connecting to server: Connection refused (os error 111)
//! no answer within 5000 ms while connecting; the last error: error communicating with database: Connection refused (os error 111)
//! ```
//!
//! # When a check hangs
//!
//! Each run has a thread of its own, so a check that blocks it holds up neither a page nor another check
//! nor the monitor's work. A future that waits too long is dropped, and the check runs again when it is
//! due. A run that blocks its thread cannot be ended: it is a failure now and one more each interval, the
//! check is not started a second time beside it, and a result that comes at last counts for nothing. After
//! it the check runs again as before.
//!
//! # What the monitor adds
//!
//! On `/health` stand, beside the checks: the worker, each sink (a `warn` where work has waited for 5
//! minutes without a delivery, and at once where it drops what it is given: its writes are refused, its
//! code panics, its receiver refuses batches for good), and the data directory where there is one (whether a file can be written,
//! and the room left on Linux). None of them makes the service unready: that its monitoring is ill is no
//! reason to take its traffic away.
//!
//! # What is told to whom
//!
//! `/livez` and `/readyz` say one word and may be open. `/health` says `{"status":"pass"}`, `warn` or
//! `fail` to anybody; names of checks, versions and error texts go only to those whom its
//! [`Access`](crate::Access) admits. Texts of checks are scrubbed of secrets with a known shape and cut at
//! 1 KiB. The pages carry `Cache-Control: no-store`, answer only `GET` and `HEAD`, and are left out of the
//! service's own series and lines.

mod body;
mod check;
mod checks;
mod component;
mod config;
mod disk;
mod document;
mod service;
mod state;
#[cfg(test)]
mod test_support;

pub use self::body::HealthBody;
pub use self::check::Check;
pub use self::checks::Health;
pub use self::config::HealthConfig;
pub use self::service::HealthService;

pub(crate) use self::checks::HealthSetup;
pub(crate) use self::component::{ComponentStatus, HealthStatus};
