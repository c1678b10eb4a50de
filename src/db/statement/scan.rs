//! Cuts a statement into tokens. Each byte is examined a bounded number of times.

use super::dialect::Dialect;
use super::number::number_length;
use super::operator::{operator_length, question_operator_length};
use super::quote::{
    Escapes, dollar_tag, end_of_block_comment, end_of_dollars, end_of_q_literal, end_of_quoted,
};
use super::secrets::{SecretDetector, SecretExtent};
use super::token::{SqlToken, TokenKind};
use super::token_start::{TokenStart, continues_word, token_start};
use super::word::{Keyword, NAME, WordRole, keyword};

/// Bytes within which the end of a name in brackets is looked for.
const MAX_BRACKETED: usize = 128;

/// Yields the tokens of a statement.
#[derive(Debug)]
pub(super) struct SqlScanner<'a> {
    sql: &'a str,
    bytes: &'a [u8],
    /// The position in `bytes`.
    offset: usize,
    dialect: Dialect,
    /// Whether the last token ended an operand.
    after_operand: bool,
    last: TokenKind,
    /// The escapes of the last string. A string that continues it has the same.
    last_escapes: Escapes,
    /// The number of open `[`.
    open_brackets: usize,
    /// Whether it is inside a `/*! .. */`, whose content is code.
    in_code_comment: bool,
    secrets: SecretDetector,
}

impl<'a> SqlScanner<'a> {
    pub(super) fn new(sql: &'a str, dialect: Dialect) -> Self {
        Self {
            sql,
            bytes: sql.as_bytes(),
            offset: 0,
            dialect,
            after_operand: false,
            last: TokenKind::Semicolon,
            last_escapes: dialect.escapes(),
            open_brackets: 0,
            in_code_comment: false,
            secrets: SecretDetector::new(dialect),
        }
    }

