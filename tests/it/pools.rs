//! Connection pools: the state of their connections and the waits for them.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
#[cfg(feature = "history")]
use std::sync::{Mutex, mpsc};
use std::time::Duration;

#[cfg(feature = "history")]
use serde_json::Value;
use watchpost::db::{ConnectionPool, PoolState};
#[cfg(feature = "history")]
use watchpost::history::MetricQuery;
use watchpost::testing::{Harness, Page};

#[cfg(feature = "history")]
use crate::support::{get_request, send};

/// A pool of ten connections.
#[derive(Default)]
struct Pool {
    used: AtomicU64,
}

const CLOSED: u64 = u64::MAX;
const BROKEN: u64 = u64::MAX - 1;

impl ConnectionPool for Pool {
    fn state(&self) -> Option<PoolState> {
        match self.used.load(Relaxed) {
            CLOSED => None,
            BROKEN => panic!("the pool is broken"),
            used => Some(PoolState::new(used, 10 - used).max(10).idle_min(2)),
        }
    }
}

fn value(page: &Page, name: &str, pool: &str, state: &str) -> Option<f64> {
    let labels = [
        ("db_client_connection_pool_name", pool),
        ("db_client_connection_state", state),
    ];
    let labels = if state.is_empty() {
        &labels[..1]
    } else {
        &labels[..]
    };
    let mut samples = page.samples(name, labels).map(|sample| sample.value);
    samples.next()
}

#[test]
fn a_page_without_pools_has_no_pool_metrics() {
    let page = Harness::new().page();
    for name in ["db_client_connection_count", "db_client_connection_max"] {
        assert!(page.samples(name, &[]).next().is_none());
    }
}

#[test]
fn pool_states_are_read_when_the_page_is_read() {
    let harness = Harness::new();
    let pool = Arc::new(Pool::default());
    harness.watch_pool("orders", &pool);
    pool.used.store(3, Relaxed);
    let page = harness.page();
    let of = |name, state| value(&page, name, "orders", state);
    assert_eq!(of("db_client_connection_count", "used"), Some(3.0));
    assert_eq!(of("db_client_connection_count", "idle"), Some(7.0));
    assert_eq!(of("db_client_connection_max", ""), Some(10.0));
    assert_eq!(of("db_client_connection_idle_min", ""), Some(2.0));
    assert_eq!(of("db_client_connection_pending_requests", ""), Some(0.0));

    // A pool that panics is missing; all others are shown.
    let other = Arc::new(Pool::default());
    harness.watch_pool("mails", &other);
    pool.used.store(BROKEN, Relaxed);
    let page = harness.page();
    assert_eq!(value(&page, "db_client_connection_max", "orders", ""), None);
    assert_eq!(
        value(&page, "db_client_connection_max", "mails", ""),
        Some(10.0)
    );
    pool.used.store(1, Relaxed);
    let page = harness.page();
    assert_eq!(
        value(&page, "db_client_connection_count", "orders", "used"),
        Some(1.0)
    );
}

#[test]
fn a_pool_is_released_when_it_is_closed_or_replaced() {
    let harness = Harness::new();
    let closed = Arc::new(Pool::default());
    let replaced = Arc::new(Pool::default());
    harness.watch_pool("closed", &closed);
    harness.watch_pool("orders", &replaced);
    harness.page();
    closed.used.store(CLOSED, Relaxed);
    harness.watch_pool("orders", &Arc::new(Pool::default()));
    harness.page();
    assert_eq!([&closed, &replaced].map(Arc::strong_count), [1, 1]);
    let page = harness.page();
    assert_eq!(value(&page, "db_client_connection_max", "closed", ""), None);
    assert_eq!(
        value(&page, "db_client_connection_max", "orders", ""),
        Some(10.0)
    );
}

#[test]
fn pools_beyond_sixty_four_share_one_series() {
    let harness = Harness::new();
    let pools: Vec<_> = (0..100).map(|_| Arc::new(Pool::default())).collect();
    let names = (0..100).map(|n| format!("pool {n}\n{}", "x".repeat(200)));
    let watches: Vec<_> = pools
        .iter()
        .zip(names)
        .map(|(pool, name)| harness.watch_pool(name, pool))
        .collect();
    let page = harness.page();
    assert_eq!(page.samples("db_client_connection_max", &[]).count(), 64);
    assert_eq!(watches[63].name().len(), 128);
    assert!(!watches[63].name().contains('\n'));
    assert_eq!(watches[64].name(), "_other");
    assert_eq!(Arc::strong_count(&pools[99]), 1);
}

