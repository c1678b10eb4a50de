//! Instrumented pools, connections and transactions of SQLx, with the feature `sqlx`.
//!
//! ```
//! use sqlx::sqlite::SqlitePool;
//!
//! # async fn example(monitor: watchpost::Monitor) -> Result<(), sqlx::Error> {
//! let pool = SqlitePool::connect("sqlite::memory:").await?;
//! let pool = monitor.db_pool(&pool);
//!
//! sqlx::query("CREATE TABLE orders (id INTEGER PRIMARY KEY, mail TEXT)").execute(&pool).await?;
//! let mut transaction = pool.begin().await?;
//! sqlx::query("INSERT INTO orders (mail) VALUES (?)").bind("ada@example.org").execute(&mut transaction).await?;
//! transaction.commit().await?;
//!
//! let texts: Vec<_> = monitor.queries().iter().map(|query| query.text.to_string()).collect();
//! assert!(texts.contains(&"INSERT INTO orders (mail) VALUES (?)".to_owned()));
//! assert!(texts.contains(&"COMMIT".to_owned()));
//! # Ok(())
//! # }
//! # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build().unwrap();
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
//! # runtime.block_on(example(monitor.clone())).unwrap();
//! ```
//!
//! # What to change
//!
//! The pool: [`monitor.db_pool(&pool)`](crate::Monitor::db_pool) gives one that executes what SQLx's does, whichever
//! the driver is. `&pool`, `&mut connection` and `&mut transaction` are executors, for the query macros too; where
//! SQLx wants `&mut *transaction`, write `&mut transaction`. What is not here is reached by `as_sqlx`, unwatched.
//!
//! # What is a query
//!
//! What is executed, from the connection on: the wait for one is the pool's
//! (`db_client_connection_wait_time_seconds`). A stream of rows ends after its last; dropped before, its query was
//! cancelled. `BEGIN`, `COMMIT`, `ROLLBACK` and savepoints count too. A transaction that is dropped rolls back when its
//! connection is used again: that counts when it is dropped, and takes no time. What SQLx asks on its own behalf, for
//! types that it does not know, belongs to the query that needed it.
//!
//! # What rows are counted
//!
//! The rows that came; of a statement that returns none, the rows that it changed. SQLx has these in the types of its
//! drivers alone: the features `sqlx-postgres`, `sqlx-mysql` and `sqlx-sqlite` read them, and pools of the `Any` driver
//! need none. Without the feature of the driver such a query has no rows. `SQLite` names the rows of the last change for
//! any statement, so only those that change rows have them.
//!
//! # Without an adapter
//!
//! A host that leaves its pool as it is has the figures and the slowest queries from the events that SQLx writes
//! through `tracing`, where [`tracing_layer`](crate::Monitor::tracing_layer) hears them: with this feature it
//! asks for those at `DEBUG`, whatever is written as lines. They do not tell how a query ended (`watchpost_outcome` is
//! `unknown`), nor the system (`other_sql`), and make no spans. What an adapter or a guard counts is not counted
//! again.

mod affected;
mod connection;
mod database;
mod error;
mod executor;
mod pool;
mod probe;
mod statement;
mod transaction;

pub use self::connection::PoolConnection;
pub(in crate::db) use self::error::driver_error;
pub use self::pool::Pool;
pub use self::transaction::Transaction;
