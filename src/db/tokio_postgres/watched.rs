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

    /// The statement as it is sent.
    pub(super) fn text(&self, guard: &QueryGuard, statement: &str) -> String {
        match self.comments {
            true => guard.commented(statement).into_owned(),
            false => statement.to_owned(),
        }
    }
}
