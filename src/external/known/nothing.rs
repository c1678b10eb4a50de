use std::any::Any;
use std::error::Error;

/// The error, if it is this client's.
pub(super) fn error(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    let _ = any;
    None
}

/// What it says by itself.
pub(super) fn says(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let _ = error;
    None
}
