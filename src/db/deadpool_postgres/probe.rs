use std::error::Error;
use std::time::Duration;

use deadpool::managed::Manager as _;
use deadpool_postgres::{ClientWrapper, Manager, Object, PoolError, Timeouts};

use super::super::pool::{ConnectionPool, Probe, ProbeReport, is_full_server, wait_for_free};
use super::pool::Pool;
use crate::request::DriverError;

/// A pool error without further details.
pub(in crate::db) fn driver_error(error: &(dyn Error + 'static)) -> Option<DriverError> {
    error.is::<PoolError>().then(DriverError::default)
}

/// A connection that the pool's manager made for the probe, and forgets when it is dropped.
struct Own<'a>(&'a Manager, ClientWrapper);

impl Drop for Own<'_> {
    fn drop(&mut self) {
        self.0.detach(&mut self.1);
    }
}

impl Probe for deadpool_postgres::Pool {
    async fn probe(&self, report: &ProbeReport) -> Result<(), String> {
        if self.is_closed() {
            return Err(report.error(&PoolError::Closed));
        }
        if self.status().available > 0 {
            report.stage("waiting for the answer of an idle connection of the pool");
            let mut timeouts = Timeouts::new();
            timeouts.wait = Some(Duration::ZERO);
            match self.timeout_get(&timeouts).await {
                // Those that were idle were dead, and the pool made one of the monitor's runtime: it leaves the pool, whose
                // users would have it driven by that runtime, and end with it.
                Ok(client) if Object::metrics(&client).recycle_count == 0 => {
                    let answer = Object::take(client).check_connection().await;
                    return answer.map_err(|error| report.error(&error));
                }
                Ok(client) => match client.check_connection().await {
                    Ok(()) => return Ok(()),
                    Err(error) => _ = report.error(&error),
                },
                // Others took it.
                Err(PoolError::Timeout(_)) => {}
                Err(error) => _ = report.error(&error),
            }
        }
        // A connection of its own, which the pool does not see: it ends with the monitor's runtime.
        report.stage("connecting");
        let client = match self.manager().create().await {
            Ok(client) => client,
            Err(error) if self.status().size > 0 && is_full_server(&error) => {
                report.warn(report.error(&error));
                return Ok(());
            }
            Err(error) => return Err(report.error(&error)),
        };
        let own = Own(self.manager(), client);
        report.stage("waiting for the answer of a new connection");
        let answer = own.1.check_connection().await;
        drop(own);
        answer.map_err(|error| report.error(&error))?;
        let is_free = || self.state().is_none_or(|state| state.has_free());
        wait_for_free(report, is_free).await;
        Ok(())
    }
}

impl Probe for Pool {
    async fn probe(&self, report: &ProbeReport) -> Result<(), String> {
        self.as_deadpool().probe(report).await
    }
}
