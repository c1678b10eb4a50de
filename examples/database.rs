//! Queries as spans and metrics, a table of the slowest ones, and a request that queries in a loop (N+1).
//!
//! The database is `SQLite` in memory, used through rusqlite, which blocks. For SQLx, tokio-postgres and deadpool-postgres
//! there are adapters: see `watchpost::db`.
//!
//! ```text
//! $ cargo run --example database
//! database listens on http://127.0.0.1:3000
//! $ curl http://127.0.0.1:3000/orders          # one query
//! $ curl http://127.0.0.1:3000/loop            # a query for each order
//! $ curl http://127.0.0.1:3000/slowest
//!  20 calls, 790.479µs in total, p95  53.019µs: SELECT mail FROM orders WHERE id = ? ["/loop"]
//!   1 calls, 422.588µs in total, p95 422.588µs: SELECT mail FROM orders WHERE id > ? ["/orders"]
//! ```
//!
//! The log line of `/loop` shows the loop (shortened here); `watchpost.db.n_plus_one` is added where the duplicates take
//! more than 50 ms:
//!
//! ```json
//! {"level":"INFO","message":"GET /loop 200 1.401 ms",..,"watchpost.db.queries":20,..,"watchpost.db.duplicates":19}
//! ```
//!
//! The first argument sets another address.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Router, routing::get};
use rusqlite::{Connection, ToSql};
use watchpost::Monitor;
use watchpost::db::{Database, DbSystem};
use watchpost::errors::ResultExt;

#[derive(Clone)]
struct Shop {
    monitor: Monitor,
    /// Describes the database to the monitor; made once for each connection or pool.
    db: Database,
    connection: Arc<Mutex<Connection>>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let monitor = Monitor::builder("database").install()?;
    let connection = Connection::open_in_memory()?;
    connection.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY, mail TEXT NOT NULL)")?;
    for id in 1..=20 {
        let mail = format!("buyer{id}@example.org");
        connection.execute("INSERT INTO orders VALUES (?1, ?2)", (id, mail))?;
    }
    let shop = Shop {
        monitor: Monitor::clone(&monitor),
        db: monitor.db(DbSystem::Sqlite).namespace("shop"),
        connection: Arc::new(Mutex::new(connection)),
    };
    let app = Router::new()
        .route("/orders", get(orders))
        .route("/loop", get(orders_one_by_one))
        .route("/slowest", get(slowest))
        .route_service("/metrics", monitor.prometheus())
        .layer(monitor.layer())
        .with_state(shop);

    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:3000");
    let listener = tokio::net::TcpListener::bind(address).await?;
    eprintln!("database listens on http://{}", listener.local_addr()?);
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(monitor.drain(watchpost::shutdown_signal()))
        .await?;
    eprintln!("{}", monitor.shutdown(Duration::from_secs(3)).await);
    Ok(())
}

impl Shop {
    /// Runs a query on a thread where blocking is allowed, and returns the first column.
    async fn query(
        &self,
        sql: &'static str,
        parameters: Vec<i64>,
    ) -> rusqlite::Result<Vec<String>> {
        let connection = Arc::clone(&self.connection);
        let work = move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let mut statement = connection.prepare_cached(sql)?;
            let parameters: Vec<&dyn ToSql> = parameters.iter().map(|it| it as _).collect();
            let rows = statement.query_map(&*parameters, |row| row.get(0))?;
            rows.collect()
        };
        // `watchpost::spawn_blocking` makes the query's span the current one on the other thread.
        let task = async {
            let joined = watchpost::spawn_blocking(work).await;
            joined.expect("the query does not panic")
        };
        self.db.query(sql).try_run_with(task, error_code).await
    }
}

/// `SQLite`'s extended code, which becomes `db.response.status_code`.
fn error_code(error: &rusqlite::Error) -> Option<String> {
    Some(error.sqlite_error()?.extended_code.to_string())
}

/// One query for all orders.
async fn orders(State(shop): State<Shop>) -> Result<String, StatusCode> {
    let mails = shop.query("SELECT mail FROM orders WHERE id > ?", vec![0]);
    respond(mails.await)
}

/// A query for each order.
async fn orders_one_by_one(State(shop): State<Shop>) -> Result<String, StatusCode> {
    let mut mails = Vec::new();
    for id in 1..=20 {
        let one = shop.query("SELECT mail FROM orders WHERE id = ?", vec![id]);
        match one.await {
            Ok(one) => mails.extend(one),
            Err(error) => return respond(Err(error)),
        }
    }
    respond(Ok(mails))
}

fn respond(mails: rusqlite::Result<Vec<String>>) -> Result<String, StatusCode> {
    match mails.capture() {
        Ok(mails) => Ok(mails.join("\n") + "\n"),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// The statements, by the time they took in total.
async fn slowest(State(shop): State<Shop>) -> String {
    let mut table = String::new();
    for row in shop.monitor.queries() {
        let (calls, total, p95) = (row.calls, row.total, row.p95);
        let routes: Vec<_> = row.callers.iter().map(|caller| &*caller.route).collect();
        table += &format!(
            "{calls:>3} calls, {total:>9.3?} in total, p95 {p95:>9.3?}: {} {routes:?}\n",
            row.text
        );
    }
    table
}
