use tokio_postgres::{Client, Error, GenericClient, Transaction};

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
}
