use std::time::Duration;

use super::limits::SpanLimits;
use crate::model::ExplicitKeys;

/// The configuration of traces: recording, sampling and limits.
///
/// Every field is the setting of the same name under `trace`. The [table](crate::config#the-settings) of settings also
/// lists their variables and ranges.
///
/// ```
/// use std::time::Duration;
/// use watchpost::Monitor;
/// use watchpost::trace::{SamplerKind, TraceConfig};
///
/// # fn main() -> watchpost::Result<()> {
/// let config = TraceConfig::default()
///     .sampler(SamplerKind::ParentBasedTraceIdRatio)
///     .sampler_arg(0.1)
///     .slow(Duration::from_micros(500));
/// let monitor = Monitor::builder("shop").trace(config).env(false).console(false).build()?;
/// assert_eq!(monitor.settings().value("trace.slow"), Some("\"500us\""));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use]
pub struct TraceConfig {
    /// The headers that carry a trace from service to service. Default: trace context and baggage.
    pub propagators: Propagators,
    /// Whether span recording is disabled. IDs and their headers are still propagated. Default: `false`.
    pub disabled: bool,
    /// The destination of kept traces, in addition to memory. Default: [`TraceExporter::Otlp`].
    pub exporter: TraceExporter,
    /// The sampler: which traces are kept regardless of what happens in them. Default:
    /// [`SamplerKind::ParentBasedTraceIdRatio`].
    pub sampler: SamplerKind,
    /// The ratio of traces that a ratio-based sampler keeps, from 0 to 1. Default: 1.
    pub sampler_arg: f64,
    /// The maximum number of traces per second that the sampler keeps, from 0 to 1,000,000. Default: 100.
    pub max_per_second: u32,
    /// The duration from which a trace counts as slow and is kept, up to 1 h. Zero, the default, selects the 99th
    /// percentile of its route.
    pub slow: Duration,
    /// The maximum time that a trace waits for its root, from 1 s to 1 h. After that, its spans so far are sent or
    /// discarded. Default: 1 min.
    pub max_open: Duration,
    /// The maximum total size, in bytes, of the spans of undecided traces, from 64 KiB to 1 GiB. Default: 16 MiB.
    pub max_open_bytes: usize,
    /// The average bytes per second of traces that are kept because of what happened in them. A burst may use eight
    /// times as much. Up to 1 GiB; default: 1 MiB.
    pub max_bytes_per_second: usize,
    /// The maximum size, in bytes, of the kept traces in memory, up to 1 GiB. Default: 4 MiB.
    pub recent_bytes: usize,
    /// The maximum size, in bytes, of the kept traces in the data directory, up to 1 GiB; 0 stores none. Default: 256
    /// MiB.
    pub max_stored_bytes: usize,
    /// The directives that select the recorded `tracing` spans, such as `info,hyper=off,shop::db=debug`. Default:
    /// `info`.
    pub level: String,
    /// The layer that records `tracing` spans. Default: [`SpanBackend::Watchpost`].
    pub spans: SpanBackend,
    /// Whether `tracing` events are recorded as events of their span. Default: `true`.
    pub events: bool,
    /// The limits of one span.
    pub limits: SpanLimits,
    /// Ratios for individual routes: a route pattern, or a prefix followed by `*`. The first match wins.
    pub(crate) rules: Vec<(String, f64)>,
    pub(crate) explicit: ExplicitKeys,
}

