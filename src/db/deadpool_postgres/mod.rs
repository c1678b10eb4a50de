//! Instrumented pools of deadpool-postgres, with the feature `deadpool-postgres`.
//!
//! ```no_run
//! use deadpool_postgres::{Manager, Pool};
//!
//! # async fn example(monitor: watchpost::Monitor) -> Result<(), Box<dyn std::error::Error>> {
//! let options = "host=db.internal dbname=shop".parse()?;
//! let pool = Pool::builder(Manager::new(options, tokio_postgres::NoTls)).build()?;
//! let pool = monitor.db_pool_as("orders", &pool).server("db.internal", 5432).namespace("shop");
//!
//! let client = pool.get().await?;
//! let find = client.prepare_cached("SELECT mail FROM orders WHERE id = $1").await?;
//! let rows = client.query(&find, &[&17_i32]).await?;
//! # drop(rows);
//! # Ok(())
//! # }
//! ```
//!
//! A client of the pool is a [`Client`](super::tokio_postgres::Client) of
//! [`db::tokio_postgres`](super::tokio_postgres); its guide lists what is recorded. The time to acquire a client is
//! recorded with the pool (`db_client_connection_wait_time_seconds`), and so are timeouts. deadpool does not show its
//! options, so the pool's name, server and database are set here.

mod client;
mod error;
mod pool;
mod probe;

pub(in crate::db) use self::error::driver_error;
pub use self::pool::Pool;
