use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::super::target::name;
use super::state::{ConnectionPool, PoolState};
use super::watch::{PoolWatch, Waits};
use crate::clock::Clock;
use crate::metrics::{Kind, Metrics};
use crate::model::caught;
use crate::model::peek;
use crate::semconv;

/// Pools of one monitor that are told apart.
const MAX_POOLS: usize = 64;
/// The name of all further ones.
const OTHER: &str = "_other";

/// The pools of one monitor.
pub(in crate::db) struct Pools {
    metrics: Metrics,
    clock: Clock,
    known: Arc<Known>,
    /// Whether the page tells of pools: from the first one on.
    told: OnceLock<()>,
}

type Known = Mutex<Vec<Watched>>;

#[derive(Clone)]
struct Watched {
    waits: Arc<Waits>,
    /// `None`: it was closed; its name is kept for those who waited for it.
    pool: Option<Arc<dyn ConnectionPool>>,
}

/// A value of a pool, told under this name.
struct Row {
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    kind: Kind,
    /// Its values, each with its state.
    values: fn(&PoolState, &Waits) -> [(&'static str, Option<u64>); 2],
}

const ROWS: [Row; 4] = [
    Row {
        name: semconv::DB_CLIENT_CONNECTION_COUNT,
        unit: "{connection}",
        description: "Connections of a pool, by state",
        kind: Kind::UpDownCounter,
        values: |state, _| [("used", Some(state.used)), ("idle", Some(state.idle))],
    },
    Row {
        name: semconv::DB_CLIENT_CONNECTION_MAX,
        unit: "{connection}",
        description: "Connections that a pool may have",
        kind: Kind::UpDownCounter,
        values: |state, _| [("", state.max), ("", None)],
    },
    Row {
        name: semconv::DB_CLIENT_CONNECTION_IDLE_MIN,
        unit: "{connection}",
        description: "Idle connections that a pool keeps at least",
        kind: Kind::UpDownCounter,
        values: |state, _| [("", state.idle_min), ("", None)],
    },
    Row {
        name: semconv::DB_CLIENT_CONNECTION_PENDING_REQUESTS,
        unit: "{request}",
        description: "Those who wait for a connection of a pool",
        kind: Kind::UpDownCounter,
        values: |state, waits| {
            let waiting = || waits.pending.load(Relaxed);
            [
                ("", Some(state.pending.unwrap_or_else(waiting))),
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
            known: Arc::default(),
            told: OnceLock::new(),
        }
    }

    /// Watches a pool, in place of the one that had its name.
    pub(in crate::db) fn watch(&self, text: &str, pool: Box<dyn ConnectionPool>) -> PoolWatch {
        self.told.get_or_init(|| self.tell());
        let pool = Some(Arc::from(pool));
        let mut name = name(text);
        let mut known = lock(&self.known);
        if known.len() >= MAX_POOLS && !known.iter().any(|old| old.waits.name == name) {
            name = OTHER.into();
        }
        // Of those beyond the cap none is asked: which one should it be?
        let is_asked = *name != *OTHER;
        let (pool, unasked) = if is_asked { (pool, None) } else { (None, pool) };
        let (watch, before) = if let Some(old) = known.iter_mut().find(|old| old.waits.name == name)
        {
            let before = std::mem::replace(&mut old.pool, pool);
            (PoolWatch::new(&old.waits), before)
        } else {
            let waits = Arc::new(self.waits(name));
            let watch = PoolWatch::new(&waits);
            known.push(Watched { waits, pool });
            (watch, None)
        };
        // What ends with a pool is foreign code.
        drop(known);
        drop((before, unasked));
        watch
    }

    fn waits(&self, name: Arc<str>) -> Waits {
        let label = || [(semconv::DB_CLIENT_CONNECTION_POOL_NAME, name.to_string())];
        let wait_time = self
            .metrics
            .histogram(semconv::DB_CLIENT_CONNECTION_WAIT_TIME)
            .unit("s")
            .description("Time until a connection of a pool was got")
            .bounds(semconv::DB_DURATION_BOUNDS)
            .build();
        let timeouts = self
            .metrics
            .counter(semconv::DB_CLIENT_CONNECTION_TIMEOUTS)
            .unit("{timeout}")
            .description("Connections of a pool that were waited for in vain")
            .build();
        Waits {
            clock: self.clock.clone(),
            pending: AtomicU64::new(0),
            wait_time: wait_time.with(label()),
            timeouts: timeouts.with(label()),
            name,
        }
    }

    /// Puts what pools hold on the page.
    fn tell(&self) {
        for row in ROWS {
            // Whoever counts keeps the metrics, which shall not keep the pools.
            let known = Arc::downgrade(&self.known);
            self.metrics.observe(
                row.name,
                row.unit,
                row.description,
                row.kind,
                Arc::new(move |tell| {
                    if let Some(known) = known.upgrade() {
                        tell_row(&known, &row, tell);
                    }
                }),
            );
        }
    }
}

fn lock(known: &Known) -> MutexGuard<'_, Vec<Watched>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tell_row(known: &Known, row: &Row, tell: &mut dyn FnMut(&[(&str, &str)], f64)) {
    // The pools are foreign code: they are asked outside the lock.
    let pools = peek(known).map(|known| known.clone());
    for Watched { waits, pool } in pools.unwrap_or_default() {
        let Some(pool) = pool else { continue };
        match caught(|| pool.state()) {
            Some(Some(state)) => {
                for (label, value) in (row.values)(&state, &waits) {
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
                        tell(labels, value as f64);
                    }
                }
            }
            // Closed: it is let go, so that what it holds can end.
            Some(None) => forget(known, &pool),
            None => {}
        }
    }
}

fn forget(known: &Known, pool: &Arc<dyn ConnectionPool>) {
    let is_it = |of: &&mut Watched| of.pool.as_ref().is_some_and(|it| Arc::ptr_eq(it, pool));
    if let Some(of) = lock(known).iter_mut().find(is_it) {
        // The caller has it still, and so ends it outside the lock.
        of.pool = None;
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = lock(&self.known);
        f.debug_list()
            .entries(known.iter().map(|of| &of.waits.name))
            .finish()
    }
}
