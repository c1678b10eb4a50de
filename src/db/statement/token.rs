//! What a statement is made of.

use super::word::{NAME, Role, Word};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or an unquoted name.
    Word,
    /// A quoted name.
    Quoted,
    /// A string without a prefix: a continuation, if it follows another string.
    Text,
    /// A string with a prefix.
    Prefixed,
    Number,
    /// Any other literal, and what was not closed.
    Literal,
    Placeholder,
    Operator,
    /// `::`.
    Cast,
    Dot,
    Comma,
    Semicolon,
    Open,
    Close,
    OpenBracket,
    CloseBracket,
}

impl Kind {
    /// Whether a `?` stands for it.
    pub(super) fn is_literal(self) -> bool {
        matches!(
            self,
            Self::Text | Self::Prefixed | Self::Number | Self::Literal | Self::Placeholder
        )
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Of a [`Kind::Word`]: which known one it is.
    pub(super) word: &'static Word,
    /// Whether white space or a comment stands before it.
    pub(super) spaced: bool,
    /// Whether it stands where an operand may begin.
    pub(super) operand: bool,
}

impl Token<'_> {
    pub(super) fn role(&self) -> Role {
        self.word.role
    }

    pub(super) fn is_known(&self) -> bool {
        *self.word != NAME
    }

    pub(super) fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted)
    }
}
