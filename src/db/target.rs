use std::sync::Arc;

use super::system::DbSystem;

/// Bytes of each of a database's names.
const MAX_NAME: usize = 128;

/// The database that queries go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) system: DbSystem,
    pub(super) namespace: Option<Arc<str>>,
    pub(super) server: Option<Arc<str>>,
    pub(super) port: Option<u16>,
    pub(super) pool: Option<Arc<str>>,
}

impl Target {
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

/// A name as it is kept: cut, without control characters.
pub(super) fn name(text: &str) -> Arc<str> {
    let text = crate::model::prefix(text, MAX_NAME);
    text.replace(char::is_control, " ").into()
}