impl TraceConfig {
    /// The default of `disabled`: spans are recorded.
    pub const DEFAULT_DISABLED: bool = false;
    /// The default of `sampler_arg`: the sampler keeps all traces.
    pub const DEFAULT_SAMPLER_ARG: f64 = 1.0;
    /// The default of `max_per_second`: 100 traces per second.
    pub const DEFAULT_MAX_PER_SECOND: u32 = 100;
    /// The default of `slow`: zero, which selects the 99th percentile of the route.
    pub const DEFAULT_SLOW: Duration = Duration::ZERO;
    /// The default of `max_open`: one minute.
    pub const DEFAULT_MAX_OPEN: Duration = Duration::from_secs(60);
    /// The default of `max_open_bytes`: 16 MiB.
    pub const DEFAULT_MAX_OPEN_BYTES: usize = 16 << 20;
    /// The default of `max_bytes_per_second`: 1 MiB per second.
    pub const DEFAULT_MAX_BYTES_PER_SECOND: usize = 1 << 20;
    /// The default of `recent_bytes`: 4 MiB.
    pub const DEFAULT_RECENT_BYTES: usize = 4 << 20;
    /// The default of `max_stored_bytes`: 256 MiB.
    pub const DEFAULT_MAX_STORED_BYTES: usize = 256 << 20;
    /// The default of `level`: spans at the level `INFO` and above.
    pub const DEFAULT_LEVEL: &'static str = "info";
    /// The default of `events`: events are recorded as events of their span.
    pub const DEFAULT_EVENTS: bool = true;

    /// Sets the headers that carry a trace from service to service. Default: trace context and baggage.
    pub fn propagators(mut self, propagators: Propagators) -> Self {
        self.explicit.add("trace.propagators");
        self.propagators = propagators;
        self
    }

    /// Sets whether span recording is disabled. Default: `false`.
    pub fn disabled(mut self, disabled: bool) -> Self {
        self.explicit.add("trace.disabled");
        self.disabled = disabled;
        self
    }

    /// Sets where kept traces are sent. Default: [`TraceExporter::Otlp`], to the endpoint of
    /// [`OtlpConfig`](super::OtlpConfig), if there is one.
    pub fn exporter(mut self, exporter: TraceExporter) -> Self {
        self.explicit.add("trace.exporter");
        self.exporter = exporter;
        self
    }

    /// Sets the sampler: which traces are kept regardless of what happens in them. Default:
    /// [`SamplerKind::ParentBasedTraceIdRatio`].
    pub fn sampler(mut self, sampler: SamplerKind) -> Self {
        self.explicit.add("trace.sampler");
        self.sampler = sampler;
        self
    }

    /// Sets the ratio of a ratio-based sampler, from 0 to 1. Default: 1, all traces.
    pub fn sampler_arg(mut self, ratio: f64) -> Self {
        self.explicit.add("trace.sampler_arg");
        self.sampler_arg = ratio;
        self
    }

    /// Adds a ratio for the routes that match `route`: a route pattern, or a prefix followed by `*`. The first matching
    /// rule wins.
    pub fn rule(mut self, route: impl Into<String>, ratio: f64) -> Self {
        self.rules.push((route.into(), ratio));
        self
    }

    /// Sets the maximum number of traces per second that the sampler keeps, from 0 to 1,000,000. Default: 100.
    pub fn max_per_second(mut self, traces: u32) -> Self {
        self.explicit.add("trace.max_per_second");
        self.max_per_second = traces;
        self
    }

    /// Sets the duration from which a trace counts as slow, up to 1 h. Default: zero, which selects the 99th percentile
    /// of the route.
    pub fn slow(mut self, slow: Duration) -> Self {
        self.explicit.add("trace.slow");
        self.slow = slow;
        self
    }

    /// Sets the maximum time that a trace waits for its root, from 1 s to 1 h. Default: 1 min.
    pub fn max_open(mut self, max_open: Duration) -> Self {
        self.explicit.add("trace.max_open");
        self.max_open = max_open;
        self
    }

    /// Sets the maximum total size, in bytes, of the spans of undecided traces, from 64 KiB to 1 GiB. Default: 16 MiB.
    pub fn max_open_bytes(mut self, bytes: usize) -> Self {
        self.explicit.add("trace.max_open_bytes");
        self.max_open_bytes = bytes;
        self
    }

    /// Sets the average bytes per second of traces that are kept because of what happened in them, up to 1 GiB.
    /// Default: 1 MiB.
    pub fn max_bytes_per_second(mut self, bytes: usize) -> Self {
        self.explicit.add("trace.max_bytes_per_second");
        self.max_bytes_per_second = bytes;
        self
    }

