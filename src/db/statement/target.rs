//! The names of targets and the text of the summary, with the case and the quotes of the statement.

use super::text::push_clean;
use super::token::{SqlToken, TokenKind};

/// Bytes of a summary.
pub(super) const MAX_SUMMARY: usize = 255;
/// Parts of a name, as in `server.database.schema.table`.
const MAX_PARTS: usize = 4;
/// Names of common table expressions that are stored, so that they are not mistaken for tables.
const MAX_CTES: usize = 32;

/// A name, collected part by part.
#[derive(Debug, Default)]
pub(super) struct TargetName<'a> {
    parts: [NamePart<'a>; MAX_PARTS],
    count: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct NamePart<'a> {
    text: &'a str,
    quoted: bool,
}

impl<'a> TargetName<'a> {
    pub(super) fn clear(&mut self) {
        self.count = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn push(&mut self, token: &SqlToken<'a>) {
        if let Some(part) = self.parts.get_mut(self.count) {
            *part = NamePart {
                text: token.text,
                quoted: token.kind == TokenKind::Quoted,
            };
            self.count += 1;
        }
    }

    /// Adds an omitted part, as in `database..table`.
    pub(super) fn push_empty(&mut self) {
        if let Some(part) = self.parts.get_mut(self.count) {
            *part = NamePart::default();
            self.count += 1;
        }
    }

    /// The name, if it is a single unquoted word.
    pub(super) fn word(&self) -> Option<&'a str> {
        match self.parts.get(..self.count) {
            Some([part]) if !part.quoted => Some(part.text),
            _ => None,
        }
    }

    fn write(&self, out: &mut String) {
        for (n, part) in self.parts.iter().take(self.count).enumerate() {
            // A database link brings its own separator.
            if n > 0 && !part.text.starts_with('@') {
                out.push('.');
            }
            push_clean(out, part.text);
        }
    }

    /// The name without its quotes, if it has a single part.
    fn plain(&self) -> Option<&'a str> {
        match self.parts.get(..self.count) {
            Some([part]) => Some(part.plain()),
            _ => None,
        }
    }
}

impl<'a> NamePart<'a> {
    /// The part without its quotes.
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
pub(super) struct SummaryText<'a> {
    out: String,
    full: bool,
    ctes: Vec<&'a str>,
}

/// A state of the summary to return to.
#[derive(Debug, Clone, Copy)]
pub(super) struct SummaryMark {
    length: usize,
    full: bool,
}

impl<'a> SummaryText<'a> {
    pub(super) fn new() -> Self {
        Self {
            out: String::with_capacity(48),
            full: false,
            ctes: Vec::new(),
        }
    }

    pub(super) fn mark(&self) -> SummaryMark {
        SummaryMark {
            length: self.out.len(),
            full: self.full,
        }
    }

    /// Removes what was appended after the mark.
    pub(super) fn restore(&mut self, mark: SummaryMark) {
        self.out.truncate(mark.length);
        self.full = mark.full;
    }

    /// Appends a whole word.
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

    pub(super) fn add_cte(&mut self, name: &SqlToken<'a>) {
        if self.ctes.len() < MAX_CTES {
            let part = NamePart {
                text: name.text,
                quoted: name.kind == TokenKind::Quoted,
            };
            self.ctes.push(part.plain());
        }
    }

    pub(super) fn forget_ctes(&mut self) {
        self.ctes.clear();
    }

    /// Appends a target, unless it is a common table expression.
    pub(super) fn push_target(&mut self, name: &TargetName<'a>) {
        let is_cte = |plain: &str| self.ctes.iter().any(|cte| cte.eq_ignore_ascii_case(plain));
        if !name.plain().is_some_and(is_cte) {
            self.append(|out| name.write(out));
        }
    }

    pub(super) fn finish(self) -> Box<str> {
        self.out.into()
    }
}
