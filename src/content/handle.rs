use std::sync::Arc;
use std::time::Duration;

use super::generation::ContentGeneration;
use super::series::ContentSeries;

/// A handle that records the generated content of one kind, made by [`Monitor::content`](crate::Monitor::content).
///
/// Cheap to clone. Keep it: getting one takes a lock.
#[derive(Debug, Clone)]
#[must_use = "nothing is recorded until content is generated"]
pub struct Content {
    pub(super) series: Arc<ContentSeries>,
}

impl Content {
    /// Records an item that was generated, and how long that took.
    pub fn generated(&self, duration: Duration) {
        self.series.generated(duration);
    }

    /// Begins to generate an item. The returned guard measures the time and records how the attempt ends.
    pub fn begin(&self) -> ContentGeneration {
        ContentGeneration::new(&self.series)
    }

    /// Runs a future that generates an item. With `Ok` the item is generated; with `Err` the attempt has failed.
    ///
    /// # Cancel safety
    ///
    /// As safe as `future`. If the returned future is dropped between its first poll and its end, the attempt is
    /// recorded as cancelled.
    ///
    /// # Errors
    ///
    /// Returns the error of `future`.
    pub async fn try_run<T, E>(&self, future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let generation = self.begin();
        let result = future.await;
        match &result {
            Ok(_) => generation.finish(),
            Err(_) => generation.fail(),
        }
        result
    }
}
