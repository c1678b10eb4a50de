use std::sync::{Arc, OnceLock};

use super::handle::Content;
use super::series::ContentSeries;
use crate::clock::Clock;
use crate::metrics::{Counter, Histogram, Metrics};
use crate::semconv;

/// The instruments of generated content. They are registered when the first handle is made, so that services that
/// generate none do not expose them.
#[derive(Debug)]
pub(crate) struct ContentInstruments {
    metrics: Metrics,
    clock: Clock,
    registered: OnceLock<Registered>,
}

#[derive(Debug)]
struct Registered {
    generated: Counter,
    duration: Histogram,
}

impl ContentInstruments {
    pub(crate) fn new(metrics: &Metrics, clock: &Clock) -> Self {
        Self {
            metrics: metrics.clone(),
            clock: clock.clone(),
            registered: OnceLock::new(),
        }
    }

    /// The handle of a kind of content.
    pub(crate) fn of_kind(&self, kind: &str) -> Content {
        let all = self
            .registered
            .get_or_init(|| Registered::new(&self.metrics));
        let label = [(semconv::CONTENT_KIND, kind.to_owned())];
        Content {
            series: Arc::new(ContentSeries {
                metrics: self.metrics.clone(),
                clock: self.clock.clone(),
                kind: kind.into(),
                generated: all.generated.with(label.clone()),
                duration: all.duration.with(label),
            }),
        }
    }
}

impl Registered {
    fn new(metrics: &Metrics) -> Self {
        Self {
            generated: metrics
                .counter(semconv::CONTENT_GENERATED)
                .description("Items of content that were generated")
                .build(),
            duration: metrics
                .histogram(semconv::CONTENT_GENERATION_DURATION)
                .unit("s")
                .description("Time that generating an item of content took")
                .bounds(semconv::CONTENT_GENERATION_BOUNDS)
                .build(),
        }
    }
}
