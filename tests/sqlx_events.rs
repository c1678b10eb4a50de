//! SQLx's own events, in a process of its own: `SQLite`'s statements run on threads for which only the global subscriber
//! is active.

use std::time::Duration;

use sqlx::Executor;
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use tracing_subscriber::layer::SubscriberExt;
use watchpost::db::{DbSystem, QueryStats};
use watchpost::testing::Harness;

fn row(harness: &Harness, text: &str) -> QueryStats {
    let mut rows = harness.queries().into_iter();
    rows.find(|row| &*row.text == text).expect(text)
}

/// Waits until this number of queries is counted, then a little for those that must not be.
async fn settled(harness: &Harness, count: u64) -> u64 {
    let calls = || harness.queries().iter().map(|row| row.calls).sum::<u64>();
    for _ in 0..1000 {
        if calls() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    calls()
}

async fn find(pool: &SqlitePool, id: i64) {
    let find = sqlx::query("SELECT mail FROM orders WHERE id = ?").bind(id);
    find.fetch_all(pool).await.unwrap();
}

#[tokio::test]
async fn events_of_a_bare_pool_are_counted_and_none_twice() {
    let harness = Harness::with(|builder| builder.log_level("info,sqlx=debug"));
    let options = SqlitePoolOptions::new().max_connections(1);
    let bare = options.connect("sqlite::memory:").await.unwrap();
    let table = "CREATE TABLE orders (id INTEGER PRIMARY KEY, mail TEXT)";
    sqlx::query(table).execute(&bare).await.unwrap();
    let subscriber = tracing_subscriber::registry().with(harness.tracing_layer());
    tracing::subscriber::set_global_default(subscriber).expect("it is this process' first");
    let adapted = harness.db_pool(&bare);
    // The first statement of all is one of the adapter.
    adapted.execute("DELETE FROM orders").await.unwrap();
    let before = settled(&harness, 1).await;
    assert_eq!(row(&harness, "DELETE FROM orders").calls, 1);

    for id in 0..10 {
        find(&bare, id).await;
    }
    assert_eq!(settled(&harness, before + 10).await, before + 10);
    let found = row(&harness, "SELECT mail FROM orders WHERE id = ?");
    assert_eq!((found.system, found.calls), (DbSystem::OtherSql, 10));
    let unknown = [("watchpost_outcome", "unknown")];
    let count = "db_client_operation_duration_seconds_count";
    assert!(harness.page().sum(count, &unknown) >= 10.0);

    for id in 0..10_i64 {
        let find = sqlx::query("SELECT id FROM orders WHERE id = ?").bind(id);
        find.fetch_all(&adapted).await.unwrap();
    }
    assert_eq!(settled(&harness, before + 20).await, before + 20);
    let found = row(&harness, "SELECT id FROM orders WHERE id = ?");
    assert_eq!((found.system, found.calls), (DbSystem::Sqlite, 10));

    // A statement with its trace in a comment has another text in its event.
    let commented = harness.db_pool(&bare).comments(true);
    let in_a_trace = harness.span("job").run(async {
        for id in 0..5_i64 {
            let find = sqlx::query("SELECT id, mail FROM orders WHERE id = ?").bind(id);
            find.fetch_all(&commented).await.unwrap();
        }
    });
    in_a_trace.await;
    let before = before + 5;
    assert_eq!(settled(&harness, before + 20).await, before + 20);

    // With a query guard, while the driver runs the statement on another thread.
    let by_hand = harness.db(DbSystem::Sqlite);
    by_hand
        .query("SELECT mail FROM orders WHERE id = 1")
        .run(find(&bare, 1))
        .await;
    assert!(settled(&harness, before + 21).await <= before + 22);

    find(&bare, 2).await;
    let last = settled(&harness, before + 22).await;
    assert!((before + 22..=before + 23).contains(&last));

    // As log records they have a message and their other fields.
    let lines = harness.lines();
    let of = |message: &str| {
        let found = lines
            .iter()
            .find(|line| line.contains(&format!("\"message\":\"{message}\"")));
        found.unwrap_or_else(|| panic!("{message} is not in {lines:?}"))
    };
    assert!(of("DELETE FROM orders").contains("\"rows_affected\":0"));
    assert!(of("SELECT mail FROM orders …").contains("\"target\":\"sqlx::query\""));

    // Rows affected by a statement of a bare pool.
    let insert = "INSERT INTO orders (mail) VALUES ('a'), ('b')";
    sqlx::query(insert).execute(&bare).await.unwrap();
    settled(&harness, last + 1).await;
    assert_eq!(
        row(&harness, "INSERT INTO orders (mail) VALUES (?)").rows,
        2
    );
}
