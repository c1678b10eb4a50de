use super::super::database::Database;
use super::super::guard::QueryGuard;

/// The database of a pool, with the settings that its connections share.
#[derive(Debug, Clone)]
pub(super) struct SqlxDatabase {
    handle: Database,
    /// Whether statements get a comment with the trace context.
    pub(super) comments: bool,
    /// Whether the driver runs statements on its own threads. Events from there are not suppressed by a guard.
    has_driver_threads: bool,
}

impl SqlxDatabase {
    pub(super) fn new(handle: Database, has_driver_threads: bool) -> Self {
        Self {
            handle,
            comments: false,
            has_driver_threads,
        }
    }

    pub(super) fn set_namespace(&mut self, namespace: &str) {
        self.handle = self.handle.clone().namespace(namespace);
    }

    /// Begins the query of a statement. For a statement of the host, call [`expect_event`](Self::expect_event) with the
    /// text that is sent. SQLx emits no event for its own statements, such as `BEGIN`.
    pub(super) fn query(&self, statement: &str) -> QueryGuard {
        self.handle.query(statement)
    }

    /// Announces the event that SQLx will emit for the text of a query that has begun, so that it is not recorded
    /// again.
    pub(super) fn expect_event(&self, text: &str) {
        if self.has_driver_threads {
            self.handle.expect_event(text);
        }
    }
}
