//! Clients and transactions of tokio-postgres whose queries are watched; feature `tokio-postgres`.
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
//! How the client is got: [`Client`] has the methods of tokio-postgres' that execute something, by their names. A
//! statement is a text or a [`Statement`] of ours, which remembers its text. What is not here is reached by
//! [`inner`](Client::inner), unwatched. Pools of deadpool-postgres have an adapter of their own,
//! `db::deadpool_postgres`.
//!
//! # What is a query
//!
//! What is executed; a text that is prepared on the way is part of its query, and `prepare` alone is none.
//! Transactions and savepoints count by what they send. One that is dropped sends its rollback then, which
//! counts and takes no time; so does one that fails to begin or is dropped while it does. `COPY` in and out ends with its
//! data. Rows that come as a stream end their query with the last of them; dropped before, it was
//! cancelled.

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
