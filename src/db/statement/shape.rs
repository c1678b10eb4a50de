//! From tokens to the text and the hash: literals become one thing, and what repeats is left out.

use super::dialect::Dialect;
use super::lists::Lists;
use super::text::Text;
use super::token::{Kind, Token};
use super::word::Role;

#[derive(Debug)]
pub(super) struct Shape<'a> {
    dialect: Dialect,
    lists: Lists,
    /// A sign of which it is not known yet whether a number follows.
    sign: Option<Token<'a>>,
    /// Semicolons are written before the next token alone.
    semicolon: bool,
    empty: bool,
    last: Kind,
    last_role: Role,
    role_before: Role,
}

impl<'a> Shape<'a> {
    pub(super) fn new(dialect: Dialect, text: Text) -> Self {
        Self {
            dialect,
            lists: Lists::new(text),
            sign: None,
            semicolon: false,
            empty: true,
            last: Kind::Semicolon,
            last_role: Role::Plain,
            role_before: Role::Plain,
        }
    }

    #[inline]
    pub(super) fn token(&mut self, mut token: Token<'a>) {
        if let Some(sign) = self.sign.take() {
            if token.kind == Kind::Number {
                token.spaced = sign.spaced;
            } else {
                self.emit(sign);
            }
        }
        match token.kind {
            Kind::Semicolon => {
                self.lists.end_statement(false);
                self.semicolon = !self.empty;
            }
            Kind::Operator if token.operand && matches!(token.text, "-" | "+") => {
                self.sign = Some(token);
                return;
            }
            // The string goes on.
            Kind::Text if matches!(self.last, Kind::Text | Kind::Prefixed) => {}
            Kind::Word if self.is_constant(&token) => {
                token.kind = Kind::Literal;
                self.emit(token);
                return;
            }
            _ => self.emit(token),
        }
        if token.kind == Kind::Semicolon {
            self.remember(&token);
        }
    }

    /// Whether a word is a literal where it stands.
    fn is_constant(&self, token: &Token<'_>) -> bool {
        let (last, before) = (self.last_role, self.role_before);
        match token.role() {
            Role::Null => token.operand && !matches!(last, Role::Not | Role::Default | Role::On),
            Role::Bool => token.operand && !(last == Role::Not && before == Role::Is),
            _ => false,
        }
    }

    fn emit(&mut self, token: Token<'a>) {
        if self.semicolon {
            self.semicolon = false;
            self.lists
                .put(Kind::Semicolon, Role::Plain, false, ";", false);
        }
        self.empty = false;
        let fold = token.kind == Kind::Word && (self.dialect.folds_names() || token.is_known());
        let text = if token.kind.is_literal() {
            "?"
        } else {
            token.text
        };
        self.lists
            .put(token.kind, token.role(), token.spaced, text, fold);
        self.remember(&token);
    }

    fn remember(&mut self, token: &Token<'_>) {
        self.last = token.kind;
        self.role_before = self.last_role;
        self.last_role = token.role();
    }

    /// The text and the hash; `cut` if the statement goes on beyond what was read.
    pub(super) fn finish(mut self, cut: bool) -> (Box<str>, u64) {
        if let Some(sign) = self.sign.take().filter(|_| !cut) {
            self.emit(sign);
        }
        self.lists.end_statement(cut);
        self.lists.finish(cut)
    }
}
