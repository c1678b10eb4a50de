//! Reads the text of an SQL statement: what of it may be shown, what it does to what, and its shape.
//!
//! Nothing here parses SQL. A statement is cut into tokens by the rules of its dialect, each literal is
//! put out as `?`, and what a dialect may see as a literal is one. The work is linear in the bytes read.

mod class;
mod command;
mod dialect;
mod hash;
mod level;
mod lists;
mod number;
mod operation;
mod operator;
mod quote;
mod scan;
mod secrets;
mod shape;
mod summary;
mod target;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod word;

pub(crate) use dialect::Dialect;

/// The most bytes of a statement that are read.
const MAX_READ: usize = 64 * 1024;
/// The most bytes of the text that is put out.
const MAX_TEXT: usize = 2048;

/// What a statement says without its literals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// `db.query.text`: `?` for each literal and placeholder, without comments; at most 2,048 bytes.
    pub(crate) text: Box<str>,
    /// `db.query.summary`: operations and their targets as they are written; at most 255 bytes.
    pub(crate) summary: Box<str>,
    /// `db.operation.name`, where it is known without reading SQL; empty otherwise.
    pub(crate) operation: Box<str>,
    /// `db.collection.name`, where the caller gave it.
    pub(crate) collection: Option<Box<str>>,
    /// The same for statements that differ in literals, the lengths of lists, white space, comments and
    /// the case of words alone.
    pub(crate) shape: u64,
}

impl Statement {
    /// Reads a statement; its first 64 KiB alone.
    pub(crate) fn read(sql: &str, dialect: Dialect) -> Self {
        let read = beginning(sql);
        let cut = read.len() < sql.len();
        let mut tokens = scan::Scanner::new(read, dialect);
        let mut shape = shape::Shape::new(dialect, text::Text::new(read.len(), MAX_TEXT));
        let mut summary = summary::Summary::new(dialect);
        while let Some(mut token) = tokens.next() {
            let may_be_name = matches!(token.kind, token::Kind::Placeholder | token::Kind::Text);
            if may_be_name && summary.is_name(&token) {
                token.kind = token::Kind::Quoted;
            }
            summary.token(&token);
            shape.token(token);
        }
        let (text, shape) = shape.finish(cut);
        Self {
            text,
            summary: summary.finish(cut),
            operation: "".into(),
            collection: None,
            shape,
        }
    }
}

/// As much as is read, cut at a character.
fn beginning(sql: &str) -> &str {
    if sql.len() <= MAX_READ {
        return sql;
    }
    let ends = (0..4).filter_map(|less| sql.get(..MAX_READ - less));
    ends.max_by_key(|begin| begin.len()).unwrap_or_default()
}
