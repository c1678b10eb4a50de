use std::error::Error;

use deadpool_postgres::PoolError;

use crate::context::DriverError;

/// Recognizes an error of the pool, which has no code or constraint.
pub(in crate::db) fn driver_error(error: &(dyn Error + 'static)) -> Option<DriverError> {
    error.is::<PoolError>().then(DriverError::default)
}
