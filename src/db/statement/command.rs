//! Reads a command that is no SQL.

use super::Statement;
use super::hash::Hash;

/// Bytes of a command's name, and of what a caller names.
const MAX_COMMAND: usize = 32;
const MAX_NAME: usize = 128;

impl Statement {
    /// Keeps a command's name, as it is written. What follows may be a key or a value.
    pub(crate) fn command(text: &str) -> Self {
        let text = text.trim_start();
        let is_name =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        let bytes = text.bytes().take(MAX_COMMAND);
        let end = bytes.take_while(is_name).count();
        let name = text.get(..end).unwrap_or_default();
        let mut hash = Hash::NEW;
        hash.mix_bytes(0, name.as_bytes(), true);
        Self {
            text: "".into(),
            summary: name.into(),
            operation: name.into(),
            collection: None,
            shape: hash.finish(),
        }
    }

    /// What a caller says of a query that is no text: its operation and the collection that it is for, empty for none.
    pub(crate) fn named(operation: &str, collection: &str) -> Self {
        let (operation, collection) = (name(operation), name(collection));
        let mut hash = Hash::NEW;
        hash.mix_bytes(1, operation.as_bytes(), false);
        hash.mix_bytes(2, collection.as_bytes(), false);
        let both = [&*operation, &*collection].join(" ");
        Self {
            text: "".into(),
            summary: both.trim().into(),
            operation: operation.into(),
            collection: (!collection.is_empty()).then(|| collection.into()),
            shape: hash.finish(),
        }
    }
}

/// A name as it is kept: cut, without control characters.
fn name(text: &str) -> String {
    let ends = (0..4).filter_map(|less| text.get(..text.len().min(MAX_NAME).checked_sub(less)?));
    let cut = ends.max_by_key(|cut| cut.len()).unwrap_or_default();
    cut.replace(super::text::is_control, " ").trim().to_owned()
}
