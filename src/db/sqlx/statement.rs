use sqlx::Database;
use sqlx::Execute;
use sqlx::error::BoxDynError;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use super::super::guard::QueryGuard;
use super::database::SqlxDatabase;

type QueryArguments<DB> = Result<Option<<DB as Database>::Arguments>, BoxDynError>;

/// The parts of an SQLx query: `Execute::sql` consumes the query, and its text is needed before.
pub(super) struct QueryParts<DB: Database> {
    text: SqlStr,
    prepared: Option<DB::Statement>,
    arguments: Option<QueryArguments<DB>>,
    persistent: bool,
}

impl<DB: Database> QueryParts<DB> {
    pub(super) fn text(&self) -> &str {
        self.text.as_str()
    }

    pub(super) fn new<'q>(mut query: impl Execute<'q, DB>) -> Self {
        Self {
            arguments: Some(query.take_arguments()),
            prepared: query.statement().cloned(),
            persistent: query.persistent(),
            text: query.sql(),
        }
    }

    /// Begins the query, and adds the comment if the database has comments on.
    pub(super) fn begin(&mut self, database: &SqlxDatabase) -> QueryGuard {
        let guard = database.query(self.text.as_str());
        if database.comments {
            let text = guard.commented(self.text.as_str());
            if text.as_ref() != self.text.as_str() {
                self.text = AssertSqlSafe(text.into_owned()).into_sql_str();
                // The text differs each time, so a cached statement would never be used again.
                self.prepared = None;
                self.persistent = false;
            }
        }
        database.expect_event(self.text.as_str());
        guard
    }
}

impl<DB: Database> Execute<'_, DB> for QueryParts<DB> {
    fn sql(self) -> SqlStr {
        self.text
    }

    fn statement(&self) -> Option<&DB::Statement> {
        self.prepared.as_ref()
    }

    fn take_arguments(&mut self) -> QueryArguments<DB> {
        self.arguments.take().unwrap_or(Ok(None))
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}
