use std::fmt;
use std::sync::Arc;

use sqlx::Database;
use sqlx::Error;
use sqlx::SqlStr;
use sqlx::pool::PoolConnection;
use sqlx_core::transaction::TransactionManager;

use super::super::run::InQuery;
use super::error;
use super::pool::Watched;

/// A transaction or savepoint. `&mut Transaction` is an executor. Dropped, it rolls back.
pub struct Transaction<'c, DB: Database> {
    connection: Held<'c, DB>,
    watched: Arc<Watched>,
    open: bool,
}

/// The connection of a transaction.
pub(super) enum Held<'c, DB: Database> {
    Pooled(PoolConnection<DB>),
    Borrowed(&'c mut DB::Connection),
}

impl<DB: Database> Held<'_, DB> {
    fn get(&mut self) -> &mut DB::Connection {
        match self {
            Self::Pooled(connection) => connection,
            Self::Borrowed(connection) => connection,
        }
    }

    /// How many transactions are open on it, one in the other.
    fn depth(&mut self) -> usize {
        DB::TransactionManager::get_transaction_depth(self.get())
    }
}

/// What SQLx sends to begin, end or give up a transaction, and the same of a savepoint.
const BEGIN: [&str; 2] = ["BEGIN", "SAVEPOINT"];
const COMMIT: [&str; 2] = ["COMMIT", "RELEASE SAVEPOINT"];
const ROLLBACK: [&str; 2] = ["ROLLBACK", "ROLLBACK TO SAVEPOINT"];

fn statement([outer, inner]: [&'static str; 2], is_inner: bool) -> &'static str {
    if is_inner { inner } else { outer }
}

impl<'c, DB: Database> Transaction<'c, DB> {
    pub(super) async fn begin(
        connection: Held<'c, DB>,
        watched: &Arc<Watched>,
        by: Option<SqlStr>,
    ) -> Result<Self, Error> {
        let mut begun = Self {
            connection,
            watched: Arc::clone(watched),
            // Where it begins and nobody waits for it, it must be given up.
            open: true,
        };
        let is_inner = begun.connection.depth() > 0;
        let text = by
            .as_ref()
            .map_or(statement(BEGIN, is_inner), SqlStr::as_str);
        let guard = watched.own_query(text);
        let begins = DB::TransactionManager::begin(begun.connection.get(), by);
        let (guard, done) = InQuery::new(guard, begins).await;
        error::end(guard, &done);
        done.map(|()| begun)
    }

    /// The connection itself: what is executed on it is not watched.
    pub fn as_sqlx(&mut self) -> &mut DB::Connection {
        self.connection.get()
    }

    /// Begins a savepoint in it.
    ///
    /// # Errors
    ///
    /// As of [`sqlx::Connection::begin`](sqlx::Connection::begin).
    pub async fn begin_inside(&mut self) -> Result<Transaction<'_, DB>, Error> {
        let held = Held::Borrowed(self.connection.get());
        Transaction::begin(held, &self.watched, None).await
    }

    /// Makes what was done in it last.
    ///
    /// # Errors
    ///
    /// As of [`sqlx::Transaction::commit`](sqlx::Transaction::commit).
    pub async fn commit(mut self) -> Result<(), Error> {
        let is_inner = self.connection.depth() > 1;
        let guard = self.watched.own_query(statement(COMMIT, is_inner));
        let commits = DB::TransactionManager::commit(self.connection.get());
        let (guard, done) = InQuery::new(guard, commits).await;
        error::end(guard, &done);
        self.open = done.is_err();
        done
    }

    /// Gives it up.
    ///
    /// # Errors
    ///
    /// As of [`sqlx::Transaction::rollback`](sqlx::Transaction::rollback).
    pub async fn rollback(mut self) -> Result<(), Error> {
        let is_inner = self.connection.depth() > 1;
        let guard = self.watched.own_query(statement(ROLLBACK, is_inner));
        let gives_up = DB::TransactionManager::rollback(self.connection.get());
        let (guard, done) = InQuery::new(guard, gives_up).await;
        error::end(guard, &done);
        self.open = done.is_err();
        done
    }

    pub(super) fn parts(&mut self) -> (&mut DB::Connection, &Arc<Watched>) {
        (self.connection.get(), &self.watched)
    }
}

impl<DB: Database> Drop for Transaction<'_, DB> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let depth = self.connection.depth();
        let mut give_up = || DB::TransactionManager::start_rollback(self.connection.get());
        if depth == 0 {
            // It never began.
            return give_up();
        }
        let guard = self.watched.own_query(statement(ROLLBACK, depth > 1));
        guard.in_scope(give_up);
    }
}

impl<DB: Database> fmt::Debug for Transaction<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}