    /// Sets the maximum size, in bytes, of the kept traces in memory, up to 1 GiB. Default: 4 MiB.
    pub fn recent_bytes(mut self, bytes: usize) -> Self {
        self.explicit.add("trace.recent_bytes");
        self.recent_bytes = bytes;
        self
    }

    /// Sets the maximum size, in bytes, of the kept traces in the data directory, up to 1 GiB; 0 stores none. Default:
    /// 256 MiB.
    pub fn max_stored_bytes(mut self, bytes: usize) -> Self {
        self.explicit.add("trace.max_stored_bytes");
        self.max_stored_bytes = bytes;
        self
    }

    /// Sets the directives that select the recorded `tracing` spans, such as `info,hyper=off,shop::db=debug`. Default:
    /// `info`.
    pub fn level(mut self, directives: impl Into<String>) -> Self {
        self.explicit.add("trace.level");
        self.level = directives.into();
        self
    }

    /// Sets the layer that records `tracing` spans. Default: [`SpanBackend::Watchpost`].
    pub fn spans(mut self, spans: SpanBackend) -> Self {
        self.explicit.add("trace.spans");
        self.spans = spans;
        self
    }

    /// Sets whether `tracing` events are recorded as events of their span. Default: `true`.
    pub fn events(mut self, events: bool) -> Self {
        self.explicit.add("trace.events");
        self.events = events;
        self
    }

    /// Sets the maximum number of attributes of a span, from 0 to 1000; a larger number counts as 1000. Default: 128.
    pub fn max_attributes(mut self, attributes: u32) -> Self {
        self.explicit.add("trace.max_attributes");
        self.limits.attributes = attributes;
        self
    }

    /// Sets the maximum length of an attribute's text, in characters, from 0 to 4096; a larger number counts as 4096.
    /// Default: 4096.
    pub fn max_value_length(mut self, characters: u32) -> Self {
        self.explicit.add("trace.max_value_length");
        self.limits.value_length = characters;
        self
    }

    /// Sets the maximum number of events of a span, from 0 to 1000. Default: 128.
    pub fn max_events(mut self, events: u32) -> Self {
        self.explicit.add("trace.max_events");
        self.limits.events = events;
        self
    }

    /// Sets the maximum number of links of a span, from 0 to 1000. Default: 128.
    pub fn max_links(mut self, links: u32) -> Self {
        self.explicit.add("trace.max_links");
        self.limits.links = links;
        self
    }

    /// Sets the maximum number of attributes of a span's event, from 0 to 1000. Default: 128.
    pub fn max_event_attributes(mut self, attributes: u32) -> Self {
        self.explicit.add("trace.max_event_attributes");
        self.limits.event_attributes = attributes;
        self
    }

    /// Sets the maximum number of attributes of a span's link, from 0 to 1000. Default: 128.
    pub fn max_link_attributes(mut self, attributes: u32) -> Self {
        self.explicit.add("trace.max_link_attributes");
        self.limits.link_attributes = attributes;
        self
    }

    /// Returns the ratio of traces that the sampler keeps if no caller has decided.
    pub(crate) fn ratio(&self) -> f64 {
        match self.sampler {
            SamplerKind::AlwaysOn | SamplerKind::ParentBasedAlwaysOn => 1.0,
            SamplerKind::AlwaysOff | SamplerKind::ParentBasedAlwaysOff => 0.0,
            SamplerKind::TraceIdRatio | SamplerKind::ParentBasedTraceIdRatio => self.sampler_arg,
        }
    }
}

impl Default for TraceConfig {
    fn default() -> Self {
        Self {
            propagators: Propagators::default(),
            disabled: Self::DEFAULT_DISABLED,
            exporter: TraceExporter::default(),
            sampler: SamplerKind::default(),
            sampler_arg: Self::DEFAULT_SAMPLER_ARG,
            max_per_second: Self::DEFAULT_MAX_PER_SECOND,
            slow: Self::DEFAULT_SLOW,
            max_open: Self::DEFAULT_MAX_OPEN,
            max_open_bytes: Self::DEFAULT_MAX_OPEN_BYTES,
            max_bytes_per_second: Self::DEFAULT_MAX_BYTES_PER_SECOND,
            recent_bytes: Self::DEFAULT_RECENT_BYTES,
            max_stored_bytes: Self::DEFAULT_MAX_STORED_BYTES,
            level: Self::DEFAULT_LEVEL.to_owned(),
            spans: SpanBackend::default(),
            events: Self::DEFAULT_EVENTS,
            limits: SpanLimits::default(),
            rules: Vec::new(),
            explicit: ExplicitKeys::default(),
        }
    }
}

