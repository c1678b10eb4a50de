//! Queries under the monitor's eyes: a span and a series each, a table of the slowest, and a request that asks for
//! each row in a loop. The database is `SQLite` in memory, called by rusqlite, which blocks.
//!
//! `cargo run --example database`, then `curl http://127.0.0.1:3000/orders`, `curl http://127.0.0.1:3000/loop` and
//! `curl http://127.0.0.1:3000/slowest`. Another address is the first argument.

use std::fmt::Write;
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
    /// Kept where the connection is kept.
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
        .route("/loop", get(in_a_loop))
        .route("/slowest", get(slowest))
        .route_service("/metrics", monitor.prometheus())
        .layer(monitor.layer())
        .with_state(shop);

    let address = std::env::args().nth(1);
    let listener =
        tokio::net::TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    eprintln!("database serves http://{}", listener.local_addr()?);
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(monitor.drain(watchpost::shutdown_signal()))
    .await?;
    eprintln!("{}", monitor.shutdown(Duration::from_secs(3)).await);
    Ok(())
}

impl Shop {
    /// The texts of the first column, read where blocking hurts nobody.
    async fn texts(
        &self,
        sql: &'static str,
        parameters: Vec<i64>,
    ) -> rusqlite::Result<Vec<String>> {
        let connection = Arc::clone(&self.connection);
        let work = move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let mut statement = connection.prepare_cached(sql)?;
            let parameters: Vec<&dyn ToSql> = parameters.iter().map(|it| it as _).collect();
            let texts = statement.query_map(&*parameters, |row| row.get(0))?;
            texts.collect()
        };
        let query = self.db.query(sql);
        // The query's span goes with the work.
        let task = async {
            watchpost::spawn_blocking(work)
                .await
                .expect("it does not panic")
        };
        query.try_run_with(task, code).await
    }
}

/// `SQLite`'s code of an error.
fn code(error: &rusqlite::Error) -> Option<String> {
    Some(error.sqlite_error()?.extended_code.to_string())
}

/// One statement for all orders.
async fn orders(State(shop): State<Shop>) -> Result<String, StatusCode> {
    let texts = shop.texts("SELECT mail FROM orders WHERE id > ?", vec![0]);
    answer(texts.await)
}

/// A statement for each order: its line says `watchpost.db.duplicates`, and `watchpost.db.n_plus_one` where they
/// take more than 50 ms in all.
async fn in_a_loop(State(shop): State<Shop>) -> Result<String, StatusCode> {
    let mut mails = shop.texts("SELECT 'mails:'", Vec::new()).await;
    for id in 1..=20 {
        let of_one = shop.texts("SELECT mail FROM orders WHERE id = ?", vec![id]);
        if let (Ok(mails), Ok(more)) = (&mut mails, of_one.await) {
            mails.extend(more);
        }
    }
    answer(mails)
}

fn answer(texts: rusqlite::Result<Vec<String>>) -> Result<String, StatusCode> {
    let texts = texts.capture();
    let texts = texts.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(texts.join("\n") + "\n")
}

/// The statements so far, those that took longest in all first.
async fn slowest(State(shop): State<Shop>) -> String {
    let mut table = String::new();
    for row in shop.monitor.queries() {
        let _written = writeln!(
            table,
            "{:>5} calls, {:>9.3?} in all, {:>9.3?} at p95, by {:?}: {}",
            row.calls, row.total, row.p95, row.callers, row.text
        );
    }
    table
}
