use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::super::target::clean_name;
use super::state::{ConnectionPool, PoolState};
use super::watch::{PoolWaits, PoolWatch};
use crate::clock::Clock;
use crate::metrics::{InstrumentKind, Metrics};
use crate::model::{InProgress, catch_panic, lock, lock_for_status};
use crate::semconv;

/// Pools of one monitor that have series of their own.
const MAX_POOLS: usize = 64;
/// While a call of a pool's `state` has not returned for this long, it is not called again.
const MAX_STATE_CALL: Duration = Duration::from_secs(1);
/// The name of all further ones.
const OTHER: &str = "_other";

/// The pools of one monitor.
pub(in crate::db) struct Pools {
    metrics: Metrics,
    clock: Clock,
    watched: Arc<WatchedPools>,
    /// Set once the metrics of pools are registered, which the first pool does.
    registered: OnceLock<()>,
}

type WatchedPools = Mutex<Vec<WatchedPool>>;

#[derive(Clone)]
struct WatchedPool {
    waits: Arc<PoolWaits>,
    /// `None` once the pool is closed. Its name stays for the [`PoolWatch`] that counts under it.
    pool: Option<Arc<dyn ConnectionPool>>,
}

/// A metric that is read from the state of each pool.
struct PoolMetric {
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    /// Up to two values, each with its state label; empty for none.
    values: fn(&PoolState, &PoolWaits) -> [(&'static str, Option<u64>); 2],
}

const POOL_METRICS: [PoolMetric; 4] = [
    PoolMetric {
        name: semconv::DB_CLIENT_CONNECTION_COUNT,
        unit: "{connection}",
        description: "Connections of a pool, by state",
        values: |state, _| [("used", Some(state.used)), ("idle", Some(state.idle))],
    },
    PoolMetric {
        name: semconv::DB_CLIENT_CONNECTION_MAX,
        unit: "{connection}",
        description: "Maximum of connections of a pool",
        values: |state, _| [("", state.max), ("", None)],
    },
    PoolMetric {
        name: semconv::DB_CLIENT_CONNECTION_IDLE_MIN,
        unit: "{connection}",
        description: "Minimum of idle connections of a pool",
        values: |state, _| [("", state.idle_min), ("", None)],
    },
    PoolMetric {
        name: semconv::DB_CLIENT_CONNECTION_PENDING_REQUESTS,
        unit: "{request}",
        description: "Requests that wait for a connection of a pool",
        values: |state, waits| {
            let pending = || waits.pending.load(Relaxed);
            [
                ("", Some(state.pending.unwrap_or_else(pending))),
                ("", None),
            ]
        },
    },
];

impl Pools {
    pub(in crate::db) fn new(metrics: &Metrics, clock: &Clock) -> Self {
        Self {
            metrics: metrics.clone(),
            clock: clock.clone(),
            watched: Arc::default(),
            registered: OnceLock::new(),
        }
    }

    /// Watches a pool. It replaces the one that had its name.
    pub(in crate::db) fn watch(&self, text: &str, pool: Box<dyn ConnectionPool>) -> PoolWatch {
        self.registered.get_or_init(|| self.register_metrics());
        let pool = Some(Arc::from(pool));
        let mut name = clean_name(text);
        let mut pools = lock(&self.watched);
        if pools.len() >= MAX_POOLS && !pools.iter().any(|old| old.waits.name == name) {
            name = OTHER.into();
        }
        // Pools beyond the limit share the waits of `_other`. Their state is not read, because the state of one would
        // represent all of them.
        let has_series = *name != *OTHER;
        let (pool, ignored) = if has_series {
            (pool, None)
        } else {
            (None, pool)
        };
        let (watch, replaced) =
            if let Some(old) = pools.iter_mut().find(|old| old.waits.name == name) {
                let replaced = std::mem::replace(&mut old.pool, pool);
                (PoolWatch::new(&old.waits), replaced)
            } else {
                let waits = Arc::new(self.waits(name));
                let watch = PoolWatch::new(&waits);
                pools.push(WatchedPool { waits, pool });
                (watch, None)
            };
        // Dropping a pool runs foreign code, so the lock is released before.
        drop(pools);
        drop((replaced, ignored));
        watch
    }

    fn waits(&self, name: Arc<str>) -> PoolWaits {
        let label = || [(semconv::DB_CLIENT_CONNECTION_POOL_NAME, name.to_string())];
        let wait_time = self
            .metrics
            .histogram(semconv::DB_CLIENT_CONNECTION_WAIT_TIME)
            .unit("s")
            .description("Time to acquire a connection of a pool")
            .bounds(semconv::DB_DURATION_BOUNDS)
            .build();
        let timeouts = self
            .metrics
            .counter(semconv::DB_CLIENT_CONNECTION_TIMEOUTS)
            .unit("{timeout}")
            .description("Timeouts while waiting for a connection of a pool")
            .build();
        PoolWaits {
            clock: self.clock.clone(),
            pending: AtomicU64::new(0),
            wait_time: wait_time.with(label()),
            timeouts: timeouts.with(label()),
            state_calls: InProgress::default(),
            name,
        }
    }

    /// The pool whose `state` has not returned for longest, and for how long.
    pub(in crate::db) fn slowest_state(&self) -> Option<(Arc<str>, Duration)> {
        let now = self.clock.now();
        let pools = lock_for_status(&self.watched)?;
        let calls = pools.iter().filter_map(|pool| {
            let age = pool.waits.state_calls.age(now)?;
            Some((Arc::clone(&pool.waits.name), age))
        });
        calls.max_by_key(|(_, age)| *age)
    }

    /// Registers the metrics that are read from the pools at each scrape.
    fn register_metrics(&self) {
        for metric in POOL_METRICS {
            // The registry may outlive the monitor and must not keep the pools open.
            let pools = Arc::downgrade(&self.watched);
            self.metrics.observe(
                metric.name,
                metric.unit,
                metric.description,
                InstrumentKind::UpDownCounter,
                Arc::new(move |observe| {
                    if let Some(pools) = pools.upgrade() {
                        observe_pools(&pools, &metric, observe);
                    }
                }),
            );
        }
    }
}

/// Observes one metric of all pools.
fn observe_pools(
    pools: &WatchedPools,
    metric: &PoolMetric,
    observe: &mut dyn FnMut(&[(&str, &str)], f64),
) {
    // `state` is foreign code, so it is called outside the lock.
    let watched = lock_for_status(pools).map(|pools| pools.clone());
    for WatchedPool { waits, pool } in watched.unwrap_or_default() {
        let Some(pool) = pool else { continue };
        let now = waits.clock.now();
        let age = waits.state_calls.age(now);
        // Another thread waits for this pool. This one would hang too: it leaves the values out.
        if age.is_some_and(|age| age >= MAX_STATE_CALL) {
            continue;
        }
        match catch_panic(|| waits.state_calls.track(now, || pool.state())) {
            Some(Some(state)) => {
                for (label, value) in (metric.values)(&state, &waits) {
                    let labels = [
                        (semconv::DB_CLIENT_CONNECTION_POOL_NAME, &*waits.name),
                        (semconv::DB_CLIENT_CONNECTION_STATE, label),
                    ];
                    let labels = if label.is_empty() {
                        &labels[..1]
                    } else {
                        &labels[..]
                    };
                    if let Some(value) = value {
                        observe(labels, value as f64);
                    }
                }
            }
            Some(None) => release(pools, &pool),
            // A pool that panics has no values in this scrape.
            None => {}
        }
    }
}

/// Releases the handle of a pool that is closed, so that what it holds can be dropped.
fn release(pools: &WatchedPools, pool: &Arc<dyn ConnectionPool>) {
    let is_it = |watched: &&mut WatchedPool| {
        watched
            .pool
            .as_ref()
            .is_some_and(|it| Arc::ptr_eq(it, pool))
    };
    if let Some(watched) = lock(pools).iter_mut().find(is_it) {
        // Runs no foreign code under the lock: the caller still holds the pool.
        watched.pool = None;
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pools = lock(&self.watched);
        f.debug_list()
            .entries(pools.iter().map(|pool| &pool.waits.name))
            .finish()
    }
}
