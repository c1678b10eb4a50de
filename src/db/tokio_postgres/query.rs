use std::sync::Arc;

use super::session::Sealed;

/// What a [`Client`](super::Client) executes: a text, which is prepared as part of the query, or a [`Statement`].
///
/// The trait is sealed.
pub trait Query: Sealed + Sync {
    /// The text of the statement.
    fn text(&self) -> &str;

    /// The prepared statement; `None` for a text.
    fn prepared(&self) -> Option<&tokio_postgres::Statement>;
}

/// A prepared statement with its text. Cheap to clone.
///
/// [`Client::prepare`](super::Client::prepare) makes it.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(super) prepared: tokio_postgres::Statement,
    pub(super) text: Arc<str>,
}

impl Statement {
    /// A statement that was prepared with another client, and its text.
    pub fn new(prepared: tokio_postgres::Statement, text: impl Into<Arc<str>>) -> Self {
        Self {
            prepared,
            text: text.into(),
        }
    }

    /// Returns the underlying statement, for its parameters and columns.
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
