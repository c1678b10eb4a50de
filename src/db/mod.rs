//! Database queries: a guard around each, a span, a series and a row in the table of the slowest.
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
//! # Without writing guards
//!
//! | driver | feature | what to change |
//! |---|---|---|
//! | SQLx, whichever the database | `sqlx` | the pool: [`monitor.db_pool(&pool)`](crate::Monitor::db_pool), see `db::sqlx` |
//! | SQLx, and nothing shall change | `sqlx` | nothing: figures and the slowest, from SQLx's own events |
//! | deadpool-postgres | `deadpool-postgres` | the pool: `monitor.db_pool(&pool)`, see `db::deadpool_postgres` |
//! | tokio-postgres | `tokio-postgres` | the client: `db::tokio_postgres::Client::new(client, &db)` |
//! | whether a database answers | | [`monitor.health().database(&pool)`](crate::health::Health::database) |
//! | any other pool | | implement [`ConnectionPool`] for what it holds, [`InstrumentPool`] for its queries |
//!
//! What an adapter sends can tell its trace to the database, in a comment: see its `comments`, and
//! [`commented`](QueryGuard::commented) for statements that are sent otherwise.
//!
//! # When a query ends
//!
//! With what is called of its [guard](QueryGuard): `run`, `try_run`, `in_scope` and `try_in_scope` end it with the
//! work, `finish` and `fail` at once. A guard that is dropped before that was cancelled: the client went away, or a
//! time-out gave up. What the database makes of it then is not known here. A guard works outside a request too: it is
//! the root of a trace of its own.
//!
//! # What is kept of a statement
//!
//! Its form: literals and placeholders become `?`, lists of them one, comments and line breaks a blank. Statements
//! that differ in nothing else have one digest, one series and one row. Of systems that do not speak SQL only the
//! command's name is kept. Of an error its type and the database's code are, not its text, in which databases quote
//! values.
//!
//! Beside `PostgreSQL`'s own `queryid` digests are told apart a little more by how a statement is written (`!=` and
//! `<>`, an alias, `*`), and less by what it holds (the lengths of lists, the types of literals).
//!
//! The summary holds the operations and what they are for, in the order and the spelling of the statement, with case and
//! quotes (`select "Orders" customers`), in at most 255 bytes. Statements that differ in the case of words alone have
//! one digest, and the summary of the one that came first. A query without a summary gives its span the name of the
//! database, of the server or of the system. `db.operation.name` and `db.collection.name` are not taken from SQL, which
//! may do several things to several tables: callers that know them use [`operation`](Database::operation).
//!
//! Passwords and keys that stand in a statement without quotes are literals too: what follows `IDENTIFIED BY`,
//! `PASSWORD`, `REPLACE`, `USING` and `AS` in statements about users, roles and links, what is set for a key or a token,
//! bare words behind a procedure of `EXEC`, or of `CALL` where its name begins with `sp_` or `xp_`. Where it is not clear which of two words is the secret, both are. Names of
//! users, roles and logins stay in the text and do not reach the summary, which labels series.
//!
//! Names of tables and columns stay. Where a program makes tables by the thousand, or writes values as names, their
//! names are shown. Statements are read as a server reads them in its default mode: under `NO_BACKSLASH_ESCAPES`
//! (`MySQL`), `standard_conforming_strings = off` (`PostgreSQL`) or `QUOTED_IDENTIFIER OFF` (SQL Server) a literal may
//! be taken for something else, and `SQLite`'s `"text"` is a name even where the server takes it for a text.
//!
//! # What is counted
//!
//! | where | what |
//! |---|---|
//! | the trace | a span named by the statement's summary, with the attributes of the conventions |
//! | `db_client_operation_duration_seconds` | by system, namespace, summary (at most 80 bytes here, whole words and `…`), operation and collection where the caller gave them, `watchpost_outcome` (`completed`, `failed`, `cancelled`, `panicked`; `unknown` where an event of SQLx alone tells of it) and `error_type` |
//! | [`monitor.queries()`](crate::Monitor::queries) | by digest: calls, errors, time, quantiles, rows, routes, the trace of the longest |
//! | the request's line and span | `watchpost.db.queries`, `watchpost.db.duration` in seconds, `watchpost.db.duplicates` (of a digest that came before in the request) and `watchpost.db.n_plus_one`, where there were any |
//! | the line and span of a request that failed | of its last failed query `db.query.summary`, `db.response.status_code` and `watchpost.db.constraint` where the driver tells them, else `watchpost.db.error.type` |
//! | the event and line of a captured error | the same code and constraint, and the summary where it is the error of the last failed query |
//! | by pool | `db_client_connection_count` by state, `_max`, `_idle_min`, `_pending_requests`, `_timeouts_total`, and the histogram `db_client_connection_wait_time_seconds`; see [`watch_pool`](crate::Monitor::watch_pool) |
//! | by route | `watchpost_request_db_queries_total`, `watchpost_request_db_duplicates_total`, `watchpost_request_n_plus_one_total` and the histogram `watchpost_request_db_duration_seconds` |
//!
//! `watchpost.db.n_plus_one` names the statement of which a request ran five or more, each begun when the one before
//! had ended, for more than 50 ms in all, after some other query: a loop that asks for each row what one statement
//! could ask for all.
//!
//! # What is bounded
//!
//! At most 64 pools and 1,000 digests of a monitor, with 1 MiB of their texts, are recorded separately; other
//! statements count as `_other` of their database. In a full table a statement takes the place of the digest with the
//! fewest calls, once it was seen more often than that digest was called: a statement that comes a second time takes the
//! place of one that ran once. A call of a digest that runs regularly counts eightfold. A digest without a call for an
//! hour (three where it ran regularly) gives its place to any other. The counts of an evicted digest move to `_other`;
//! in the metric they stay in its series, which leaves the page when it is idle.
//!
//! A thousand summaries label series of their own. From the 500th on, a statement's first call counts in the series of
//! `_other`, from the 700th on its first two, from the 850th on its first seven.
//!
//! At most 64 KiB of a statement are read, and 2 KiB of its
//! form are shown. Each thread
//! remembers some two thousand statements, of up to 16 KiB and together 256 KiB, in a table of up to 136 KiB.
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
pub use self::stats::QueryStats;
pub use self::system::DbSystem;

pub(crate) use self::driver_error::driver_error;
pub(crate) use self::queries::Queries;
