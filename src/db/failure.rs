//! Errors of drivers, found in any error.

use std::error::Error;

use crate::model::caught;
use crate::request::DriverError;

/// Sources of an error that are looked at.
const MAX_SOURCES: usize = 10;

/// The facts that a driver reports about one of its errors; `None` for any other error.
pub(crate) fn of(error: &(dyn Error + 'static)) -> Option<DriverError> {
    // The errors of databases are foreign code.
    caught(|| of_any_driver(error)).flatten()
}

fn of_any_driver(error: &(dyn Error + 'static)) -> Option<DriverError> {
    #[cfg(feature = "sqlx")]
    if let Some(found) = super::sqlx::driver_error(error) {
        return Some(found);
    }
    #[cfg(feature = "tokio-postgres")]
    if let Some(found) = super::tokio_postgres::driver_error(error) {
        return Some(found);
    }
    #[cfg(feature = "deadpool-postgres")]
    if let Some(found) = super::deadpool_postgres::driver_error(error) {
        return Some(found);
    }
    let _ = error;
    None
}

/// The same of an error and its sources: the first with a code, else the first.
pub(super) fn of_chain(error: &(dyn Error + 'static)) -> Option<DriverError> {
    let mut found: Option<DriverError> = None;
    let mut next = Some(error);
    for _ in 0..MAX_SOURCES {
        let Some(error) = next else { break };
        if let Some(one) = of(error)
            && (found.is_none() || one.code.is_some())
        {
            let is_whole = one.code.is_some();
            found = Some(one);
            if is_whole {
                break;
            }
        }
        next = caught(|| error.source()).flatten();
    }
    found
}
