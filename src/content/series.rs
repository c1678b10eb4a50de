use std::time::Duration;

use crate::clock::Clock;
use crate::metrics::{Counter, Histogram, Metrics};
use crate::model::Outcome;
use crate::semconv;

/// The series of one kind of content.
#[derive(Debug)]
pub(super) struct ContentSeries {
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
    pub(super) kind: Box<str>,
    pub(super) generated: Counter,
    pub(super) duration: Histogram,
}

impl ContentSeries {
    /// Records an item that was generated.
    pub(super) fn generated(&self, duration: Duration) {
        self.generated.add(1);
        self.duration.record(duration.as_secs_f64());
    }

    /// Records an attempt that generated nothing.
    pub(super) fn not_generated(&self, outcome: Outcome) {
        let kind = (semconv::CONTENT_KIND, self.kind.to_string());
        let outcome = (semconv::WATCHPOST_OUTCOME, outcome.as_str().to_owned());
        // Registered with the first failure: a counter without one would be exposed without labels.
        let failures = self.metrics.counter(semconv::CONTENT_GENERATION_FAILURES);
        let failures = failures.description("Attempts to generate content that generated nothing");
        failures.build().with([kind, outcome]).add(1);
    }
}
