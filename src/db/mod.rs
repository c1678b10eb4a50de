//! Database queries: one guard for each query records a span, a duration by statement, and statistics of all
//! statements.
//!
//! Statements are recorded without their values. The text `WHERE mail = 'ada@example.org'` becomes `WHERE mail = ?`,
//! and all statements with the same normalized text count together.
//!
//! ```
//! use watchpost::db::DbSystem;
//!
//! # async fn example() -> watchpost::Result<()> {
//! # async fn orders() -> Result<Vec<u32>, std::io::Error> { Ok(vec![17]) }
//! let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
//! let db = monitor.db(DbSystem::Postgresql).namespace("shop").server("db.internal", 5432);
//!
//! let found = db.query("SELECT id FROM orders WHERE mail = 'ada@example.org'").try_run(orders()).await;
//! assert!(found.is_ok());
//!
//! let slowest = &monitor.queries()[0];
//! assert_eq!(&*slowest.summary, "SELECT orders");
//! assert_eq!(&*slowest.text, "SELECT id FROM orders WHERE mail = ?");
//! assert_eq!(slowest.calls, 1);
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
//! ```
//!
//! # Adapters for drivers
//!
//! With an adapter, queries need no guards in your code:
//!
//! | driver | feature | what to change |
//! |---|---|---|
//! | SQLx, any database | `sqlx` | the pool: [`monitor.db_pool(&pool)`](crate::Monitor::db_pool), see `db::sqlx` |
//! | SQLx, without any change | `sqlx` | nothing: durations and statistics come from SQLx's own events |
//! | deadpool-postgres | `deadpool-postgres` | the pool: `monitor.db_pool(&pool)`, see `db::deadpool_postgres` |
//! | tokio-postgres | `tokio-postgres` | the client: `db::tokio_postgres::Client::new(client, &db)` |
//! | any other pool | | implement [`ConnectionPool`] for its connections, [`InstrumentPool`] for its queries |
//!
//! [`monitor.health().database(&pool)`](crate::health::Health::database) checks whether the database responds, for
//! these pools and for any type that implements [`Probe`].
//!
//! Adapters can append the trace context to each statement as a comment, so that the database's own logs can be matched
//! with traces: see their `comments`, and [`commented`](QueryGuard::commented) for statements that you send yourself.
//!
//! # What is recorded
//!
//! A request to `/orders/{id}` runs one `SELECT` on `orders`, six on `items` in a loop, and an `UPDATE` that fails with
//! the code `40001`. These are the spans of its trace (shortened):
//!
//! ```text
//! GET /orders/{id}     69.1 ms  error
//! ├─ SELECT orders      4.1 ms  db.query.text="SELECT id, total FROM orders WHERE mail = ? AND state IN (?)"
//! ├─ SELECT items      10.1 ms  db.query.text="SELECT name FROM items WHERE id = ?" db.response.returned_rows=1
//! ├─ …                          (five more)
//! └─ UPDATE orders      2.3 ms  error  error.type="40001" db.response.status_code="40001"
//! ```
//!
//! The log record of the request:
//!
//! ```json
//! {
//!   "level": "ERROR",
//!   "message": "GET /orders/{id} 503 69.100 ms",
//!   "trace_id": "5c99c83e250b6dab81883960969b8be7",
//!   "watchpost.db.queries": 8,
//!   "watchpost.db.duration_ms": 68.5,
//!   "watchpost.db.duplicates": 5,
//!   "watchpost.db.n_plus_one": "SELECT items",
//!   "db.query.summary": "UPDATE orders",
//!   "db.response.status_code": "40001"
//! }
//! ```
//!
//! The metrics (without the buckets and the labels `db_system_name`, `server_address` and `server_port`):
//!
//! ```text
//! db_client_operation_duration_seconds_count{db_namespace="shop",db_query_summary="SELECT items",watchpost_outcome="completed"} 6
//! db_client_operation_duration_seconds_sum{db_namespace="shop",db_query_summary="SELECT orders",watchpost_outcome="completed"} 0.0041
//! db_client_operation_duration_seconds_count{db_namespace="shop",db_query_summary="UPDATE orders",db_response_status_code="40001",error_type="40001",watchpost_outcome="failed"} 1
//! watchpost_request_db_queries_total{http_route="/orders/{id}"} 8
//! ```
//!
//! The first row of [`monitor.queries()`](crate::Monitor::queries), which is sorted by the total time:
//!
//! ```text
//! QueryStats {
//!     system: Postgresql,
//!     namespace: Some("shop"),
//!     summary: "SELECT items",
//!     text: "SELECT name FROM items WHERE id = ?",
//!     calls: 6,
//!     errors: 0,
//!     cancelled: 0,
//!     total: 62.1ms,
//!     p50: 10.241884ms,
//!     p95: 10.6ms,
//!     p99: 10.6ms,
//!     max: 10.6ms,
//!     rows: 6,
//!     callers: [QueryCaller { route: "/orders/{id}", calls: 6 }],
//!     other_callers: 0,
//!     slowest_trace_id: 5c99c83e250b6dab81883960969b8be7,
//! }
//! ```
//!
//! The complete list:
//!
//! | where | what |
//! |---|---|
//! | the trace | a span named by the statement's summary, with the attributes of the semantic conventions |
//! | `db_client_operation_duration_seconds` | a histogram by database, summary and outcome, see [below](#which-series-there-are) |
//! | [`monitor.queries()`](crate::Monitor::queries) | by statement: calls, errors, times, quantiles, rows, routes, and the trace of the slowest query |
//! | the request's log record and span | `watchpost.db.queries`, `watchpost.db.duration_ms`, `watchpost.db.duplicates` (queries whose statement ran before in the request) and `watchpost.db.n_plus_one`, if there were any |
//! | the log record and span of a request that failed | of its last failed query: `db.query.summary`, `db.response.status_code` and `watchpost.db.constraint` if the driver reports them, else `watchpost.db.error.type` |
//! | the event and log record of a captured error | the same code and constraint; the summary if it is the error of the last failed query |
//! | by pool | `db_client_connection_count` by state, `_max`, `_idle_min`, `_pending_requests`, `_timeouts_total`, and the histogram `db_client_connection_wait_time_seconds`; see [`watch_pool`](crate::Monitor::watch_pool) |
//! | by route | `watchpost_request_db_queries_total`, `watchpost_request_db_duplicates_total`, `watchpost_request_n_plus_one_total` and the histogram `watchpost_request_db_duration_seconds` |
//!
//! `watchpost.db.n_plus_one` names a statement that a request ran at least five times, one after the other, for more
//! than 50 ms in total, after some other statement: a loop that fetches row by row what one statement could fetch at
//! once.
//!
//! # When a query ends
//!
//! | what happens to the [guard](QueryGuard) | `watchpost_outcome` |
//! |---|---|
//! | the future of `run` is ready, `in_scope` returns, `finish` is called | `completed` |
//! | `try_run` or `try_in_scope` returns an `Err`, `fail` is called | `failed` |
//! | the guard, or a future that it runs, is dropped before: the client disconnected, or a timeout elapsed | `cancelled` |
//! | code that runs in it panics | `panicked` |
//! | there is no guard; an event of SQLx reports the query | `unknown` |
//!
//! Whether the database completes a cancelled query is unknown. A guard also works outside a request: it is then the
//! root of its own trace.
//!
//! # What is kept of a statement
//!
//! The normalized text: literals and placeholders become `?`, a list of them becomes one, and comments and line breaks
//! become a blank. Statements with the same normalized text have one *digest*, as in `MySQL`: one series and one row of
//! [`monitor.queries()`](crate::Monitor::queries). For systems without SQL, only the name of the command is kept.
//! Errors are recorded with their type and the database's code, and without their text, because databases quote values
//! in it.
//!
//! Compared with `PostgreSQL`'s `queryid`, digests depend a little more on how a statement is written (`!=` and `<>`,
//! an alias, `*`), and less on its values (the lengths of lists, the types of literals).
//!
//! The summary has the operations and their targets, in the order and the spelling of the statement (`select "Orders"
//! customers`), in at most 255 bytes. Statements that differ only in the case of words have one digest, with the
//! summary of the first. A query without a summary has a span with the name of the database, of the server or of the
//! system. `db.operation.name` and `db.collection.name` are not read from SQL, since a statement may run several
//! operations on several tables. Callers that know them use [`operation`](Database::operation).
//!
//! Unquoted passwords and keys in a statement are literals too: what follows `IDENTIFIED BY`, `PASSWORD`, `REPLACE`,
//! `USING` and `AS` in statements about users, roles and links; the value of a key or a token; and unquoted words after
//! a procedure of `EXEC`, or of `CALL` if its name begins with `sp_` or `xp_`. If it is not clear which of two words is
//! the secret, both are. The names of users, roles and logins stay in the text but not in the summary, which labels
//! series.
//!
//! The names of tables and columns stay. If a program creates thousands of tables, or writes values as names, these
//! names are shown. Statements are read as a server reads them in its default mode. Under `NO_BACKSLASH_ESCAPES`
//! (`MySQL`), `standard_conforming_strings = off` (`PostgreSQL`) or `QUOTED_IDENTIFIER OFF` (SQL Server), a literal may
//! be misread. In `SQLite`, `"text"` is a name even where the server treats it as a string.
//!
//! # Which series there are
//!
//! | series | labels | bounds |
//! |---|---|---|
//! | `db_client_operation_duration_seconds` | `db_system_name`, `db_namespace`, `server_address`, `server_port`, `db_query_summary`, `db_operation_name` and `db_collection_name` (if the caller named them), `watchpost_outcome`; failures also `error_type` and `db_response_status_code` | 1, 5, 10, 50, 100 and 500 ms, 1, 5 and 10 s |
//! | `db_client_connection_wait_time_seconds` | `db_client_connection_pool_name` | the same |
//! | `db_client_connection_count` | the pool, and `db_client_connection_state` (`used`, `idle`) | |
//! | `db_client_connection_max`, `_idle_min`, `_pending_requests`, `_timeouts_total` | the pool | |
//! | `watchpost_request_db_duration_seconds` | `http_route` | the same |
//! | `watchpost_request_db_queries_total`, `_db_duplicates_total`, `watchpost_request_n_plus_one_total` | `http_route` | |
//!
//! The bounds are those of OpenTelemetry's conventions; the setting `metrics.histograms` sets others. A histogram series
//! has 12 lines on the metrics page. The text of a statement is never a label.
//!
//! A statement that never fails has one series, `completed`. Each further outcome that occurs adds one, and so does each
//! further pair of `error_type` and code. A service with 100 statements on one database, where ten have failed in two ways
//! each, has 120 series of `db_client_operation_duration_seconds`, in 1,440 lines.
//!
//! # Cardinality limits
//!
//! | what | limit | beyond it |
//! |---|---|---|
//! | series of `db_client_operation_duration_seconds` | 2,000 (`metrics.max_series_per_metric`) | one series, `{otel_metric_overflow="true"}` |
//! | summaries that label series, over all databases | 1,000 | queries count in the series `db_query_summary="_other"` of their database and outcome |
//! | bytes of a summary as a label | 80 | cut after a whole word, with `…` |
//! | bytes of `db_response_status_code` | 32 | cut |
//! | databases of a monitor | 64 | count only under their system |
//! | pools of a monitor | 64 | count as the pool `_other`: waits and timeouts, but no connections |
//! | digests of a monitor | 1,000, and 1 MiB of their texts | statements count as `_other` of their database, also in [`monitor.queries()`](crate::Monitor::queries) |
//! | bytes of a statement that are read | 64 KiB | ignored |
//! | bytes of the normalized text | 2 KiB | cut, with `…` |
//! | statements that a thread caches | about 2,000, of up to 16 KiB each and 256 KiB together | are read again |
//!
//! Counts and durations of all queries stay exact in sum: `_other` and the overflow series have what the limits took from
//! the others. A statement that is new when many are known first counts as `_other`: from the 500th summary on its first
//! call, from the 700th on its first two calls, from the 850th on its first seven.
//!
//! In a full table, a statement replaces the digest with the fewest calls once it was seen more often than that digest
//! was called. So a statement that runs a second time replaces one that ran once. Each call of a digest that runs
//! regularly counts as eight. A digest without a call for an hour (three hours if it ran regularly) can be replaced by
//! any other. The counts of an evicted digest move to `_other`; in the metrics they stay in its series, which leaves
//! the metrics page when it is idle. The texts of the last 512 evicted digests, up to 256 KiB, stay in memory for spans whose
//! trace is not decided yet. In a trace that waits longer, such a span has the name `_other` and the attribute
//! `watchpost.truncated`.
//!
//! Source: <https://opentelemetry.io/docs/specs/semconv/database/>

