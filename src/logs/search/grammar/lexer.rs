//! Reads single words, quoted texts and operators.

use super::problem::LogQueryError;

/// A text that is read from its beginning on.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    /// The byte at which it is.
    pub(super) at: usize,
}

/// A word without its escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawWord {
    /// Where it begins.
    pub(super) at: usize,
    pub(super) text: String,
    /// Whether a `*` follows it.
    pub(super) is_prefix: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Whether nothing follows but spaces.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest().trim_start().is_empty()
    }

    pub(super) fn error(&self, expected: &'static str) -> LogQueryError {
        LogQueryError::new(self.at, expected)
    }

    /// Takes a text that follows at once.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let is_there = self.rest().starts_with(text);
        if is_there {
            self.at += text.len();
        }
        is_there
    }

    /// Whether an operator in capitals follows, as a word of its own.
    pub(super) fn is_at_keyword(&self, keyword: &str) -> bool {
        let after = self.rest().strip_prefix(keyword);
        after.is_some_and(|after| {
            let next = after.chars().next();
            next.is_none_or(|it| it.is_whitespace() || matches!(it, '(' | ')' | '"'))
        })
    }

    /// Takes an operator in capitals.
    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let is_there = self.is_at_keyword(keyword);
        if is_there {
            self.at += keyword.len();
        }
        is_there
    }

    /// Takes the name of a field with the colon after it, if one follows. Two colons, or a colon and two slashes, are a part
    /// of a word: `shop::orders`, `https://example.org`.
    pub(super) fn take_field(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let colon =
            rest.find(|it: char| !(it.is_alphanumeric() || matches!(it, '_' | '.' | '-' | '@')))?;
        let (name, after) = rest.split_at_checked(colon)?;
        let after = after.strip_prefix(':')?;
        let begins = name.chars().next()?;
        let is_name = begins.is_alphabetic() || matches!(begins, '_' | '@');
        if !is_name || after.starts_with(':') || after.starts_with("//") {
            return None;
        }
        self.at += colon + 1;
        Some(name)
    }

    /// Reads a quoted text after its first quote.
    ///
    /// # Errors
    ///
    /// Returns an error if it does not end.
    pub(super) fn quoted(&mut self) -> Result<String, LogQueryError> {
        let mut out = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    self.at += at + 1;
                    return Ok(out);
                }
                '\\' => match chars.next() {
                    Some((_, escaped)) => out.push(escaped),
                    None => break,
                },
                char => out.push(char),
            }
        }
        self.at = self.text.len();
        Err(self.error("a closing quote"))
    }

    /// Reads a word up to a space, a parenthesis, a quote or one of `ends`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns an error if a `*` is not at its end, or if a backslash is the last character.
    pub(super) fn word(&mut self, ends: &[char]) -> Result<Option<RawWord>, LogQueryError> {
        let begun = self.at;
        let (mut text, mut is_prefix) = (String::new(), false);
        let mut chars = self.rest().char_indices();
        let mut length = self.rest().len();
        while let Some((at, char)) = chars.next() {
            if char.is_whitespace() || matches!(char, '(' | ')' | '"') || ends.contains(&char) {
                length = at;
                break;
            }
            if is_prefix {
                return Err(LogQueryError::new(
                    begun + at,
                    "the end of the word after `*`; a `*` that is meant itself is written `\\*`",
                ));
            }
            match char {
                '*' => is_prefix = true,
                '\\' => match chars.next() {
                    Some((_, escaped)) => text.push(escaped),
                    None => {
                        return Err(LogQueryError::new(
                            self.text.len(),
                            "a character after `\\`",
                        ));
                    }
                },
                char => text.push(char),
            }
        }
        self.at = begun + length;
        Ok((length > 0).then_some(RawWord {
            at: begun,
            text,
            is_prefix,
        }))
    }
}
