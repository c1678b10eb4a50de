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
//! The pool: [`monitor.db_pool(&pool)`](crate::Monitor::db_pool) returns an instrumented pool, for any driver. `&pool`,
//! `&mut connection` and `&mut transaction` are executors, for the query macros too. Where SQLx takes `&mut
//! *transaction`, write `&mut transaction`. Everything else is available through `as_sqlx`; statements executed there
//! are not recorded.
//!
//! # In the state of axum
//!
//! [`Pool`] is cheap to clone, as SQLx's own is. Its parameter is the database, such as `sqlx::Postgres`:
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::{Router, extract::{Path, State}, http::StatusCode, routing::get};
//! use watchpost::{ResultExt, db::sqlx::Pool};
//!
//! #[derive(Clone)]
//! struct App {
//!     pool: Pool<sqlx::Postgres>, // from `monitor.db_pool(&PgPool::connect(&url).await?)`
//! }
//!
//! async fn mail(State(app): State<App>, Path(id): Path<i64>) -> Result<String, StatusCode> {
//!     let mail = sqlx::query_scalar("SELECT mail FROM orders WHERE id = $1").bind(id);
//!     mail.fetch_one(&app.pool).await.capture().map_err(|_| StatusCode::NOT_FOUND)
//! }
//!
//! let router: Router<App> = Router::new().route("/orders/{id}/mail", get(mail));
//! # }
//! ```
//!
//! # What a query is
//!
//! The execution of a statement, once its connection is acquired. The time to acquire the connection is recorded with
//! the pool (`db_client_connection_wait_time_seconds`). A stream of rows ends its query after the last row; dropped
//! before that, the query counts as cancelled. `BEGIN`, `COMMIT`, `ROLLBACK` and savepoints are queries. A transaction
//! that is dropped is rolled back when its connection is used again; the query is recorded at the drop, without a
//! duration. Statements that SQLx sends itself to look up types belong to the query that needed them.
//!
//! # Which rows are counted
//!
//! The rows that were returned, or else the rows that a statement changed. SQLx has the latter only in the types of its
//! drivers: the features `sqlx-postgres`, `sqlx-mysql` and `sqlx-sqlite` read them, and pools of the `Any` driver need
//! none. Without the feature of its driver, such a query has no number of rows. `SQLite` reports the rows of the last
//! change for any statement, so the number is used only for statements that change rows.
//!
//! # Without an adapter
//!
//! If the pool is not instrumented, durations and [`monitor.queries()`](crate::Monitor::queries) come from the events
//! that SQLx emits through `tracing`, if [`tracing_layer`](crate::Monitor::tracing_layer) receives them. With this
//! feature that layer enables them at `DEBUG`, also if `log.level` does not log them. The events do not report how a
//! query ended (`watchpost_outcome` is `unknown`) or in which system (`other_sql`), and there are no spans. A query
//! that an adapter or a guard records is not recorded again.
//!
//! # Statements that SQLx runs by itself
//!
//! When it opens a connection, SQLx runs statements of its own before the adapter has the connection. They are recorded
//! from the events, so beside an instrumented pool [`monitor.queries()`](crate::Monitor::queries) has rows with the system
//! `other_sql` and without a route. With `SQLite` it is one for each new connection, whose text has the pragmas of the
//! connect options:
//!
//! ```text
//! QueryStats { system: OtherSql, summary: "PRAGMA foreign_keys", text: "PRAGMA foreign_keys = ON", calls: 1, rows: 0, .. }
//! ```
//!
//! ```text
//! db_client_operation_duration_seconds_count{db_query_summary="PRAGMA foreign_keys",db_system_name="other_sql",watchpost_outcome="unknown"} 1
//! ```
//!
//! An instrumented pool does not need the events. To leave these rows out, disable the events in the connect options:
//! `SqliteConnectOptions::new().disable_statement_logging()`.

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
