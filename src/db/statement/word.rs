//! The keywords of SQL and their roles.

/// What a keyword does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WordRole {
    /// Nothing: a name, or a keyword that is listed only so that its case is ignored.
    Plain,
    // Roles for literals and lists.
    In,
    Is,
    Not,
    Null,
    Bool,
    Default,
    Distinct,
    Values,
    Row,
    /// A type that may precede a literal.
    Type,
    // Roles for the summary.
    Select,
    From,
    Into,
    Join,
    Using,
    On,
    As,
    With,
    /// Ends a list of tables.
    Clause,
    /// `FOR`, `THEN` and similar words: the operation that follows is not a separate statement.
    Before,
    SetOperator,
    Set,
    Insert,
    Replace,
    Update,
    Delete,
    Merge,
    /// `CREATE` and similar words: the kind of an object follows, then its name.
    Define,
    Call,
    Copy,
    Explain,
    Grant,
    /// Any other operation with a target.
    TargetOperation,
    /// `USE`: a database follows.
    Use,
    /// An operation without a target.
    PlainOperation,
    /// The kind of an object.
    ObjectKind,
    Relation,
    Materialized,
    /// The kind of an object whose name is not shown, since it may be a person's.
    Nameless,
    /// The kind of an object that contains statements.
    Routine,
    /// A secret follows.
    Identified,
    /// May occur between an operation and its target.
    Noise,
    /// Like [`Noise`](Self::Noise), also before a table in a list.
    Only,
}

impl WordRole {
    /// Whether the keyword is not a name where a name may occur.
    pub(super) fn is_structure(self) -> bool {
        matches!(
            self,
            Self::Select
                | Self::From
                | Self::Into
                | Self::Join
                | Self::Using
                | Self::On
                | Self::As
                | Self::With
                | Self::Clause
                | Self::Set
                | Self::SetOperator
                | Self::Values
                | Self::Default
        )
    }

    /// Whether the keyword begins a statement.
    pub(super) fn begins_statement(self) -> bool {
        matches!(
            self,
            Self::Select
                | Self::With
                | Self::Set
                | Self::Insert
                | Self::Update
                | Self::Delete
                | Self::Merge
                | Self::Define
                | Self::Call
                | Self::Grant
                | Self::TargetOperation
                | Self::PlainOperation
        )
    }
}

/// A keyword.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Keyword {
    pub(super) text: &'static str,
    pub(super) role: WordRole,
    /// Whether an operand follows. A sign there belongs to its number.
    pub(super) operand: bool,
}

/// Any word that is not a keyword.
pub(super) static NAME: Keyword = Keyword {
    text: "",
    role: WordRole::Plain,
    operand: false,
};

macro_rules! words {
    ($($role:ident $operand:literal: $($text:literal)*;)*) => {
        &[$($(Keyword { text: $text, role: WordRole::$role, operand: $operand },)*)*]
    };
}

