use std::time::Duration;

use super::SpanLimits;

/// Which traces are made, and which are kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TraceConfig {
    /// No spans at all. Ids and their headers go on.
    pub(crate) disabled: bool,
    pub(crate) exporter: Exporter,
    pub(crate) sampler: SamplerConfig,
    pub(crate) limits: SpanLimits,
    /// Other ratios by route: a pattern, or the beginning of one before a `*`; the first that fits holds.
    pub(crate) rules: Vec<(String, f64)>,
    /// Traces that are kept by ratio in a second, at most.
    pub(crate) max_per_second: u32,
    /// Bytes of traces that are kept for what happened in them, a second on average; eight times that at once.
    pub(crate) max_bytes_per_second: usize,
    /// From which duration on a trace is slow; zero: from what 99 of 100 requests of its route take.
    pub(crate) slow: Duration,
    /// Bytes that the spans of undecided traces may hold together.
    pub(crate) max_open_bytes: usize,
    /// A trace that is open for so long is decided as it stands.
    pub(crate) max_open: Duration,
    /// Bytes of kept traces that stay in memory.
    pub(crate) recent_bytes: usize,
    /// Which `tracing` spans are recorded: directives as for lines.
    pub(crate) level: String,
    /// Who makes spans of `tracing` spans.
    pub(crate) spans: Spans,
    /// Whether `tracing` events become events of their span.
    pub(crate) events: bool,
}

/// Who makes spans of `tracing` spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Spans {
    /// This crate's own layer, at a third of the other's cost.
    #[default]
    Watchpost,
    /// The layer of tracing-opentelemetry 0.34: for code that calls its `OpenTelemetrySpanExt` (`set_parent`,
    /// `add_link`, `context` of a span). [`install`](crate::MonitorBuilder::install) adds it; a subscriber of
    /// your own needs [`Otel::tracing_layer`](crate::otel::Otel::tracing_layer) behind `tracing_layer`.
    TracingOpentelemetry,
}

/// Where kept traces go, beside memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exporter {
    Otlp,
    None,
}

/// Which traces are kept whatever becomes of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SamplerConfig {
    pub(crate) kind: SamplerKind,
    /// The share of traces, from 0 to 1, where the kind goes by one.
    pub(crate) ratio: f64,
}

/// OpenTelemetry's samplers by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SamplerKind {
    AlwaysOn,
    AlwaysOff,
    Ratio,
    /// As the caller decided; without one, as the part behind it says.
    ParentAlwaysOn,
    ParentAlwaysOff,
    ParentRatio,
}

impl SamplerConfig {
    /// The share of traces that are kept where no caller decided.
    pub(crate) fn share(self) -> f64 {
        match self.kind {
            SamplerKind::AlwaysOn | SamplerKind::ParentAlwaysOn => 1.0,
            SamplerKind::AlwaysOff | SamplerKind::ParentAlwaysOff => 0.0,
            SamplerKind::Ratio | SamplerKind::ParentRatio => self.ratio,
        }
    }

    /// Whether a caller's decision counts.
    pub(crate) fn asks_parent(self) -> bool {
        matches!(
            self.kind,
            SamplerKind::ParentAlwaysOn | SamplerKind::ParentAlwaysOff | SamplerKind::ParentRatio
        )
    }
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self {
            kind: SamplerKind::ParentRatio,
            ratio: 1.0,
        }
    }
}

impl Default for TraceConfig {
    fn default() -> Self {
        Self {
            disabled: false,
            exporter: Exporter::Otlp,
            sampler: SamplerConfig::default(),
            limits: SpanLimits::default(),
            rules: Vec::new(),
            max_per_second: 100,
            max_bytes_per_second: 1 << 20,
            slow: Duration::ZERO,
            max_open_bytes: 16 << 20,
            max_open: Duration::from_secs(60),
            recent_bytes: 4 << 20,
            level: "info".to_owned(),
            spans: Spans::Watchpost,
            events: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_says_its_share_and_whom_it_asks() {
        for (kind, share, asks) in [
            (SamplerKind::AlwaysOn, 1.0, false),
            (SamplerKind::AlwaysOff, 0.0, false),
            (SamplerKind::Ratio, 0.25, false),
            (SamplerKind::ParentAlwaysOn, 1.0, true),
            (SamplerKind::ParentAlwaysOff, 0.0, true),
            (SamplerKind::ParentRatio, 0.25, true),
        ] {
            let sampler = SamplerConfig { kind, ratio: 0.25 };
            assert_eq!((sampler.share(), sampler.asks_parent()), (share, asks));
        }
    }
}
