use std::time::Duration;

use deadpool::managed::Manager as _;
use deadpool_postgres::{ClientWrapper, Manager, Object, PoolError, Timeouts};

use super::super::pool::{ConnectionPool, Probe, ProbeReport, is_full_server, wait_for_free};
use super::pool::Pool;

/// A connection that the pool's manager opened for the probe. Dropped, it is detached from the manager.
struct ProbeConnection<'a> {
    manager: &'a Manager,
    client: ClientWrapper,
}

impl Drop for ProbeConnection<'_> {
    fn drop(&mut self) {
        self.manager.detach(&mut self.client);
    }
}

impl Probe for deadpool_postgres::Pool {
    async fn probe(&self, report: &ProbeReport) -> Result<(), String> {
        if self.is_closed() {
            return Err(report.error(&PoolError::Closed));
        }
        if self.status().available > 0 {
            report.stage("waiting for the response of an idle connection of the pool");
            let mut timeouts = Timeouts::new();
            timeouts.wait = Some(Duration::ZERO);
            match self.timeout_get(&timeouts).await {
                // The idle connections were broken, so the pool opened this one on the monitor's runtime, with which it
                // would end. It must not stay in the pool.
                Ok(client) if Object::metrics(&client).recycle_count == 0 => {
                    let response = Object::take(client).check_connection().await;
                    return response.map_err(|error| report.error(&error));
                }
                Ok(client) => match client.check_connection().await {
                    Ok(()) => return Ok(()),
                    Err(error) => _ = report.error(&error),
                },
                // Another task acquired it first.
                Err(PoolError::Timeout(_)) => {}
                Err(error) => _ = report.error(&error),
            }
        }
        // The probe's own connection, which the pool does not see: it ends with the monitor's runtime.
        report.stage("connecting");
        let client = match self.manager().create().await {
            Ok(client) => client,
            Err(error) if self.status().size > 0 && is_full_server(&error) => {
                report.warn(report.error(&error));
                return Ok(());
            }
            Err(error) => return Err(report.error(&error)),
        };
        let connection = ProbeConnection {
            manager: self.manager(),
            client,
        };
        report.stage("waiting for the response of a new connection");
        let response = connection.client.check_connection().await;
        drop(connection);
        response.map_err(|error| report.error(&error))?;
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
