use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use super::config::MetricsConfig;
use crate::clock::Clock;
use crate::model::{Diagnostics, TraceId};

/// Shards of one series at most: beyond that, memory costs more than contention.
const MAX_SHARDS: usize = 8;

/// Who knows the trace of the calling thread.
pub(crate) type TraceSource = Arc<dyn Fn() -> Option<TraceId> + Send + Sync>;

/// What all metrics of one registry share.
pub(super) struct Common {
    /// The registry's number in this process: what a thread keeps of several registries is told apart by it.
    pub(super) number: u64,
    pub(super) config: MetricsConfig,
    pub(super) clock: Clock,
    pub(super) diagnostics: Arc<Diagnostics>,
    /// A power of two.
    pub(super) shards: usize,
    pub(super) trace_source: OnceLock<TraceSource>,
    /// Series in all, overflow series apart.
    pub(super) series: AtomicUsize,
    /// Labels that were cut or left out.
    pub(super) truncated: AtomicU64,
    /// Metrics that are not shown: their name was taken, or too many names.
    pub(super) refused: AtomicU64,
    /// Changes when handles that somebody caches must be looked up again.
    pub(super) epoch: AtomicU64,
}

impl Common {
    pub(super) fn new(config: MetricsConfig, clock: Clock, diagnostics: Arc<Diagnostics>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            number: NEXT.fetch_add(1, Relaxed),
            config,
            clock,
            diagnostics,
            shards: cores.min(MAX_SHARDS).next_power_of_two(),
            trace_source: OnceLock::new(),
            series: AtomicUsize::new(0),
            truncated: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
        }
    }

    /// Takes room for one more series; `false` if all room is taken.
    pub(super) fn take_room(&self) -> bool {
        let limit = self.config.max_series;
        self.series
            .fetch_update(Relaxed, Relaxed, |n| (n < limit).then_some(n + 1))
            .is_ok()
    }
}

impl fmt::Debug for Common {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Common")
            .field("number", &self.number)
            .field("config", &self.config)
            .field("series", &self.series)
            .finish_non_exhaustive()
    }
}