mod affected;
mod cache;
mod comment;
mod database;
#[cfg(feature = "deadpool-postgres")]
pub mod deadpool_postgres;
mod digest;
mod driver_error;
mod events;
mod guard;
mod instrument_pool;
mod instruments;
mod outcome;
mod pool;
mod queries;
mod registry;
mod retirements;
#[cfg(any(feature = "sqlx", feature = "tokio-postgres"))]
mod rows;
mod run;
#[cfg(feature = "sqlx")]
pub mod sqlx;
mod statement;
mod stats;
#[cfg(feature = "sqlx")]
mod stream;
mod summary_labels;
mod system;
mod table;
mod target;
#[cfg(feature = "tokio-postgres")]
pub mod tokio_postgres;

pub use self::database::Database;
pub use self::guard::QueryGuard;
pub use self::instrument_pool::{InstrumentPool, PoolContext};
pub use self::pool::{Acquire, ConnectionPool, PoolState, PoolWatch, Probe, ProbeReport};
pub use self::run::{RunQuery, TryRunQuery};
pub use self::stats::{QueryCaller, QueryStats};
pub use self::system::DbSystem;

#[cfg(feature = "dashboard")]
pub(crate) use self::digest::label_text as summary_label;
pub(crate) use self::driver_error::driver_error;
pub(crate) use self::queries::Queries;
