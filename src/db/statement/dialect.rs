//! The lexical differences between SQL dialects.

use super::quote::Escapes;

/// The SQL dialect of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgresql,
    Mysql,
    Sqlite,
    SqlServer,
    /// Standard SQL for a system without its own rules here. Text that is a literal in any dialect is treated as one,
    /// except text in double quotes, which is a name.
    Other,
    /// An unknown dialect: as [`Other`](Self::Other), and text in double quotes is a literal, as in `MySQL`.
    Unknown,
}

impl Dialect {
    /// How a quote is escaped in a string without a prefix.
    pub(super) fn escapes(self) -> Escapes {
        match self {
            Self::Mysql => Escapes::Backslash,
            Self::Other | Self::Unknown => Escapes::Ambiguous,
            _ => Escapes::Doubled,
        }
    }

    /// Whether the statement may be in one of several dialects.
    pub(super) fn is_ambiguous(self) -> bool {
        matches!(self, Self::Other | Self::Unknown)
    }

    /// Whether double quotes enclose strings, not names.
    pub(super) fn double_quotes_strings(self) -> bool {
        matches!(self, Self::Mysql | Self::Unknown)
    }

    pub(super) fn backtick_quotes(self) -> bool {
        matches!(
            self,
            Self::Mysql | Self::Sqlite | Self::Other | Self::Unknown
        )
    }

    pub(super) fn bracket_quotes(self) -> bool {
        matches!(self, Self::Sqlite | Self::SqlServer)
    }

    pub(super) fn dollar_quotes(self) -> bool {
        matches!(self, Self::Postgresql | Self::Other | Self::Unknown)
    }

    pub(super) fn nested_comments(self) -> bool {
        matches!(self, Self::Postgresql | Self::SqlServer)
    }

    /// Whether `@name` is a placeholder, and not a session variable or an operator.
    pub(super) fn at_placeholders(self) -> bool {
        matches!(
            self,
            Self::Sqlite | Self::SqlServer | Self::Other | Self::Unknown
        )
    }

    /// Whether a letter directly before a quote is a prefix of the string. `letter` is in upper case.
    pub(super) fn is_string_prefix(self, letter: u8) -> bool {
        match self {
            Self::Postgresql | Self::Other | Self::Unknown => {
                matches!(letter, b'B' | b'E' | b'N' | b'X')
            }
            Self::Mysql => matches!(letter, b'B' | b'N' | b'X'),
            Self::Sqlite => letter == b'X',
            Self::SqlServer => letter == b'N',
        }
    }

    /// Whether `U&'..'` is a string.
    pub(super) fn unicode_strings(self) -> bool {
        matches!(self, Self::Postgresql | Self::Other | Self::Unknown)
    }

    /// Whether names that differ only in case are the same.
    pub(super) fn folds_names(self) -> bool {
        self != Self::Mysql
    }
}
