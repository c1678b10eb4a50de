//! Turns tokens into the normalized text and its hash.

use super::dialect::Dialect;
use super::lists::{ListCollapser, OutputToken};
use super::text::OutputText;
use super::token::{SqlToken, TokenKind};
use super::word::WordRole;

/// Replaces literals by `?` and passes all tokens on.
#[derive(Debug)]
pub(super) struct Normalizer<'a> {
    dialect: Dialect,
    lists: ListCollapser,
    /// A sign, until it is known whether a number follows. It is then part of the number.
    sign: Option<SqlToken<'a>>,
    /// A semicolon is written only when another token follows.
    pending_semicolon: bool,
    is_empty: bool,
    last: TokenKind,
    last_role: WordRole,
    role_before: WordRole,
}

impl<'a> Normalizer<'a> {
    pub(super) fn new(dialect: Dialect, text: OutputText) -> Self {
        Self {
            dialect,
            lists: ListCollapser::new(text),
            sign: None,
            pending_semicolon: false,
            is_empty: true,
            last: TokenKind::Semicolon,
            last_role: WordRole::Plain,
            role_before: WordRole::Plain,
        }
    }

    #[inline]
    pub(super) fn token(&mut self, mut token: SqlToken<'a>) {
        // 1. A sign belongs to the number that follows; before anything else it is an operator.
        if let Some(sign) = self.sign.take() {
            if token.kind == TokenKind::Number {
                token.spaced = sign.spaced;
            } else {
                self.emit(sign);
            }
        }
        // 2. The token itself.
        match token.kind {
            TokenKind::Semicolon => {
                self.lists.end_statement(false);
                self.pending_semicolon = !self.is_empty;
            }
            TokenKind::Operator if token.operand && matches!(token.text, "-" | "+") => {
                self.sign = Some(token);
                return;
            }
            // The string continues the one before.
            TokenKind::Text if matches!(self.last, TokenKind::Text | TokenKind::Prefixed) => {}
            TokenKind::Word if self.is_constant(&token) => {
                token.kind = TokenKind::Literal;
                self.emit(token);
                return;
            }
            _ => self.emit(token),
        }
        if token.kind == TokenKind::Semicolon {
            self.remember(&token);
        }
    }

    /// Whether a word such as `NULL` or `TRUE` is a literal at its position.
    fn is_constant(&self, token: &SqlToken<'_>) -> bool {
        let (last, before) = (self.last_role, self.role_before);
        match token.role() {
            WordRole::Null => {
                token.operand && !matches!(last, WordRole::Not | WordRole::Default | WordRole::On)
            }
            WordRole::Bool => token.operand && !(last == WordRole::Not && before == WordRole::Is),
            _ => false,
        }
    }

    fn emit(&mut self, token: SqlToken<'a>) {
        // A semicolon is written only once a token follows it, so that a text with and one without a last semicolon are
        // one digest.
        if self.pending_semicolon {
            self.pending_semicolon = false;
            self.lists.push(OutputToken {
                kind: TokenKind::Semicolon,
                role: WordRole::Plain,
                spaced: false,
                text: ";",
                fold: false,
            });
        }
        self.is_empty = false;
        // Statements that differ only in the case of keywords, and of names where the dialect ignores it, are one
        // digest.
        let fold =
            token.kind == TokenKind::Word && (self.dialect.folds_names() || token.is_keyword());
        let text = if token.kind.is_literal() {
            "?"
        } else {
            token.text
        };
        self.lists.push(OutputToken {
            kind: token.kind,
            role: token.role(),
            spaced: token.spaced,
            text,
            fold,
        });
        self.remember(&token);
    }

    fn remember(&mut self, token: &SqlToken<'_>) {
        self.last = token.kind;
        self.role_before = self.last_role;
        self.last_role = token.role();
    }

    /// The text and the hash. `cut`: the statement continues beyond what was read.
    pub(super) fn finish(mut self, cut: bool) -> (Box<str>, u64) {
        if let Some(sign) = self.sign.take().filter(|_| !cut) {
            self.emit(sign);
        }
        self.lists.end_statement(cut);
        self.lists.finish(cut)
    }
}