#[tokio::test]
async fn waiting_for_a_connection_is_counted_and_timed() {
    let harness = Harness::new();
    let pool = Arc::new(Pool::default());
    let watch = harness.watch_pool("orders", &pool);
    let pending = || {
        value(
            &harness.page(),
            "db_client_connection_pending_requests",
            "orders",
            "",
        )
    };

    let waits = watch.acquire(std::future::pending::<io::Result<()>>());
    assert_eq!(pending(), Some(1.0));
    drop(waits);
    assert_eq!(pending(), Some(0.0), "nobody waits any more");

    let got = watch.acquire(async {
        harness.advance(Duration::from_millis(20));
        Ok::<_, io::Error>(7)
    });
    assert_eq!(got.await.unwrap(), 7);
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no connection within 5 s");
    watch
        .acquire(async { Err::<(), _>(late()) })
        .await
        .unwrap_err();
    watch
        .acquire(async { Err::<(), _>(io::Error::other("refused")) })
        .await
        .unwrap_err();
    watch
        .acquire_with(async { Err::<(), _>("late") }, |error| *error == "late")
        .await
        .unwrap_err();
    let asks = watch.acquire_with(async { Err::<(), _>("late") }, |_| {
        panic!("a planned panic")
    });
    asks.await.unwrap_err();

    let page = harness.page();
    let of = |name| value(&page, name, "orders", "");
    assert_eq!(
        of("db_client_connection_wait_time_seconds_count"),
        Some(1.0)
    );
    assert_eq!(of("db_client_connection_wait_time_seconds_sum"), Some(0.02));
    assert_eq!(of("db_client_connection_timeouts_total"), Some(2.0));
    assert_eq!(of("db_client_connection_pending_requests"), Some(0.0));
}

#[tokio::test]
async fn a_pool_registration_may_outlive_its_monitor() {
    let pool = Arc::new(Pool::default());
    let harness = Harness::new();
    let watch = harness.watch_pool("orders", &pool);
    // Like a subscriber that is never dropped.
    let _layer = harness.tracing_layer();
    drop(harness);
    let weak: Weak<_> = Arc::downgrade(&pool);
    watch
        .acquire(async { Ok::<_, io::Error>(()) })
        .await
        .unwrap();
    drop(pool);
    assert!(
        weak.upgrade().is_none(),
        "the monitor is gone, and so is its handle"
    );
}

/// A pool whose `state` hangs until the sender is dropped.
#[cfg(feature = "history")]
struct HangingPool {
    entered: mpsc::Sender<()>,
    released: Mutex<mpsc::Receiver<()>>,
}

#[cfg(feature = "history")]
impl ConnectionPool for HangingPool {
    fn state(&self) -> Option<PoolState> {
        self.entered.send(()).unwrap_or(());
        self.released.lock().unwrap().recv().unwrap_or(());
        Some(PoolState::new(3, 7))
    }
}

#[cfg(feature = "history")]
#[tokio::test]
async fn a_pool_that_hangs_is_named_and_snapshots_go_on_when_it_returns() {
    let harness = Harness::new();
    let (entered, has_entered) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let pool = Arc::new(HangingPool {
        entered,
        released: Mutex::new(released),
    });
    harness.watch_pool("orders", &pool);
    harness.watch_pool("mails", &Arc::new(Pool::default()));
    let app = axum::Router::new().route_service(
        "/health",
        harness
            .health()
            .details(watchpost::Access::open_to_anyone()),
    );
    let health = async || -> Value {
        let details = send(&app, get_request("/health")).await;
        serde_json::from_str(&details.body).unwrap()
    };
    let output = |health: &Value, component: &str| {
        let output = health["checks"][component][0]["output"].as_str();
        output.unwrap_or_default().to_owned()
    };
    harness.advance(Duration::from_secs(10));
    let harness = Arc::new(harness);
    let snapshot = {
        let harness = Arc::clone(&harness);
        std::thread::spawn(move || harness.snapshot())
    };
    has_entered.recv().unwrap();
    assert_eq!(output(&health().await, "history"), "");
    harness.advance(Duration::from_secs(45));

    // A page does not wait for the pool, and shows all others.
    let page = harness.page();
    assert_eq!(value(&page, "db_client_connection_max", "orders", ""), None);
    let other = value(&page, "db_client_connection_max", "mails", "");
    assert_eq!(other, Some(10.0));
    let age = page.sum("watchpost_snapshot_age_seconds", &[("reader", "history")]);
    assert_eq!(age, 45.0);
    let hanging = health().await;
    assert_eq!(hanging["status"], "warn");
    let text = output(&hanging, "history");
    assert!(
        text.starts_with("the snapshot has not ended for 45 s")
            && text.contains("`ConnectionPool::state` of the pool `orders`")
            && text.contains("return without waiting"),
        "{text}"
    );
    assert!(output(&hanging, "connection pools").contains("`orders`"));

    drop(release);
    snapshot.join().unwrap();
    let well = health().await;
    assert_eq!(well["checks"]["history"][0]["status"], "pass");
    assert_eq!(well["checks"]["connection pools"], Value::Null);
    harness.advance(Duration::from_secs(10));
    harness.snapshot();
    let used = MetricQuery::last("db_client_connection_count")
        .label("db_client_connection_pool_name", "orders")
        .label("db_client_connection_state", "used");
    let found = harness.history().at(&used, harness.now()).unwrap();
    assert_eq!(found[0].points[0].value, 3.0);
    let page = harness.page();
    let used = value(&page, "db_client_connection_count", "orders", "used");
    assert_eq!(used, Some(3.0));
}
