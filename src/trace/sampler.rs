//! The sampler: selects traces by ratio when they start, and applies the limits when they end.

use super::budget::{Budget, BudgetSource};
use super::config::TraceConfig;
use crate::clock::Nanos;
use crate::context::{RouteId, Routes};
use crate::model::TraceId;

/// The sampler of one monitor: the ratio, as a bound on a trace ID's low bits, and the limits.
#[derive(Debug)]
pub(crate) struct Sampler {
    ratio: u64,
    /// The bounds for individual routes. The first match wins.
    rules: Vec<(Box<str>, u64)>,
    traces: Budget,
    bytes: Budget,
}

/// The number of low bits of a trace ID that are compared, as in OpenTelemetry's consistent probability sampling.
const BITS: u32 = 56;

impl Sampler {
    pub(crate) fn new(config: &TraceConfig) -> Self {
        let rules = config.rules.iter();
        Self {
            ratio: bound(config.ratio()),
            rules: rules
                .map(|(route, ratio)| (route.as_str().into(), bound(*ratio)))
                .collect(),
            traces: Budget::new(config.max_per_second.into(), config.max_per_second.into()),
            bytes: {
                let bytes = config.max_bytes_per_second as u64;
                Budget::new(bytes, bytes.saturating_mul(8))
            },
        }
    }

    /// Whether the ratio selects a trace. Every service with the same or a higher ratio selects the same ID.
    #[inline]
    pub(crate) fn chooses(&self, trace: TraceId, route: RouteId, routes: &Routes) -> bool {
        let ratio = if self.rules.is_empty() {
            self.ratio
        } else {
            self.ratio_of(route, routes)
        };
        (trace.to_u128() as u64) & ((1 << BITS) - 1) < ratio
    }

    #[cold]
    fn ratio_of(&self, route: RouteId, routes: &Routes) -> u64 {
        let name = routes.name(route);
        let rule = self.rules.iter().find(|(pattern, _)| fits(pattern, &name));
        rule.map_or(self.ratio, |(_, ratio)| *ratio)
    }

    /// Takes one trace of a source from the limit of sampled traces per second. Returns whether the limit has room.
    pub(crate) fn take_trace(&self, source: BudgetSource, now: Nanos) -> bool {
        self.traces.take(source, 1, now)
    }

    /// Takes the bytes of a trace that is kept for a reason from the byte budget. Returns whether the budget has room.
    pub(crate) fn take_bytes(&self, source: BudgetSource, bytes: u64, now: Nanos) -> bool {
        self.bytes.take(source, bytes, now)
    }
}

#[expect(clippy::cast_sign_loss, reason = "a ratio is between 0 and 1")]
fn bound(ratio: f64) -> u64 {
    (ratio.clamp(0.0, 1.0) * (1_u64 << BITS) as f64) as u64
}

/// Whether a pattern matches a route. A pattern is a route, or a prefix followed by `*`.
fn fits(pattern: &str, route: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => route.starts_with(beginning),
        None => pattern == route,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::UNMATCHED;

    fn sampler(ratio: f64, rules: &[(&str, f64)]) -> Sampler {
        let mut config = TraceConfig::default().sampler_arg(ratio);
        let rules = rules
            .iter()
            .map(|(route, ratio)| ((*route).to_owned(), *ratio));
        config.rules = rules.collect();
        Sampler::new(&config)
    }

    #[test]
    fn the_ratio_is_kept_and_consistent() {
        let routes = Routes::default();
        let ids: Vec<_> = (0..20_000).map(|_| TraceId::random()).collect();
        let chosen = |ratio: f64| {
            let sampler = sampler(ratio, &[]);
            let all = ids
                .iter()
                .filter(|id| sampler.chooses(**id, UNMATCHED, &routes));
            all.copied().collect::<std::collections::HashSet<_>>()
        };
        let (tenth, half) = (chosen(0.1), chosen(0.5));
        assert!((1700..2300).contains(&tenth.len()), "{}", tenth.len());
        assert!(tenth.is_subset(&half));
        assert_eq!((chosen(0.0).len(), chosen(1.0).len()), (0, 20_000));
    }

    #[test]
    fn a_rule_by_route_goes_before_the_ratio() {
        let routes = Routes::default();
        let sampler = sampler(0.0, &[("/api/*", 1.0), ("/api/x", 0.0)]);
        let chooses = |route: &str| sampler.chooses(TraceId::random(), routes.id(route), &routes);
        assert!(chooses("/api/x") && chooses("/api/y") && !chooses("/other"));
    }
}