    #[inline]
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.offset + ahead).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.offset..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<SqlToken<'a>> {
        // 1. White space and comments separate tokens and are left out.
        let spaced = self.skip_blanks();
        let start = self.offset;
        let first = self.peek(0)?;
        let mut word = &NAME;
        // 2. After a word that announces a secret, the secret is one literal, regardless of its form.
        let secret = if self.secrets.is_due() {
            self.secrets.next_extent(self.rest())
        } else {
            None
        };
        let kind = match secret {
            Some(extent) => self.read_secret(extent, spaced, &mut word),
            None => self.read_token(first, spaced, &mut word),
        };
        let token = SqlToken {
            kind,
            text: self.sql.get(start..self.offset).unwrap_or_default(),
            word,
            spaced,
            operand: !self.after_operand,
        };
        // 3. Pass the token to the detector. A secret announces nothing, unless it may itself be a keyword.
        if secret.is_some() {
            self.secrets.secret_read(token.text.as_bytes(), kind);
        }
        if secret.is_none() || kind != TokenKind::Literal {
            self.secrets.observe(&token);
        }
        // 4. Whether the next `+` or `-` is a sign depends on this token.
        self.last = kind;
        self.after_operand = match kind {
            TokenKind::Word => !word.operand,
            TokenKind::Quoted | TokenKind::Close | TokenKind::CloseBracket => true,
            _ => kind.is_literal(),
        };
        Some(token)
    }

    /// Reads the token that begins with this byte.
    #[inline]
    fn read_token(&mut self, first: u8, spaced: bool, word: &mut &'static Keyword) -> TokenKind {
        match token_start(first) {
            TokenStart::Letter => self.read_word(word),
            TokenStart::Digit => self.read_number(),
            TokenStart::Quote => self.read_string(1, self.string_escapes(), TokenKind::Text),
            TokenStart::DoubleQuote if self.dialect.double_quotes_strings() => {
                self.read_quoted(1, b'"', self.dialect.escapes(), TokenKind::Text)
            }
            TokenStart::DoubleQuote => self.read_quoted_name(1, b'"'),
            TokenStart::Backtick if self.dialect.backtick_quotes() => {
                self.read_quoted_name(1, b'`')
            }
            TokenStart::Bracket
                if self.dialect.bracket_quotes() || self.begins_bracketed_name(spaced) =>
            {
                self.read_quoted_name(1, b']')
            }
            TokenStart::Bracket => {
                self.open_brackets += 1;
                self.read_byte(TokenKind::OpenBracket)
            }
            TokenStart::Dollar => self.read_dollar(word),
            TokenStart::Colon => self.read_colon(spaced),
            TokenStart::At => self.read_at_sign(),
            TokenStart::Hash if self.dialect == Dialect::SqlServer => self.read_word(word),
            TokenStart::Dot if self.peek(1).is_some_and(|byte| byte.is_ascii_digit()) => {
                self.read_number()
            }
            TokenStart::Dot => self.read_byte(TokenKind::Dot),
            TokenStart::Question => self.read_question(),
            TokenStart::Single => self.read_punctuation(first),
            // A backtick or a hash that begins nothing else in this dialect is an operator.
            TokenStart::Blank | TokenStart::Operator | TokenStart::Backtick | TokenStart::Hash => {
                self.read_operator()
            }
        }
    }

    /// Reads a secret as one literal, or the token that shows that there is none here.
    #[cold]
    fn read_secret(
        &mut self,
        extent: SecretExtent,
        spaced: bool,
        word: &mut &'static Keyword,
    ) -> TokenKind {
        let Some(first) = self.peek(0) else {
            return TokenKind::Literal;
        };
        let start = self.offset;
        match (extent, first) {
            (SecretExtent::Sign, _) => return self.read_byte(TokenKind::Operator),
            // In a text that was normalized before, it is a `?`.
            (SecretExtent::Attached, b'?') => _ = self.read_placeholder(),
            (SecretExtent::Attached, b'`' | b'{') => self.skip_attached(0),
            // The token decides how far the secret reaches. If it is no literal by itself, the secret goes on to the
            // next separator, since it is not known how the server reads it.
            (SecretExtent::Attached, _) => match self.read_token(first, spaced, word) {
                TokenKind::Text | TokenKind::Prefixed | TokenKind::Literal | TokenKind::Quoted => {}
                TokenKind::Open => self.skip_attached(1),
                TokenKind::OpenBracket => {
                    self.open_brackets = self.open_brackets.saturating_sub(1);
                    self.skip_attached(1);
                }
                _ => self.skip_attached(0),
            },
            (SecretExtent::Account, _) => {
                self.skip_attached(0);
                // `user/password`: without the slash there is no password, and the name is read as a name.
                let read = self.bytes.get(start..self.offset).unwrap_or_default();
                if !read.contains(&b'/') {
                    self.offset = start;
                    return self.read_token(first, spaced, word);
                }
            }
            (SecretExtent::Word | SecretExtent::Argument, _) => {
                let kind = self.read_token(first, spaced, word);
                let is_keyword = extent == SecretExtent::Argument && **word != NAME;
                if is_keyword || !matches!(kind, TokenKind::Word | TokenKind::Quoted) {
                    return kind;
                }
            }
        }
        *word = &NAME;
        TokenKind::Literal
    }

    /// Skips everything up to a blank, a comment, a comma, a semicolon or a closing bracket, outside of quotes and of
    /// inner brackets. `depth` inner brackets are already open.
    fn skip_attached(&mut self, mut depth: usize) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\'' | b'"' | b'`' => {
                    let escapes = self.dialect.escapes();
                    let end = end_of_quoted(self.bytes, self.offset + 1, byte, escapes);
                    self.offset = end.unwrap_or(self.bytes.len());
                    continue;
                }
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' if depth > 0 => depth -= 1,
                _ if depth > 0 => {}
                b')' | b',' | b';' => break,
                _ if token_start(byte) == TokenStart::Blank || self.begins_comment(byte) => break,
                _ => {}
            }
            self.offset += 1;
        }
    }

    /// Whether a comment begins here, or the end of a comment that holds code.
    fn begins_comment(&self, first: u8) -> bool {
        let mysql = self.dialect == Dialect::Mysql;
        match (first, self.peek(1)) {
            (b'-', Some(b'-')) => {
                !mysql
                    || self
                        .peek(2)
                        .is_none_or(|byte| token_start(byte) == TokenStart::Blank)
            }
            (b'#', _) => mysql,
            (b'/', Some(b'*')) => true,
            (b'*', Some(b'/')) => self.in_code_comment,
            _ => false,
        }
    }

    /// Whether a name in brackets begins here, if the dialect is unknown. In some dialects brackets enclose lists and
    /// subscripts.
    fn begins_bracketed_name(&self, spaced: bool) -> bool {
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
        let begins =
            |byte: &u8| token_start(*byte) == TokenStart::Letter || matches!(byte, b'#' | b'@');
        let holds =
            |byte: &u8| continues_word(*byte) || matches!(byte, b'#' | b'@' | b'-' | b'.' | b' ');
        let is_constant =
            keyword(name).is_some_and(|word| matches!(word.role, WordRole::Null | WordRole::Bool));
        name.first().is_some_and(begins) && name.iter().all(holds) && !is_constant
    }

    /// Skips white space and comments. Returns whether there were any.
    #[inline]
    fn skip_blanks(&mut self) -> bool {
        let start = self.offset;
        while let Some(first) = self.peek(0) {
            match first {
                b'-' | b'/' | b'#' | b'*' => {
                    let Some(end) = self.comment_end(first) else {
                        break;
                    };
                    self.offset = end;
                }
                _ if token_start(first) == TokenStart::Blank => self.offset += 1,
                _ => break,
            }
        }
        self.offset > start
    }

    /// The end of the comment that begins here, if there is one.
    fn comment_end(&mut self, first: u8) -> Option<usize> {
        let mysql = self.dialect == Dialect::Mysql;
        match (first, self.peek(1)) {
            (b'-', Some(b'-')) => {
                // MySQL reads `--` as two signs unless a blank follows. A comment that is none would hide a literal.
                let comment = !mysql
                    || self
                        .peek(2)
                        .is_none_or(|byte| token_start(byte) == TokenStart::Blank);
                comment.then(|| self.end_of_line())
            }
            (b'#', _) => mysql.then(|| self.end_of_line()),
            (b'/', Some(b'*')) => {
                // `/*! .. */` of MySQL and `/*M! .. */` of MariaDB contain code that these servers run, so only the
                // delimiters and the version are skipped.
                let code = match (self.peek(2), self.peek(3)) {
                    (Some(b'!'), _) => 3,
                    (Some(b'M'), Some(b'!')) => 4,
                    _ => 0,
                };
                if mysql && code > 0 {
                    self.in_code_comment = true;
                    let version = self.rest().iter().skip(code);
                    let digits = version.take(6).take_while(|byte| byte.is_ascii_digit());
                    return Some(self.offset + code + digits.count());
                }
                let nested = self.dialect.nested_comments();
                Some(end_of_block_comment(self.bytes, self.offset + 2, nested))
            }
            (b'*', Some(b'/')) if self.in_code_comment => {
                self.in_code_comment = false;
                Some(self.offset + 2)
            }
            _ => None,
        }
    }

    fn end_of_line(&self) -> usize {
        let end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        self.offset
            + self
                .rest()
                .iter()
                .position(end)
                .unwrap_or(self.rest().len())
    }

    fn read_byte(&mut self, kind: TokenKind) -> TokenKind {
        self.offset += 1;
        kind
    }

    fn read_punctuation(&mut self, first: u8) -> TokenKind {
        if first == b']' {
            self.open_brackets = self.open_brackets.saturating_sub(1);
        }
        self.read_byte(match first {
            b'(' => TokenKind::Open,
            b')' => TokenKind::Close,
            b',' => TokenKind::Comma,
            b';' => TokenKind::Semicolon,
            _ => TokenKind::CloseBracket,
        })
    }

    /// Reads up to `end`. Without an end, the rest of the text is one literal.
    fn read_until(&mut self, end: Option<usize>, kind: TokenKind) -> TokenKind {
        self.offset = end.unwrap_or(self.bytes.len());
        if end.is_some() {
            kind
        } else {
            TokenKind::Literal
        }
    }

    fn read_quoted(
        &mut self,
        skip: usize,
        quote: u8,
        escapes: Escapes,
        kind: TokenKind,
    ) -> TokenKind {
        let end = end_of_quoted(self.bytes, self.offset + skip, quote, escapes);
        self.read_until(end, kind)
    }

    fn string_escapes(&self) -> Escapes {
        match self.last {
            TokenKind::Text | TokenKind::Prefixed => self.last_escapes,
            _ => self.dialect.escapes(),
        }
    }

    fn read_string(&mut self, skip: usize, escapes: Escapes, kind: TokenKind) -> TokenKind {
        self.last_escapes = escapes;
        self.read_quoted(skip, b'\'', escapes, kind)
    }

    fn read_quoted_name(&mut self, skip: usize, quote: u8) -> TokenKind {
        let escapes = match quote {
            b']' if self.dialect == Dialect::Sqlite => Escapes::None,
            b'"' if self.dialect.is_ambiguous() => Escapes::Ambiguous,
            _ => Escapes::Doubled,
        };
        self.read_quoted(skip, quote, escapes, TokenKind::Quoted)
    }

    fn word_length(&self) -> usize {
        let rest = self.rest();
        let end = if self.dialect == Dialect::SqlServer {
            rest.iter()
                .position(|byte| !(continues_word(*byte) || matches!(byte, b'#' | b'@')))
        } else {
            rest.iter().position(|byte| !continues_word(*byte))
        };
        end.unwrap_or(rest.len())
    }

    fn read_word(&mut self, word: &mut &'static Keyword) -> TokenKind {
        let length = self.word_length();
        match self.peek(length) {
            Some(b'\'') => {
                if let Some(kind) = self.read_prefixed(length) {
                    return kind;
                }
            }
            Some(b'"') if self.dialect.double_quotes_strings() && self.peek(0) == Some(b'_') => {
                return self.read_quoted(
                    length + 1,
                    b'"',
                    self.dialect.escapes(),
                    TokenKind::Prefixed,
                );
            }
            Some(b'&') if length == 1 && self.dialect.unicode_strings() => {
                match (self.peek(0), self.peek(2)) {
                    (Some(b'u' | b'U'), Some(b'\'')) => {
                        return self.read_string(3, self.dialect.escapes(), TokenKind::Prefixed);
                    }
                    (Some(b'u' | b'U'), Some(b'"')) => return self.read_quoted_name(3, b'"'),
                    _ => {}
                }
            }
            _ => {}
        }
        if self.last != TokenKind::Dot {
            let text = self.rest().get(..length).unwrap_or_default();
            *word = keyword(text).unwrap_or(&NAME);
        }
        self.offset += length.max(1);
        TokenKind::Word
    }

    /// Reads a string with a prefix of this length, if the word is a prefix.
    fn read_prefixed(&mut self, length: usize) -> Option<TokenKind> {
        let first = self.peek(0)?.to_ascii_uppercase();
        let other = self.dialect.is_ambiguous();
        if length == 1 && self.dialect.is_string_prefix(first) {
            let escapes = match self.dialect.escapes() {
                Escapes::Doubled if first == b'E' => Escapes::Backslash,
                escapes => escapes,
            };
            return Some(self.read_string(2, escapes, TokenKind::Prefixed));
        }
        if self.dialect == Dialect::Mysql && first == b'_' {
            return Some(self.read_string(length + 1, Escapes::Backslash, TokenKind::Prefixed));
        }
        let last = self.peek(length - 1)?.to_ascii_uppercase();
        if other && last == b'Q' && (length == 1 || length == 2 && first == b'N') {
            let end = end_of_q_literal(self.bytes, self.offset + length + 1);
            return Some(self.read_until(end, TokenKind::Literal));
        }
        None
    }

    fn read_number(&mut self) -> TokenKind {
        self.offset += number_length(self.rest());
        TokenKind::Number
    }

    fn read_dollar(&mut self, word: &mut &'static Keyword) -> TokenKind {
        if self.dialect.dollar_quotes()
            && let Some(tag) = dollar_tag(self.bytes, self.offset)
        {
            let end = end_of_dollars(self.bytes, self.offset + tag.len(), tag);
            return self.read_until(end, TokenKind::Literal);
        }
        match self.peek(1) {
            Some(b'0'..=b'9') => {
                self.offset += 1;
                self.read_number();
                TokenKind::Placeholder
            }
            Some(next) if token_start(next) == TokenStart::Letter => {
                if self.dialect == Dialect::Sqlite {
                    self.offset += self.word_length();
                    return TokenKind::Placeholder;
                }
                self.read_word(word);
                *word = &NAME;
                TokenKind::Word
            }
            _ => self.read_byte(TokenKind::Operator),
        }
    }

    fn read_colon(&mut self, spaced: bool) -> TokenKind {
        match self.peek(1) {
            Some(b':') => {
                self.offset += 2;
                return TokenKind::Cast;
            }
            Some(next) if begins_name(next) => {
                let numbered = next.is_ascii_digit() && self.dialect == Dialect::Postgresql;
                // Part of a path or a slice: `a:b`, `a[b:c]`.
                let inside = self.after_operand && (!spaced || self.open_brackets > 0);
                if !numbered && !inside {
                    self.offset += 1;
                    self.offset += self.word_length();
                    return TokenKind::Placeholder;
                }
            }
            _ => {}
        }
        self.read_byte(TokenKind::Operator)
    }

    fn read_at_sign(&mut self) -> TokenKind {
        let next = self.peek(1);
        if next == Some(b'@') && self.dialect != Dialect::Postgresql {
            self.offset += 2;
            self.offset += self.word_length();
            return TokenKind::Word;
        }
        if next.is_some_and(begins_name) {
            if self.dialect.at_placeholders() {
                self.offset += 1;
                self.offset += self.word_length();
                return TokenKind::Placeholder;
            }
            if self.dialect == Dialect::Mysql {
                self.offset += 1;
                self.offset += self.word_length();
                return TokenKind::Word;
            }
        }
        self.read_operator()
    }

    /// A placeholder, or one of `PostgreSQL`'s operators that begin with a question mark.
    fn read_question(&mut self) -> TokenKind {
        if self.dialect == Dialect::Postgresql
            && let Some(length) = question_operator_length(self.rest())
        {
            self.offset += length;
            return TokenKind::Operator;
        }
        self.read_placeholder()
    }

    fn read_placeholder(&mut self) -> TokenKind {
        self.offset += 1;
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit());
        self.offset += digits.count();
        TokenKind::Placeholder
    }

    /// One character, or in `PostgreSQL` a whole operator.
    fn read_operator(&mut self) -> TokenKind {
        self.offset += match self.dialect {
            Dialect::Postgresql => operator_length(self.rest()),
            _ => 1,
        };
        TokenKind::Operator
    }
}

/// Whether the name of a placeholder may begin with this byte. A dollar sign may begin a literal and is none.
fn begins_name(byte: u8) -> bool {
    matches!(token_start(byte), TokenStart::Letter | TokenStart::Digit)
}
