//! Normalizes SQL statements: their text without literals, their summary and their digest.
//!
//! A statement is not parsed. [`scan`] cuts it into tokens by the lexical rules of its dialect, [`normalize`] replaces
//! literals by `?` and [`lists`] collapses repeated elements, and [`summary`] collects operations and targets. Text
//! that may be a literal in the dialect is taken for one. The work is linear in the bytes read.

mod command;
mod dialect;
mod hash;
mod level;
mod lists;
mod normalize;
mod number;
mod operation;
mod operator;
mod quote;
mod scan;
mod secrets;
mod summary;
mod target;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod token_start;
mod word;

pub(crate) use dialect::Dialect;

/// Bytes of a statement that are read.
const MAX_READ: usize = 64 * 1024;
/// Bytes of the normalized text.
const MAX_TEXT: usize = 2048;

/// A statement without its literals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NormalizedStatement {
    /// `db.query.text`: `?` for each literal and placeholder, without comments; at most 2,048 bytes.
    pub(crate) text: Box<str>,
    /// `db.query.summary`: operations and their targets as written; at most 255 bytes.
    pub(crate) summary: Box<str>,
    /// `db.operation.name`, of a command or given by the caller; empty for SQL.
    pub(crate) operation: Box<str>,
    /// `db.collection.name`, if the caller gave it.
    pub(crate) collection: Option<Box<str>>,
    /// Equal for statements that differ only in literals, the lengths of lists, white space, comments and the case of
    /// words.
    pub(crate) digest: u64,
}

impl NormalizedStatement {
    /// Reads the first 64 KiB of a statement.
    pub(crate) fn read(sql: &str, dialect: Dialect) -> Self {
        let read = beginning(sql);
        let cut = read.len() < sql.len();
        let mut tokens = scan::SqlScanner::new(read, dialect);
        let output = text::OutputText::new(read.len(), MAX_TEXT);
        let mut normalizer = normalize::Normalizer::new(dialect, output);
        let mut summary = summary::SummaryBuilder::new(dialect);
        while let Some(mut token) = tokens.next() {
            // The scanner reads a token by its form. Only the summary tracks that a name is expected at this position.
            let may_be_name = matches!(
                token.kind,
                token::TokenKind::Placeholder | token::TokenKind::Text
            );
            if may_be_name && summary.is_name(&token) {
                token.kind = token::TokenKind::Quoted;
            }
            summary.token(&token);
            normalizer.token(token);
        }
        let (text, digest) = normalizer.finish(cut);
        Self {
            text,
            summary: summary.finish(cut),
            operation: "".into(),
            collection: None,
            digest,
        }
    }
}

/// The part of a statement that is read, cut at a character boundary.
fn beginning(sql: &str) -> &str {
    if sql.len() <= MAX_READ {
        return sql;
    }
    let ends = (0..4).filter_map(|less| sql.get(..MAX_READ - less));
    ends.max_by_key(|begin| begin.len()).unwrap_or_default()
}
