//! Recognizes the errors of database drivers.

use std::error::Error;

use crate::context::DriverError;
use crate::model::catch_panic;

/// Sources of an error that are examined.
const MAX_SOURCES: usize = 10;

/// Reads an error of one driver; `None` for any other error.
type ReadError = fn(&(dyn Error + 'static)) -> Option<DriverError>;

/// One for each adapter that is compiled in.
const DRIVERS: &[ReadError] = &[
    #[cfg(feature = "sqlx")]
    super::sqlx::driver_error,
    #[cfg(feature = "tokio-postgres")]
    super::tokio_postgres::driver_error,
    #[cfg(feature = "deadpool-postgres")]
    super::deadpool_postgres::driver_error,
];

/// What a driver reports about one of its errors: code and constraint. `None` for any other error.
pub(crate) fn driver_error(error: &(dyn Error + 'static)) -> Option<DriverError> {
    let read = || DRIVERS.iter().find_map(|read| read(error));
    // Methods of a driver's error are foreign code.
    catch_panic(read).flatten()
}

/// Like [`driver_error`], for an error and its sources: the first one with a code, else the first.
pub(super) fn driver_error_in_chain(error: &(dyn Error + 'static)) -> Option<DriverError> {
    let mut found: Option<DriverError> = None;
    let mut next = Some(error);
    for _ in 0..MAX_SOURCES {
        let Some(error) = next else { break };
        if let Some(read) = driver_error(error) {
            if read.code.is_some() {
                return Some(read);
            }
            found.get_or_insert(read);
        }
        next = catch_panic(|| error.source()).flatten();
    }
    found
}
