//! Rows that a statement changed, as the drivers tell them: SQLx has no trait for that.

use std::any::Any;

/// The rows that a result of a driver's names; `None` of a driver whose feature is off.
pub(super) fn rows(result: &dyn Any) -> Option<u64> {
    #[cfg(feature = "sqlx-postgres")]
    if let Some(result) = result.downcast_ref::<sqlx::postgres::PgQueryResult>() {
        return Some(result.rows_affected());
    }
    #[cfg(feature = "sqlx-mysql")]
    if let Some(result) = result.downcast_ref::<sqlx::mysql::MySqlQueryResult>() {
        return Some(result.rows_affected());
    }
    #[cfg(feature = "sqlx-sqlite")]
    if let Some(result) = result.downcast_ref::<sqlx::sqlite::SqliteQueryResult>() {
        return Some(result.rows_affected());
    }
    let any = result.downcast_ref::<sqlx_core::any::AnyQueryResult>();
    any.map(sqlx_core::any::AnyQueryResult::rows_affected)
}
