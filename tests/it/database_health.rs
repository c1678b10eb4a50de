//! Health checks of databases: one that responds, is gone, is silent, or has no free connection.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use deadpool_postgres::Manager;
use serde_json::Value;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tokio_postgres::NoTls;
use watchpost::Access;
use watchpost::db::{Probe, ProbeReport};
use watchpost::health::Check;
use watchpost::testing::Harness;

use crate::support::{get_request, send};

const MS: Duration = Duration::from_millis(1);

/// The check's entry on the detailed page.
async fn entry(harness: &Harness, name: &str) -> Value {
    let page = harness.health().details(Access::open_to_anyone());
    let app = Router::new().route_service("/health", page);
    let response = send(&app, get_request("/health")).await;
    let page: Value = serde_json::from_str(&response.body).unwrap();
    page["checks"][name][0].clone()
}

/// Waits until the check has this status and its output contains this text.
async fn until(harness: &Harness, name: &str, status: &str, output: &str) -> Value {
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let entry = entry(harness, name).await;
        let shown = entry["output"].as_str().unwrap_or_default();
        if entry["status"] == status && shown.contains(output) {
            return entry;
        }
        assert!(
            Instant::now() < patience,
            "{entry} is not {status}, {output}"
        );
        tokio::time::sleep(5 * MS).await;
    }
}

fn quick(check: &Check) {
    let check = check.clone().interval(20 * MS).failures(1).successes(1);
    drop(check.timeout(400 * MS));
}

fn output(entry: &Value) -> &str {
    entry["output"].as_str().unwrap()
}

fn lazy(address: SocketAddr) -> PgPool {
    let options = PgPoolOptions::new().max_connections(2);
    let url = format!("postgres://ada:hunter2hunter2@{address}/shop?sslmode=disable");
    options.connect_lazy(&url).unwrap()
}

fn deadpool(address: SocketAddr) -> deadpool_postgres::Pool {
    let url = format!("postgres://ada:hunter2hunter2@{address}/shop");
    let manager = Manager::new(url.parse().unwrap(), NoTls);
    deadpool_postgres::Pool::builder(manager).build().unwrap()
}

/// An address without a listener.
fn unused_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// A server that accepts connections and responds to the first bytes of each with `response`, if there is one.
fn server(response: Option<Vec<u8>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let held = Mutex::new(Vec::new());
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if let Some(response) = &response {
                let _read = stream.read(&mut [0; 1024]);
                std::io::Write::write_all(&mut stream, response).unwrap();
            }
            held.lock().unwrap().push(stream);
        }
    });
    address
}

/// An error message of the `PostgreSQL` protocol.
fn refusal() -> Vec<u8> {
    let message = "password authentication failed, see postgres://ada:hunter2hunter2@db/shop";
    let fields = format!("SFATAL\0VFATAL\0C28P01\0M{message}\0\0");
    let mut message = vec![b'E'];
    message.extend_from_slice(&(fields.len() as u32 + 4).to_be_bytes());
    message.extend_from_slice(fields.as_bytes());
    message
}

#[tokio::test]
async fn a_database_that_responds_is_up_and_its_checks_are_not_counted() {
    let harness = Harness::in_real_time(|builder| builder);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shop.sqlite3");
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true);
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect_with(options).await.unwrap();
    quick(&harness.health().database(&pool));
    let entry = until(&harness, "database", "pass", "").await;
    assert_eq!(entry["componentType"], "datastore");
    let watched = harness.db_pool(&pool);
    quick(&harness.health().database_as("watched", &watched));
    until(&harness, "watched", "pass", "").await;
    assert!(harness.queries().is_empty());

    // The pool has no free connection, and the database responds.
    let held = pool.acquire().await.unwrap();
    let check = harness.health().database_as("exhausted", &pool);
    drop(check.interval(20 * MS).timeout(Duration::from_secs(5)));
    let none_free = "the database answers, and no connection of the pool was free for";
    until(&harness, "exhausted", "warn", none_free).await;
    drop(held);

    // A file that was removed, and one that is no database.
    std::fs::write(&file, vec![7; 8192]).unwrap();
    until(&harness, "database", "fail", "file is not a database (26)").await;
    drop(watched);
    pool.close().await;
    until(&harness, "watched", "fail", "closed pool").await;
}

