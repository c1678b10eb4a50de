//! Redaction of secrets, before every sink.
//!
//! There are two rules. By **key**: the value of `password`, `api_key`, `Authorization`, `sessionId` and similar keys
//! is replaced as a whole, even if it is a number. By **shape**: tokens of a known form, a URL's user information,
//! private keys, card numbers and `key=value` pairs are found inside any text.
//!
//! A text is read once, from front to back, in time linear in its length. A text without secrets is returned unchanged.
//! If secrets follow each other more densely than in any text of a service, the rest of the text is replaced as a
//! whole. Redaction is idempotent. Texts are redacted before they are cut: a secret that is cut in half would not be
//! recognized.

mod ansi;
mod authority;
mod card;
mod command;
mod escape;
mod form;
mod key;
mod mark;
mod option;
mod pair;
mod parameters;
mod pattern;
mod rules;
mod scan;
mod segment;
mod shape;
mod url;
mod value;

use std::borrow::Cow;

pub(crate) use self::mark::FILTERED;
pub(crate) use self::pattern::PathPattern;
pub(crate) use self::rules::{RedactConfig, RedactionRules, is_sensitive_key};
pub(crate) use self::url::{path, put_query, query};

/// Whether [`text`] and [`path`] leave a text unchanged; takes its bytes.
#[inline]
pub(crate) fn is_clean(text: &[u8]) -> bool {
    scan::is_clean(text)
}

/// Replaces the secrets of known shapes in a text.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    scan::scrub(text, FILTERED)
}

/// Redacts the value of a key: as a whole if the key is sensitive, else as [`text`].
///
/// An empty value, a boolean and a null are never secrets.
pub(crate) fn value<'a>(key: &str, value: &'a str) -> Cow<'a, str> {
    if is_sensitive_key(key) {
        sensitive(value)
    } else {
        text(value)
    }
}

/// Redacts the value of a sensitive key.
pub(crate) fn sensitive(value: &str) -> Cow<'_, str> {
    if value::is_placeholder(value.as_bytes()) {
        Cow::Borrowed(value)
    } else {
        Cow::Borrowed(FILTERED)
    }
}

#[cfg(test)]
mod tests;
