use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use crate::model::cut;
use crate::semconv;

/// Bytes of a constraint's name.
const MAX_CONSTRAINT: usize = 128;

/// What a database driver tells of an error that the database returned, or nothing of any other of its errors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DriverError {
    /// Such as an `SQLSTATE`.
    pub(crate) code: Option<Cow<'static, str>>,
    /// The constraint that was violated.
    pub(crate) constraint: Option<Box<str>>,
}

/// Reads an error; `None` where it is none of a driver's.
pub(crate) type ReadDriverError = fn(&(dyn Error + 'static)) -> Option<DriverError>;

/// A query that failed.
#[derive(Debug, Clone)]
pub(crate) struct FailedQuery {
    pub(crate) summary: Arc<str>,
    /// The path of the error's type.
    pub(crate) type_name: &'static str,
    /// The code, or the kind of error where there is none.
    pub(crate) error_type: Cow<'static, str>,
    pub(crate) driver: DriverError,
    /// Whether an adapter read the error: otherwise the code is what the caller said.
    pub(crate) by_driver: bool,
}

impl DriverError {
    pub(crate) fn new(code: Option<Cow<'static, str>>, constraint: Option<&str>) -> Self {
        let constraint = constraint.map(|name| cut(name, MAX_CONSTRAINT).into());
        Self { code, constraint }
    }

    /// What it tells, as attributes.
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
    /// Whether an error is this query's: the database's with the same code, or one without a code of the same type.
    /// `driver` is what its driver tells of one of its sources, `type_name` the path of its own type.
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
