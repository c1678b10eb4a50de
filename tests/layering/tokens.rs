//! Rust source as a list of tokens: just enough to find paths in it. Comments, texts and numbers are
//! left out.

/// A token and the line that it starts on, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Ident(String),
    /// `::`
    PathSep,
    Punct(char),
}

impl Kind {
    pub(crate) fn is(&self, punct: char) -> bool {
        *self == Self::Punct(punct)
    }

    pub(crate) fn ident(&self) -> Option<&str> {
        match self {
            Self::Ident(name) => Some(name),
            _ => None,
        }
    }
}

/// The tokens of `source`.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        chars: source.chars().collect(),
        at: 0,
        line: 1,
        out: Vec::new(),
    };
    lexer.run();
    lexer.out
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    out: Vec<Token>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn bump(&mut self) -> char {
        let c = self.peek(0);
        self.at += 1;
        self.line += usize::from(c == '\n');
        c
    }

    fn done(&self) -> bool {
        self.at >= self.chars.len()
    }

    fn run(&mut self) {
        while !self.done() {
            let line = self.line;
            let kind = match self.peek(0) {
                c if c.is_whitespace() => {
                    self.bump();
                    None
                }
                '/' if self.peek(1) == '/' => {
                    while !self.done() && self.peek(0) != '\n' {
                        self.bump();
                    }
                    None
                }
                '/' if self.peek(1) == '*' => {
                    self.block_comment();
                    None
                }
                '"' => {
                    self.text();
                    None
                }
                '\'' => self.quote(),
                c if c.is_alphabetic() || c == '_' => self.word(),
                c if c.is_ascii_digit() => {
                    while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
                        self.bump();
                    }
                    None
                }
                ':' if self.peek(1) == ':' => {
                    self.bump();
                    self.bump();
                    Some(Kind::PathSep)
                }
                _ => Some(Kind::Punct(self.bump())),
            };
            self.out.extend(kind.map(|kind| Token { kind, line }));
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while !self.done() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => {
                    depth += 1;
                    self.bump();
                }
                ('*', '/') => {
                    depth -= 1;
                    self.bump();
                }
                _ => {}
            }
            self.bump();
            if depth == 0 {
                return;
            }
        }
    }

    /// `"..."`, from its first quote on.
    fn text(&mut self) {
        self.bump();
        while !self.done() {
            match self.bump() {
                '\\' => {
                    self.bump();
                }
                '"' => return,
                _ => {}
            }
        }
    }

    /// `#..#"..."#..#`, from its first hash or quote on.
    fn raw_text(&mut self) {
        let mut hashes = 0;
        while self.peek(0) == '#' {
            hashes += 1;
            self.bump();
        }
        self.bump();
        while !self.done() {
            if self.bump() == '"' && (0..hashes).all(|ahead| self.peek(ahead) == '#') {
                self.at += hashes;
                return;
            }
        }
    }

    /// A character, or a lifetime: neither is part of a path.
    fn quote(&mut self) -> Option<Kind> {
        self.bump();
        if self.peek(0) == '\\' {
            self.bump();
            self.bump();
            while !self.done() && self.bump() != '\'' {}
        } else if self.peek(1) == '\'' {
            self.bump();
            self.bump();
        } else {
            while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
                self.bump();
            }
        }
        None
    }

    /// A name, or the prefix of a text.
    fn word(&mut self) -> Option<Kind> {
        let mut word = String::new();
        while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
            word.push(self.bump());
        }
        let raw = self.peek(0) == '"' || (self.peek(0) == '#' && matches!(self.peek(1), '"' | '#'));
        match (word.as_str(), self.peek(0)) {
            ("r" | "br" | "cr", _) if raw => {
                self.raw_text();
                None
            }
            ("b" | "c", '"') => {
                self.text();
                None
            }
            ("b", '\'') => self.quote(),
            // A raw name means the same name.
            ("r", '#') => {
                self.bump();
                self.word()
            }
            _ => Some(Kind::Ident(word)),
        }
    }
}
