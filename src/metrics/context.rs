use std::any::Any;
use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};

use super::config::MetricsConfig;
use super::histogram::Sharding;
use super::series::SeriesId;
use crate::clock::Clock;
use crate::model::{Diagnostics, TraceId};

/// The maximum number of shards of one series. Beyond it, memory costs more than contention.
const MAX_SHARDS: usize = 8;

/// Returns the trace of the calling thread, for exemplars.
pub(crate) type TraceSource = Arc<dyn Fn() -> Option<TraceId> + Send + Sync>;

/// What watches the series of a registry, for the handles of these series. A module of higher rank defines it.
pub(crate) type SeriesWatches = dyn Any + Send + Sync;

/// What all metrics of one registry share: limits, clock and counters.
pub(super) struct RegistryContext {
    /// The registry's number in this process. Thread-local caches distinguish registries by it.
    pub(super) number: u64,
    pub(super) config: MetricsConfig,
    pub(super) clock: Clock,
    pub(super) diagnostics: Arc<Diagnostics>,
    /// The number of shards of each series, a power of two.
    pub(super) shards: usize,
    /// The same for histograms, which are sharded only if threads collide.
    pub(super) sharding: Arc<Sharding>,
    pub(super) trace_source: OnceLock<TraceSource>,
    #[cfg_attr(
        not(feature = "history"),
        expect(dead_code, reason = "only the history has something that watches")
    )]
    pub(super) watches: OnceLock<Weak<SeriesWatches>>,
    /// The number of series, without overflow series.
    pub(super) series: AtomicUsize,
    last_series_id: AtomicU64,
    /// The number of labels that were cut or left out.
    pub(super) truncated: AtomicU64,
    /// The number of metrics that are not exposed, since their name was taken or the registry was full.
    pub(super) refused: AtomicU64,
    /// Changes when cached handles have to be looked up again.
    pub(super) epoch: AtomicU64,
}

impl RegistryContext {
    pub(super) fn new(config: MetricsConfig, clock: Clock, diagnostics: Arc<Diagnostics>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let shards = cores.min(MAX_SHARDS).next_power_of_two();
        Self {
            number: NEXT.fetch_add(1, Relaxed),
            config,
            clock,
            diagnostics,
            shards,
            sharding: Arc::new(Sharding::new(shards)),
            trace_source: OnceLock::new(),
            watches: OnceLock::new(),
            series: AtomicUsize::new(0),
            last_series_id: AtomicU64::new(0),
            truncated: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
        }
    }

    /// A number that no other series of the registry has.
    pub(super) fn next_series_id(&self) -> SeriesId {
        SeriesId(self.last_series_id.fetch_add(1, Relaxed) + 1)
    }

    /// Reserves one series; returns whether the limit allows it.
    pub(super) fn reserve_series(&self) -> bool {
        let limit = self.config.max_series;
        self.series
            .fetch_update(Relaxed, Relaxed, |n| (n < limit).then_some(n + 1))
            .is_ok()
    }
}

impl fmt::Debug for RegistryContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryContext")
            .field("number", &self.number)
            .field("config", &self.config)
            .field("series", &self.series)
            .finish_non_exhaustive()
    }
}
