//! Scrubbing of secrets, before every sink.
//!
//! Two rules. By **key**: what stands under `password`, `api_key`, `Authorization`, `sessionId` and
//! their like is replaced whole, a number too. By **shape**: tokens with a known form, a URL's user
//! information, private keys, card numbers and `key=value` pairs are found inside any text.
//!
//! Each text is read once, from front to back, in time linear in its length; a text without secrets is
//! handed back as it is. Where secrets follow each other more densely than in any text of a service,
//! the rest of the text is replaced as a whole. Scrubbing what was scrubbed changes nothing. Text is scrubbed before it is cut:
//! a secret cut in half would no longer be known.

mod ansi;
mod card;
mod command;
mod form;
mod key;
mod option;
mod pair;
mod parameters;
mod pattern;
mod rules;
mod scan;
mod segment;
mod shape;
mod url;

use std::borrow::Cow;

pub(crate) use self::key::is_sensitive_key;
pub(crate) use self::pattern::PathPattern;
pub(crate) use self::rules::{RedactConfig, RedactionRules};
pub(crate) use self::url::{path, put_query, query};

/// Stands for a secret in a text or in place of a value.
pub(crate) const FILTERED: &str = "[Filtered]";
/// Stands for a secret inside a URL or a query.
pub(crate) const REDACTED: &str = "REDACTED";

/// Counts the bytes that are read beside the one pass.
#[cfg(test)]
fn count_visited(bytes: usize) {
    VISITED.with(|visited| visited.set(visited.get() + bytes));
}

#[cfg(not(test))]
#[inline]
const fn count_visited(_: usize) {}

#[cfg(test)]
thread_local! {
    static VISITED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Whether [`text`] and [`path`] change nothing in a text, given as its bytes.
#[inline]
pub(crate) fn is_clean(text: &[u8]) -> bool {
    scan::is_clean(text)
}

/// The text without the secrets whose shape is known.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    scan::scrub(text, FILTERED)
}

/// The value of a key: replaced whole where the key is sensitive, else as [`text`].
///
/// An empty value, a truth value and a null are no secret under any key.
pub(crate) fn value<'a>(key: &str, value: &'a str) -> Cow<'a, str> {
    if is_sensitive_key(key) {
        sensitive(value)
    } else {
        text(value)
    }
}

/// The value of a key that is known to be sensitive.
pub(crate) fn sensitive(value: &str) -> Cow<'_, str> {
    if pair::says_nothing(value.as_bytes()) {
        Cow::Borrowed(value)
    } else {
        Cow::Borrowed(FILTERED)
    }
}

#[cfg(test)]
mod tests;
