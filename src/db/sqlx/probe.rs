use std::time::Duration;

use sqlx::Database as Driver;
use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions as _, Connection as _, Error, Executor};
use tokio::time::timeout;

use super::super::pool::{ConnectionPool, Probe, ProbeReport, is_full_server, wait_for_free};
use super::super::system::DbSystem;
use super::pool::{Pool, system};

/// Time for the probe's own connection to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// A statement that makes `SQLite` read its file.
const READ_FILE: &str = "SELECT count(*) FROM sqlite_master";

/// An idle connection of a pool. It returns to the pool once it has responded. Otherwise it is closed, and the pool
/// opens another one.
struct IdleConnection<DB: Driver>(Option<PoolConnection<DB>>);

impl<DB: Driver> IdleConnection<DB> {
    async fn ping(mut self) -> Result<(), Error> {
        let Some(connection) = &mut self.0 else {
            return Ok(());
        };
        connection.ping().await?;
        drop(self.0.take());
        Ok(())
    }
}

impl<DB: Driver> Drop for IdleConnection<DB> {
    fn drop(&mut self) {
        drop(self.0.take().map(PoolConnection::detach));
    }
}

impl<DB: Driver> Probe for sqlx::Pool<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    async fn probe(&self, report: &ProbeReport) -> Result<(), String> {
        if self.is_closed() {
            return Err(report.error(&Error::PoolClosed));
        }
        // An open file works even if its path now leads to another file or none, so a new connection is always opened
        // for SQLite.
        let is_file = system(DB::NAME) == Some(DbSystem::Sqlite);
        if !is_file && let Some(connection) = self.try_acquire() {
            report.stage("waiting for the response of an idle connection of the pool");
            match IdleConnection(Some(connection)).ping().await {
                Ok(()) => return Ok(()),
                Err(error) => _ = report.error(&error),
            }
        }
        // The probe's own connection, which the pool does not see: it ends with the monitor's runtime.
        report.stage("connecting");
        let options = self.connect_options();
        let options = options.as_ref().clone().disable_statement_logging();
        let mut connection = match options.connect().await {
            Ok(connection) => connection,
            Err(error) if self.size() > 0 && is_full_server(&error) => {
                report.warn(report.error(&error));
                return Ok(());
            }
            Err(error) => return Err(report.error(&error)),
        };
        report.stage("waiting for the response of a new connection");
        let response = match is_file {
            true => connection.execute(READ_FILE).await.map(drop),
            false => connection.ping().await,
        };
        response.map_err(|error| report.error(&error))?;
        report.stage("closing a connection");
        let (Ok(_) | Err(_)) = timeout(report.at_most(CLOSE_TIMEOUT), connection.close()).await;
        let is_free = || self.state().is_none_or(|state| state.has_free());
        wait_for_free(report, is_free).await;
        Ok(())
    }
}

impl<DB: Driver> Probe for Pool<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    async fn probe(&self, report: &ProbeReport) -> Result<(), String> {
        self.as_sqlx().probe(report).await
    }
}
