//! An incident on request: a statement becomes slow, then fails, then everything is well again.

use std::time::Duration;

use tokio::time::Instant;

use crate::store::Store;

/// How long the statement is slow.
const SLOW: Duration = Duration::from_secs(30);
/// How long it fails after that.
const FAILING: Duration = Duration::from_secs(30);

/// An incident that begins some time after the start. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Incident {
    begin: Option<Instant>,
}

impl Incident {
    /// Plans an incident; `None` plans none.
    pub(crate) fn after(delay: Option<Duration>) -> Self {
        Self {
            begin: delay.map(|delay| Instant::now() + delay),
        }
    }

    /// Slows a request down or fails it, while the incident lasts.
    pub(crate) async fn strike(&self, store: &Store) -> sqlx::Result<()> {
        let since = self
            .begin
            .and_then(|begin| Instant::now().checked_duration_since(begin));
        match since {
            Some(since) if since < SLOW => store.count_slowly().await,
            Some(since) if since < SLOW + FAILING => store.read_missing_table().await,
            _ => Ok(()),
        }
    }
}
