use std::time::Duration;

/// Which traces are recorded and kept.
///
/// ```
/// use watchpost::trace::TraceConfig;
///
/// let config = TraceConfig::default().ratio(0.1).rule("/api/content/*", 1.0);
/// assert_eq!(config.max_per_second, 100);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use]
pub struct TraceConfig {
    /// Whether spans are recorded at all.
    pub enabled: bool,
    /// The share of traces that are kept whatever happens in them, from 0 to 1.
    pub ratio: f64,
    /// Other ratios by route: a pattern, or the beginning of one before a `*`; the first that fits holds.
    pub rules: Vec<(String, f64)>,
    /// Traces that are kept by ratio in a second, at most.
    pub max_per_second: u32,
    /// Bytes of traces that are kept for what happened in them, a second on average; eight times that at once.
    pub max_bytes_per_second: u64,
    /// From which duration on a trace is slow; without one, from what 99 of 100 requests of its route take.
    pub slow: Option<Duration>,
    /// Bytes that the spans of undecided traces may hold together.
    pub max_open_bytes: usize,
    /// A trace that is open for so long is decided as it stands.
    pub max_open: Duration,
    /// Bytes of kept traces that stay in memory for [`Monitor::recent_traces`](crate::Monitor::recent_traces).
    pub recent_bytes: usize,
    /// Which `tracing` spans are recorded: directives as for lines.
    pub level: String,
    /// Whether `tracing` events become events of their span.
    pub events: bool,
}

impl TraceConfig {
    /// Every trace, within the limits.
    pub const DEFAULT_RATIO: f64 = 1.0;
    /// A hundred.
    pub const DEFAULT_MAX_PER_SECOND: u32 = 100;
    /// 1 MiB.
    pub const DEFAULT_MAX_BYTES_PER_SECOND: u64 = 1 << 20;
    /// 16 MiB.
    pub const DEFAULT_MAX_OPEN_BYTES: usize = 16 << 20;
    /// A minute.
    pub const DEFAULT_MAX_OPEN: Duration = Duration::from_secs(60);
    /// 4 MiB.
    pub const DEFAULT_RECENT_BYTES: usize = 4 << 20;
    /// Spans from `INFO` up.
    pub const DEFAULT_LEVEL: &'static str = "info";

    /// Sets whether spans are recorded at all. By default, they are.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Sets the share of traces that are kept whatever happens in them, from 0 to 1.
    ///
    /// Default: [`DEFAULT_RATIO`](Self::DEFAULT_RATIO).
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// Adds a ratio for the routes that a pattern names: a route, or the beginning of one before a `*`.
    pub fn rule(mut self, route: impl Into<String>, ratio: f64) -> Self {
        self.rules.push((route.into(), ratio));
        self
    }

    /// Sets how many traces a second are kept by ratio, at most.
    ///
    /// Default: [`DEFAULT_MAX_PER_SECOND`](Self::DEFAULT_MAX_PER_SECOND).
    pub fn max_per_second(mut self, traces: u32) -> Self {
        self.max_per_second = traces;
        self
    }

    /// Sets from which duration on a trace is slow.
    ///
    /// By default, from what 99 of 100 requests of its route take, once 500 were seen.
    pub fn slow(mut self, slow: Duration) -> Self {
        self.slow = Some(slow);
        self
    }

    /// Sets whether `tracing` events become events of their span. By default, they do.
    pub fn events(mut self, events: bool) -> Self {
        self.events = events;
        self
    }
}

impl Default for TraceConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            ratio: Self::DEFAULT_RATIO,
            rules: Vec::new(),
            max_per_second: Self::DEFAULT_MAX_PER_SECOND,
            max_bytes_per_second: Self::DEFAULT_MAX_BYTES_PER_SECOND,
            slow: None,
            max_open_bytes: Self::DEFAULT_MAX_OPEN_BYTES,
            max_open: Self::DEFAULT_MAX_OPEN,
            recent_bytes: Self::DEFAULT_RECENT_BYTES,
            level: Self::DEFAULT_LEVEL.to_owned(),
            events: true,
        }
    }
}
