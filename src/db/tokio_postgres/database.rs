use super::super::database::Database;
use super::super::guard::QueryGuard;

/// The database of a client, with the settings that its transactions share.
#[derive(Debug, Clone)]
pub(in crate::db) struct PostgresDatabase {
    handle: Database,
    /// Whether statements get a comment with the trace context.
    pub(in crate::db) comments: bool,
}

impl PostgresDatabase {
    pub(in crate::db) fn new(handle: Database) -> Self {
        Self {
            handle,
            comments: false,
        }
    }

    /// Changes the names of the database.
    #[cfg(feature = "deadpool-postgres")]
    pub(in crate::db) fn rename(&mut self, change: impl FnOnce(Database) -> Database) {
        self.handle = change(self.handle.clone());
    }

    /// Begins the query of a statement.
    pub(super) fn query(&self, statement: &str) -> QueryGuard {
        self.handle.query(statement)
    }

    /// Begins the query of a statement. Returns the text to send, with a comment if comments are on.
    pub(super) fn begin(&self, statement: &str) -> (QueryGuard, String) {
        let guard = self.query(statement);
        let text = match self.comments {
            true => guard.commented(statement).into_owned(),
            false => statement.to_owned(),
        };
        (guard, text)
    }
}
