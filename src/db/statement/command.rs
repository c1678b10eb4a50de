//! Reads a command that is no SQL.

use super::Statement;
use super::hash::Hash;

/// Bytes of a command's name.
const MAX_COMMAND: usize = 32;

impl Statement {
    /// What is kept of a command: its name, in upper case. What follows may be a key or a value.
    pub(crate) fn command(text: &str) -> Self {
        let text = text.trim_start();
        let is_name =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        let bytes = text.bytes().take(MAX_COMMAND);
        let end = bytes.take_while(is_name).count();
        let name = text.get(..end).unwrap_or_default().to_ascii_uppercase();
        let mut hash = Hash::NEW;
        hash.mix_bytes(0, name.as_bytes(), false);
        Self {
            text: "".into(),
            summary: name.clone().into(),
            operation: name.into(),
            collection: None,
            shape: hash.finish(),
        }
    }
}
