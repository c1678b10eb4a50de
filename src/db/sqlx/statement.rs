use sqlx::Database;
use sqlx::Execute;
use sqlx::error::BoxDynError;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use super::super::guard::QueryGuard;
use super::pool::Watched;

type Arguments<DB> = Result<Option<<DB as Database>::Arguments>, BoxDynError>;

/// What is to be executed, taken apart: SQLx gives the text away with the whole.
pub(super) struct Statement<DB: Database> {
    text: SqlStr,
    prepared: Option<DB::Statement>,
    arguments: Option<Arguments<DB>>,
    persistent: bool,
}

impl<DB: Database> Statement<DB> {
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

    /// Begins its query.
    pub(super) fn begin(&mut self, by: &Watched) -> QueryGuard {
        let guard = by.query(self.text.as_str());
        if by.comments {
            let text = guard.commented(self.text.as_str());
            if text.as_ref() != self.text.as_str() {
                self.text = AssertSqlSafe(text.into_owned()).into_sql_str();
                // Of another text each time: kept ones would never be used again.
                self.prepared = None;
                self.persistent = false;
            }
        }
        by.sends(self.text.as_str());
        guard
    }
}

impl<DB: Database> Execute<'_, DB> for Statement<DB> {
    fn sql(self) -> SqlStr {
        self.text
    }

    fn statement(&self) -> Option<&DB::Statement> {
        self.prepared.as_ref()
    }

    fn take_arguments(&mut self) -> Arguments<DB> {
        self.arguments.take().unwrap_or(Ok(None))
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}
