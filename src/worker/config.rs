use crate::model::ExplicitKeys;

/// How much the background may hold in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerConfig {
    /// Bytes of records that wait for the worker, over all threads.
    pub max_queue_bytes: usize,
    /// Bytes of formatted lines that wait for one sink.
    pub max_sink_bytes: usize,
    pub(crate) explicit: ExplicitKeys,
}

impl WorkerConfig {
    /// 8 MiB: some 20,000 requests that finished since the worker last looked.
    pub const DEFAULT_MAX_QUEUE_BYTES: usize = 8 << 20;
    /// 4 MiB: some 10,000 lines that a sink has not taken yet.
    pub const DEFAULT_MAX_SINK_BYTES: usize = 4 << 20;

    /// Sets how many bytes of records may wait for the worker; what comes beyond is dropped and counted.
    /// At least 512 KiB are used.
    /// Default: [`DEFAULT_MAX_QUEUE_BYTES`](Self::DEFAULT_MAX_QUEUE_BYTES).
    #[must_use]
    pub fn max_queue_bytes(mut self, bytes: usize) -> Self {
        self.explicit.add("worker.max_queue_bytes");
        self.max_queue_bytes = bytes;
        self
    }

    /// Sets how many bytes of lines may wait for one sink; what comes beyond is dropped and counted. One
    /// block of lines (64 KiB) is always taken.
    /// Default: [`DEFAULT_MAX_SINK_BYTES`](Self::DEFAULT_MAX_SINK_BYTES).
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
