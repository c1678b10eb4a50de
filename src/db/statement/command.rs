//! Reads the commands of systems without SQL.

use super::NormalizedStatement;
use super::hash::TokenHash;

/// Bytes of a command's name.
const MAX_COMMAND: usize = 32;
/// Bytes of each name that a caller gives.
const MAX_NAME: usize = 128;

impl NormalizedStatement {
    /// Reads the name of a command, which is its first word. What follows may be a key or a value and is ignored.
    pub(crate) fn command(text: &str) -> Self {
        let text = text.trim_start();
        let is_name =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        let bytes = text.bytes().take(MAX_COMMAND);
        let end = bytes.take_while(is_name).count();
        let name = text.get(..end).unwrap_or_default();
        let mut hash = TokenHash::NEW;
        hash.mix_bytes(0, name.as_bytes(), true);
        Self {
            text: "".into(),
            summary: name.into(),
            operation: name.into(),
            collection: None,
            digest: hash.finish(),
        }
    }

    /// Makes the statement of an operation that has no text, from the names of the operation and of its collection;
    /// empty for none.
    pub(crate) fn named(operation: &str, collection: &str) -> Self {
        let (operation, collection) = (clean_name(operation), clean_name(collection));
        let mut hash = TokenHash::NEW;
        hash.mix_bytes(1, operation.as_bytes(), false);
        hash.mix_bytes(2, collection.as_bytes(), false);
        let both = [&*operation, &*collection].join(" ");
        Self {
            text: "".into(),
            summary: both.trim().into(),
            operation: operation.into(),
            collection: (!collection.is_empty()).then(|| collection.into()),
            digest: hash.finish(),
        }
    }
}

/// Cuts a name and replaces its control characters.
fn clean_name(text: &str) -> String {
    let ends = (0..4).filter_map(|less| text.get(..text.len().min(MAX_NAME).checked_sub(less)?));
    let cut = ends.max_by_key(|cut| cut.len()).unwrap_or_default();
    cut.replace(super::text::is_control, " ").trim().to_owned()
}
