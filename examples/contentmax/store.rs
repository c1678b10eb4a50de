//! The database: `SQLite` in the data directory, called on the runtime's blocking threads, each query under the
//! monitor's eyes.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, Statement, params};
use serde::Serialize;
use watchpost::Monitor;
use watchpost::db::{Database, DbSystem};

/// The users of the first start are 1 to this one.
pub(crate) const USERS: u32 = 100;
/// The contents of the first start are 1 to this one.
pub(crate) const CONTENTS: u32 = 20;

const FILE: &str = "contentmax.sqlite3";
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS users (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS contents (
        id INTEGER PRIMARY KEY,
        title TEXT NOT NULL,
        body TEXT NOT NULL,
        created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
    );";

/// A piece of content.
#[derive(Debug, Serialize)]
pub(crate) struct Content {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) created_at: String,
}

/// Someone who writes.
#[derive(Debug, Serialize)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) name: String,
}

/// The database. Clones share one connection.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    connection: Arc<Mutex<Connection>>,
    db: Database,
}

impl Store {
    /// Opens the database of `directory`; fills it where it is new.
    pub(crate) fn open(directory: &Path, monitor: &Monitor) -> rusqlite::Result<Self> {
        let mut connection = Connection::open(directory.join(FILE))?;
        connection.busy_timeout(Duration::from_secs(2))?;
        connection.execute_batch(SCHEMA)?;
        fill(&mut connection)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            db: monitor.db(DbSystem::Sqlite).namespace(FILE),
        })
    }

    /// The newest contents first.
    pub(crate) async fn contents(&self, limit: u32) -> rusqlite::Result<Vec<Content>> {
        let sql = "SELECT * FROM contents ORDER BY id DESC LIMIT ?1";
        self.call(sql, move |statement| {
            statement.query_map([limit], content)?.collect()
        })
        .await
    }

    pub(crate) async fn content(&self, id: i64) -> rusqlite::Result<Option<Content>> {
        self.call("SELECT * FROM contents WHERE id = ?1", move |statement| {
            statement.query_row([id], content).optional()
        })
        .await
    }

    pub(crate) async fn user(&self, id: i64) -> rusqlite::Result<Option<User>> {
        let user = |row: &Row<'_>| {
            Ok(User {
                id: row.get("id")?,
                name: row.get("name")?,
            })
        };
        self.call("SELECT * FROM users WHERE id = ?1", move |statement| {
            statement.query_row([id], user).optional()
        })
        .await
    }

    /// Contents with `words` in their title or body, at most 20.
    pub(crate) async fn search(&self, words: String) -> rusqlite::Result<Vec<Content>> {
        let sql = "SELECT * FROM contents WHERE instr(lower(title || ' ' || body), lower(?1))
                   ORDER BY id DESC LIMIT 20";
        self.call(sql, move |statement| {
            statement.query_map([words], content)?.collect()
        })
        .await
    }

    pub(crate) async fn add(&self, title: String, body: String) -> rusqlite::Result<Content> {
        let sql = "INSERT INTO contents (title, body) VALUES (?1, ?2) RETURNING *";
        self.call(sql, move |statement| {
            statement.query_row(params![title, body], content)
        })
        .await
    }

    /// Whether the database answers: a health check.
    pub(crate) async fn ping(&self) -> rusqlite::Result<()> {
        self.blocking(|connection| connection.query_row("SELECT 1", [], |_| Ok(())))
            .await
    }

    /// Runs a statement under the monitor's eyes.
    async fn call<T: Send + 'static>(
        &self,
        sql: &'static str,
        work: impl FnOnce(&mut Statement<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> rusqlite::Result<T> {
        let answer = self.blocking(move |connection| work(&mut *connection.prepare_cached(sql)?));
        self.db.query(sql).try_run_with(answer, code).await
    }

    /// `SQLite` blocks, so it is called where blocking hurts nobody.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> rusqlite::Result<T> {
        let connection = Arc::clone(&self.connection);
        let task = watchpost::spawn_blocking(move || {
            work(&connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match task.await {
            Ok(answer) => answer,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is going away, and the request with it.
            Err(_) => Err(rusqlite::Error::InvalidQuery),
        }
    }
}

/// `SQLite`'s code of an error.
fn code(error: &rusqlite::Error) -> Option<String> {
    let error = error.sqlite_error()?;
    Some(error.extended_code.to_string())
}

fn content(row: &Row<'_>) -> rusqlite::Result<Content> {
    Ok(Content {
        id: row.get("id")?,
        title: row.get("title")?,
        body: row.get("body")?,
        created_at: row.get("created_at")?,
    })
}

/// Users and contents for the first start, so that there is something to look at.
fn fill(connection: &mut Connection) -> rusqlite::Result<()> {
    const FIRST: [&str; 5] = ["Ada", "Grace", "Linus", "Margaret", "Ken"];
    const LAST: [&str; 4] = ["Moss", "Rivera", "Okafor", "Lindt"];
    const TOPICS: [&str; 4] = ["coffee", "rivers", "bicycles", "bread"];

    let transaction = connection.transaction()?;
    for id in 1..=USERS {
        let first = FIRST[id as usize % FIRST.len()];
        let last = LAST[id as usize % LAST.len()];
        transaction.execute(
            "INSERT OR IGNORE INTO users (id, name) VALUES (?1, ?2)",
            params![id, format!("{first} {last}")],
        )?;
    }
    for id in 1..=CONTENTS {
        let topic = TOPICS[id as usize % TOPICS.len()];
        transaction.execute(
            "INSERT OR IGNORE INTO contents (id, title, body) VALUES (?1, ?2, ?3)",
            params![
                id,
                format!("Note {id} on {topic}"),
                format!("What there is to say about {topic}, part {id}."),
            ],
        )?;
    }
    transaction.commit()
}
