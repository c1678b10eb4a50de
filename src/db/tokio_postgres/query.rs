use std::sync::Arc;

use super::session::Sealed;

/// What can be executed: a text, which is prepared on the way, or a [`Statement`].
///
/// It cannot be implemented elsewhere.
pub trait Query: Sealed + Sync {
    /// Its text.
    fn text(&self) -> &str;

    /// The statement, where it is prepared already.
    fn prepared(&self) -> Option<&tokio_postgres::Statement>;
}

/// A prepared statement that remembers its text. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(super) prepared: tokio_postgres::Statement,
    pub(super) text: Arc<str>,
}

impl Statement {
    /// A statement that was prepared elsewhere, of this text.
    pub fn new(prepared: tokio_postgres::Statement, text: impl Into<Arc<str>>) -> Self {
        Self {
            prepared,
            text: text.into(),
        }
    }

    /// The statement itself, for its parameters and columns.
    pub fn inner(&self) -> &tokio_postgres::Statement {
        &self.prepared
    }
}

impl Sealed for str {}
impl Sealed for String {}
impl Sealed for Statement {}

impl Query for str {
    fn text(&self) -> &str {
        self
    }

    fn prepared(&self) -> Option<&tokio_postgres::Statement> {
        None
    }
}

impl Query for String {
    fn text(&self) -> &str {
        self
    }

    fn prepared(&self) -> Option<&tokio_postgres::Statement> {
        None
    }
}

impl Query for Statement {
    fn text(&self) -> &str {
        &self.text
    }

    fn prepared(&self) -> Option<&tokio_postgres::Statement> {
        Some(&self.prepared)
    }
}
