use tokio_postgres::{Client, Error, GenericClient, Transaction};

use super::options::TransactionOptions;

/// Seals the traits of this module.
#[expect(unnameable_types, reason = "other crates must not implement it")]
pub trait Sealed {}

/// What a [`Client`](super::Client) wraps: a client or a transaction, of tokio-postgres or deadpool-postgres.
///
/// The trait is sealed.
pub trait Session: Sealed + Send + Sync {
    /// The type of tokio-postgres that executes statements.
    type Inner: GenericClient + Sync;
    /// The type of a transaction in a client, or of a savepoint in a transaction.
    type Transaction<'a>: TransactionSession
    where
        Self: 'a;

    /// The client or transaction of tokio-postgres.
    fn session(&self) -> &Self::Inner;

    /// Begins a transaction in a client, or a savepoint in a transaction.
    fn begin(&mut self) -> impl Future<Output = Result<Self::Transaction<'_>, Error>> + Send;
}

/// A [`Session`] that is a transaction or a savepoint.
///
/// The trait is sealed.
pub trait TransactionSession: Session {
    /// Commits the transaction, or releases the savepoint.
    fn commit(self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Rolls the transaction or savepoint back.
    fn rollback(self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Begins a savepoint with this name.
    fn savepoint(
        &mut self,
        name: String,
    ) -> impl Future<Output = Result<Self::Transaction<'_>, Error>> + Send;
}

/// A [`Session`] that is a client.
///
/// The trait is sealed.
pub trait ClientSession: Session {
    /// Begins a transaction with options.
    fn begin_with(
        &mut self,
        options: TransactionOptions,
    ) -> impl Future<Output = Result<Self::Transaction<'_>, Error>> + Send;
}

/// Begins a transaction with the builder of tokio-postgres or of deadpool-postgres.
macro_rules! start {
    ($builder:expr, $options:expr) => {{
        let (mut builder, options) = ($builder, $options);
        if let Some(level) = options.isolation_level {
            builder = builder.isolation_level(level);
        }
        if let Some(read_only) = options.read_only {
            builder = builder.read_only(read_only);
        }
        if let Some(deferrable) = options.deferrable {
            builder = builder.deferrable(deferrable);
        }
        builder.start()
    }};
}
#[cfg(feature = "deadpool-postgres")]
pub(in crate::db) use start;

impl ClientSession for Client {
    fn begin_with(
        &mut self,
        options: TransactionOptions,
    ) -> impl Future<Output = Result<Transaction<'_>, Error>> + Send {
        start!(self.build_transaction(), options)
    }
}

impl Sealed for Client {}
impl Sealed for Transaction<'_> {}

impl Session for Client {
    type Inner = Self;
    type Transaction<'a> = Transaction<'a>;

    fn session(&self) -> &Self {
        self
    }

    fn begin(&mut self) -> impl Future<Output = Result<Transaction<'_>, Error>> + Send {
        self.transaction()
    }
}

impl Session for Transaction<'_> {
    type Inner = Self;
    type Transaction<'a>
        = Transaction<'a>
    where
        Self: 'a;

    fn session(&self) -> &Self {
        self
    }

    fn begin(&mut self) -> impl Future<Output = Result<Transaction<'_>, Error>> + Send {
        self.transaction()
    }
}

impl TransactionSession for Transaction<'_> {
    fn commit(self) -> impl Future<Output = Result<(), Error>> + Send {
        Transaction::commit(self)
    }

    fn rollback(self) -> impl Future<Output = Result<(), Error>> + Send {
        Transaction::rollback(self)
    }

    fn savepoint(
        &mut self,
        name: String,
    ) -> impl Future<Output = Result<Transaction<'_>, Error>> + Send {
        Transaction::savepoint(self, name)
    }
}