/// The headers that carry a trace from service to service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Propagators {
    /// Whether the W3C headers `traceparent` and `tracestate` are read and sent.
    pub trace_context: bool,
    /// Whether the W3C header `baggage` is read and sent.
    pub baggage: bool,
}

impl Propagators {
    /// No header is read or sent.
    pub const NONE: Self = Self {
        trace_context: false,
        baggage: false,
    };

    /// Sets whether `traceparent` and `tracestate` are read and sent. Default: `true`.
    #[must_use]
    pub fn trace_context(mut self, trace_context: bool) -> Self {
        self.trace_context = trace_context;
        self
    }

    /// Sets whether `baggage` is read and sent. Default: `true`.
    #[must_use]
    pub fn baggage(mut self, baggage: bool) -> Self {
        self.baggage = baggage;
        self
    }
}

impl Default for Propagators {
    fn default() -> Self {
        Self {
            trace_context: true,
            baggage: true,
        }
    }
}

/// The layer that records `tracing` spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SpanBackend {
    /// This crate's own layer. It costs a third of the other one.
    #[default]
    Watchpost,
    /// The layer of tracing-opentelemetry 0.34, for code that calls its `OpenTelemetrySpanExt` (`set_parent`,
    /// `add_link`, `context` of a span). [`install`](crate::MonitorBuilder::install) adds it. In your own subscriber,
    /// add [`Otel::tracing_layer`](crate::otel::Otel::tracing_layer) after `tracing_layer`.
    TracingOpentelemetry,
}

/// The destination of kept traces, in addition to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TraceExporter {
    /// The OTLP receiver of [`OtlpConfig`](super::OtlpConfig).
    #[default]
    Otlp,
    /// No destination; kept traces stay in memory only.
    None,
}

/// The sampler, by its OpenTelemetry name. It selects the traces that are kept regardless of what happens in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SamplerKind {
    /// All traces.
    AlwaysOn,
    /// No trace.
    AlwaysOff,
    /// The ratio [`TraceConfig::sampler_arg`] of traces.
    TraceIdRatio,
    /// The decision of a trusted caller; otherwise all traces.
    ParentBasedAlwaysOn,
    /// The decision of a trusted caller; otherwise no trace.
    ParentBasedAlwaysOff,
    /// The decision of a trusted caller; otherwise the ratio [`TraceConfig::sampler_arg`] of traces.
    #[default]
    ParentBasedTraceIdRatio,
}

impl SamplerKind {
    /// Whether the sampler follows the decision of a trusted caller.
    pub(crate) fn is_parent_based(self) -> bool {
        matches!(
            self,
            Self::ParentBasedAlwaysOn | Self::ParentBasedAlwaysOff | Self::ParentBasedTraceIdRatio
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sampler_has_a_ratio_and_may_be_parent_based() {
        for (sampler, ratio, is_parent_based) in [
            (SamplerKind::AlwaysOn, 1.0, false),
            (SamplerKind::AlwaysOff, 0.0, false),
            (SamplerKind::TraceIdRatio, 0.25, false),
            (SamplerKind::ParentBasedAlwaysOn, 1.0, true),
            (SamplerKind::ParentBasedAlwaysOff, 0.0, true),
            (SamplerKind::ParentBasedTraceIdRatio, 0.25, true),
        ] {
            let config = TraceConfig::default().sampler(sampler).sampler_arg(0.25);
            let got = (config.ratio(), config.sampler.is_parent_based());
            assert_eq!(got, (ratio, is_parent_based));
        }
    }
}
