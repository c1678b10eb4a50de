use super::super::database::Database;
use super::super::guard::QueryGuard;

/// What a client's queries have in common.
#[derive(Debug, Clone)]
pub(in crate::db) struct Watched {
    pub(in crate::db) database: Database,
    /// Whether statements get a comment that tells their trace.
    pub(in crate::db) comments: bool,
}

impl Watched {
    /// Begins the query of a statement.
    pub(super) fn query(&self, statement: &str) -> QueryGuard {
        self.database.query(statement)
    }

    /// Begins the query of a statement; and the statement as it is sent.
    pub(super) fn begin(&self, statement: &str) -> (QueryGuard, String) {
        let guard = self.query(statement);
        let text = match self.comments {
            true => guard.commented(statement).into_owned(),
            false => statement.to_owned(),
        };
        (guard, text)
    }
}