#[tokio::test]
async fn a_server_that_is_gone_is_reported_at_once_with_the_drivers_error() {
    let harness = Harness::in_real_time(|builder| builder);
    let address = unused_address();
    quick(&harness.health().database(&lazy(address)));
    quick(&harness.health().database_as("deadpool", &deadpool(address)));
    let watched = harness.db_pool(&lazy(address));
    quick(&harness.health().database_as("watched", &watched));
    for name in ["database", "deadpool", "watched"] {
        let entry = until(&harness, name, "fail", "").await;
        assert!(output(&entry).contains("Connection refused"), "{entry}");
        assert!(!output(&entry).contains("no response"), "{entry}");
    }
    let entry = entry(&harness, "deadpool").await;
    assert!(
        output(&entry).starts_with("error connecting to server: Connection refused"),
        "{entry}"
    );
}

#[tokio::test]
async fn a_servers_error_is_reported_with_its_code_and_without_credentials() {
    let harness = Harness::in_real_time(|builder| builder);
    let address = server(Some(refusal()));
    quick(&harness.health().database(&lazy(address)));
    quick(&harness.health().database_as("deadpool", &deadpool(address)));
    for name in ["database", "deadpool"] {
        let entry = until(&harness, name, "fail", "").await;
        let output = output(&entry);
        assert!(output.contains("password authentication failed"), "{entry}");
        assert!(output.contains("28P01"), "{entry}");
        assert!(!output.contains("hunter2"), "{entry}");
    }
}

#[tokio::test]
async fn a_silent_server_is_reported_with_the_step_that_timed_out() {
    let harness = Harness::in_real_time(|builder| builder);
    let address = server(None);
    quick(&harness.health().database(&lazy(address)));
    quick(&harness.health().database_as("deadpool", &deadpool(address)));
    for name in ["database", "deadpool"] {
        let entry = until(&harness, name, "fail", "").await;
        assert_eq!(output(&entry), "no response within 400 ms while connecting");
    }
}

/// A database with a scripted result.
#[derive(Clone, Default)]
struct ScriptedDatabase {
    hangs: Arc<AtomicBool>,
    blocks: Arc<AtomicBool>,
    fails: Arc<AtomicBool>,
}

impl Probe for ScriptedDatabase {
    async fn probe(&self, report: &ProbeReport) -> Result<(), String> {
        report.stage("connecting to the replica");
        if self.blocks.load(SeqCst) {
            while self.blocks.load(SeqCst) {
                thread::sleep(MS);
            }
        }
        if self.fails.load(SeqCst) {
            return Err("token=hunter2hunter2 was refused".to_owned());
        }
        if self.hangs.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn the_last_error_is_reported_until_a_success() {
    let harness = Harness::in_real_time(|builder| builder);
    let database = ScriptedDatabase::default();
    quick(&harness.health().database(&database));
    until(&harness, "database", "pass", "").await;
    database.fails.store(true, SeqCst);
    let entry = until(&harness, "database", "fail", "").await;
    assert_eq!(output(&entry), "token=[Filtered] was refused");
    database.hangs.store(true, SeqCst);
    database.fails.store(false, SeqCst);
    let hangs = "no response within 400 ms while connecting to the replica; the last error: token=[Filtered] was refused";
    until(&harness, "database", "fail", hangs).await;
    database.hangs.store(false, SeqCst);
    until(&harness, "database", "pass", "").await;
    database.blocks.store(true, SeqCst);
    let entry = until(&harness, "database", "fail", "").await;
    assert!(
        output(&entry).contains("while connecting to the replica"),
        "{entry}"
    );
    assert!(!output(&entry).contains("refused"), "{entry}");
    database.blocks.store(false, SeqCst);
    until(&harness, "database", "pass", "").await;
}
