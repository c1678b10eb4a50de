use std::sync::Arc;
use std::time::Duration;

use super::series::ContentSeries;
use crate::clock::Nanos;
use crate::model::Outcome;

/// An attempt to generate an item of content, made by [`Content::begin`](super::Content::begin).
///
/// It ends with [`finish`](Self::finish) or [`fail`](Self::fail). A guard that is dropped earlier is recorded as
/// cancelled, or as panicked if its thread panics.
#[derive(Debug)]
#[must_use = "an attempt that is dropped before it ends counts as cancelled"]
pub struct ContentGeneration {
    /// Empty once the attempt has ended.
    series: Option<Arc<ContentSeries>>,
    start: Nanos,
}

impl ContentGeneration {
    pub(super) fn new(series: &Arc<ContentSeries>) -> Self {
        Self {
            start: series.clock.now(),
            series: Some(Arc::clone(series)),
        }
    }

    /// Ends the attempt: the item is generated.
    pub fn finish(mut self) {
        if let Some(series) = self.series.take() {
            let duration = series.clock.now().saturating_sub(self.start);
            series.generated(Duration::from_nanos(duration));
        }
    }

    /// Ends the attempt without an item.
    pub fn fail(mut self) {
        if let Some(series) = self.series.take() {
            series.not_generated(Outcome::Failed);
        }
    }
}

impl Drop for ContentGeneration {
    fn drop(&mut self) {
        if let Some(series) = self.series.take() {
            series.not_generated(if std::thread::panicking() {
                Outcome::Panicked
            } else {
                Outcome::Cancelled
            });
        }
    }
}
