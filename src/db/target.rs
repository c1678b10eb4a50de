use std::sync::Arc;

use super::system::DbSystem;

/// Bytes of each name of a database.
const MAX_NAME: usize = 128;

/// Identifies a database: the labels and attributes that all its queries share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DatabaseTarget {
    pub(super) system: DbSystem,
    pub(super) namespace: Option<Arc<str>>,
    pub(super) server: Option<Arc<str>>,
    pub(super) port: Option<u16>,
    pub(super) pool: Option<Arc<str>>,
}

impl DatabaseTarget {
    pub(super) fn new(system: DbSystem) -> Self {
        Self {
            system,
            namespace: None,
            server: None,
            port: None,
            pool: None,
        }
    }
}

/// Cuts a name and replaces its control characters.
pub(super) fn clean_name(text: &str) -> Arc<str> {
    let text = crate::model::prefix(text, MAX_NAME);
    text.replace(char::is_control, " ").into()
}
