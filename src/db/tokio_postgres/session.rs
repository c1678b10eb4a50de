use tokio_postgres::{Client, Error, GenericClient, Transaction};

use super::options::TransactionOptions;

/// Nobody else implements what has this.
#[expect(unnameable_types, reason = "so that nobody else can")]
pub trait Sealed {}

/// What statements are executed on: a client or transaction, of tokio-postgres or deadpool-postgres.
///
/// It cannot be implemented elsewhere.
pub trait Session: Sealed + Send + Sync {
    /// tokio-postgres' own part of it.
    type Inner: GenericClient + Sync;
    /// What begins in it: a transaction, or a savepoint.
    type Transaction<'a>: InTransaction
    where
        Self: 'a;

    /// tokio-postgres' own part of it.
    fn session(&self) -> &Self::Inner;

    /// Begins a transaction, or a savepoint where it is one.
    fn begin(&mut self) -> impl Future<Output = Result<Self::Transaction<'_>, Error>> + Send;
}

/// A transaction, or a savepoint.
///
/// It cannot be implemented elsewhere.
pub trait InTransaction: Session {
    /// Makes what was done in it last.
    fn commit(self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Gives it up.
    fn rollback(self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Begins a savepoint of this name.
    fn savepoint(
        &mut self,
        name: String,
    ) -> impl Future<Output = Result<Self::Transaction<'_>, Error>> + Send;
}

/// A client, of tokio-postgres or deadpool-postgres.
///
/// It cannot be implemented elsewhere.
pub trait Connected: Session {
    /// Begins a transaction by options.
    fn begin_by(
        &mut self,
        options: TransactionOptions,
    ) -> impl Future<Output = Result<Self::Transaction<'_>, Error>> + Send;
}

/// Begins a transaction by its builder, of either crate.
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

impl Connected for Client {
    fn begin_by(
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

impl InTransaction for Transaction<'_> {
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
