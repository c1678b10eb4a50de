//! Metrics of the service's own: contents that were generated.

use std::time::Instant;

use watchpost::Monitor;
use watchpost::metrics::{Counter, Histogram};

use crate::generator::MODEL;

/// Counts generated contents and measures how long they take.
#[derive(Debug, Clone)]
pub(crate) struct Generated {
    contents: Counter,
    duration: Histogram,
}

impl Generated {
    pub(crate) fn new(monitor: &Monitor) -> Self {
        let metrics = monitor.metrics();
        Self {
            contents: metrics
                .counter("content.generated")
                .description("Contents generated, by model and status.")
                .build(),
            duration: metrics
                .histogram("content.generation.duration")
                .unit("s")
                .description("Time to generate a content, by model.")
                .build(),
        }
    }

    /// Runs `generating` and records its result and duration.
    pub(crate) async fn count<T, E>(
        &self,
        generating: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let model = ("gen_ai.request.model", MODEL);
        let begun = Instant::now();
        let done = generating.await;
        let took = begun.elapsed().as_secs_f64();
        let status = if done.is_ok() { "ok" } else { "error" };
        self.contents.with([model, ("status", status)]).add(1);
        self.duration.with([model]).record(took);
        done
    }
}
