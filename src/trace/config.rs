use super::SpanLimits;

/// Which traces are made, and what of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TraceConfig {
    /// No spans at all. Ids and their headers go on.
    pub(crate) disabled: bool,
    pub(crate) exporter: Exporter,
    pub(crate) sampler: SamplerConfig,
    pub(crate) limits: SpanLimits,
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

#[cfg_attr(not(test), expect(dead_code, reason = "nothing is sampled yet"))]
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
