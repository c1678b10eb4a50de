use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use crate::model::cut;
use crate::semconv;

/// The maximum length of a constraint's name, in bytes.
const MAX_CONSTRAINT: usize = 128;

/// A database driver's details of an error that the database returned; empty for the driver's other errors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DriverError {
    /// The error code, such as an `SQLSTATE`.
    pub(crate) code: Option<Cow<'static, str>>,
    /// The name of the violated constraint.
    pub(crate) constraint: Option<Box<str>>,
}

/// Reads the details of an error. Returns `None` if it is not a driver's error.
pub(crate) type ReadDriverError = fn(&(dyn Error + 'static)) -> Option<DriverError>;

/// A failed query.
#[derive(Debug, Clone)]
pub(crate) struct FailedQuery {
    pub(crate) summary: Arc<str>,
    /// The path of the error's type.
    pub(crate) type_name: &'static str,
    /// The error code, or the kind of error if there is no code.
    pub(crate) error_type: Cow<'static, str>,
    pub(crate) driver: DriverError,
    /// Whether an adapter read the error. Otherwise the caller provided the code.
    pub(crate) by_driver: bool,
}

impl DriverError {
    pub(crate) fn new(code: Option<Cow<'static, str>>, constraint: Option<&str>) -> Self {
        let constraint = constraint.map(|name| cut(name, MAX_CONSTRAINT).into());
        Self { code, constraint }
    }

    /// Returns the details as attributes.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            (semconv::DB_RESPONSE_STATUS_CODE, self.code.as_deref()),
            (semconv::WATCHPOST_DB_CONSTRAINT, self.constraint.as_deref()),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
    }
}

impl FailedQuery {
    /// Whether an error is the error of this query: a database error with the same code, or an error without a code of
    /// the same type. `driver` has the driver's details of one of the error's sources; `type_name` is the path of its
    /// type.
    pub(crate) fn is_of(&self, driver: Option<&DriverError>, type_name: &str) -> bool {
        if let Some(code) = driver.and_then(|driver| driver.code.as_deref()) {
            return self.driver.code.as_deref() == Some(code);
        }
        let is_same = self.type_name == type_name;
        if self.by_driver {
            self.driver.code.is_none() && (is_same || driver.is_some())
        } else {
            is_same
        }
    }
}
