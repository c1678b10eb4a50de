use std::borrow::Cow;

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use super::super::guard::{QueryGuard, code_of};
use crate::context::DriverError;

/// Ends a query as failed by an error of tokio-postgres. Its `SQLSTATE` is recorded, or its kind if it has none.
#[cold]
pub(super) fn fail(guard: QueryGuard, error: &Error) {
    guard.fail_with::<Error>(kind(error), details(error));
}

/// Ends a query by the result of its work.
pub(super) fn end<T>(guard: QueryGuard, result: &Result<T, Error>) {
    match result {
        Ok(_) => guard.finish(),
        Err(error) => fail(guard, error),
    }
}

/// What tokio-postgres reports about one of its errors, or about an error of the database.
pub(in crate::db) fn driver_error(
    error: &(dyn std::error::Error + 'static),
) -> Option<DriverError> {
    match error.downcast_ref::<Error>() {
        Some(error) => Some(details(error)),
        None => error.downcast_ref::<DbError>().map(database_details),
    }
}

fn details(error: &Error) -> DriverError {
    error
        .as_db_error()
        .map(database_details)
        .unwrap_or_default()
}

fn database_details(error: &DbError) -> DriverError {
    let code = Cow::Owned(error.code().code().to_owned());
    DriverError::new(code_of(code), error.constraint())
}

/// The error's kind. It is private to tokio-postgres and read from the beginning of the error's text, which holds no
/// value. A kind of a later release is `tokio_postgres::Error`.
fn kind(error: &Error) -> &'static str {
    const KINDS: [(&str, &str); 15] = [
        (
            "error communicating with the server",
            "tokio_postgres::Error::Io",
        ),
        (
            "unexpected message from server",
            "tokio_postgres::Error::UnexpectedMessage",
        ),
        (
            "error performing TLS handshake",
            "tokio_postgres::Error::Tls",
        ),
        (
            "error serializing parameter",
            "tokio_postgres::Error::ToSql",
        ),
        (
            "error deserializing column",
            "tokio_postgres::Error::FromSql",
        ),
        ("invalid column", "tokio_postgres::Error::Column"),
        (
            "query returned an unexpected number of columns",
            "tokio_postgres::Error::ColumnCount",
        ),
        ("expected ", "tokio_postgres::Error::Parameters"),
        (
            "error parsing response from server",
            "tokio_postgres::Error::Parse",
        ),
        (
            "error encoding message to server",
            "tokio_postgres::Error::Encode",
        ),
        (
            "authentication error",
            "tokio_postgres::Error::Authentication",
        ),
        ("invalid con", "tokio_postgres::Error::Config"),
        (
            "query returned an unexpected number of rows",
            "tokio_postgres::Error::RowCount",
        ),
        (
            "error connecting to server",
            "tokio_postgres::Error::Connect",
        ),
        (
            "timeout waiting for server",
            "tokio_postgres::Error::Timeout",
        ),
    ];
    // The two kinds that the API shows come first. The text is made only for the others.
    if error.as_db_error().is_some() {
        return "tokio_postgres::Error::Db";
    }
    if error.is_closed() {
        return "tokio_postgres::Error::Closed";
    }
    let text = error.to_string();
    let known = KINDS.iter().find(|(prefix, _)| text.starts_with(prefix));
    known.map_or("tokio_postgres::Error", |(_, kind)| kind)
}
