//! Reads the number of affected rows from the result types of the drivers: SQLx has no trait for it.

use std::any::Any;

/// Reads the result of one driver; `None` for that of any other driver.
type ReadRows = fn(&dyn Any) -> Option<u64>;

/// One for each driver whose feature is on, and the `Any` driver.
const DRIVERS: &[ReadRows] = &[
    #[cfg(feature = "sqlx-postgres")]
    |result| {
        let result = result.downcast_ref::<sqlx::postgres::PgQueryResult>()?;
        Some(result.rows_affected())
    },
    #[cfg(feature = "sqlx-mysql")]
    |result| {
        let result = result.downcast_ref::<sqlx::mysql::MySqlQueryResult>()?;
        Some(result.rows_affected())
    },
    #[cfg(feature = "sqlx-sqlite")]
    |result| {
        let result = result.downcast_ref::<sqlx::sqlite::SqliteQueryResult>()?;
        Some(result.rows_affected())
    },
    |result| {
        let result = result.downcast_ref::<sqlx_core::any::AnyQueryResult>()?;
        Some(result.rows_affected())
    },
];

/// The affected rows of a driver's result; `None` for a driver whose feature is off.
pub(super) fn affected_rows(result: &dyn Any) -> Option<u64> {
    DRIVERS.iter().find_map(|read| read(result))
}
