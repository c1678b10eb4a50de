use tokio_postgres::IsolationLevel;

/// The characteristics of a transaction. Unset ones have the default of the session.
#[derive(Debug, Clone, Copy, Default)]
pub struct TransactionOptions {
    pub(in crate::db) isolation_level: Option<IsolationLevel>,
    pub(in crate::db) read_only: Option<bool>,
    pub(in crate::db) deferrable: Option<bool>,
}

impl TransactionOptions {
    /// The statement that begins the transaction, as tokio-postgres writes it.
    pub(super) fn statement(self) -> String {
        let level = self.isolation_level.map(|level| match level {
            IsolationLevel::ReadUncommitted => "ISOLATION LEVEL READ UNCOMMITTED",
            IsolationLevel::ReadCommitted => "ISOLATION LEVEL READ COMMITTED",
            IsolationLevel::RepeatableRead => "ISOLATION LEVEL REPEATABLE READ",
            IsolationLevel::Serializable => "ISOLATION LEVEL SERIALIZABLE",
            _ => "ISOLATION LEVEL",
        });
        let read_only = self.read_only.map(|it| match it {
            true => "READ ONLY",
            false => "READ WRITE",
        });
        let deferrable = self.deferrable.map(|it| match it {
            true => "DEFERRABLE",
            false => "NOT DEFERRABLE",
        });
        let all: Vec<_> = [level, read_only, deferrable]
            .into_iter()
            .flatten()
            .collect();
        let statement = format!("START TRANSACTION {}", all.join(", "));
        statement.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_holds_the_options_that_are_set() {
        let mut options = TransactionOptions::default();
        assert_eq!(options.statement(), "START TRANSACTION");
        options.deferrable = Some(false);
        assert_eq!(options.statement(), "START TRANSACTION NOT DEFERRABLE");
        options.read_only = Some(true);
        options.isolation_level = Some(IsolationLevel::RepeatableRead);
        assert_eq!(
            options.statement(),
            "START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY, NOT DEFERRABLE"
        );
    }
}