const KEYWORDS: &[Keyword] = words! {
    In true: "IN";
    Is false: "IS";
    Not true: "NOT";
    Null false: "NULL";
    Bool false: "TRUE" "FALSE";
    Default true: "DEFAULT";
    Distinct true: "DISTINCT";
    Values true: "VALUES" "VALUE";
    Row false: "ROW";
    Type false: "DATE" "TIME" "TIMESTAMP" "TIMESTAMPTZ" "INTERVAL" "DATETIME";
    Select true: "SELECT";
    From true: "FROM";
    Into false: "INTO";
    Join false: "JOIN" "APPLY" "STRAIGHT_JOIN";
    Using false: "USING";
    On true: "ON";
    As false: "AS";
    With false: "WITH";
    Clause true: "WHERE" "HAVING" "LIMIT" "OFFSET" "RETURNING";
    Clause false: "GROUP" "ORDER" "FETCH" "WINDOW" "OPTION" "QUALIFY" "OUTPUT";
    Before true: "THEN";
    Before false: "FOR" "KEY" "AFTER" "BEFORE" "INSTEAD" "OF";
    SetOperator false: "UNION" "EXCEPT" "INTERSECT" "MINUS";
    Set false: "SET";
    Insert false: "INSERT" "UPSERT";
    Replace false: "REPLACE";
    Update false: "UPDATE";
    Delete false: "DELETE";
    Merge false: "MERGE";
    Define false: "CREATE" "ALTER" "DROP" "REFRESH" "ENABLE" "DISABLE";
    Call false: "CALL" "EXEC" "EXECUTE";
    Copy false: "COPY";
    Explain false: "EXPLAIN";
    Grant false: "GRANT" "REVOKE" "DENY";
    Use false: "USE";
    TargetOperation false: "TRUNCATE" "VACUUM" "ANALYZE" "ANALYSE" "LOCK" "REINDEX" "DESCRIBE" "DESC" "PRAGMA"
        "REPAIR" "OPTIMIZE" "CLUSTER";
    PlainOperation false: "BEGIN" "COMMIT" "ROLLBACK" "START" "END" "ABORT" "SAVEPOINT" "RELEASE" "SHOW" "BULK"
        "LISTEN" "UNLISTEN" "NOTIFY" "CLOSE" "MOVE" "DECLARE" "DISCARD" "RESET" "UNLOCK" "KILL" "LOAD"
        "ATTACH" "DETACH" "CHECKPOINT" "COMMENT" "PREPARE" "DEALLOCATE" "DO" "FLUSH" "CHECK" "RENAME"
        "HANDLER" "XA" "PURGE" "DBCC" "BACKUP" "RESTORE" "PRINT" "WAITFOR" "IF" "WHILE" "REASSIGN"
        "IMPORT" "SAVE";
    Relation false: "TABLE" "VIEW";
    Materialized false: "MATERIALIZED";
    ObjectKind false: "INDEX" "SEQUENCE" "SCHEMA" "DATABASE" "TYPE" "DOMAIN" "EXTENSION"
        "SERVER" "PUBLICATION" "SUBSCRIPTION" "COLLATION" "AGGREGATE" "LANGUAGE" "SYNONYM" "STATISTICS" "TABLESPACE" "KEYSPACE" "OPERATOR";
    Nameless false: "USER" "ROLE" "LOGIN" "SYSTEM";
    Identified false: "IDENTIFIED";
    Routine false: "FUNCTION" "PROCEDURE" "PROC" "TRIGGER" "EVENT" "PACKAGE" "POLICY" "RULE";
    Only false: "ONLY" "LATERAL";
    Noise false: "IGNORE" "LOW_PRIORITY" "HIGH_PRIORITY" "DELAYED" "QUICK" "FAIL" "EXISTS"
        "CONCURRENTLY" "TOP" "FULL" "FREEZE" "VERBOSE" "TABLES" "OVERWRITE" "NO_WRITE_TO_BINLOG"
        "RECURSIVE" "TEMPORARY" "TEMP" "UNIQUE";
    Plain true: "AND" "OR" "XOR" "DIV" "MOD" "LIKE" "ILIKE" "RLIKE" "REGEXP" "GLOB" "MATCH" "BETWEEN"
        "WHEN" "CASE" "ELSE" "BY" "ALL" "ANY" "SOME" "ESCAPE" "RETURN" "TO" "INCREMENT" "MINVALUE"
        "MAXVALUE" "SIMILAR" "ELSEIF";
    Plain false: "ASC" "NULLS" "FIRST" "LAST" "LEFT" "RIGHT" "INNER" "OUTER" "CROSS" "NATURAL"
        "COLLATE" "CAST" "CONVERT" "EXTRACT" "SUBSTRING" "TRIM" "COALESCE" "NULLIF" "COUNT" "SUM" "MIN"
        "MAX" "AVG" "OVER" "PARTITION" "ROWS" "RANGE" "PRECEDING" "FOLLOWING" "UNBOUNDED" "CURRENT"
        "PRIMARY" "FOREIGN" "REFERENCES" "CONSTRAINT" "ADD" "COLUMN" "CASCADE" "RESTRICT" "NOW"
        "CURRENT_TIMESTAMP" "CURRENT_DATE" "CURRENT_TIME" "CURRENT_USER" "TRANSACTION" "SHARE" "NOWAIT"
        "SKIP" "LOCKED" "DUPLICATE" "CONFLICT" "NOTHING" "MATCHED" "ARRAY" "INT" "INTEGER" "BIGINT"
        "SMALLINT" "VARCHAR" "CHAR" "TEXT" "BOOLEAN" "DECIMAL" "NUMERIC" "FLOAT" "DOUBLE" "UNSIGNED"
        "SIGNED" "BINARY" "BLOB" "JSON" "ENGINE" "CHARSET" "AUTO_INCREMENT" "ROLLUP" "FORCE" "CONCAT"
        "IFNULL" "ISNULL" "NOTNULL" "LOWER" "UPPER" "LENGTH" "ISOLATION" "LEVEL" "READ" "COMMITTED"
        "REPEATABLE" "SERIALIZABLE" "SESSION" "GLOBAL" "LOCAL" "NEXT" "PERCENT" "STDIN" "STDOUT";
};

/// Bytes of the longest keyword.
const MAX_LENGTH: usize = 18;
const SLOTS: usize = 1024;
/// A hash table with open addressing. Each slot holds the index of a word in [`KEYWORDS`] plus one; 0 is free.
static TABLE: [u16; SLOTS] = table();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn table() -> [u16; SLOTS] {
    let mut table = [0; SLOTS];
    let mut at = 0;
    while at < KEYWORDS.len() {
        let text = KEYWORDS[at].text.as_bytes();
        assert!(text.len() <= MAX_LENGTH, "a longer keyword");
        let mut slot = slot(text);
        while table[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        at += 1;
        table[slot] = at as u16;
    }
    table
}

/// Hashes the first three letters, the middle and the last one and the length, regardless of case.
#[expect(clippy::indexing_slicing, reason = "a word is not empty")]
#[inline]
const fn slot(word: &[u8]) -> usize {
    let last = word.len() - 1;
    let second = if last > 0 { word[1] } else { 0 };
    let third = if last > 1 { word[2] } else { 0 };
    let letters = [
        word[0],
        second,
        third,
        word[word.len() / 2],
        word[last],
        0,
        0,
        0,
    ];
    let mixed = (u64::from_le_bytes(letters) & 0x1f_1f1f_1f1f) | (word.len() as u64) << 40;
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize % SLOTS
}

/// The keyword that this is, regardless of case.
#[inline]
pub(super) fn keyword(word: &[u8]) -> Option<&'static Keyword> {
    if word.len() < 2 || word.len() > MAX_LENGTH {
        return None;
    }
    let mut slot = slot(word);
    loop {
        let at = usize::from(*TABLE.get(slot)?).checked_sub(1)?;
        let found = KEYWORDS.get(at)?;
        if found.text.as_bytes().eq_ignore_ascii_case(word) {
            return Some(found);
        }
        slot = (slot + 1) % SLOTS;
    }
}
