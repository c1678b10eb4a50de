//! The tokens of a statement.

use super::word::{Keyword, NAME, WordRole};

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A keyword or an unquoted name.
    Word,
    /// A quoted name.
    Quoted,
    /// A string without a prefix. After another string it continues that one.
    Text,
    /// A string with a prefix.
    Prefixed,
    Number,
    /// Any other literal, and quoted text without an end.
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

impl TokenKind {
    /// Whether it becomes `?` in the normalized text.
    pub(super) fn is_literal(self) -> bool {
        matches!(
            self,
            Self::Text | Self::Prefixed | Self::Number | Self::Literal | Self::Placeholder
        )
    }
}

/// A token with the context from its neighbours.
#[derive(Debug, Clone, Copy)]
pub(super) struct SqlToken<'a> {
    pub(super) kind: TokenKind,
    pub(super) text: &'a str,
    /// The keyword that a [`TokenKind::Word`] is; [`NAME`] otherwise.
    pub(super) word: &'static Keyword,
    /// Whether white space or a comment precedes it.
    pub(super) spaced: bool,
    /// Whether it is at a position where an operand may begin.
    pub(super) operand: bool,
}

impl SqlToken<'_> {
    pub(super) fn role(&self) -> WordRole {
        self.word.role
    }

    pub(super) fn is_keyword(&self) -> bool {
        *self.word != NAME
    }

    pub(super) fn is_name(&self) -> bool {
        matches!(self.kind, TokenKind::Word | TokenKind::Quoted)
    }
}
