use std::borrow::Cow;

use sqlx::Error;

use super::super::guard::QueryGuard;

/// A query failed by an error of SQLx.
#[cold]
pub(super) fn fail(guard: QueryGuard, error: &Error) {
    if let Error::Database(error) = error
        && let Some(code) = error.code()
    {
        return guard.code(code.into_owned()).fail_by(kind_of_database());
    }
    guard.fail_by(kind(error));
}

/// Ends a query as its result says.
pub(super) fn end<T>(guard: QueryGuard, result: &Result<T, Error>) {
    match result {
        Ok(_) => guard.finish(),
        Err(error) => fail(guard, error),
    }
}

fn kind_of_database() -> Cow<'static, str> {
    "sqlx::Error::Database".into()
}

/// The error's variant: its text may hold values.
fn kind(error: &Error) -> Cow<'static, str> {
    Cow::Borrowed(match error {
        Error::Configuration(_) => "sqlx::Error::Configuration",
        Error::InvalidArgument(_) => "sqlx::Error::InvalidArgument",
        Error::Database(_) => return kind_of_database(),
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
    })
}
