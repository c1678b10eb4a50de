//! Instrumented clients and transactions of tokio-postgres, with the feature `tokio-postgres`.
//!
//! ```no_run
//! use watchpost::db::DbSystem;
//! use watchpost::db::tokio_postgres::Client;
//!
//! # async fn example(monitor: watchpost::Monitor) -> Result<(), tokio_postgres::Error> {
//! let config: tokio_postgres::Config = "host=db.internal dbname=shop".parse()?;
//! let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
//! watchpost::spawn(connection);
//! let database = monitor.db(DbSystem::Postgresql).config(&config);
//! let mut client = Client::new(client, &database);
//!
//! let find = client.prepare("SELECT mail FROM orders WHERE id = $1").await?;
//! let rows = client.query(&find, &[&17_i32]).await?;
//! let transaction = client.transaction().await?;
//! transaction.execute("DELETE FROM orders WHERE id = $1", &[&17_i32]).await?;
//! transaction.commit().await?;
//! # drop(rows);
//! # Ok(())
//! # }
//! ```
//!
//! # What to change
//!
//! The construction of the client: [`Client`] wraps one and has its methods that execute something, with the same
//! names. A statement is a text or a [`Statement`] of this module, which keeps its text. Everything else is reached
//! through [`inner`](Client::inner); statements executed there are not recorded. Pools of deadpool-postgres have an
//! adapter of their own, `db::deadpool_postgres`.
//!
//! # What a query is
//!
//! The execution of a statement, with its preparation if it is given as a text. [`prepare`](Client::prepare) alone is not
//! a query. The statements that begin, commit and roll back transactions and savepoints are queries. A transaction that is
//! dropped sends its rollback then, which is recorded without a duration. A transaction that fails to begin, or whose begin
//! is cancelled, does the same. A `COPY` ends with its data. A stream of rows ends its query with the last row; if it is
//! dropped before that, the query counts as cancelled.

mod client;
mod config;
mod copy;
mod database;
mod error;
mod options;
mod probe;
mod query;
mod rows;
mod session;
mod transaction;
mod transaction_builder;

pub use self::client::Client;
pub use self::copy::{CopyInSink, CopyOutStream};
pub(in crate::db) use self::error::driver_error;
pub use self::options::TransactionOptions;
pub use self::query::{Query, Statement};
pub use self::rows::RowStream;
pub use self::session::{ClientSession, Session, TransactionSession};
pub use self::transaction::Transaction;
pub use self::transaction_builder::TransactionBuilder;

#[cfg(feature = "deadpool-postgres")]
pub(super) use self::database::PostgresDatabase;
#[cfg(feature = "deadpool-postgres")]
pub(super) use self::session::{Sealed, start};
