use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::Event;
use tracing::level_filters::LevelFilter;

use super::affected::changes_rows;
use super::cache::{self, Resolved};
use super::digest::Digest;
use super::events::{SqlxEvents, SqlxQuery};
use super::instruments::QueryInstruments;
use super::outcome::{EndedQuery, QueryOutcome};
use super::pool::Pools;
use super::registry::DigestRegistry;
use super::statement::NormalizedStatement;
use super::stats::QueryStats;
use super::system::DbSystem;
use super::target::DatabaseTarget;
use crate::clock::nanos;
use crate::context::Requests;
use crate::metrics::Metrics;
use crate::model::{lock, lock_for_status};
use crate::trace::Traces;

/// The queries and connection pools of one monitor.
#[derive(Debug)]
pub(crate) struct Queries {
    pub(super) pools: Pools,
    pub(super) events: SqlxEvents,
    instruments: Arc<QueryInstruments>,
    registry: Mutex<DigestRegistry>,
}

impl Queries {
    pub(crate) fn new(
        metrics: &Metrics,
        requests: &Arc<Requests>,
        traces: Option<&Arc<Traces>>,
    ) -> Self {
        Self {
            pools: Pools::new(metrics, requests.clock()),
            events: SqlxEvents::default(),
            instruments: Arc::new(QueryInstruments::new(metrics, requests, traces)),
            registry: Mutex::default(),
        }
    }

    /// Returns the pool whose [`ConnectionPool::state`](super::ConnectionPool::state) has not returned for longest, and
    /// for how long.
    pub(crate) fn slowest_pool_state(&self) -> Option<(Arc<str>, Duration)> {
        self.pools.slowest_state()
    }

    /// Returns the shared target that equals `target`.
    pub(super) fn target(&self, target: DatabaseTarget) -> Arc<DatabaseTarget> {
        lock(&self.registry).target(target)
    }

    /// Returns the digest of a statement.
    #[inline]
    pub(super) fn digest(&self, target: &Arc<DatabaseTarget>, text: &str) -> Arc<Digest> {
        cache::get_or_resolve(target, text, || {
            let statement = match target.system.dialect() {
                Some(dialect) => NormalizedStatement::read(text, dialect),
                None => NormalizedStatement::command(text),
            };
            self.resolve(target, statement)
        })
    }

    /// Returns the digest of an operation that the caller names.
    pub(super) fn operation_digest(
        &self,
        target: &Arc<DatabaseTarget>,
        operation: &str,
        collection: &str,
    ) -> Arc<Digest> {
        // No statement begins with a NUL, so the key cannot equal one.
        let key = format!("\0{operation}\0{collection}");
        cache::get_or_resolve(target, &key, || {
            self.resolve(target, NormalizedStatement::named(operation, collection))
        })
    }

    fn resolve(&self, target: &Arc<DatabaseTarget>, statement: NormalizedStatement) -> Resolved {
        lock(&self.registry).resolve(&self.instruments, target, statement)
    }

    /// The level of the SQLx events that the monitor needs, whichever events are logged.
    pub(crate) const EVENT_LEVEL: LevelFilter = SqlxEvents::LEVEL;

    /// The target and level of SQLx's events, if the monitor listens for them, none has arrived, and no pool is
    /// instrumented, whose queries are recorded without events.
    pub(crate) fn missing_events(&self) -> Option<(&'static str, LevelFilter)> {
        self.events.missing()
    }

    /// Notes that a `tracing` layer passes events to [`on_event`](Self::on_event) from now on.
    pub(crate) fn listen(&self) {
        self.events.listen();
    }

    /// Records the query that a `tracing` event reports, if it reports one that is not recorded otherwise.
    #[inline]
    pub(crate) fn on_event(&self, event: &Event<'_>) {
        if let Some(query) = self.events.read(event) {
            self.record_event(&query);
        }
    }

    #[cold]
    fn record_event(&self, query: &SqlxQuery) {
        let target = self.target(DatabaseTarget::new(DbSystem::OtherSql));
        let digest = self.digest(&target, &query.statement);
        let end = self.instruments.requests.clock().now();
        let start = end.saturating_sub(nanos(query.elapsed));
        let rows = match query.rows_affected {
            Some(rows) if query.rows_returned == Some(0) && changes_rows(&digest.summary) => {
                Some(rows)
            }
            _ => query.rows_returned,
        };
        let timing = digest.timing(start, end);
        digest.record_untraced(&EndedQuery::new(timing, &QueryOutcome::Unknown, rows));
    }

    /// The statistics of all digests, in descending order of their total time.
    pub(crate) fn stats(&self) -> Vec<QueryStats> {
        // A child made by `fork` while another thread of the parent held the lock gets none.
        let Some(mut registry) = lock_for_status(&self.registry) else {
            return Vec::new();
        };
        let digests = registry.digests(&self.instruments);
        drop(registry);
        let routes = self.instruments.requests.routes();
        let stats = digests.iter().filter_map(|digest| digest.snapshot(routes));
        let mut stats: Vec<_> = stats.collect();
        stats.sort_by_key(|one| std::cmp::Reverse(one.total));
        stats
    }
}
