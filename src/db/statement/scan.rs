//! Cuts a statement into tokens. Each byte is looked at a bounded number of times.

use super::class::{Class, class, in_word};
use super::dialect::Dialect;
use super::number::number_length;
use super::operator::{operator_length, question_length};
use super::quote::{Escapes, dollar_tag, end_of_comment, end_of_dollars, end_of_q, end_of_quoted};
use super::secrets::{Extent, Secrets};
use super::token::{Kind, Token};
use super::word::{NAME, Role, Word, known};

/// The most bytes of a name in brackets that is looked for.
const MAX_BRACKETED: usize = 128;

#[derive(Debug)]
pub(super) struct Scanner<'a> {
    sql: &'a str,
    bytes: &'a [u8],
    at: usize,
    dialect: Dialect,
    /// Whether the last token was the end of an operand.
    after_operand: bool,
    last: Kind,
    /// How the last string was escaped: what continues it is escaped the same way.
    last_escapes: Escapes,
    /// `[` that are open.
    brackets: usize,
    /// Inside a `/*! .. */`.
    code_comment: bool,
    secrets: Secrets,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(sql: &'a str, dialect: Dialect) -> Self {
        Self {
            sql,
            bytes: sql.as_bytes(),
            at: 0,
            dialect,
            after_operand: false,
            last: Kind::Semicolon,
            last_escapes: dialect.escapes(),
            brackets: 0,
            code_comment: false,
            secrets: Secrets::new(dialect),
        }
    }

    #[inline]
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        let spaced = self.blank();
        let start = self.at;
        let first = self.peek(0)?;
        let mut word = &NAME;
        let secret = if self.secrets.is_due() {
            self.secrets.begins(self.rest())
        } else {
            None
        };
        let kind = match secret {
            Some(extent) => self.secret(extent, spaced, &mut word),
            None => self.token(first, spaced, &mut word),
        };
        let token = Token {
            kind,
            text: self.sql.get(start..self.at).unwrap_or_default(),
            word,
            spaced,
            operand: !self.after_operand,
        };
        if secret.is_some() {
            self.secrets.found(token.text.as_bytes(), kind);
        }
        if secret.is_none() || kind != Kind::Literal {
            self.secrets.after(&token);
        }
        self.last = kind;
        self.after_operand = match kind {
            Kind::Word => !word.operand,
            Kind::Quoted | Kind::Close | Kind::CloseBracket => true,
            _ => kind.is_literal(),
        };
        Some(token)
    }

    /// Reads a token that begins with this byte.
    #[inline]
    fn token(&mut self, first: u8, spaced: bool, word: &mut &'static Word) -> Kind {
        match class(first) {
            Class::Letter => self.word(word),
            Class::Digit => self.number(),
            Class::Quote => self.string(1, self.plain_escapes(), Kind::Text),
            Class::DoubleQuote if self.dialect.double_quotes_strings() => {
                self.quoted(1, b'"', self.dialect.escapes(), Kind::Text)
            }
            Class::DoubleQuote => self.name(1, b'"'),
            Class::Backtick if self.dialect.backtick_quotes() => self.name(1, b'`'),
            Class::Bracket if self.dialect.bracket_quotes() || self.begins_bracketed(spaced) => {
                self.name(1, b']')
            }
            Class::Bracket => {
                self.brackets += 1;
                self.single(Kind::OpenBracket)
            }
            Class::Dollar => self.dollar(word),
            Class::Colon => self.colon(spaced),
            Class::At => self.at_sign(),
            Class::Hash if self.dialect == Dialect::SqlServer => self.word(word),
            Class::Dot if self.peek(1).is_some_and(|byte| byte.is_ascii_digit()) => self.number(),
            Class::Dot => self.single(Kind::Dot),
            Class::Question => self.question(),
            Class::Single => self.punctuation(first),
            Class::Blank | Class::Operator | Class::Backtick | Class::Hash => self.operator(),
        }
    }

    /// Reads a secret, all of which is a literal, or what shows that none comes here.
    #[cold]
    fn secret(&mut self, extent: Extent, spaced: bool, word: &mut &'static Word) -> Kind {
        let Some(first) = self.peek(0) else {
            return Kind::Literal;
        };
        let start = self.at;
        match (extent, first) {
            (Extent::Sign, _) => return self.single(Kind::Operator),
            // As it stands in a text that was put out, with anything behind it.
            (Extent::Glued, b'?') => _ = self.placeholder(),
            (Extent::Glued, b'`' | b'{') => self.glued(0),
            (Extent::Glued, _) => match self.token(first, spaced, word) {
                Kind::Text | Kind::Prefixed | Kind::Literal | Kind::Quoted => {}
                Kind::Open => self.glued(1),
                Kind::OpenBracket => {
                    self.brackets = self.brackets.saturating_sub(1);
                    self.glued(1);
                }
                _ => self.glued(0),
            },
            (Extent::Account, _) => {
                self.glued(0);
                let read = self.bytes.get(start..self.at).unwrap_or_default();
                if !read.contains(&b'/') {
                    self.at = start;
                    return self.token(first, spaced, word);
                }
            }
            (Extent::Word | Extent::Argument, _) => {
                let kind = self.token(first, spaced, word);
                let known = extent == Extent::Argument && **word != NAME;
                if known || !matches!(kind, Kind::Word | Kind::Quoted) {
                    return kind;
                }
            }
        }
        *word = &NAME;
        Kind::Literal
    }

    /// Skips all up to a blank, a comment, a comma, a semicolon or a closing bracket outside of quotes and of
    /// brackets, `depth` of which are open.
    fn glued(&mut self, mut depth: usize) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\'' | b'"' | b'`' => {
                    let escapes = self.dialect.escapes();
                    let end = end_of_quoted(self.bytes, self.at + 1, byte, escapes);
                    self.at = end.unwrap_or(self.bytes.len());
                    continue;
                }
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' if depth > 0 => depth -= 1,
                _ if depth > 0 => {}
                b')' | b',' | b';' => break,
                _ if class(byte) == Class::Blank || self.begins_remark(byte) => break,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Whether a comment begins here, or an end of one that holds code.
    fn begins_remark(&self, first: u8) -> bool {
        let mysql = self.dialect == Dialect::Mysql;
        match (first, self.peek(1)) {
            (b'-', Some(b'-')) => {
                !mysql || self.peek(2).is_none_or(|byte| class(byte) == Class::Blank)
            }
            (b'#', _) => mysql,
            (b'/', Some(b'*')) => true,
            (b'*', Some(b'/')) => self.code_comment,
            _ => false,
        }
    }

    /// Whether a name in brackets begins here, where nobody knows the dialect: in others, brackets hold lists and
    /// what picks an element.
    fn begins_bracketed(&self, spaced: bool) -> bool {
        if self.dialect != Dialect::Unknown || self.after_operand && !spaced {
            return false;
        }
        let inside = self.rest().get(1..).unwrap_or_default();
        let inside = inside
            .get(..inside.len().min(MAX_BRACKETED))
            .unwrap_or_default();
        let Some(end) = inside.iter().position(|byte| *byte == b']') else {
            return false;
        };
        let name = inside.get(..end).unwrap_or_default();
        let begins = |byte: &u8| class(*byte) == Class::Letter || matches!(byte, b'#' | b'@');
        let holds = |byte: &u8| in_word(*byte) || matches!(byte, b'#' | b'@' | b'-' | b'.' | b' ');
        let is_constant =
            known(name).is_some_and(|word| matches!(word.role, Role::Null | Role::Bool));
        name.first().is_some_and(begins) && name.iter().all(holds) && !is_constant
    }

    /// Skips white space and comments; whether there were any.
    #[inline]
    fn blank(&mut self) -> bool {
        let start = self.at;
        while let Some(first) = self.peek(0) {
            match first {
                b'-' | b'/' | b'#' | b'*' => {
                    let Some(end) = self.end_of_remark(first) else {
                        break;
                    };
                    self.at = end;
                }
                _ if class(first) == Class::Blank => self.at += 1,
                _ => break,
            }
        }
        self.at > start
    }

    /// The end of the comment that begins here, if one does.
    fn end_of_remark(&mut self, first: u8) -> Option<usize> {
        let mysql = self.dialect == Dialect::Mysql;
        match (first, self.peek(1)) {
            (b'-', Some(b'-')) => {
                let comment = !mysql || self.peek(2).is_none_or(|byte| class(byte) == Class::Blank);
                comment.then(|| self.end_of_line())
            }
            (b'#', _) => mysql.then(|| self.end_of_line()),
            (b'/', Some(b'*')) => {
                let code = match (self.peek(2), self.peek(3)) {
                    (Some(b'!'), _) => 3,
                    (Some(b'M'), Some(b'!')) => 4,
                    _ => 0,
                };
                if mysql && code > 0 {
                    self.code_comment = true;
                    let version = self.rest().iter().skip(code);
                    let digits = version.take(6).take_while(|byte| byte.is_ascii_digit());
                    return Some(self.at + code + digits.count());
                }
                let nested = self.dialect.nested_comments();
                Some(end_of_comment(self.bytes, self.at + 2, nested))
            }
            (b'*', Some(b'/')) if self.code_comment => {
                self.code_comment = false;
                Some(self.at + 2)
            }
            _ => None,
        }
    }

    fn end_of_line(&self) -> usize {
        let end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        self.at
            + self
                .rest()
                .iter()
                .position(end)
                .unwrap_or(self.rest().len())
    }

    fn single(&mut self, kind: Kind) -> Kind {
        self.at += 1;
        kind
    }

    fn punctuation(&mut self, first: u8) -> Kind {
        if first == b']' {
            self.brackets = self.brackets.saturating_sub(1);
        }
        self.single(match first {
            b'(' => Kind::Open,
            b')' => Kind::Close,
            b',' => Kind::Comma,
            b';' => Kind::Semicolon,
            _ => Kind::CloseBracket,
        })
    }

    /// Up to `end`, or all of the rest, which is a literal then.
    fn until(&mut self, end: Option<usize>, kind: Kind) -> Kind {
        self.at = end.unwrap_or(self.bytes.len());
        if end.is_some() { kind } else { Kind::Literal }
    }

    fn quoted(&mut self, skip: usize, quote: u8, escapes: Escapes, kind: Kind) -> Kind {
        let end = end_of_quoted(self.bytes, self.at + skip, quote, escapes);
        self.until(end, kind)
    }

    fn plain_escapes(&self) -> Escapes {
        match self.last {
            Kind::Text | Kind::Prefixed => self.last_escapes,
            _ => self.dialect.escapes(),
        }
    }

    fn string(&mut self, skip: usize, escapes: Escapes, kind: Kind) -> Kind {
        self.last_escapes = escapes;
        self.quoted(skip, b'\'', escapes, kind)
    }

    fn name(&mut self, skip: usize, quote: u8) -> Kind {
        let escapes = match quote {
            b']' if self.dialect == Dialect::Sqlite => Escapes::None,
            b'"' if self.dialect.is_unsure() => Escapes::Unsure,
            _ => Escapes::Doubled,
        };
        self.quoted(skip, quote, escapes, Kind::Quoted)
    }

    fn word_length(&self) -> usize {
        let rest = self.rest();
        let end = if self.dialect == Dialect::SqlServer {
            rest.iter()
                .position(|byte| !(in_word(*byte) || matches!(byte, b'#' | b'@')))
        } else {
            rest.iter().position(|byte| !in_word(*byte))
        };
        end.unwrap_or(rest.len())
    }

    fn word(&mut self, word: &mut &'static Word) -> Kind {
        let length = self.word_length();
        match self.peek(length) {
            Some(b'\'') => {
                if let Some(kind) = self.prefixed(length) {
                    return kind;
                }
            }
            Some(b'"') if self.dialect.double_quotes_strings() && self.peek(0) == Some(b'_') => {
                return self.quoted(length + 1, b'"', self.dialect.escapes(), Kind::Prefixed);
            }
            Some(b'&') if length == 1 && self.dialect.unicode_strings() => {
                match (self.peek(0), self.peek(2)) {
                    (Some(b'u' | b'U'), Some(b'\'')) => {
                        return self.string(3, self.dialect.escapes(), Kind::Prefixed);
                    }
                    (Some(b'u' | b'U'), Some(b'"')) => return self.name(3, b'"'),
                    _ => {}
                }
            }
            _ => {}
        }
        if self.last != Kind::Dot {
            let text = self.rest().get(..length).unwrap_or_default();
            *word = known(text).unwrap_or(&NAME);
        }
        self.at += length.max(1);
        Kind::Word
    }

    /// A string whose prefix has this length, if the word there is one.
    fn prefixed(&mut self, length: usize) -> Option<Kind> {
        let first = self.peek(0)?.to_ascii_uppercase();
        let other = self.dialect.is_unsure();
        if length == 1 && self.dialect.is_string_prefix(first) {
            let escapes = match self.dialect.escapes() {
                Escapes::Doubled if first == b'E' => Escapes::Backslash,
                escapes => escapes,
            };
            return Some(self.string(2, escapes, Kind::Prefixed));
        }
        if self.dialect == Dialect::Mysql && first == b'_' {
            return Some(self.string(length + 1, Escapes::Backslash, Kind::Prefixed));
        }
        let last = self.peek(length - 1)?.to_ascii_uppercase();
        if other && last == b'Q' && (length == 1 || length == 2 && first == b'N') {
            let end = end_of_q(self.bytes, self.at + length + 1);
            return Some(self.until(end, Kind::Literal));
        }
        None
    }

    fn number(&mut self) -> Kind {
        self.at += number_length(self.rest());
        Kind::Number
    }

    fn dollar(&mut self, word: &mut &'static Word) -> Kind {
        if self.dialect.dollar_quotes()
            && let Some(tag) = dollar_tag(self.bytes, self.at)
        {
            let end = end_of_dollars(self.bytes, self.at + tag.len(), tag);
            return self.until(end, Kind::Literal);
        }
        match self.peek(1) {
            Some(b'0'..=b'9') => {
                self.at += 1;
                self.number();
                Kind::Placeholder
            }
            Some(next) if class(next) == Class::Letter => {
                if self.dialect == Dialect::Sqlite {
                    self.at += self.word_length();
                    return Kind::Placeholder;
                }
                self.word(word);
                *word = &NAME;
                Kind::Word
            }
            _ => self.single(Kind::Operator),
        }
    }

    fn colon(&mut self, spaced: bool) -> Kind {
        match self.peek(1) {
            Some(b':') => {
                self.at += 2;
                return Kind::Cast;
            }
            Some(next) if begins_name(next) => {
                let numbered = next.is_ascii_digit() && self.dialect == Dialect::Postgresql;
                // A path or a slice: `a:b`, `a[b:c]`.
                let inside = self.after_operand && (!spaced || self.brackets > 0);
                if !numbered && !inside {
                    self.at += 1;
                    self.at += self.word_length();
                    return Kind::Placeholder;
                }
            }
            _ => {}
        }
        self.single(Kind::Operator)
    }

    fn at_sign(&mut self) -> Kind {
        let next = self.peek(1);
        if next == Some(b'@') && self.dialect != Dialect::Postgresql {
            self.at += 2;
            self.at += self.word_length();
            return Kind::Word;
        }
        if next.is_some_and(begins_name) {
            if self.dialect.at_placeholders() {
                self.at += 1;
                self.at += self.word_length();
                return Kind::Placeholder;
            }
            if self.dialect == Dialect::Mysql {
                self.at += 1;
                self.at += self.word_length();
                return Kind::Word;
            }
        }
        self.operator()
    }

    /// A placeholder, or one of `PostgreSQL`'s operators that begin so.
    fn question(&mut self) -> Kind {
        if self.dialect == Dialect::Postgresql
            && let Some(length) = question_length(self.rest())
        {
            self.at += length;
            return Kind::Operator;
        }
        self.placeholder()
    }

    fn placeholder(&mut self) -> Kind {
        self.at += 1;
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit());
        self.at += digits.count();
        Kind::Placeholder
    }

    /// One character, or in `PostgreSQL` as many as make an operator there.
    fn operator(&mut self) -> Kind {
        self.at += match self.dialect {
            Dialect::Postgresql => operator_length(self.rest()),
            _ => 1,
        };
        Kind::Operator
    }
}

/// Whether the name of a placeholder may begin so: no dollar, which may begin a literal.
fn begins_name(byte: u8) -> bool {
    matches!(class(byte), Class::Letter | Class::Digit)
}
