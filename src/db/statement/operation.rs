//! Operations of two words.

/// What follows the second word of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Second {
    /// Its target.
    Target,
    /// No target, or one whose name is not shown.
    Alone,
}

/// Whether two words at the begin of a statement are one operation; in upper case both.
pub(super) fn second(first: &str, second: &str) -> Option<Second> {
    match (first, second) {
        (
            "BEGIN" | "COMMIT" | "ROLLBACK" | "START" | "END" | "ABORT" | "SAVE",
            "TRANSACTION" | "TRAN" | "WORK",
        )
        | ("PREPARE", "TRANSACTION")
        | ("COMMIT" | "ROLLBACK", "PREPARED")
        | ("RELEASE", "SAVEPOINT")
        | ("UNLOCK" | "FLUSH", "TABLE" | "TABLES")
        | ("ATTACH", "DATABASE")
        | ("LOAD", "DATA")
        | ("EXEC" | "EXECUTE", "IMMEDIATE")
        | ("USE", "ROLE" | "SECONDARY") => Some(Second::Alone),
        (
            "TRUNCATE" | "LOCK" | "ANALYZE" | "ANALYSE" | "OPTIMIZE" | "REPAIR" | "CHECK"
            | "CHECKSUM" | "RENAME" | "DESCRIBE" | "DESC",
            "TABLE" | "TABLES",
        )
        | ("BACKUP" | "RESTORE", "DATABASE" | "TABLE" | "LOG")
        | ("REINDEX", "TABLE" | "INDEX" | "SCHEMA" | "DATABASE")
        | ("DETACH", "DATABASE")
        | ("USE", "DATABASE" | "SCHEMA" | "CATALOG" | "WAREHOUSE") => Some(Second::Target),
        _ => None,
    }
}
