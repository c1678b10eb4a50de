//! Pools of deadpool-postgres whose clients' queries are watched; feature `deadpool-postgres`.
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
//! A client of the pool is one of [`db::tokio_postgres`](super::tokio_postgres), whose guide says what is a query. The wait
//! for it is the pool's (`db_client_connection_wait_time_seconds`), as are time-outs. deadpool keeps its options to
//! itself, so the pool's name, its server and its database are set here.

mod client;
mod pool;
mod probe;

pub use self::pool::Pool;
pub(in crate::db) use self::probe::driver_error;
