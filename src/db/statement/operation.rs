//! Operations that consist of two words.

/// What follows the second word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecondWord {
    /// The target of the operation.
    Target,
    /// No target, or one whose name is not shown.
    NoTarget,
}

/// What follows two words at the start of a statement, if they are one operation. Both are in upper case.
pub(super) fn second_word(first: &str, second: &str) -> Option<SecondWord> {
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
        | ("USE", "ROLE" | "SECONDARY") => Some(SecondWord::NoTarget),
        (
            "TRUNCATE" | "LOCK" | "ANALYZE" | "ANALYSE" | "OPTIMIZE" | "REPAIR" | "CHECK"
            | "CHECKSUM" | "RENAME" | "DESCRIBE" | "DESC",
            "TABLE" | "TABLES",
        )
        | ("BACKUP" | "RESTORE", "DATABASE" | "TABLE" | "LOG")
        | ("REINDEX", "TABLE" | "INDEX" | "SCHEMA" | "DATABASE")
        | ("DETACH", "DATABASE")
        | ("USE", "DATABASE" | "SCHEMA" | "CATALOG" | "WAREHOUSE") => Some(SecondWord::Target),
        _ => None,
    }
}
