use std::time::Duration;

use sqlx::Database as Driver;
use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions as _, Connection as _, Error, Executor};
use tokio::time::timeout;

use super::super::pool::{ConnectionPool, Probe, ProbeReport, is_full_server, wait_for_free};
use super::super::system::DbSystem;
use super::pool::{Pool, system};

/// Time for a connection of the probe's own to end cleanly.
const CLOSING: Duration = Duration::from_secs(1);
/// A statement for which `SQLite` reads its file.
const READ_FILE: &str = "SELECT count(*) FROM sqlite_master";

/// An idle connection of a pool, to which it goes back once it has answered. Otherwise it ends, and the pool makes another.
struct Idle<DB: Driver>(Option<PoolConnection<DB>>);

impl<DB: Driver> Idle<DB> {
    async fn ping(mut self) -> Result<(), Error> {
        let Some(connection) = &mut self.0 else {
            return Ok(());
        };
        connection.ping().await?;
        drop(self.0.take());
        Ok(())
    }
}

impl<DB: Driver> Drop for Idle<DB> {
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
        // An open file says nothing of the one that is there now.
        let is_file = system(DB::NAME) == Some(DbSystem::Sqlite);
        if !is_file && let Some(connection) = self.try_acquire() {
            report.stage("waiting for the answer of an idle connection of the pool");
            match Idle(Some(connection)).ping().await {
                Ok(()) => return Ok(()),
                Err(error) => _ = report.error(&error),
            }
        }
        // A connection of its own, which the pool does not see: it ends with the monitor's runtime.
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
        report.stage("waiting for the answer of a new connection");
        let answer = match is_file {
            true => connection.execute(READ_FILE).await.map(drop),
            false => connection.ping().await,
        };
        answer.map_err(|error| report.error(&error))?;
        report.stage("closing a connection");
        let (Ok(_) | Err(_)) = timeout(report.at_most(CLOSING), connection.close()).await;
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
