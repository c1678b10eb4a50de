use tokio_postgres::Error;

use super::super::guard::QueryGuard;

/// A query failed. Of the error its `SQLSTATE` is kept, else its kind; its text may hold values.
#[cold]
pub(super) fn fail(guard: QueryGuard, error: &Error) {
    match error.code() {
        Some(code) => guard.code(code.code().to_owned()).fail_by(DATABASE),
        None if error.is_closed() => guard.fail_by("tokio_postgres::Error::Closed"),
        None => guard.fail_by("tokio_postgres::Error"),
    }
}

const DATABASE: &str = "tokio_postgres::Error::Db";

/// Ends a query as its result says.
pub(super) fn end<T>(guard: QueryGuard, result: &Result<T, Error>) {
    match result {
        Ok(_) => guard.finish(),
        Err(error) => fail(guard, error),
    }
}
