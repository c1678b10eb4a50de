//! Names of targets, and the summary's text.

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

    fn write(&self, out: &mut String) {
        for (n, part) in self.parts.iter().take(self.count).enumerate() {
            if n > 0 {
                out.push('.');
            }
            push_clean(out, part.plain());
        }
    }
}

impl<'a> Part<'a> {
    /// Without its quotes, if it means the same to a reader then.
    fn plain(&self) -> &'a str {
        let inside = self
            .quoted
            .then(|| self.text.get(1..self.text.len().checked_sub(1)?))
            .flatten();
        let simple = |text: &&str| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '-'))
        };
        inside.filter(simple).unwrap_or(self.text)
    }
}

/// The summary as it grows.
#[derive(Debug)]
pub(super) struct Written<'a> {
    out: String,
    full: bool,
    ctes: Vec<&'a str>,
    /// The first target, and whether there is another one.
    first: Option<Box<str>>,
    several: bool,
}

impl<'a> Written<'a> {
    pub(super) fn new() -> Self {
        Self {
            out: String::with_capacity(48),
            full: false,
            ctes: Vec::new(),
            first: None,
            several: false,
        }
    }

    /// Appends a word that must not be cut.
    pub(super) fn push(&mut self, word: &str) {
        let blank = usize::from(!self.out.is_empty());
        if self.full || self.out.len() + blank + word.len() > MAX_SUMMARY {
            self.full = true;
            return;
        }
        if blank > 0 {
            self.out.push(' ');
        }
        self.out.push_str(word);
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

    /// Appends a target, which is a collection or something else.
    pub(super) fn push_target(&mut self, name: &Name<'a>, collection: bool) {
        if self.full && self.several {
            return;
        }
        let before = self.out.len();
        if before > 0 {
            self.out.push(' ');
        }
        let start = self.out.len();
        name.write(&mut self.out);
        let target = self.out.get(start..).unwrap_or_default();
        let is_cte = |cte: &&str| cte.eq_ignore_ascii_case(target);
        if name.count == 1 && self.ctes.iter().any(is_cte) {
            self.out.truncate(before);
            return;
        }
        if collection {
            match &self.first {
                None => self.first = Some(target.into()),
                Some(first) => self.several |= **first != *target,
            }
        }
        if self.full || self.out.len() > MAX_SUMMARY {
            self.full = true;
            self.out.truncate(before);
        }
    }

    /// The summary, and its collection if it has one alone.
    pub(super) fn finish(self) -> (Box<str>, Option<Box<str>>) {
        let first = self.first.filter(|_| !self.several);
        let short = first.filter(|name| name.len() <= MAX_SUMMARY);
        (self.out.into(), short)
    }
}
