use crate::model::ExplicitKeys;

/// The memory limits of the background worker's queues.
///
/// Every field is the setting of the same name under `worker`. The [table](crate::config#the-settings) of settings also
/// lists their variables.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerConfig {
    /// The maximum size of the records queued for the worker, in bytes, over all threads, from 512 KiB to 1 GiB.
    /// Default: 8 MiB.
    pub max_queue_bytes: usize,
    /// The maximum size of the formatted log records queued for one sink, in bytes, from 64 KiB to 1 GiB. Default: 4
    /// MiB.
    pub max_sink_bytes: usize,
    pub(crate) explicit: ExplicitKeys,
}

impl WorkerConfig {
    /// The default limit of the worker's queue: 8 MiB, or about 20,000 requests that finished since the worker last
    /// ran.
    pub const DEFAULT_MAX_QUEUE_BYTES: usize = 8 << 20;
    /// The default limit of a sink's queue: 4 MiB, or about 10,000 log records that the sink has not accepted yet.
    pub const DEFAULT_MAX_SINK_BYTES: usize = 4 << 20;

    /// Sets the maximum size of the records queued for the worker, in bytes, from 512 KiB to 1 GiB. Records beyond it
    /// are dropped and counted. Default: 8 MiB.
    #[must_use]
    pub fn max_queue_bytes(mut self, bytes: usize) -> Self {
        self.explicit.add("worker.max_queue_bytes");
        self.max_queue_bytes = bytes;
        self
    }

    /// Sets the maximum size of the log records queued for one sink, in bytes, from 64 KiB to 1 GiB. Log records beyond
    /// it are dropped and counted. One block of log records (64 KiB) is always accepted. Default: 4 MiB.
    #[must_use]
    pub fn max_sink_bytes(mut self, bytes: usize) -> Self {
        self.explicit.add("worker.max_sink_bytes");
        self.max_sink_bytes = bytes;
        self
    }
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            max_queue_bytes: Self::DEFAULT_MAX_QUEUE_BYTES,
            max_sink_bytes: Self::DEFAULT_MAX_SINK_BYTES,
            explicit: ExplicitKeys::default(),
        }
    }
}
