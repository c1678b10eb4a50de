use std::borrow::Cow;

use sqlx::Error;
use sqlx::error::DatabaseError;

use super::super::guard::{QueryGuard, code_of};
use crate::context::DriverError;

/// Ends a query as failed by an error of SQLx.
#[cold]
pub(super) fn fail(guard: QueryGuard, error: &Error) {
    guard.fail_with::<Error>(kind(error), details(error));
}

/// What SQLx reports about one of its errors, or about an error of the database.
pub(in crate::db) fn driver_error(
    error: &(dyn std::error::Error + 'static),
) -> Option<DriverError> {
    if let Some(error) = error.downcast_ref::<Error>() {
        return Some(details(error));
    }
    // The source of an error of SQLx.
    let error = error.downcast_ref::<Box<dyn DatabaseError>>()?;
    Some(database_details(&**error))
}

fn details(error: &Error) -> DriverError {
    match error {
        Error::Database(error) => database_details(&**error),
        _ => DriverError::default(),
    }
}

fn database_details(error: &dyn DatabaseError) -> DriverError {
    let code = error.code().map(Cow::into_owned);
    DriverError::new(
        code.and_then(|code| code_of(code.into())),
        error.constraint(),
    )
}

/// Ends a query by the result of its work.
pub(super) fn end<T>(guard: QueryGuard, result: &Result<T, Error>) {
    match result {
        Ok(_) => guard.finish(),
        Err(error) => fail(guard, error),
    }
}

/// The name of the error's variant. The error's text is not used: it may hold values.
fn kind(error: &Error) -> &'static str {
    match error {
        Error::Configuration(_) => "sqlx::Error::Configuration",
        Error::InvalidArgument(_) => "sqlx::Error::InvalidArgument",
        Error::Database(_) => "sqlx::Error::Database",
        Error::Io(_) => "sqlx::Error::Io",
        Error::Tls(_) => "sqlx::Error::Tls",
        Error::Protocol(_) => "sqlx::Error::Protocol",
        Error::RowNotFound => "sqlx::Error::RowNotFound",
        Error::TypeNotFound { .. } => "sqlx::Error::TypeNotFound",
        Error::Encode(_) => "sqlx::Error::Encode",
        Error::Decode(_) | Error::ColumnDecode { .. } => "sqlx::Error::Decode",
        Error::PoolTimedOut => "sqlx::Error::PoolTimedOut",
        Error::PoolClosed => "sqlx::Error::PoolClosed",
        Error::WorkerCrashed => "sqlx::Error::WorkerCrashed",
        Error::BeginFailed => "sqlx::Error::BeginFailed",
        _ => "sqlx::Error",
    }
}
