//! The database: `SQLite` in the data directory, called on the runtime's blocking threads. Its spans are
//! OpenTelemetry's own, as those of a driver would be that knows nothing of the monitor.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::trace::{Span, SpanKind, Status, Tracer};
use opentelemetry::{KeyValue, global};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

/// The users of the first start are 1 to this one.
pub(crate) const USERS: u32 = 100;
/// The contents of the first start are 1 to this one.
pub(crate) const CONTENTS: u32 = 20;

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
pub(crate) struct Store(Arc<Mutex<Connection>>);

impl Store {
    /// Opens the database of `directory`; fills it where it is new.
    pub(crate) fn open(directory: &Path) -> rusqlite::Result<Self> {
        let mut connection = Connection::open(directory.join("contentmax.sqlite3"))?;
        connection.busy_timeout(Duration::from_secs(2))?;
        connection.execute_batch(SCHEMA)?;
        fill(&mut connection)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// The newest contents first.
    pub(crate) async fn contents(&self, limit: u32) -> rusqlite::Result<Vec<Content>> {
        self.call("SELECT contents", move |connection| {
            connection
                .prepare_cached("SELECT * FROM contents ORDER BY id DESC LIMIT ?1")?
                .query_map([limit], content)?
                .collect()
        })
        .await
    }

    pub(crate) async fn content(&self, id: i64) -> rusqlite::Result<Option<Content>> {
        self.call("SELECT contents", move |connection| {
            connection
                .prepare_cached("SELECT * FROM contents WHERE id = ?1")?
                .query_row([id], content)
                .optional()
        })
        .await
    }

    pub(crate) async fn user(&self, id: i64) -> rusqlite::Result<Option<User>> {
        self.call("SELECT users", move |connection| {
            connection
                .prepare_cached("SELECT * FROM users WHERE id = ?1")?
                .query_row([id], |row| {
                    Ok(User {
                        id: row.get("id")?,
                        name: row.get("name")?,
                    })
                })
                .optional()
        })
        .await
    }

    /// Contents with `words` in their title or body, at most 20.
    pub(crate) async fn search(&self, words: String) -> rusqlite::Result<Vec<Content>> {
        self.call("SELECT contents", move |connection| {
            connection
                .prepare_cached(
                    "SELECT * FROM contents WHERE instr(lower(title || ' ' || body), lower(?1))
                     ORDER BY id DESC LIMIT 20",
                )?
                .query_map([words], content)?
                .collect()
        })
        .await
    }

    pub(crate) async fn add(&self, title: String, body: String) -> rusqlite::Result<Content> {
        self.call("INSERT contents", move |connection| {
            connection
                .prepare_cached("INSERT INTO contents (title, body) VALUES (?1, ?2) RETURNING *")?
                .query_row(params![title, body], content)
        })
        .await
    }

    /// Whether the database answers: a health check.
    pub(crate) async fn ping(&self) -> rusqlite::Result<()> {
        self.blocking(|connection| connection.query_row("SELECT 1", [], |_| Ok(())))
            .await
    }

    /// A query in a span.
    async fn call<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> rusqlite::Result<T> {
        let tracer = global::tracer("contentmax.store");
        let mut span = tracer
            .span_builder(name)
            .with_kind(SpanKind::Client)
            .with_attributes([KeyValue::new("db.system.name", "sqlite")])
            .start(&tracer);
        let answer = self.blocking(work).await;
        if let Err(error) = &answer {
            span.set_status(Status::error(error.to_string()));
        }
        answer
    }

    /// `SQLite` blocks, so it is called where blocking hurts nobody.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> rusqlite::Result<T> {
        let connection = Arc::clone(&self.0);
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
