//! Where the dialects of SQL differ.

use super::quote::Escapes;

/// Which SQL is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgresql,
    Mysql,
    Sqlite,
    SqlServer,
    /// Standard SQL, read with care: what may be a literal somewhere is one, but for what stands in double quotes,
    /// which is a name.
    Other,
    /// Nobody knows which: the same, and in double quotes stands a literal, as it does in `MySQL`.
    Unknown,
}

impl Dialect {
    /// How a quote is escaped inside a plain string.
    pub(super) fn escapes(self) -> Escapes {
        match self {
            Self::Mysql => Escapes::Backslash,
            Self::Other | Self::Unknown => Escapes::Unsure,
            _ => Escapes::Doubled,
        }
    }

    /// Whether it may be one of several.
    pub(super) fn is_unsure(self) -> bool {
        matches!(self, Self::Other | Self::Unknown)
    }

    /// Whether double quotes hold strings, not names.
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

    /// Whether a `@name` is a placeholder, not a variable of the session or an operator.
    pub(super) fn at_placeholders(self) -> bool {
        matches!(
            self,
            Self::Sqlite | Self::SqlServer | Self::Other | Self::Unknown
        )
    }

    /// Whether a letter directly before a quote belongs to the string; upper case.
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

    /// Whether the case of names means nothing.
    pub(super) fn folds_names(self) -> bool {
        self != Self::Mysql
    }
}
