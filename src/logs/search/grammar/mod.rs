//! The language of searches: from a text to an expression. Pure code, so that a fuzz target includes it as it is.
//!
//! The meaning of words is that of Elasticsearch's standard analyzer, so that the same text can select the same lines
//! there. `logs::search` has the language and its known differences.

mod expression;
mod fields;
mod lexer;
mod parser;
mod problem;
mod time;
mod words;

pub(in crate::logs) use self::expression::{
    Condition, Expression, LogSeverity, RangeBound, RangeBounds, Test,
};
pub(in crate::logs) use self::fields::{canonical_name, is_found_by_words, is_whole};
pub(in crate::logs) use self::parser::parse;
pub use self::problem::LogQueryError;
pub(in crate::logs) use self::time::micros_of_timestamp;
pub(in crate::logs) use self::words::{Words, fold, folded};
