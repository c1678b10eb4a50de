//! Names of targets, and the summary's text.
//!
//! Both are as they are written in the statement, with their case and their quotes.

use super::text::push_clean;
use super::token::{Kind, Token};

/// The most bytes of a summary.
pub(super) const MAX_SUMMARY: usize = 255;
/// Parts of a name, as in `server.database.schema.table`.
const MAX_PARTS: usize = 4;
/// Names of common table expressions that are remembered.
const MAX_CTES: usize = 32;

/// A name as it is met, part by part.
#[derive(Debug, Default)]
pub(super) struct Name<'a> {
    parts: [Part<'a>; MAX_PARTS],
    count: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Part<'a> {
    text: &'a str,
    quoted: bool,
}

impl<'a> Name<'a> {
    pub(super) fn clear(&mut self) {
        self.count = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn push(&mut self, token: &Token<'a>) {
        if let Some(part) = self.parts.get_mut(self.count) {
            *part = Part {
                text: token.text,
                quoted: token.kind == Kind::Quoted,
            };
            self.count += 1;
        }
    }

    /// What a name is that was left out, as in `database..table`.
    pub(super) fn push_empty(&mut self) {
        if let Some(part) = self.parts.get_mut(self.count) {
            *part = Part::default();
            self.count += 1;
        }
    }

    /// The name, if it is one word without quotes.
    pub(super) fn word(&self) -> Option<&'a str> {
        match self.parts.get(..self.count) {
            Some([part]) if !part.quoted => Some(part.text),
            _ => None,
        }
    }

    fn write(&self, out: &mut String) {
        for (n, part) in self.parts.iter().take(self.count).enumerate() {
            // A link to another database follows without one.
            if n > 0 && !part.text.starts_with('@') {
                out.push('.');
            }
            push_clean(out, part.text);
        }
    }

    /// The name without its quotes, if it has one part alone.
    fn plain(&self) -> Option<&'a str> {
        match self.parts.get(..self.count) {
            Some([part]) => Some(part.plain()),
            _ => None,
        }
    }
}

impl<'a> Part<'a> {
    /// Without its quotes.
    fn plain(&self) -> &'a str {
        let inside = self
            .quoted
            .then(|| self.text.get(1..self.text.len().checked_sub(1)?))
            .flatten();
        inside.unwrap_or(self.text)
    }
}

/// The summary as it grows.
#[derive(Debug)]
pub(super) struct Written<'a> {
    out: String,
    full: bool,
    ctes: Vec<&'a str>,
}

/// Where the summary was at some time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    length: usize,
    full: bool,
}

impl<'a> Written<'a> {
    pub(super) fn new() -> Self {
        Self {
            out: String::with_capacity(48),
            full: false,
            ctes: Vec::new(),
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            length: self.out.len(),
            full: self.full,
        }
    }

    /// Forgets what came after the mark.
    pub(super) fn restore(&mut self, mark: Mark) {
        self.out.truncate(mark.length);
        self.full = mark.full;
    }

    /// Appends a word that must not be cut.
    pub(super) fn push(&mut self, word: &str) {
        self.append(|out| push_clean(out, word));
    }

    fn append(&mut self, write: impl FnOnce(&mut String)) {
        if self.full {
            return;
        }
        let before = self.out.len();
        if before > 0 {
            self.out.push(' ');
        }
        write(&mut self.out);
        if self.out.len() > MAX_SUMMARY {
            self.full = true;
            self.out.truncate(before);
        }
    }

    pub(super) fn add_cte(&mut self, name: &Token<'a>) {
        if self.ctes.len() < MAX_CTES {
            let part = Part {
                text: name.text,
                quoted: name.kind == Kind::Quoted,
            };
            self.ctes.push(part.plain());
        }
    }

    pub(super) fn forget_ctes(&mut self) {
        self.ctes.clear();
    }

    /// Appends a target, unless it is the name of a common table expression.
    pub(super) fn push_target(&mut self, name: &Name<'a>) {
        let is_cte = |plain: &str| self.ctes.iter().any(|cte| cte.eq_ignore_ascii_case(plain));
        if !name.plain().is_some_and(is_cte) {
            self.append(|out| name.write(out));
        }
    }

    pub(super) fn finish(self) -> Box<str> {
        self.out.into()
    }
}
